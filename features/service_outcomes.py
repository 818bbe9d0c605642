"""Features on how tickets ended: solved at the first contact, reopened, escalated, passed on."""

from features.aggregates import Aggregate, Ratio
from features.declare import Feature, Words, over
from features.orders import order_count
from features.support import NEVER, NEVER_ID, tickets

_SOLVED = "resolved_at IS NOT NULL"
_UNSOLVED = "No ticket resolved in the last {days} days"
_UNSOLVED_ID = "Tidak ada tiket selesai dalam {days} hari terakhir"
_NO_TICKET = "No tickets in the last {days} days"
_NO_TICKET_ID = "Tidak ada tiket dalam {days} hari terakhir"


def _count(lookback: int, where: str = "") -> Aggregate:
    return tickets("count", where=where, days=lookback)


SERVICE_OUTCOMES: list[Feature] = [
    *over(
        (365,),
        "tickets_first_contact_resolution_rate",
        lambda w: Ratio(
            _count(w, f"{_SOLVED} AND contacts <= 1 AND back_at IS NULL"),
            _count(w, f"{_SOLVED} AND contacts IS NOT NULL"),
        ),
        "share",
        "support",
        english=Words(
            "Share of resolved tickets solved at the first contact and not reopened",
            "{value} of problems solved at the first contact (last {days} days)",
            _UNSOLVED,
            "No problem solved at the first contact in the last {days} days",
        ),
        indonesian=Words(
            "Bagian tiket yang selesai pada kontak pertama dan tidak dibuka lagi",
            "{value} masalah selesai pada kontak pertama ({days} hari terakhir)",
            _UNSOLVED_ID,
            "Tidak ada masalah yang selesai pada kontak pertama dalam {days} hari terakhir",
        ),
        direction=-1,
        actionable=True,
    ),
    *over(
        (90, 365),
        "tickets_reopened_count",
        lambda w: tickets("count", time="reopened_at", days=w),
        "tickets",
        "support",
        english=Words(
            "Tickets reopened in the last {days} days",
            "{value} reopened in the last {days} days",
            NEVER,
        ),
        indonesian=Words(
            "Tiket dibuka lagi dalam {days} hari terakhir",
            "{value} dibuka lagi dalam {days} hari terakhir",
            NEVER_ID,
        ),
        direction=1,
        actionable=True,
    ),
    *over(
        (365,),
        "tickets_reopened_rate",
        lambda w: Ratio(_count(w, "reopened_at IS NOT NULL"), _count(w)),
        "share",
        "support",
        english=Words(
            "Share of the tickets of the last {days} days that were reopened",
            "{value} of tickets reopened (last {days} days)",
            _NO_TICKET,
            "No ticket of the last {days} days was reopened",
        ),
        indonesian=Words(
            "Bagian tiket {days} hari terakhir yang dibuka lagi",
            "{value} tiket dibuka lagi ({days} hari terakhir)",
            _NO_TICKET_ID,
            "Tidak ada tiket {days} hari terakhir yang dibuka lagi",
        ),
        direction=1,
        actionable=True,
    ),
    *over(
        (90, 365),
        "tickets_escalated_count",
        lambda w: tickets("count", time="escalated_at", days=w),
        "tickets",
        "support",
        english=Words(
            "Tickets escalated in the last {days} days",
            "{value} escalated in the last {days} days",
            NEVER,
        ),
        indonesian=Words(
            "Tiket dieskalasi dalam {days} hari terakhir",
            "{value} dieskalasi dalam {days} hari terakhir",
            NEVER_ID,
        ),
        direction=1,
        actionable=True,
    ),
    *over(
        (365,),
        "tickets_escalated_rate",
        lambda w: Ratio(_count(w, "escalated_at IS NOT NULL"), _count(w)),
        "share",
        "support",
        english=Words(
            "Share of the tickets of the last {days} days that were escalated",
            "{value} of tickets escalated (last {days} days)",
            _NO_TICKET,
            "No ticket of the last {days} days was escalated",
        ),
        indonesian=Words(
            "Bagian tiket {days} hari terakhir yang dieskalasi",
            "{value} tiket dieskalasi ({days} hari terakhir)",
            _NO_TICKET_ID,
            "Tidak ada tiket {days} hari terakhir yang dieskalasi",
        ),
        direction=1,
        actionable=True,
    ),
    *over(
        (365,),
        "tickets_contacts_per_resolved",
        lambda w: tickets("mean", "contacts", days=w),
        "contacts",
        "support",
        english=Words(
            "Customer contacts per resolved ticket, last {days} days",
            "Needed {value} per resolved problem (last {days} days)",
            _UNSOLVED,
            "Problems solved without further contact (last {days} days)",
        ),
        indonesian=Words(
            "Kontak pelanggan per tiket selesai, {days} hari terakhir",
            "Perlu {value} per masalah yang selesai ({days} hari terakhir)",
            _UNSOLVED_ID,
            "Masalah selesai tanpa kontak lanjutan ({days} hari terakhir)",
        ),
        direction=1,
        actionable=True,
    ),
    *over(
        (365,),
        "tickets_transfers_per_resolved",
        lambda w: tickets("mean", "transfers", days=w),
        "transfers",
        "support",
        english=Words(
            "Transfers per resolved ticket, last {days} days",
            "{value} between agents per resolved problem (last {days} days)",
            _UNSOLVED,
            "Never passed on between agents (last {days} days)",
        ),
        indonesian=Words(
            "Pengalihan per tiket selesai, {days} hari terakhir",
            "{value} antar petugas per masalah yang selesai ({days} hari terakhir)",
            _UNSOLVED_ID,
            "Tidak pernah dialihkan antar petugas ({days} hari terakhir)",
        ),
        direction=1,
        actionable=True,
    ),
    *over(
        (365,),
        "tickets_per_order",
        lambda w: Ratio(_count(w), order_count(w)),
        "tickets",
        "support",
        english=Words(
            "Tickets per order, last {days} days",
            "{value} per order in the last {days} days",
            "No orders in the last {days} days",
            _NO_TICKET,
        ),
        indonesian=Words(
            "Tiket per pesanan, {days} hari terakhir",
            "{value} per pesanan dalam {days} hari terakhir",
            "Tidak ada pesanan dalam {days} hari terakhir",
            _NO_TICKET_ID,
        ),
        direction=1,
        actionable=True,
    ),
]
