"""Features from what customers write in tickets: tone, themes, length and language."""

from functools import partial

from features.aggregates import FIXED, Aggregate, Fact, Ratio, Source, fixed
from features.declare import Feature, Words, over
from features.text.themes import THEMES

NEGATIVE = -0.3
"""A text is negative when unhappy is so much likelier than happy, or more."""

IS_NEGATIVE = f"sentiment <= 0 - {round(-NEGATIVE * FIXED)}"
IS_JUDGED = "sentiment IS NOT NULL"

TICKET_TEXTS = Source(
    name="ticket_texts",
    table="tickets",
    time="opened_at",
    clock="second",
    place="place",
    facts=f"""
        SELECT customer_id, epoch_seconds(opened_at) AS ts,
          row_number() OVER (PARTITION BY customer_id ORDER BY opened_at, ticket_id) AS place,
          text_language AS language, CAST(text_length AS BIGINT) AS length,
          {fixed("text_sentiment")} AS sentiment,
          {", ".join(f"CAST(text_{theme} AS BIGINT) AS {theme}" for theme in THEMES)}
        FROM tickets WHERE text_length IS NOT NULL""",
    columns={
        "language": Fact(("text",), is_text=True),
        "length": Fact(("text",)),
        "sentiment": Fact(("text",), FIXED),
        **{theme: Fact(("text",)) for theme in THEMES},
    },
)

texts = partial(Aggregate, TICKET_TEXTS)

_NONE = "No ticket text whose tone can be told in the last {days} days"
_NONE_ID = "Tidak ada teks tiket yang nadanya dapat dikenali dalam {days} hari terakhir"
_NEVER = "No ticket text whose tone can be told yet"
_NEVER_ID = "Belum ada teks tiket yang nadanya dapat dikenali"
_NO_TEXT = "Has written no ticket text in the last {days} days"
_NO_TEXT_ID = "Tidak menulis teks tiket dalam {days} hari terakhir"

_TONE: list[Feature] = [
    *over(
        (90, 365),
        "tickets_text_sentiment_mean",
        lambda w: texts("mean", "sentiment", days=w),
        "score",
        "satisfaction",
        english=Words(
            "Mean tone of ticket texts, -1 unhappy to 1 happy, last {days} days",
            "Tone of the tickets of the last {days} days is {value} (-1 unhappy to 1 happy)",
            _NONE,
        ),
        indonesian=Words(
            "Rata-rata nada teks tiket, -1 kecewa sampai 1 senang, {days} hari terakhir",
            "Nada tiket {days} hari terakhir {value} (-1 kecewa sampai 1 senang)",
            _NONE_ID,
        ),
        direction=-1,
        actionable=True,
    ),
    Feature(
        "tickets_text_sentiment_last",
        texts("last", "sentiment"),
        "score",
        "satisfaction",
        Words(
            "Tone of the last ticket text that shows one, -1 unhappy to 1 happy",
            "Tone of the last ticket is {value} (-1 unhappy to 1 happy)",
            _NEVER,
        ),
        Words(
            "Nada teks tiket terakhir yang dapat dikenali, -1 kecewa sampai 1 senang",
            "Nada tiket terakhir {value} (-1 kecewa sampai 1 senang)",
            _NEVER_ID,
        ),
        direction=-1,
        actionable=True,
    ),
    *over(
        (90,),
        "tickets_text_negative_count",
        lambda w: texts("count", where=IS_NEGATIVE, days=w),
        "tickets",
        "satisfaction",
        english=Words(
            "Tickets written in an unhappy tone in the last {days} days",
            "{value} written in an unhappy tone in the last {days} days",
            _NO_TEXT,
        ),
        indonesian=Words(
            "Tiket bernada kecewa dalam {days} hari terakhir",
            "{value} bernada kecewa dalam {days} hari terakhir",
            _NO_TEXT_ID,
        ),
        direction=1,
        actionable=True,
    ),
    *over(
        (365,),
        "tickets_text_negative_share",
        lambda w: Ratio(
            texts("count", where=IS_NEGATIVE, days=w), texts("count", where=IS_JUDGED, days=w)
        ),
        "share",
        "satisfaction",
        english=Words(
            "Share of ticket texts with an unhappy tone, of those that show one, last {days} days",
            "Unhappy tone in {value} of the tickets of the last {days} days that show one",
            _NONE,
        ),
        indonesian=Words(
            "Bagian teks tiket bernada kecewa dari yang nadanya dikenali, {days} hari terakhir",
            "Nada kecewa pada {value} tiket {days} hari terakhir yang nadanya dikenali",
            _NONE_ID,
        ),
        direction=1,
        actionable=True,
    ),
]

_THEMES: dict[str, tuple[str, str]] = {
    "price": ("prices and promotions", "harga dan promosi"),
    "delivery": ("delivery", "pengiriman"),
    "quality": ("product quality", "kualitas barang"),
    "service": ("the service itself", "pelayanan"),
    "technical": ("app, account or connection", "aplikasi, akun, atau koneksi"),
    "billing": ("payments and refunds", "pembayaran dan pengembalian dana"),
}
"""Theme to what it is about, in words."""


def _about(theme: str, english: str, indonesian: str) -> list[Feature]:
    """Tickets of half a year whose text speaks of one theme."""
    return over(
        (180,),
        f"tickets_text_{theme}_count",
        lambda w: texts("count", where=f"{theme} = 1", days=w),
        "tickets",
        "support",
        english=Words(
            f"Tickets of the last {{days}} days whose text speaks of {english}",
            f"{{value}} that speak of {english} in the last {{days}} days",
            _NO_TEXT,
        ),
        indonesian=Words(
            f"Tiket {{days}} hari terakhir yang teksnya menyebut {indonesian}",
            f"{{value}} menyebut {indonesian} dalam {{days}} hari terakhir",
            _NO_TEXT_ID,
        ),
        actionable=True,
    )


_WRITING: list[Feature] = [
    *over(
        (365,),
        "tickets_text_length_mean",
        lambda w: texts("mean", "length", days=w),
        "number",
        "support",
        english=Words(
            "Mean characters of ticket texts, last {days} days",
            "Writes {value} characters a ticket (last {days} days)",
            _NO_TEXT,
        ),
        indonesian=Words(
            "Rata-rata jumlah karakter teks tiket, {days} hari terakhir",
            "Menulis {value} karakter per tiket ({days} hari terakhir)",
            _NO_TEXT_ID,
        ),
    ),
    *over(
        (365,),
        "tickets_text_other_language_count",
        lambda w: texts("count", where="language = 'unknown'", days=w),
        "tickets",
        "support",
        english=Words(
            "Tickets of the last {days} days in neither Indonesian nor English",
            "{value} in neither Indonesian nor English in the last {days} days",
            _NO_TEXT,
        ),
        indonesian=Words(
            "Tiket {days} hari terakhir yang bukan dalam bahasa Indonesia atau Inggris",
            "{value} bukan dalam bahasa Indonesia atau Inggris dalam {days} hari terakhir",
            _NO_TEXT_ID,
        ),
        actionable=True,
    ),
]

TICKET_TEXT_FEATURES: list[Feature] = [
    *_TONE,
    *(feature for theme, words in _THEMES.items() for feature in _about(theme, *words)),
    *_WRITING,
]
