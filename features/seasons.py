"""Features on a customer's calendar: their weekday, and the same season a year ago."""

from features.aggregates import Change, Ratio
from features.declare import Feature, Words, over
from features.orders import days, purchases, spend

_NO_ORDER = "No orders in the last {days} days"
_NO_ORDER_ID = "Tidak ada pesanan dalam {days} hari terakhir"
SEASON, YEAR = 90, 365
"""Days of a season and of a year."""
_BEFORE = f"No orders in the {SEASON} days a year before"
_BEFORE_ID = f"Tidak ada pesanan dalam {SEASON} hari yang sama tahun lalu"

SEASONS: list[Feature] = [
    *over(
        (YEAR,),
        "orders_main_weekday_share",
        lambda w: Ratio(days("modal", "weekday", days=w), days("count", days=w)),
        "share",
        "frequency",
        english=Words(
            "Share of the purchase days of the last {days} days that fell on the same weekday",
            "{value} of purchase days fall on the same weekday (last {days} days)",
            _NO_ORDER,
        ),
        indonesian=Words(
            "Bagian hari belanja {days} hari terakhir yang jatuh pada hari yang sama",
            "{value} hari belanja jatuh pada hari yang sama ({days} hari terakhir)",
            _NO_ORDER_ID,
        ),
    ),
    *over(
        (YEAR,),
        "orders_coming_season_last_year_purchase_days",
        lambda w: purchases(w, until=w - SEASON),
        "purchase days",
        "recency",
        english=Words(
            f"Purchase days in the {SEASON} days after this day last year",
            f"{{value}} in these coming {SEASON} days last year",
            f"No orders in these coming {SEASON} days last year",
        ),
        indonesian=Words(
            f"Hari belanja dalam {SEASON} hari setelah hari ini tahun lalu",
            f"{{value}} dalam {SEASON} hari mendatang yang sama tahun lalu",
            f"Tidak ada pesanan dalam {SEASON} hari mendatang yang sama tahun lalu",
        ),
        direction=-1,
    ),
    *over(
        (YEAR + SEASON,),
        "orders_same_season_last_year_purchase_days",
        lambda w: purchases(w, until=YEAR),
        "purchase days",
        "recency",
        english=Words(
            f"Purchase days in the {SEASON} days before this day last year",
            f"{{value}} in the same {SEASON} days last year",
            _BEFORE,
        ),
        indonesian=Words(
            f"Hari belanja dalam {SEASON} hari sebelum hari ini tahun lalu",
            f"{{value}} dalam {SEASON} hari yang sama tahun lalu",
            _BEFORE_ID,
        ),
    ),
    *over(
        (SEASON,),
        "orders_purchase_days_change_on_year",
        lambda w: Change(purchases(w), purchases(YEAR + w, until=YEAR)),
        "change",
        "frequency",
        english=Words(
            "Change in purchase days, last {days} days against the same days a year before",
            "Purchase days {value} on the same season last year",
            _BEFORE,
        ),
        indonesian=Words(
            "Perubahan hari belanja, {days} hari terakhir terhadap hari yang sama tahun lalu",
            "Hari belanja {value} dibanding musim yang sama tahun lalu",
            _BEFORE_ID,
        ),
        direction=-1,
        actionable=True,
    ),
    *over(
        (SEASON,),
        "orders_spend_change_on_year",
        lambda w: Change(spend(w), spend(YEAR + w, until=YEAR)),
        "change",
        "spending",
        english=Words(
            "Change in spending, last {days} days against the same days a year before",
            "Spending {value} on the same season last year",
            _BEFORE,
        ),
        indonesian=Words(
            "Perubahan belanja, {days} hari terakhir terhadap hari yang sama tahun lalu",
            "Belanja {value} dibanding musim yang sama tahun lalu",
            _BEFORE_ID,
        ),
        direction=-1,
        actionable=True,
    ),
]
