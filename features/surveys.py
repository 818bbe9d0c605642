"""Features from surveys: what customers answered, how that moved, and whether they answer."""

from functools import partial

from features.aggregates import FIXED, Aggregate, Fact, Ratio, Source, fixed
from features.declare import Feature, Words, over

ANSWERS = Source(
    name="answers",
    table="surveys",
    time="answered_at",
    clock="second",
    place="place",
    facts=f"""
        SELECT customer_id, ts, kind, score, on_ticket,
          score - lag(score) OVER (PARTITION BY customer_id, kind ORDER BY ts) AS step,
          CASE WHEN score <= 60000 THEN 1 ELSE 0 END AS detractor,
          CASE WHEN score >= 90000 THEN 1 ELSE 0 END AS promoter,
          CASE WHEN score <= 20000 THEN 1 ELSE 0 END AS at_most_two,
          CASE WHEN score <= 30000 THEN 1 ELSE 0 END AS at_most_three,
          row_number() OVER (PARTITION BY customer_id ORDER BY ts, kind) AS place
        FROM (
          SELECT customer_id, kind, epoch_seconds(answered_at) AS ts,
            CAST(floor(CAST(sum({fixed("score")}) AS DOUBLE) / count(*)) AS BIGINT) AS score,
            max(CASE WHEN ticket_id IS NOT NULL THEN 1 ELSE 0 END) AS on_ticket
          FROM surveys WHERE answered_at IS NOT NULL AND score IS NOT NULL
          GROUP BY customer_id, kind, epoch_seconds(answered_at)
        ) a""",
    columns={
        "kind": Fact(("kind",), is_text=True),
        "score": Fact(("score",), FIXED),
        "step": Fact(("score",), FIXED),
        "detractor": Fact(("score",)),
        "promoter": Fact(("score",)),
        "at_most_two": Fact(("score",)),
        "at_most_three": Fact(("score",)),
        "on_ticket": Fact(("ticket_id",)),
    },
)

INVITATIONS = Source(
    name="invitations",
    table="surveys",
    time="sent_at",
    clock="second",
    place="place",
    # Among surveys sent in the same second, the answered ones come first, as they were answered:
    # at any cutoff those seen as answered then precede the others.
    facts="""
        SELECT customer_id, epoch_seconds(sent_at) AS ts, epoch_seconds(answered_at) AS answered_at,
          row_number() OVER (
            PARTITION BY customer_id ORDER BY sent_at, answered_at NULLS LAST) AS place
        FROM surveys WHERE sent_at IS NOT NULL""",
    columns={"answered_at": Fact(("answered_at",))},
)

_NEVER = "Has never answered a survey"
_NEVER_ID = "Belum pernah menjawab survei"

ASKED = (
    ("nps", "recommending us", "rekomendasi"),
    ("csat", "satisfaction", "kepuasan"),
    ("ces", "ease", "kemudahan"),
)
"""Kind of survey, and what it asks about."""

answers = partial(Aggregate, ANSWERS)
invitations = partial(Aggregate, INVITATIONS)


def _level(kind: str, english: str, indonesian: str) -> list[Feature]:
    """Last answer and mean of a year of one kind of survey."""
    where = f"kind = '{kind}'"
    return [
        Feature(
            f"surveys_{kind}_last",
            answers("last", "score", where=where),
            "score",
            "satisfaction",
            Words(
                f"Last score for {english}",
                f"Last score for {english} was {{value}}",
                f"No answer about {english} yet",
            ),
            Words(
                f"Nilai terakhir untuk {indonesian}",
                f"Nilai terakhir untuk {indonesian}: {{value}}",
                f"Belum ada jawaban tentang {indonesian}",
            ),
            direction=-1,
            actionable=True,
        ),
        *over(
            (365,),
            f"surveys_{kind}_mean",
            lambda w: answers("mean", "score", where=where, days=w),
            "score",
            "satisfaction",
            english=Words(
                f"Mean score for {english}, last {{days}} days",
                f"Mean score for {english} is {{value}} (last {{days}} days)",
                f"No answer about {english} in the last {{days}} days",
            ),
            indonesian=Words(
                f"Rata-rata nilai {indonesian}, {{days}} hari terakhir",
                f"Rata-rata nilai {indonesian} {{value}} ({{days}} hari terakhir)",
                f"Tidak ada jawaban tentang {indonesian} dalam {{days}} hari terakhir",
            ),
            direction=-1,
            actionable=True,
        ),
    ]


def _move(kind: str, english: str, indonesian: str) -> Feature:
    """How far the last answer lies from the one before."""
    return Feature(
        f"surveys_{kind}_change",
        answers("last", "step", where=f"kind = '{kind}'"),
        "points",
        "satisfaction",
        Words(
            f"Change of the score for {english} from the answer before to the last",
            f"Score for {english} {{value}} since the answer before",
            f"Fewer than two answers about {english}",
            f"Score for {english} unchanged since the answer before",
        ),
        Words(
            f"Perubahan nilai {indonesian} dari jawaban sebelumnya ke yang terakhir",
            f"Nilai {indonesian} {{value}} sejak jawaban sebelumnya",
            f"Kurang dari dua jawaban tentang {indonesian}",
            f"Nilai {indonesian} tidak berubah sejak jawaban sebelumnya",
        ),
        direction=-1,
        actionable=True,
    )


_ATTENTION: list[Feature] = [
    Feature(
        "surveys_nps_detractor",
        answers("last", "detractor", where="kind = 'nps'"),
        "flag",
        "satisfaction",
        Words(
            "Whether the last recommendation score was 6 or less",
            "Would not recommend us (last score 6 or less)",
            "No answer about recommending us yet",
            "Last recommendation score was above 6",
        ),
        Words(
            "Apakah nilai rekomendasi terakhir 6 atau kurang",
            "Tidak akan merekomendasikan kami (nilai terakhir 6 atau kurang)",
            "Belum ada jawaban tentang rekomendasi",
            "Nilai rekomendasi terakhir di atas 6",
        ),
        direction=1,
        actionable=True,
    ),
    *over(
        (365,),
        "surveys_csat_low_count",
        lambda w: answers("count", where="kind = 'csat' AND score <= 20000", days=w),
        "answers",
        "satisfaction",
        english=Words(
            "Satisfaction scores of 1 or 2 in the last {days} days",
            "{value} with a satisfaction score of 1 or 2 in the last {days} days",
            _NEVER,
        ),
        indonesian=Words(
            "Nilai kepuasan 1 atau 2 dalam {days} hari terakhir",
            "{value} dengan nilai kepuasan 1 atau 2 dalam {days} hari terakhir",
            _NEVER_ID,
        ),
        direction=1,
        actionable=True,
    ),
    Feature(
        "surveys_days_since_last_answer",
        answers("since_last"),
        "days",
        "satisfaction",
        Words("Days since the last answer", "Last answered a survey {value} ago", _NEVER),
        Words("Hari sejak jawaban terakhir", "Terakhir menjawab survei {value} lalu", _NEVER_ID),
    ),
    *over(
        (365,),
        "surveys_unanswered_count",
        lambda w: invitations("count", where="answered_at IS NULL", days=w),
        "surveys",
        "satisfaction",
        english=Words(
            "Surveys of the last {days} days left unanswered",
            "{value} left unanswered in the last {days} days",
            "No surveys sent yet",
        ),
        indonesian=Words(
            "Survei {days} hari terakhir yang tidak dijawab",
            "{value} tidak dijawab dalam {days} hari terakhir",
            "Belum ada survei dikirim",
        ),
        direction=1,
    ),
    *over(
        (365,),
        "surveys_answer_rate",
        lambda w: Ratio(
            invitations("count", where="answered_at IS NOT NULL", days=w),
            invitations("count", days=w),
        ),
        "share",
        "satisfaction",
        english=Words(
            "Share of the surveys of the last {days} days that were answered",
            "Answered {value} of the surveys of the last {days} days",
            "No surveys sent in the last {days} days",
            "Answered none of the surveys of the last {days} days",
        ),
        indonesian=Words(
            "Bagian survei {days} hari terakhir yang dijawab",
            "Menjawab {value} survei dalam {days} hari terakhir",
            "Tidak ada survei dikirim dalam {days} hari terakhir",
            "Tidak menjawab survei apa pun dalam {days} hari terakhir",
        ),
        direction=-1,
    ),
]

SURVEYS: list[Feature] = [
    *[feature for asked in ASKED for feature in (*_level(*asked), _move(*asked))],
    *_ATTENTION,
]
