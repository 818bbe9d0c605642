"""Features from subscriptions: what is running, at what price, for how long, and what ended."""

from functools import partial

from features.aggregates import FIXED, Aggregate, Fact, Ratio, Source, fixed
from features.declare import Feature, Words, over

SUBSCRIPTIONS_SOURCE = Source(
    name="subscriptions",
    table="subscriptions",
    time="started_at",
    clock="second",
    place="place",
    facts=f"""
        SELECT customer_id, epoch_seconds(started_at) AS ts, epoch_seconds(ended_at) AS ended_at,
          plan, CASE WHEN plan <> lag(plan) OVER (PARTITION BY customer_id ORDER BY place)
            THEN 1 ELSE 0 END AS plan_changed,
          price, price - lag(price) OVER (PARTITION BY customer_id ORDER BY place) AS price_step,
          CASE WHEN price IS NOT NULL
            THEN lag(price) OVER (PARTITION BY customer_id ORDER BY place) END AS price_before,
          auto_renew, end_reason, place
        FROM (
          SELECT customer_id, started_at, ended_at, plan, {fixed("monthly_price")} AS price,
            CAST(auto_renew AS INT) AS auto_renew, end_reason,
            row_number() OVER (PARTITION BY customer_id ORDER BY started_at, subscription_id)
              AS place
          FROM subscriptions
        ) s""",
    columns={
        "ended_at": Fact(("ended_at",)),
        "plan": Fact(("plan",), is_text=True),
        "price": Fact(("monthly_price",), FIXED),
        "price_step": Fact(("monthly_price",), FIXED),
        "price_before": Fact(("monthly_price",), FIXED),
        "plan_changed": Fact(("plan",)),
        "auto_renew": Fact(("auto_renew",)),
        "end_reason": Fact(("end_reason", "ended_at")),
    },
)

RUNNING = "ended_at IS NULL"
NONE = "Has never subscribed"
NONE_ID = "Belum pernah berlangganan"
IDLE = "Has no running subscription"
IDLE_ID = "Tidak punya langganan yang berjalan"

subscriptions = partial(Aggregate, SUBSCRIPTIONS_SOURCE)
_PRICE = subscriptions("sum", "price", where=RUNNING)
_ACTIVE = subscriptions("count", where=RUNNING)

_RUNNING_NOW: list[Feature] = [
    Feature(
        "subscriptions_active",
        _ACTIVE,
        "subscriptions",
        "subscription",
        Words("Subscriptions running now", "{value} running", NONE, IDLE),
        Words("Langganan yang sedang berjalan", "{value} berjalan", NONE_ID, IDLE_ID),
        direction=-1,
    ),
    Feature(
        "subscriptions_monthly_price",
        _PRICE,
        "money",
        "subscription",
        Words("Monthly price of what is running", "Pays {value} a month", NONE, "Pays nothing now"),
        Words(
            "Harga bulanan dari langganan yang berjalan",
            "Membayar {value} per bulan",
            NONE_ID,
            "Saat ini tidak membayar",
        ),
    ),
    Feature(
        "subscriptions_price_mean",
        Ratio(_PRICE, _ACTIVE),
        "money",
        "subscription",
        Words(
            "Monthly price per running subscription", "Pays {value} a month per subscription", IDLE
        ),
        Words("Harga bulanan per langganan", "Membayar {value} per bulan per langganan", IDLE_ID),
    ),
    Feature(
        "subscriptions_price_over_mean",
        Ratio(subscriptions("last", "price"), subscriptions("mean", "price")),
        "times",
        "subscription",
        Words(
            "Price of the newest subscription over the customer's own mean",
            "Newest subscription costs {value} the customer's usual price",
            NONE,
            "Newest subscription is free",
        ),
        Words(
            "Harga langganan terbaru dibagi rata-rata pelanggan itu",
            "Langganan terbaru seharga {value} dari biasanya",
            NONE_ID,
            "Langganan terbaru gratis",
        ),
    ),
    Feature(
        "subscriptions_plan",
        subscriptions("last", "plan"),
        "text",
        "subscription",
        Words("Plan of the newest subscription", "On the plan {value}", NONE),
        Words("Paket langganan terbaru", "Memakai paket {value}", NONE_ID),
        actionable=True,
    ),
    Feature(
        "subscriptions_auto_renew_share",
        subscriptions("mean", "auto_renew", where=RUNNING),
        "share",
        "subscription",
        Words(
            "Share of running subscriptions that renew by themselves",
            "{value} of running subscriptions renew automatically",
            IDLE,
            "Automatic renewal is off",
        ),
        Words(
            "Bagian langganan berjalan yang diperpanjang otomatis",
            "{value} langganan berjalan diperpanjang otomatis",
            IDLE_ID,
            "Perpanjangan otomatis mati",
        ),
        direction=-1,
        actionable=True,
    ),
    Feature(
        "subscriptions_age",
        subscriptions("since_first", where=RUNNING),
        "days",
        "subscription",
        Words(
            "Days since the oldest running subscription started",
            "Subscribed without a break for {value}",
            IDLE,
        ),
        Words(
            "Hari sejak langganan berjalan yang tertua dimulai",
            "Berlangganan tanpa putus selama {value}",
            IDLE_ID,
        ),
        direction=-1,
    ),
]

_HISTORY: list[Feature] = [
    Feature(
        "subscriptions_tenure",
        subscriptions("since_first"),
        "days",
        "subscription",
        Words("Days since the first subscription", "First subscribed {value} ago", NONE),
        Words("Hari sejak langganan pertama", "Pertama berlangganan {value} lalu", NONE_ID),
        direction=-1,
    ),
    Feature(
        "subscriptions_days_since_start",
        subscriptions("since_last"),
        "days",
        "subscription",
        Words("Days since the newest subscription", "Newest subscription began {value} ago", NONE),
        Words("Hari sejak langganan terbaru", "Langganan terbaru mulai {value} lalu", NONE_ID),
    ),
    Feature(
        "subscriptions_started",
        subscriptions("count"),
        "subscriptions",
        "subscription",
        Words("Subscriptions started so far", "{value} started so far", NONE, NONE),
        Words("Langganan yang pernah dimulai", "{value} dimulai sejauh ini", NONE_ID, NONE_ID),
    ),
    Feature(
        "subscriptions_plans",
        subscriptions("distinct", "plan"),
        "plans",
        "subscription",
        Words("Different plans so far", "Has had {value}", NONE, NONE),
        Words("Paket berbeda sejauh ini", "Pernah memakai {value}", NONE_ID, NONE_ID),
    ),
    Feature(
        "subscriptions_ended",
        subscriptions("count", where="ended_at IS NOT NULL"),
        "subscriptions",
        "subscription",
        Words("Subscriptions ended so far", "{value} ended so far", NONE),
        Words("Langganan yang pernah berakhir", "{value} berakhir sejauh ini", NONE_ID),
        direction=1,
    ),
    *over(
        (90, 365),
        "subscriptions_ended",
        lambda w: subscriptions("count", time="ended_at", days=w),
        "subscriptions",
        "subscription",
        english=Words(
            "Subscriptions ended in the last {days} days",
            "{value} ended in the last {days} days",
            NONE,
        ),
        indonesian=Words(
            "Langganan yang berakhir dalam {days} hari terakhir",
            "{value} berakhir dalam {days} hari terakhir",
            NONE_ID,
        ),
        direction=1,
        actionable=True,
    ),
    Feature(
        "subscriptions_days_since_last_end",
        subscriptions("since_last", time="ended_at"),
        "days",
        "subscription",
        Words(
            "Days since a subscription last ended",
            "Last ended a subscription {value} ago",
            "Has never ended a subscription",
        ),
        Words(
            "Hari sejak terakhir kali langganan berakhir",
            "Terakhir mengakhiri langganan {value} lalu",
            "Belum pernah mengakhiri langganan",
        ),
        direction=-1,
    ),
    Feature(
        "subscriptions_ended_by_payment",
        subscriptions("count", where="end_reason = 'payment_failure'"),
        "subscriptions",
        "subscription",
        Words(
            "Subscriptions ended by a failed payment so far",
            "{value} lost to failed payments",
            NONE,
        ),
        Words(
            "Langganan yang berakhir karena pembayaran gagal",
            "{value} berakhir karena pembayaran gagal",
            NONE_ID,
        ),
        direction=1,
        actionable=True,
    ),
    Feature(
        "subscriptions_ended_voluntarily",
        subscriptions("count", where="end_reason = 'voluntary'"),
        "subscriptions",
        "subscription",
        Words("Subscriptions the customer ended so far", "{value} ended by choice so far", NONE),
        Words(
            "Langganan yang diakhiri sendiri oleh pelanggan",
            "{value} diakhiri sendiri sejauh ini",
            NONE_ID,
        ),
        direction=1,
    ),
]

SUBSCRIPTIONS: list[Feature] = [*_RUNNING_NOW, *_HISTORY]
