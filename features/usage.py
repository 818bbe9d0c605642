"""Features from usage events: active days, sessions, kinds of use and their trend."""

from functools import partial

from features.aggregates import FIXED, Aggregate, Change, Fact, Ratio, Source, fixed
from features.declare import Feature, Words, over
from features.vocabulary import FRICTION, topic_sql

USAGE_DAYS = Source(
    name="usage_days",
    table="events",
    time="occurred_at",
    clock="day",
    facts=f"""
        SELECT customer_id, ts, events, sessions, amount, 1 AS active, gap,
          1 + ts - max(CASE WHEN gap = 1 THEN NULL ELSE ts END) OVER (
            PARTITION BY customer_id ORDER BY ts
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS streak
        FROM (
          SELECT customer_id, ts, events, sessions, amount,
            CAST(ts - lag(ts) OVER (PARTITION BY customer_id ORDER BY ts) AS BIGINT) AS gap
          FROM (
            SELECT customer_id, CAST(day AS BIGINT) AS ts, count(*) AS events,
              count(DISTINCT session_id) AS sessions,
              CAST(sum({fixed("value")}) AS BIGINT) AS amount
            FROM events GROUP BY customer_id, day
          ) d
        ) g""",
    columns={
        "gap": Fact(("occurred_at",)),
        "streak": Fact(("occurred_at",)),
        "active": Fact(("occurred_at",)),
        "events": Fact(("event",)),
        "sessions": Fact(("session_id",)),
        "amount": Fact(("value",), FIXED),
    },
)

EVENT_KINDS = Source(
    name="event_kinds",
    table="events",
    time="occurred_at",
    clock="day",
    facts=f"""
        SELECT k.customer_id, k.ts, k.event, k.uses, n.friction
        FROM (
          SELECT customer_id, CAST(day AS BIGINT) AS ts, event, count(*) AS uses
          FROM events GROUP BY customer_id, day, event
        ) k JOIN (
          SELECT event, {topic_sql("event", FRICTION)} AS friction
          FROM (SELECT DISTINCT event FROM events) e
        ) n ON n.event = k.event""",
    columns={
        "event": Fact(("event",), is_text=True),
        "uses": Fact(("event",)),
        "friction": Fact(("event",), is_text=True),
    },
)

NEVER = "Has never used the service"
NEVER_ID = "Belum pernah memakai layanan"
IDLE = "No use in the last {days} days"
IDLE_ID = "Tidak ada pemakaian dalam {days} hari terakhir"

usage = partial(Aggregate, USAGE_DAYS)


def active_days(lookback: int, until: int = 0) -> Aggregate:
    """Number of days with at least one event."""
    return usage("count", days=lookback, until=until)


def event_count(lookback: int, until: int = 0) -> Aggregate:
    """Number of events."""
    return usage("sum", "events", days=lookback, until=until)


_LEVELS: list[Feature] = [
    Feature(
        "events_days_since_last",
        usage("since_last"),
        "days",
        "usage",
        Words("Days since the last use", "Last used {value} ago", NEVER),
        Words("Hari sejak pemakaian terakhir", "Terakhir dipakai {value} lalu", NEVER_ID),
        direction=1,
        actionable=True,
    ),
    Feature(
        "events_days_since_first",
        usage("since_first"),
        "days",
        "usage",
        Words("Days since the first use", "First used {value} ago", NEVER),
        Words("Hari sejak pemakaian pertama", "Pertama dipakai {value} lalu", NEVER_ID),
    ),
    *over(
        (7, 30, 90, 180),
        "events_active_days",
        active_days,
        "active days",
        "usage",
        english=Words(
            "Days with any use in the last {days} days", "{value} in the last {days} days", NEVER
        ),
        indonesian=Words(
            "Hari dengan pemakaian dalam {days} hari terakhir",
            "{value} dalam {days} hari terakhir",
            NEVER_ID,
        ),
        direction=-1,
        actionable=True,
    ),
    *over(
        (7, 30, 90),
        "events_count",
        event_count,
        "events",
        "usage",
        english=Words("Events in the last {days} days", "{value} in the last {days} days", NEVER),
        indonesian=Words(
            "Aktivitas dalam {days} hari terakhir", "{value} dalam {days} hari terakhir", NEVER_ID
        ),
        direction=-1,
    ),
    *over(
        (30, 90),
        "events_sessions",
        lambda w: usage("sum", "sessions", days=w),
        "sessions",
        "usage",
        english=Words("Sessions in the last {days} days", "{value} in the last {days} days", NEVER),
        indonesian=Words(
            "Sesi dalam {days} hari terakhir", "{value} dalam {days} hari terakhir", NEVER_ID
        ),
        direction=-1,
    ),
    *over(
        (30, 90),
        "events_value",
        lambda w: usage("sum", "amount", days=w),
        "number",
        "usage",
        english=Words(
            "Sum of the events' values in the last {days} days",
            "Usage of {value} in the last {days} days",
            NEVER,
            IDLE,
        ),
        indonesian=Words(
            "Jumlah nilai aktivitas dalam {days} hari terakhir",
            "Pemakaian {value} dalam {days} hari terakhir",
            NEVER_ID,
            IDLE_ID,
        ),
        direction=-1,
    ),
    *over(
        (30, 90),
        "events_kinds",
        lambda w: Aggregate(EVENT_KINDS, "distinct", "event", days=w),
        "kinds of use",
        "usage",
        english=Words(
            "Different kinds of event in the last {days} days",
            "{value} in the last {days} days",
            NEVER,
        ),
        indonesian=Words(
            "Jenis aktivitas berbeda dalam {days} hari terakhir",
            "{value} dalam {days} hari terakhir",
            NEVER_ID,
        ),
        direction=-1,
        actionable=True,
    ),
]

_TRENDS: list[Feature] = [
    *over(
        (30, 90),
        "events_active_days_change",
        lambda w: Change(active_days(w), active_days(2 * w, until=w)),
        "change",
        "usage",
        english=Words(
            "Change in active days, last {days} days against the {days} before",
            "Active days {value} against the {days} days before",
            "No use to compare with in the {days} days before the last {days}",
        ),
        indonesian=Words(
            "Perubahan hari aktif, {days} hari terakhir terhadap {days} hari sebelumnya",
            "Hari aktif {value} dibanding {days} hari sebelumnya",
            "Tidak ada pemakaian pembanding pada {days} hari sebelum {days} hari terakhir",
        ),
        direction=-1,
        actionable=True,
    ),
    *over(
        (30,),
        "events_count_change",
        lambda w: Change(event_count(w), event_count(2 * w, until=w)),
        "change",
        "usage",
        english=Words(
            "Change in events, last {days} days against the {days} before",
            "Usage {value} against the {days} days before",
            "No use to compare with in the {days} days before the last {days}",
        ),
        indonesian=Words(
            "Perubahan aktivitas, {days} hari terakhir terhadap {days} hari sebelumnya",
            "Pemakaian {value} dibanding {days} hari sebelumnya",
            "Tidak ada pemakaian pembanding pada {days} hari sebelum {days} hari terakhir",
        ),
        direction=-1,
        actionable=True,
    ),
    Feature(
        "events_active_days_slope_84d",
        usage("slope", "active", days=84),
        "trend",
        "usage",
        Words(
            "Trend of weekly active days over the last 12 weeks",
            "Active days a week over the last 12 weeks {value} each week",
            NEVER,
            "Active days steady over the last 12 weeks",
        ),
        Words(
            "Tren hari aktif mingguan selama 12 minggu terakhir",
            "Hari aktif per minggu selama 12 minggu terakhir {value} tiap minggu",
            NEVER_ID,
            "Hari aktif stabil selama 12 minggu terakhir",
        ),
        direction=-1,
        actionable=True,
    ),
    Feature(
        "events_active_days_30d_of_90d",
        Ratio(active_days(30), active_days(90)),
        "share",
        "usage",
        Words(
            "Share of the active days of 90 days that fell in the last 30",
            "{value} of the last 90 days' active days were in the last 30",
            "No use in the last 90 days",
            "Used in the last 90 days, but not in the last 30",
        ),
        Words(
            "Bagian hari aktif 90 hari yang jatuh pada 30 hari terakhir",
            "{value} hari aktif dari 90 hari terjadi dalam 30 hari terakhir",
            "Tidak ada pemakaian dalam 90 hari terakhir",
            "Dipakai dalam 90 hari terakhir, tetapi tidak dalam 30 hari terakhir",
        ),
        direction=-1,
    ),
    *over(
        (30,),
        "events_per_active_day",
        lambda w: Ratio(event_count(w), active_days(w)),
        "events",
        "usage",
        english=Words(
            "Events per active day, last {days} days",
            "{value} per active day in the last {days} days",
            IDLE,
        ),
        indonesian=Words(
            "Aktivitas per hari aktif, {days} hari terakhir",
            "{value} per hari aktif dalam {days} hari terakhir",
            IDLE_ID,
        ),
        direction=-1,
    ),
]

USAGE: list[Feature] = [*_LEVELS, *_TRENDS]
