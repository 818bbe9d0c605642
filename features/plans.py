"""Features on how a subscription changes: its plan, its price, its anniversary, its payments."""

from features.aggregates import Ratio, Until
from features.declare import Feature, Words, over
from features.subscriptions import IDLE, IDLE_ID, NONE, NONE_ID, RUNNING, subscriptions

_FIRST = "Still on the first subscription"
_FIRST_ID = "Masih pada langganan pertama"
_YEAR = 365

PLANS: list[Feature] = [
    *over(
        (365,),
        "subscriptions_plan_change_count",
        lambda w: subscriptions("count", where="plan_changed = 1", days=w),
        "plan changes",
        "subscription",
        english=Words(
            "Subscriptions of the last {days} days on another plan than the one before",
            "{value} in the last {days} days",
            NONE,
        ),
        indonesian=Words(
            "Langganan {days} hari terakhir dengan paket lain dari sebelumnya",
            "{value} dalam {days} hari terakhir",
            NONE_ID,
        ),
    ),
    Feature(
        "subscriptions_price_last_change",
        Ratio(subscriptions("last", "price_step"), subscriptions("last", "price_before")),
        "change",
        "subscription",
        Words(
            "Price of the newest subscription against the one before it",
            "Monthly price {value} with the newest subscription",
            _FIRST,
            "Monthly price unchanged with the newest subscription",
        ),
        Words(
            "Harga langganan terbaru dibanding langganan sebelumnya",
            "Harga bulanan {value} pada langganan terbaru",
            _FIRST_ID,
            "Harga bulanan tetap pada langganan terbaru",
        ),
        direction=1,
        actionable=True,
    ),
    *over(
        (90, 365),
        "subscriptions_price_rise_count",
        lambda w: subscriptions("count", where="price_step > 0", days=w),
        "price rises",
        "subscription",
        english=Words(
            "Subscriptions of the last {days} days at a higher price than the one before",
            "{value} in the last {days} days",
            NONE,
        ),
        indonesian=Words(
            "Langganan {days} hari terakhir dengan harga lebih tinggi dari sebelumnya",
            "{value} dalam {days} hari terakhir",
            NONE_ID,
        ),
        direction=1,
        actionable=True,
    ),
    Feature(
        "subscriptions_days_since_price_rise",
        subscriptions("since_last", where="price_step > 0"),
        "days",
        "subscription",
        Words(
            "Days since the monthly price last rose",
            "Monthly price rose {value} ago",
            "Has never had a price rise",
        ),
        Words(
            "Hari sejak harga bulanan terakhir naik",
            "Harga bulanan naik {value} lalu",
            "Belum pernah mengalami kenaikan harga",
        ),
        direction=-1,
    ),
    Feature(
        "subscriptions_days_to_anniversary",
        Until(subscriptions("since_last", where=RUNNING), _YEAR),
        "days",
        "subscription",
        Words(
            "Days until the newest running subscription is another year old, when yearly "
            "contracts renew",
            "Another year of the subscription is full in {value}",
            IDLE,
        ),
        Words(
            "Hari sampai langganan berjalan terbaru genap setahun lagi, saat kontrak tahunan "
            "diperpanjang",
            "Langganan genap setahun lagi dalam {value}",
            IDLE_ID,
        ),
        direction=-1,
        actionable=True,
    ),
    *over(
        (365,),
        "subscriptions_ended_by_payment",
        lambda w: subscriptions(
            "count", where="end_reason = 'payment_failure'", time="ended_at", days=w
        ),
        "subscriptions",
        "subscription",
        english=Words(
            "Subscriptions ended by a failed payment in the last {days} days",
            "{value} lost to failed payments in the last {days} days",
            NONE,
        ),
        indonesian=Words(
            "Langganan yang berakhir karena pembayaran gagal dalam {days} hari terakhir",
            "{value} berakhir karena pembayaran gagal dalam {days} hari terakhir",
            NONE_ID,
        ),
        direction=1,
        actionable=True,
    ),
]
