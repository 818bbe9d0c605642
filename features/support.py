"""Facts of support tickets, and features on how many there are and how they went."""

from functools import partial

from features.aggregates import Aggregate, Change, Fact, Source
from features.declare import Feature, Words, over
from features.vocabulary import TICKET_TOPICS, topic_sql

SELF_SERVICE = "'self_service', 'chatbot', 'forum'"
"""Channels on which nobody of the company is asked."""

TICKETS = Source(
    name="tickets",
    table="tickets",
    time="opened_at",
    clock="second",
    place="place",
    facts=f"""
        SELECT customer_id, opened AS ts, channel, category, contacts, transfers, agent_id, place,
          {topic_sql("category", TICKET_TOPICS)} AS topic,
          lag(channel) OVER (PARTITION BY customer_id ORDER BY place) AS channel_before,
          CASE WHEN category IS NOT NULL THEN opened - lag(opened) OVER (
            PARTITION BY customer_id, category ORDER BY place) END AS since_category,
          opened - max(CASE WHEN channel IN ({SELF_SERVICE}) THEN opened END) OVER (
            PARTITION BY customer_id ORDER BY place
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS since_self_service,
          first_response_at, first_response_at - opened AS response_time,
          resolved_at, resolved_at - opened AS resolution_time, resolved_at AS closed_at,
          reopened_at, reopened_at AS back_at, escalated_at
        FROM (
          SELECT customer_id, channel, category, agent_id,
            CAST(contacts AS BIGINT) AS contacts, CAST(transfers AS BIGINT) AS transfers,
            epoch_seconds(opened_at) AS opened,
            epoch_seconds(first_response_at) AS first_response_at,
            epoch_seconds(resolved_at) AS resolved_at,
            epoch_seconds(reopened_at) AS reopened_at,
            epoch_seconds(escalated_at) AS escalated_at,
            row_number() OVER (PARTITION BY customer_id ORDER BY opened_at, ticket_id) AS place
          FROM tickets
        ) t""",
    columns={
        "channel": Fact(("channel",), is_text=True),
        "category": Fact(("category",), is_text=True),
        "topic": Fact(("category",), is_text=True),
        "channel_before": Fact(("channel",), is_text=True),
        "since_category": Fact(("category",), 86_400),
        "since_self_service": Fact(("channel",), 86_400),
        "first_response_at": Fact(("first_response_at",)),
        "response_time": Fact(("first_response_at",), 3600),
        "resolved_at": Fact(("resolved_at",)),
        "resolution_time": Fact(("resolved_at",), 3600),
        "closed_at": Fact(("resolved_at",), is_optional=True),
        "reopened_at": Fact(("reopened_at",)),
        "back_at": Fact(("reopened_at",), is_optional=True),
        "escalated_at": Fact(("escalated_at",)),
        "contacts": Fact(("contacts", "resolved_at")),
        "transfers": Fact(("transfers", "resolved_at")),
        "agent_id": Fact(("agent_id", "resolved_at"), is_text=True),
    },
)

tickets = partial(Aggregate, TICKETS)

NEVER = "Has never asked for support"
NEVER_ID = "Belum pernah meminta bantuan"
OPEN = "resolved_at IS NULL OR back_at > resolved_at"
_WAITING = "first_response_at IS NULL AND closed_at IS NULL"
_NONE_OPEN = "No tickets open"
_NONE_OPEN_ID = "Tidak ada tiket terbuka"
_NONE_WAITING = "No ticket waits for a first answer"
_NONE_WAITING_ID = "Tidak ada tiket yang menunggu jawaban pertama"

_VOLUME: list[Feature] = [
    *over(
        (7, 30, 90, 180, 365),
        "tickets_count",
        lambda w: tickets("count", days=w),
        "tickets",
        "support",
        english=Words(
            "Tickets opened in the last {days} days", "{value} in the last {days} days", NEVER
        ),
        indonesian=Words(
            "Tiket dibuka dalam {days} hari terakhir",
            "{value} dalam {days} hari terakhir",
            NEVER_ID,
        ),
        actionable=True,
    ),
    *over(
        (30, 90),
        "tickets_change",
        lambda w: Change(tickets("count", days=w), tickets("count", days=2 * w, until=w)),
        "change",
        "support",
        english=Words(
            "Change in tickets, last {days} days against the {days} before",
            "Tickets {value} against the {days} days before",
            "No tickets to compare with in the {days} days before the last {days}",
        ),
        indonesian=Words(
            "Perubahan tiket, {days} hari terakhir terhadap {days} hari sebelumnya",
            "Tiket {value} dibanding {days} hari sebelumnya",
            "Tidak ada tiket pembanding pada {days} hari sebelum {days} hari terakhir",
        ),
        direction=1,
        actionable=True,
    ),
    Feature(
        "tickets_days_since_last",
        tickets("since_last"),
        "days",
        "support",
        Words("Days since the last ticket", "Last ticket {value} ago", NEVER),
        Words("Hari sejak tiket terakhir", "Tiket terakhir {value} lalu", NEVER_ID),
    ),
    *over(
        (365,),
        "tickets_categories",
        lambda w: tickets("distinct", "category", days=w),
        "categories",
        "support",
        english=Words(
            "Different ticket categories in the last {days} days",
            "Tickets in {value} in the last {days} days",
            NEVER,
            "No categorised tickets in the last {days} days",
        ),
        indonesian=Words(
            "Kategori tiket berbeda dalam {days} hari terakhir",
            "Tiket dalam {value} selama {days} hari terakhir",
            NEVER_ID,
            "Tidak ada tiket berkategori dalam {days} hari terakhir",
        ),
        direction=1,
    ),
]

_STATE: list[Feature] = [
    Feature(
        "tickets_open",
        tickets("count", where=OPEN),
        "tickets",
        "support",
        Words("Tickets open now", "{value} still open", NEVER, _NONE_OPEN),
        Words("Tiket yang masih terbuka", "{value} masih terbuka", NEVER_ID, _NONE_OPEN_ID),
        direction=1,
        actionable=True,
    ),
    Feature(
        "tickets_open_days_max",
        tickets("since_first", where=OPEN),
        "days",
        "support",
        Words("Age of the oldest open ticket", "Oldest open ticket is {value} old", _NONE_OPEN),
        Words("Umur tiket terbuka tertua", "Tiket terbuka tertua berumur {value}", _NONE_OPEN_ID),
        direction=1,
        actionable=True,
    ),
    Feature(
        "tickets_unanswered",
        tickets("count", where=_WAITING),
        "tickets",
        "support",
        Words(
            "Tickets still without a first answer",
            "{value} still without an answer",
            NEVER,
            _NONE_WAITING,
        ),
        Words(
            "Tiket yang belum mendapat jawaban pertama",
            "{value} belum dijawab",
            NEVER_ID,
            _NONE_WAITING_ID,
        ),
        direction=1,
        actionable=True,
    ),
    Feature(
        "tickets_unanswered_days_max",
        tickets("since_first", where=_WAITING),
        "days",
        "support",
        Words(
            "Longest wait of a ticket still without a first answer",
            "Has waited {value} for a first answer",
            _NONE_WAITING,
        ),
        Words(
            "Waktu tunggu terlama tiket yang belum dijawab",
            "Sudah menunggu jawaban pertama selama {value}",
            _NONE_WAITING_ID,
        ),
        direction=1,
        actionable=True,
    ),
]

SUPPORT: list[Feature] = [*_VOLUME, *_STATE]
