"""Features on how the last ticket stands, and on how tickets end in general."""

from features.aggregates import Aggregate, Ratio, Shrunk
from features.declare import Feature, Words, over
from features.repeat_contact import REPEAT_DAYS, repeats
from features.support import NEVER, NEVER_ID, OPEN, tickets

_SOLVED = "resolved_at IS NOT NULL"
_NO_TICKET = "No tickets in the last {days} days"
_NO_TICKET_ID = "Tidak ada tiket dalam {days} hari terakhir"
_UNSOLVED = "No ticket resolved in the last {days} days"
_UNSOLVED_ID = "Tidak ada tiket selesai dalam {days} hari terakhir"


def _count(lookback: int, where: str = "") -> Aggregate:
    return tickets("count", where=where, days=lookback)


def _last(
    name: str, where: str, english: tuple[str, str, str], indonesian: tuple[str, str, str]
) -> Feature:
    """Whether the last ticket is in some state: what it means, said when so, and when not."""
    return Feature(
        f"tickets_last_{name}",
        tickets("last_is", where=where),
        "flag",
        "support",
        Words(english[0], english[1], NEVER, english[2]),
        Words(indonesian[0], indonesian[1], NEVER_ID, indonesian[2]),
        direction=1,
        actionable=True,
    )


_LAST: list[Feature] = [
    _last(
        "is_open",
        OPEN,
        ("Whether the last ticket is open", "Last ticket is still open", "Last ticket is closed"),
        (
            "Apakah tiket terakhir masih terbuka",
            "Tiket terakhir masih terbuka",
            "Tiket terakhir sudah ditutup",
        ),
    ),
    _last(
        "was_reopened",
        "reopened_at IS NOT NULL",
        (
            "Whether the last ticket was reopened",
            "Last ticket had to be reopened",
            "Last ticket was not reopened",
        ),
        (
            "Apakah tiket terakhir dibuka lagi",
            "Tiket terakhir harus dibuka lagi",
            "Tiket terakhir tidak dibuka lagi",
        ),
    ),
    _last(
        "was_escalated",
        "escalated_at IS NOT NULL",
        (
            "Whether the last ticket was escalated",
            "Last ticket was escalated",
            "Last ticket was not escalated",
        ),
        (
            "Apakah tiket terakhir dieskalasi",
            "Tiket terakhir dieskalasi",
            "Tiket terakhir tidak dieskalasi",
        ),
    ),
    _last(
        "is_repeat",
        f"since_category <= {REPEAT_DAYS[1] * 86_400}",
        (
            f"Whether the last ticket repeats a category within {REPEAT_DAYS[1]} days",
            "Last ticket was about the same problem as one shortly before",
            "Last ticket did not repeat an earlier one",
        ),
        (
            f"Apakah tiket terakhir mengulang kategori dalam {REPEAT_DAYS[1]} hari",
            "Tiket terakhir tentang masalah yang sama dengan tiket tak lama sebelumnya",
            "Tiket terakhir tidak mengulang tiket sebelumnya",
        ),
    ),
]

_ENDS: list[Feature] = [
    *over(
        (90, 365),
        "tickets_resolved_count",
        lambda w: _count(w, _SOLVED),
        "tickets",
        "support",
        english=Words(
            "Tickets of the last {days} days resolved by now",
            "{value} of the last {days} days resolved",
            NEVER,
        ),
        indonesian=Words(
            "Tiket {days} hari terakhir yang sudah selesai",
            "{value} dari {days} hari terakhir sudah selesai",
            NEVER_ID,
        ),
    ),
    *over(
        (90, 365),
        "tickets_resolution_rate",
        lambda w: Ratio(_count(w, _SOLVED), _count(w)),
        "share",
        "support",
        english=Words(
            "Share of the tickets of the last {days} days resolved by now",
            "{value} of tickets resolved (last {days} days)",
            _NO_TICKET,
            "No ticket of the last {days} days is resolved",
        ),
        indonesian=Words(
            "Bagian tiket {days} hari terakhir yang sudah selesai",
            "{value} tiket selesai ({days} hari terakhir)",
            _NO_TICKET_ID,
            "Belum ada tiket {days} hari terakhir yang selesai",
        ),
        direction=-1,
        actionable=True,
    ),
    *over(
        (365,),
        "tickets_transferred_rate",
        lambda w: Ratio(_count(w, "transfers > 0"), _count(w, "transfers IS NOT NULL")),
        "share",
        "support",
        english=Words(
            "Share of the resolved tickets of the last {days} days that changed agent",
            "{value} of problems passed on between agents (last {days} days)",
            _UNSOLVED,
            "No problem of the last {days} days was passed on",
        ),
        indonesian=Words(
            "Bagian tiket selesai {days} hari terakhir yang berganti petugas",
            "{value} masalah dialihkan antar petugas ({days} hari terakhir)",
            _UNSOLVED_ID,
            "Tidak ada masalah {days} hari terakhir yang dialihkan",
        ),
        direction=1,
        actionable=True,
    ),
]

_RATES = (
    (
        "first_contact_resolution",
        f"{_SOLVED} AND contacts <= 1 AND back_at IS NULL",
        f"{_SOLVED} AND contacts IS NOT NULL",
        "problems solved at the first contact",
        "masalah selesai pada kontak pertama",
        -1,
    ),
    ("reopened", "reopened_at IS NOT NULL", "", "tickets reopened", "tiket dibuka lagi", 1),
    ("escalated", "escalated_at IS NOT NULL", "", "tickets escalated", "tiket dieskalasi", 1),
    ("resolution", _SOLVED, "", "tickets resolved", "tiket selesai", -1),
    (
        "transferred",
        "transfers > 0",
        "transfers IS NOT NULL",
        "problems passed on between agents",
        "masalah dialihkan antar petugas",
        1,
    ),
)
"""Name, which tickets count, of which, what a sentence calls them, and the risk of more."""


def _shrunk(
    name: str, hits: str, trials: str, english: str, indonesian: str, direction: int
) -> list[Feature]:
    """A rate of a year drawn towards the company's, so that one ticket does not decide it."""
    return over(
        (365,),
        f"tickets_{name}_rate_shrunk",
        lambda w: Shrunk(_count(w, hits), _count(w, trials)),
        "share",
        "support",
        english=Words(
            f"Share of {english} drawn towards the company's, last {{days}} days",
            f"About {{value}} of {english}, allowing for few tickets (last {{days}} days)",
            _NO_TICKET,
        ),
        indonesian=Words(
            f"Bagian {indonesian}, ditarik ke tingkat perusahaan, {{days}} hari terakhir",
            f"Sekitar {{value}} {indonesian}, dengan memperhitungkan tiket yang sedikit "
            "({days} hari terakhir)",
            _NO_TICKET_ID,
        ),
        direction=1 if direction > 0 else -1,
        actionable=True,
    )


_REPEATED = over(
    (365,),
    f"tickets_repeated_in_{REPEAT_DAYS[1]}_days_rate_shrunk",
    lambda w: Shrunk(repeats(REPEAT_DAYS[1], w), _count(w, "category IS NOT NULL")),
    "share",
    "support",
    english=Words(
        f"Share of tickets that repeat a category within {REPEAT_DAYS[1]} days, drawn towards the "
        "company's, last {days} days",
        "About {value} of tickets ask again, allowing for few tickets (last {days} days)",
        _NO_TICKET,
    ),
    indonesian=Words(
        f"Bagian tiket yang mengulang kategori dalam {REPEAT_DAYS[1]} hari, ditarik ke tingkat "
        "perusahaan, {days} hari terakhir",
        "Sekitar {value} tiket bertanya lagi, dengan memperhitungkan tiket yang sedikit "
        "({days} hari terakhir)",
        _NO_TICKET_ID,
    ),
    direction=1,
    actionable=True,
)

LAST_TICKET: list[Feature] = [
    *_LAST,
    *_ENDS,
    *[feature for rate in _RATES for feature in _shrunk(*rate)],
    *_REPEATED,
]
