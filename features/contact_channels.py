"""Features on the channels through which a customer asks for support, and on changing them."""

from features.aggregates import Aggregate, Ratio
from features.declare import Feature, Words, over
from features.support import NEVER, NEVER_ID, SELF_SERVICE, tickets

_CHANNELS = (
    ("in_person", "in person", "tatap muka"),
    ("phone", "by phone", "lewat telepon"),
    ("email", "by e-mail", "lewat surel"),
    ("chat", "by chat", "lewat obrolan daring"),
    ("messaging", "by messaging app", "lewat aplikasi pesan"),
    ("social", "on social media", "lewat media sosial"),
    ("self_service", "through the self-service pages", "lewat halaman layanan mandiri"),
    ("chatbot", "with the chatbot", "lewat chatbot"),
    ("forum", "in the forum", "lewat forum"),
    ("other", "through other channels", "lewat saluran lain"),
)
"""Channel, and how a sentence says it in English and Indonesian."""

_GROUPS = (
    ("voice", "'phone', 'in_person'", "by phone or in person", "lewat telepon atau tatap muka"),
    ("written", "'email', 'chat', 'messaging', 'social'", "in writing", "secara tertulis"),
    ("self_service", SELF_SERVICE, "without an agent", "tanpa petugas"),
)
"""Group of channels, its members, and how a sentence says it."""

_ONE = "Fewer than two tickets in the last {days} days"
_ONE_ID = "Kurang dari dua tiket dalam {days} hari terakhir"
_NO_TICKET = "No tickets in the last {days} days"
_NO_TICKET_ID = "Tidak ada tiket dalam {days} hari terakhir"


def _through(
    days: tuple[int, ...], name: str, channels: str, english: str, indonesian: str
) -> list[Feature]:
    """Tickets that came through one or more channels."""
    return over(
        days,
        f"tickets_{name}_count",
        lambda w: tickets("count", where=f"channel IN ({channels})", days=w),
        "tickets",
        "support",
        english=Words(
            f"Tickets {english} in the last {{days}} days",
            f"{{value}} {english} in the last {{days}} days",
            NEVER,
        ),
        indonesian=Words(
            f"Tiket {indonesian} dalam {{days}} hari terakhir",
            f"{{value}} {indonesian} dalam {{days}} hari terakhir",
            NEVER_ID,
        ),
    )


def _changes(lookback: int) -> Aggregate:
    return tickets("count", where="channel <> channel_before", days=lookback)


CONTACT_CHANNELS: list[Feature] = [
    *[feature for group in _GROUPS for feature in _through((90,), *group)],
    *[
        feature
        for name, english, indonesian in _CHANNELS
        for feature in _through((90, 365), f"by_{name}", f"'{name}'", english, indonesian)
    ],
    *over(
        (365,),
        "tickets_channels",
        lambda w: tickets("distinct", "channel", days=w),
        "channels",
        "support",
        english=Words(
            "Different channels of the tickets of the last {days} days",
            "Asked for support through {value} in the last {days} days",
            NEVER,
            _NO_TICKET,
        ),
        indonesian=Words(
            "Saluran berbeda dari tiket {days} hari terakhir",
            "Meminta bantuan lewat {value} dalam {days} hari terakhir",
            NEVER_ID,
            _NO_TICKET_ID,
        ),
    ),
    *over(
        (90, 365),
        "tickets_channel_changes",
        _changes,
        "switches",
        "support",
        english=Words(
            "Tickets of the last {days} days on another channel than the ticket before",
            "{value} of channel from one ticket to the next in the last {days} days",
            NEVER,
        ),
        indonesian=Words(
            "Tiket {days} hari terakhir pada saluran lain dari tiket sebelumnya",
            "{value} saluran antar tiket dalam {days} hari terakhir",
            NEVER_ID,
        ),
        direction=1,
        actionable=True,
    ),
    *over(
        (365,),
        "tickets_channel_change_rate",
        lambda w: Ratio(_changes(w), tickets("count", where="channel_before IS NOT NULL", days=w)),
        "share",
        "support",
        english=Words(
            "Share of the tickets of the last {days} days that came on another channel",
            "Changed channel for {value} of tickets (last {days} days)",
            _ONE,
            "Stayed on one channel in the last {days} days",
        ),
        indonesian=Words(
            "Bagian tiket {days} hari terakhir yang datang lewat saluran lain",
            "Berganti saluran pada {value} tiket ({days} hari terakhir)",
            _ONE_ID,
            "Tetap pada satu saluran dalam {days} hari terakhir",
        ),
        direction=1,
    ),
    *over(
        (365,),
        "tickets_main_channel_share",
        lambda w: Ratio(
            tickets("modal", "channel", days=w),
            tickets("count", where="channel IS NOT NULL", days=w),
        ),
        "share",
        "support",
        english=Words(
            "Share of the tickets of the last {days} days on the most used channel",
            "{value} of tickets on the favourite channel (last {days} days)",
            _NO_TICKET,
        ),
        indonesian=Words(
            "Bagian tiket {days} hari terakhir pada saluran yang paling sering dipakai",
            "{value} tiket lewat saluran favorit ({days} hari terakhir)",
            _NO_TICKET_ID,
        ),
    ),
]
