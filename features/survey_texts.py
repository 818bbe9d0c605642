"""Features from what customers write beside their survey answers: tone and length."""

from functools import partial

from features.aggregates import FIXED, Aggregate, Fact, Ratio, Source, fixed
from features.declare import Feature, Words, over
from features.ticket_texts import IS_JUDGED, IS_NEGATIVE

COMMENTS = Source(
    name="comments",
    table="surveys",
    time="answered_at",
    clock="second",
    place="place",
    facts=f"""
        SELECT customer_id, epoch_seconds(answered_at) AS ts,
          CAST(text_length AS BIGINT) AS length, {fixed("text_sentiment")} AS sentiment,
          row_number() OVER (PARTITION BY customer_id
            ORDER BY answered_at, kind, coalesce(text_sentiment, 2), text_length) AS place
        FROM surveys WHERE answered_at IS NOT NULL AND text_length IS NOT NULL""",
    columns={"length": Fact(("text",)), "sentiment": Fact(("text",), FIXED)},
)

comments = partial(Aggregate, COMMENTS)

_NONE = "No survey comment whose tone can be told in the last {days} days"
_NONE_ID = "Tidak ada komentar survei yang nadanya dapat dikenali dalam {days} hari terakhir"
_NEVER = "No survey comment whose tone can be told yet"
_NEVER_ID = "Belum ada komentar survei yang nadanya dapat dikenali"
_NO_COMMENT = "Has written no survey comment in the last {days} days"
_NO_COMMENT_ID = "Tidak menulis komentar survei dalam {days} hari terakhir"

SURVEY_TEXT_FEATURES: list[Feature] = [
    *over(
        (90, 365),
        "surveys_text_sentiment_mean",
        lambda w: comments("mean", "sentiment", days=w),
        "score",
        "satisfaction",
        english=Words(
            "Mean tone of survey comments, -1 unhappy to 1 happy, last {days} days",
            "Tone of the survey comments of the last {days} days is {value} "
            "(-1 unhappy to 1 happy)",
            _NONE,
        ),
        indonesian=Words(
            "Rata-rata nada komentar survei, -1 kecewa sampai 1 senang, {days} hari terakhir",
            "Nada komentar survei {days} hari terakhir {value} (-1 kecewa sampai 1 senang)",
            _NONE_ID,
        ),
        direction=-1,
        actionable=True,
    ),
    Feature(
        "surveys_text_sentiment_last",
        comments("last", "sentiment"),
        "score",
        "satisfaction",
        Words(
            "Tone of the last survey comment that shows one, -1 unhappy to 1 happy",
            "Tone of the last survey comment is {value} (-1 unhappy to 1 happy)",
            _NEVER,
        ),
        Words(
            "Nada komentar survei terakhir yang dapat dikenali, -1 kecewa sampai 1 senang",
            "Nada komentar survei terakhir {value} (-1 kecewa sampai 1 senang)",
            _NEVER_ID,
        ),
        direction=-1,
        actionable=True,
    ),
    *over(
        (365,),
        "surveys_text_negative_count",
        lambda w: comments("count", where=IS_NEGATIVE, days=w),
        "answers",
        "satisfaction",
        english=Words(
            "Survey comments in an unhappy tone in the last {days} days",
            "{value} with an unhappy comment in the last {days} days",
            _NO_COMMENT,
        ),
        indonesian=Words(
            "Komentar survei bernada kecewa dalam {days} hari terakhir",
            "{value} dengan komentar kecewa dalam {days} hari terakhir",
            _NO_COMMENT_ID,
        ),
        direction=1,
        actionable=True,
    ),
    *over(
        (365,),
        "surveys_text_negative_share",
        lambda w: Ratio(
            comments("count", where=IS_NEGATIVE, days=w),
            comments("count", where=IS_JUDGED, days=w),
        ),
        "share",
        "satisfaction",
        english=Words(
            "Share of survey comments with an unhappy tone, of those that show one, "
            "last {days} days",
            "Unhappy tone in {value} of the survey comments of the last {days} days that show one",
            _NONE,
        ),
        indonesian=Words(
            "Bagian komentar survei bernada kecewa dari yang nadanya dikenali, "
            "{days} hari terakhir",
            "Nada kecewa pada {value} komentar survei {days} hari terakhir yang nadanya dikenali",
            _NONE_ID,
        ),
        direction=1,
        actionable=True,
    ),
    *over(
        (365,),
        "surveys_text_length_mean",
        lambda w: comments("mean", "length", days=w),
        "number",
        "satisfaction",
        english=Words(
            "Mean characters of survey comments, last {days} days",
            "Writes {value} characters a survey comment (last {days} days)",
            _NO_COMMENT,
        ),
        indonesian=Words(
            "Rata-rata jumlah karakter komentar survei, {days} hari terakhir",
            "Menulis {value} karakter per komentar survei ({days} hari terakhir)",
            _NO_COMMENT_ID,
        ),
    ),
]
