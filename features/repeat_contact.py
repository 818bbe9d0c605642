"""Features on having to ask again: the same topic, after self-service, another agent."""

from functools import partial

from features.aggregates import Aggregate, Fact, Ratio, Source
from features.declare import Feature, Words, over
from features.support import NEVER, NEVER_ID, SELF_SERVICE, tickets

REPEAT_DAYS = (7, 30)
"""A ticket repeats one of the same category opened at most so many days before it."""
SELF_SERVICE_DAYS, ORDER_DAYS = 3, 7
"""How soon after self-service, or after an order, a ticket is put down to it."""
_DAY = 86_400

AFTER_ORDERS = Source(
    name="after_orders",
    table="tickets",
    time="opened_at",
    clock="second",
    facts="""
        SELECT customer_id, ts, ts - ordered AS since_order
        FROM (
          SELECT customer_id, ts, is_ticket, max(CASE WHEN is_ticket = 0 THEN ts END) OVER (
            PARTITION BY customer_id ORDER BY ts, is_ticket
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS ordered
          FROM (
            SELECT customer_id, epoch_seconds(opened_at) AS ts, 1 AS is_ticket FROM tickets
            UNION ALL
            SELECT o.customer_id, epoch_seconds(o.ordered_at) AS ts, 0 AS is_ticket
            FROM orders o JOIN (SELECT DISTINCT customer_id FROM tickets) t
              ON t.customer_id = o.customer_id
            WHERE NOT o.is_return
          ) u
        ) w WHERE is_ticket = 1""",
    columns={"since_order": Fact(("opened_at",), _DAY)},
    beside=(("orders", "ordered_at"),),
)

_NO_TICKET = "No tickets in the last {days} days"
_NO_TICKET_ID = "Tidak ada tiket dalam {days} hari terakhir"
_UNSOLVED = "No ticket with a known agent resolved in the last {days} days"
_UNSOLVED_ID = "Tidak ada tiket selesai dengan petugas diketahui dalam {days} hari terakhir"

after_orders = partial(Aggregate, AFTER_ORDERS)


def repeats(within: int, lookback: int) -> Aggregate:
    """Tickets that repeat one of the same category opened at most `within` days before."""
    return tickets("count", where=f"since_category <= {within * _DAY}", days=lookback)


def _repeated(within: int) -> list[Feature]:
    """How many tickets, and what share of them, came back to a category."""
    return [
        *over(
            (90, 365),
            f"tickets_repeated_in_{within}_days_count",
            lambda w: repeats(within, w),
            "tickets",
            "support",
            english=Words(
                f"Tickets of the last {{days}} days on the category of one at most {within} "
                "days before",
                f"{{value}} on the same problem within {within} days (last {{days}} days)",
                NEVER,
            ),
            indonesian=Words(
                f"Tiket {{days}} hari terakhir berkategori sama dengan tiket paling lama {within} "
                "hari sebelumnya",
                f"{{value}} tentang masalah yang sama dalam {within} hari ({{days}} hari terakhir)",
                NEVER_ID,
            ),
            direction=1,
            actionable=True,
        ),
        *over(
            (365,),
            f"tickets_repeated_in_{within}_days_rate",
            lambda w: Ratio(
                repeats(within, w), tickets("count", where="category IS NOT NULL", days=w)
            ),
            "share",
            "support",
            english=Words(
                f"Share of the tickets of the last {{days}} days that repeat a category within "
                f"{within} days",
                f"{{value}} of tickets asked again within {within} days (last {{days}} days)",
                _NO_TICKET,
                f"Never had to ask again within {within} days (last {{days}} days)",
            ),
            indonesian=Words(
                f"Bagian tiket {{days}} hari terakhir yang mengulang kategori dalam {within} hari",
                f"{{value}} tiket bertanya lagi dalam {within} hari ({{days}} hari terakhir)",
                _NO_TICKET_ID,
                f"Tidak pernah bertanya lagi dalam {within} hari ({{days}} hari terakhir)",
            ),
            direction=1,
            actionable=True,
        ),
    ]


_TOPICS = (
    ("refund", "about refunds or returns", "tentang pengembalian"),
    ("complaint", "that complain", "berisi keluhan"),
    ("billing", "about bills or payments", "tentang tagihan atau pembayaran"),
    ("delivery", "about delivery", "tentang pengiriman"),
    ("technical", "about technical trouble", "tentang gangguan teknis"),
)
"""Topic of a ticket's category (see `features.vocabulary`), and how a sentence says it."""


def _about(topic: str, english: str, indonesian: str) -> list[Feature]:
    return over(
        (90, 365),
        f"tickets_{topic}_count",
        lambda w: tickets("count", where=f"topic = '{topic}'", days=w),
        "tickets",
        "support",
        english=Words(
            f"Tickets {english} in the last {{days}} days, by the words of their category",
            f"{{value}} {english} in the last {{days}} days",
            NEVER,
        ),
        indonesian=Words(
            f"Tiket {indonesian} dalam {{days}} hari terakhir, menurut kata pada kategorinya",
            f"{{value}} {indonesian} dalam {{days}} hari terakhir",
            NEVER_ID,
        ),
        direction=1 if topic in ("refund", "complaint") else 0,
        actionable=True,
    )


_CAUSES: list[Feature] = [
    *over(
        (90, 365),
        "tickets_after_self_service_count",
        lambda w: tickets(
            "count",
            where=f"channel NOT IN ({SELF_SERVICE}) "
            f"AND since_self_service <= {SELF_SERVICE_DAYS * _DAY}",
            days=w,
        ),
        "tickets",
        "support",
        english=Words(
            f"Tickets with an agent at most {SELF_SERVICE_DAYS} days after self-service, last "
            "{days} days",
            "{value} after self-service did not help (last {days} days)",
            NEVER,
        ),
        indonesian=Words(
            f"Tiket ke petugas paling lama {SELF_SERVICE_DAYS} hari setelah layanan mandiri, "
            "{days} hari terakhir",
            "{value} setelah layanan mandiri tidak membantu ({days} hari terakhir)",
            NEVER_ID,
        ),
        direction=1,
        actionable=True,
    ),
    *over(
        (90, 365),
        "tickets_after_order_count",
        lambda w: after_orders("count", where=f"since_order <= {ORDER_DAYS * _DAY}", days=w),
        "tickets",
        "support",
        english=Words(
            f"Tickets opened at most {ORDER_DAYS} days after an order, last {{days}} days",
            f"{{value}} within {ORDER_DAYS} days of an order (last {{days}} days)",
            NEVER,
        ),
        indonesian=Words(
            f"Tiket dibuka paling lama {ORDER_DAYS} hari setelah pesanan, {{days}} hari terakhir",
            f"{{value}} dalam {ORDER_DAYS} hari setelah pesanan ({{days}} hari terakhir)",
            NEVER_ID,
        ),
        direction=1,
        actionable=True,
    ),
    Feature(
        "tickets_days_from_order_to_last",
        after_orders("last", "since_order"),
        "days",
        "support",
        Words(
            "Days from an order to the last ticket that followed one",
            "Last ticket came {value} after an order",
            "No ticket after an order",
        ),
        Words(
            "Hari dari pesanan ke tiket terakhir sesudahnya",
            "Tiket terakhir datang {value} setelah pesanan",
            "Tidak ada tiket setelah pesanan",
        ),
    ),
]

_AGENTS: list[Feature] = [
    *over(
        (365,),
        "tickets_agents",
        lambda w: tickets("distinct", "agent_id", days=w),
        "agents",
        "support",
        english=Words(
            "Different agents who resolved the tickets of the last {days} days",
            "Dealt with {value} in the last {days} days",
            NEVER,
            _UNSOLVED,
        ),
        indonesian=Words(
            "Petugas berbeda yang menyelesaikan tiket {days} hari terakhir",
            "Dilayani {value} dalam {days} hari terakhir",
            NEVER_ID,
            _UNSOLVED_ID,
        ),
        direction=1,
        actionable=True,
    ),
    *over(
        (365,),
        "tickets_main_agent_share",
        lambda w: Ratio(
            tickets("modal", "agent_id", days=w),
            tickets("count", where="agent_id IS NOT NULL", days=w),
        ),
        "share",
        "support",
        english=Words(
            "Share of the resolved tickets of the last {days} days with the same agent",
            "{value} of resolved tickets with the same agent (last {days} days)",
            _UNSOLVED,
        ),
        indonesian=Words(
            "Bagian tiket selesai {days} hari terakhir dengan petugas yang sama",
            "{value} tiket selesai dengan petugas yang sama ({days} hari terakhir)",
            _UNSOLVED_ID,
        ),
        actionable=True,
    ),
    *over(
        (90, 365),
        "tickets_transfers",
        lambda w: tickets("sum", "transfers", days=w),
        "transfers",
        "support",
        english=Words(
            "Times that resolved tickets of the last {days} days changed agent",
            "{value} between agents in the last {days} days",
            NEVER,
        ),
        indonesian=Words(
            "Berapa kali tiket selesai {days} hari terakhir berganti petugas",
            "{value} antar petugas dalam {days} hari terakhir",
            NEVER_ID,
        ),
        direction=1,
        actionable=True,
    ),
]

REPEAT_CONTACT: list[Feature] = [
    *[feature for within in REPEAT_DAYS for feature in _repeated(within)],
    *[feature for topic in _TOPICS for feature in _about(*topic)],
    *_CAUSES,
    *_AGENTS,
]
