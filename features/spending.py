"""Features on how much a customer spends, and at what discount and margin."""

from features.aggregates import Change, Ratio
from features.declare import Feature, Words, over
from features.orders import EVER, EVER_ID, ONCE, ONCE_ID, days, order_count, spend

_NO_ORDER = "No orders in the last {days} days"
_NO_ORDER_ID = "Tidak ada pesanan dalam {days} hari terakhir"

_VALUE: list[Feature] = [
    Feature(
        "orders_monetary_value",
        days("mean", "value", where="gap IS NOT NULL", zero=True),
        "money",
        "spending",
        Words(
            "Mean value of the repeat purchase days; 0 without any",
            "Spends {value} on a repeat purchase day",
            ONCE,
            ONCE,
        ),
        Words(
            "Rata-rata nilai hari belanja ulang; 0 bila belum ada",
            "Belanja {value} pada hari belanja ulang",
            ONCE_ID,
            ONCE_ID,
        ),
    ),
    Feature(
        "orders_value_mean",
        days("mean", "value"),
        "money",
        "spending",
        Words("Mean value of a purchase day", "Spends {value} on a purchase day", EVER),
        Words("Rata-rata nilai hari belanja", "Belanja {value} pada satu hari belanja", EVER_ID),
    ),
    Feature(
        "orders_value_max",
        days("max", "value"),
        "money",
        "spending",
        Words("Value of the largest purchase day", "Largest purchase day so far: {value}", EVER),
        Words("Nilai hari belanja terbesar", "Hari belanja terbesar sejauh ini: {value}", EVER_ID),
    ),
    Feature(
        "orders_last_value",
        days("last", "value"),
        "money",
        "spending",
        Words("Value of the last purchase day", "Last purchase was {value}", EVER),
        Words("Nilai hari belanja terakhir", "Belanja terakhir {value}", EVER_ID),
    ),
    Feature(
        "orders_last_value_over_mean",
        Ratio(days("last", "value"), days("mean", "value")),
        "times",
        "spending",
        Words(
            "Value of the last purchase day over the customer's own mean",
            "Last purchase was {value} the customer's usual",
            EVER,
            "Last purchase was worth nothing",
        ),
        Words(
            "Nilai belanja terakhir dibagi rata-rata pelanggan itu sendiri",
            "Belanja terakhir {value} dari biasanya",
            EVER_ID,
            "Belanja terakhir bernilai nol",
        ),
        direction=-1,
    ),
]

_WINDOWS: list[Feature] = [
    *over(
        (7, 30, 90, 180, 365),
        "orders_spend",
        spend,
        "money",
        "spending",
        english=Words(
            "Amount ordered in the last {days} days",
            "Spent {value} in the last {days} days",
            EVER,
            "Spent nothing in the last {days} days",
        ),
        indonesian=Words(
            "Nilai pesanan dalam {days} hari terakhir",
            "Belanja {value} dalam {days} hari terakhir",
            EVER_ID,
            "Tidak belanja dalam {days} hari terakhir",
        ),
        direction=-1,
    ),
    *over(
        (30, 90, 180),
        "orders_spend_change",
        lambda w: Change(spend(w), spend(2 * w, until=w)),
        "change",
        "spending",
        english=Words(
            "Change in spending, last {days} days against the {days} before",
            "Spending {value} against the {days} days before",
            "No spending to compare with in the {days} days before the last {days}",
        ),
        indonesian=Words(
            "Perubahan belanja, {days} hari terakhir terhadap {days} hari sebelumnya",
            "Belanja {value} dibanding {days} hari sebelumnya",
            "Tidak ada belanja pembanding pada {days} hari sebelum {days} hari terakhir",
        ),
        direction=-1,
        actionable=True,
    ),
    *over(
        (90, 365),
        "orders_value_mean",
        lambda w: days("mean", "value", days=w),
        "money",
        "spending",
        english=Words(
            "Mean value of a purchase day, last {days} days",
            "Spends {value} on a purchase day (last {days} days)",
            _NO_ORDER,
        ),
        indonesian=Words(
            "Rata-rata nilai hari belanja, {days} hari terakhir",
            "Belanja {value} per hari belanja ({days} hari terakhir)",
            _NO_ORDER_ID,
        ),
    ),
    Feature(
        "orders_spend_90d_of_365d",
        Ratio(spend(90), spend(365)),
        "share",
        "spending",
        Words(
            "Share of the year's spending that fell in the last 90 days",
            "{value} of the year's spending was in the last 90 days",
            "Spent nothing in the last 365 days",
            "Spent this past year, but nothing in the last 90 days",
        ),
        Words(
            "Bagian belanja setahun yang jatuh pada 90 hari terakhir",
            "{value} belanja setahun terjadi dalam 90 hari terakhir",
            "Tidak belanja dalam 365 hari terakhir",
            "Belanja dalam setahun terakhir, tetapi tidak dalam 90 hari terakhir",
        ),
        direction=-1,
    ),
    Feature(
        "orders_spend_slope_180d",
        days("slope", "value", days=180, bucket=30),
        "money trend",
        "spending",
        Words(
            "Trend of 30-day spending over the last 180 days",
            "Spending over the last 180 days {value} a month",
            EVER,
            "Spending steady over the last 180 days",
        ),
        Words(
            "Tren belanja 30-harian selama 180 hari terakhir",
            "Belanja selama 180 hari terakhir {value} per bulan",
            EVER_ID,
            "Belanja stabil selama 180 hari terakhir",
        ),
        direction=-1,
        actionable=True,
    ),
]

_TERMS: list[Feature] = [
    *over(
        (90, 365),
        "orders_discount_share",
        lambda w: Ratio(days("sum", "discount", days=w), spend(w)),
        "share",
        "spending",
        english=Words(
            "Discounts over the amount ordered, last {days} days",
            "Discounts came to {value} of spending in the last {days} days",
            "No spending in the last {days} days",
            "No discount in the last {days} days",
        ),
        indonesian=Words(
            "Diskon dibagi nilai pesanan, {days} hari terakhir",
            "Diskon mencapai {value} dari belanja dalam {days} hari terakhir",
            "Tidak belanja dalam {days} hari terakhir",
            "Tanpa diskon dalam {days} hari terakhir",
        ),
        actionable=True,
    ),
    *over(
        (365,),
        "orders_margin",
        lambda w: days("sum", "margin", days=w),
        "money",
        "spending",
        english=Words(
            "Margin on orders of the last {days} days",
            "Brought {value} of margin in the last {days} days",
            EVER,
            "Brought no margin in the last {days} days",
        ),
        indonesian=Words(
            "Margin pesanan {days} hari terakhir",
            "Memberi margin {value} dalam {days} hari terakhir",
            EVER_ID,
            "Tidak memberi margin dalam {days} hari terakhir",
        ),
    ),
    *over(
        (365,),
        "orders_margin_share",
        lambda w: Ratio(days("sum", "margin", days=w), spend(w)),
        "share",
        "spending",
        english=Words(
            "Margin over the amount ordered, last {days} days",
            "Margin is {value} of spending in the last {days} days",
            "No spending in the last {days} days",
        ),
        indonesian=Words(
            "Margin dibagi nilai pesanan, {days} hari terakhir",
            "Margin {value} dari belanja dalam {days} hari terakhir",
            "Tidak belanja dalam {days} hari terakhir",
        ),
    ),
    *over(
        (365,),
        "orders_items_per_order",
        lambda w: Ratio(days("sum", "items", days=w), order_count(w)),
        "items",
        "spending",
        english=Words(
            "Items per order, last {days} days",
            "Orders held {value} each in the last {days} days",
            _NO_ORDER,
        ),
        indonesian=Words(
            "Barang per pesanan, {days} hari terakhir",
            "Tiap pesanan berisi {value} dalam {days} hari terakhir",
            _NO_ORDER_ID,
        ),
    ),
]

SPENDING: list[Feature] = [*_VALUE, *_WINDOWS, *_TERMS]
