"""Features that hold survey answers against the past, against others and against a ticket."""

from features.aggregates import Difference, Ratio, Shrunk, of_company
from features.declare import Feature, Words, over
from features.surveys import ASKED, answers, invitations

LOW_SCORES = {"nps": ("detractor", 6), "csat": ("at_most_two", 2), "ces": ("at_most_three", 3)}
"""Kind of survey to the fact that marks a low score, and the highest such score."""
_UNSENT = "No surveys sent in the last {days} days"
_UNSENT_ID = "Tidak ada survei dikirim dalam {days} hari terakhir"
_NEVER_SENT = "No surveys sent yet"
_NEVER_SENT_ID = "Belum ada survei dikirim"


def _against(kind: str, english: str, indonesian: str) -> list[Feature]:
    """A year's scores of one kind: their trend, and how far they lie from everybody's."""
    where = f"kind = '{kind}'"
    nothing = f"No answer about {english} in the last {{days}} days"
    nothing_id = f"Tidak ada jawaban tentang {indonesian} dalam {{days}} hari terakhir"
    return [
        *over(
            (365,),
            f"surveys_{kind}_over_company",
            lambda w: Difference(
                answers("mean", "score", where=where, days=w),
                of_company(answers("mean", "score", where=where, days=w)),
            ),
            "points",
            "satisfaction",
            english=Words(
                f"Mean score for {english} less the company's mean, last {{days}} days",
                f"Score for {english} {{value}} from what customers give (last {{days}} days)",
                nothing,
            ),
            indonesian=Words(
                f"Rata-rata nilai {indonesian} dikurangi rata-rata perusahaan, {{days}} hari "
                "terakhir",
                f"Nilai {indonesian} {{value}} dari nilai pelanggan umumnya ({{days}} hari "
                "terakhir)",
                nothing_id,
            ),
            direction=-1,
            actionable=True,
        ),
        *over(
            (365,),
            f"surveys_{kind}_trend",
            lambda w: answers("trend", "score", where=where, days=w),
            "trend",
            "satisfaction",
            english=Words(
                f"Trend of the score for {english} per 30 days, last {{days}} days",
                f"Score for {english} {{value}} a month (last {{days}} days)",
                f"Fewer than two answers about {english} in the last {{days}} days",
            ),
            indonesian=Words(
                f"Tren nilai {indonesian} per 30 hari, {{days}} hari terakhir",
                f"Nilai {indonesian} {{value}} per bulan ({{days}} hari terakhir)",
                f"Kurang dari dua jawaban tentang {indonesian} dalam {{days}} hari terakhir",
            ),
            direction=-1,
            actionable=True,
        ),
        Feature(
            f"surveys_{kind}_days_since_last",
            answers("since_last", where=where),
            "days",
            "satisfaction",
            Words(
                f"Days since the last answer about {english}",
                f"Last answered about {english} {{value}} ago",
                f"No answer about {english} yet",
            ),
            Words(
                f"Hari sejak jawaban terakhir tentang {indonesian}",
                f"Terakhir menjawab tentang {indonesian} {{value}} lalu",
                f"Belum ada jawaban tentang {indonesian}",
            ),
        ),
    ]


def _after_ticket(kind: str, english: str, indonesian: str) -> list[Feature]:
    """The last answer of one kind that was asked about a ticket."""
    return [
        Feature(
            f"surveys_{kind}_last_on_ticket",
            answers("last", "score", where=f"kind = '{kind}' AND on_ticket = 1"),
            "score",
            "satisfaction",
            Words(
                f"Last score for {english} on a ticket",
                f"Last score for {english} on a ticket was {{value}}",
                f"No answer about {english} on a ticket yet",
            ),
            Words(
                f"Nilai terakhir untuk {indonesian} atas sebuah tiket",
                f"Nilai terakhir untuk {indonesian} atas tiket: {{value}}",
                f"Belum ada jawaban tentang {indonesian} atas tiket",
            ),
            direction=-1,
            actionable=True,
        ),
    ]


def _low(kind: str, english: str, indonesian: str) -> Feature:
    """Whether the last answer of one kind was low."""
    column, most = LOW_SCORES[kind]
    return Feature(
        f"surveys_{kind}_last_is_low",
        answers("last", column, where=f"kind = '{kind}'"),
        "flag",
        "satisfaction",
        Words(
            f"Whether the last score for {english} was {most} or less",
            f"Last score for {english} was {most} or less",
            f"No answer about {english} yet",
            f"Last score for {english} was above {most}",
        ),
        Words(
            f"Apakah nilai terakhir {indonesian} {most} atau kurang",
            f"Nilai terakhir {indonesian} {most} atau kurang",
            f"Belum ada jawaban tentang {indonesian}",
            f"Nilai terakhir {indonesian} di atas {most}",
        ),
        direction=1,
        actionable=True,
    )


_PROMOTER = Feature(
    "surveys_nps_promoter",
    answers("last", "promoter", where="kind = 'nps'"),
    "flag",
    "satisfaction",
    Words(
        "Whether the last recommendation score was 9 or 10",
        "Would recommend us (last score 9 or 10)",
        "No answer about recommending us yet",
        "Last recommendation score was below 9",
    ),
    Words(
        "Apakah nilai rekomendasi terakhir 9 atau 10",
        "Akan merekomendasikan kami (nilai terakhir 9 atau 10)",
        "Belum ada jawaban tentang rekomendasi",
        "Nilai rekomendasi terakhir di bawah 9",
    ),
    direction=-1,
)

_SILENT = "answered_at IS NULL"

_SILENCE: list[Feature] = [
    Feature(
        "surveys_last_unanswered",
        invitations("last_is", where=_SILENT),
        "flag",
        "satisfaction",
        Words(
            "Whether the last survey sent is unanswered",
            "Last survey sent is unanswered",
            _NEVER_SENT,
            "Last survey sent was answered",
        ),
        Words(
            "Apakah survei terakhir yang dikirim tidak dijawab",
            "Survei terakhir yang dikirim tidak dijawab",
            _NEVER_SENT_ID,
            "Survei terakhir yang dikirim dijawab",
        ),
        direction=1,
    ),
    *over(
        (90, 365),
        "surveys_sent_count",
        lambda w: invitations("count", days=w),
        "surveys",
        "satisfaction",
        english=Words(
            "Surveys sent in the last {days} days", "{value} sent in the last {days} days", _UNSENT
        ),
        indonesian=Words(
            "Survei yang dikirim dalam {days} hari terakhir",
            "{value} dikirim dalam {days} hari terakhir",
            _UNSENT_ID,
        ),
    ),
    *over(
        (90,),
        "surveys_unanswered_rate",
        lambda w: Ratio(invitations("count", where=_SILENT, days=w), invitations("count", days=w)),
        "share",
        "satisfaction",
        english=Words(
            "Share of the surveys of the last {days} days left unanswered",
            "Left {value} of surveys unanswered (last {days} days)",
            _UNSENT,
            "Answered every survey of the last {days} days",
        ),
        indonesian=Words(
            "Bagian survei {days} hari terakhir yang tidak dijawab",
            "Tidak menjawab {value} survei ({days} hari terakhir)",
            _UNSENT_ID,
            "Menjawab semua survei {days} hari terakhir",
        ),
        direction=1,
    ),
    *over(
        (365,),
        "surveys_unanswered_rate_shrunk",
        lambda w: Shrunk(invitations("count", where=_SILENT, days=w), invitations("count", days=w)),
        "share",
        "satisfaction",
        english=Words(
            "Share of surveys left unanswered drawn towards the company's, last {days} days",
            "Leaves about {value} of surveys unanswered, allowing for few surveys",
            _UNSENT,
        ),
        indonesian=Words(
            "Bagian survei tak dijawab, ditarik ke tingkat perusahaan, {days} hari terakhir",
            "Sekitar {value} survei tak dijawab, dengan memperhitungkan survei yang sedikit",
            _UNSENT_ID,
        ),
        direction=1,
    ),
    *over(
        (365,),
        "surveys_low_csat_rate_shrunk",
        lambda w: Shrunk(
            answers("count", where="kind = 'csat' AND at_most_two = 1", days=w),
            answers("count", where="kind = 'csat'", days=w),
        ),
        "share",
        "satisfaction",
        english=Words(
            "Share of satisfaction scores of 1 or 2 drawn towards the company's, last {days} days",
            "About {value} of satisfaction scores are 1 or 2, allowing for few answers",
            "No answer about satisfaction in the last {days} days",
        ),
        indonesian=Words(
            "Bagian nilai kepuasan 1 atau 2, ditarik ke tingkat perusahaan, {days} hari terakhir",
            "Sekitar {value} nilai kepuasan 1 atau 2, dengan memperhitungkan jawaban yang sedikit",
            "Tidak ada jawaban tentang kepuasan dalam {days} hari terakhir",
        ),
        direction=1,
        actionable=True,
    ),
]

SATISFACTION: list[Feature] = [
    *[feature for asked in ASKED for feature in (*_against(*asked), *_after_ticket(*asked))],
    *[_low(*asked) for asked in ASKED[1:]],
    _PROMOTER,
    *_SILENCE,
]
