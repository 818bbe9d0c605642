"""Features on how often a customer orders, and whether that is changing."""

from features.aggregates import Change, Ratio
from features.declare import Feature, Words, over
from features.orders import EVER, EVER_ID, days, order_count, purchases

FREQUENCY: list[Feature] = [
    *over(
        (7, 30, 90, 180, 365),
        "orders_purchase_days",
        purchases,
        "purchase days",
        "frequency",
        english=Words(
            "Days with a purchase in the last {days} days", "{value} in the last {days} days", EVER
        ),
        indonesian=Words(
            "Hari dengan pembelian dalam {days} hari terakhir",
            "{value} dalam {days} hari terakhir",
            EVER_ID,
        ),
        direction=-1,
    ),
    *over(
        (7, 30, 90, 180, 365),
        "orders_count",
        order_count,
        "orders",
        "frequency",
        english=Words("Orders in the last {days} days", "{value} in the last {days} days", EVER),
        indonesian=Words(
            "Pesanan dalam {days} hari terakhir", "{value} dalam {days} hari terakhir", EVER_ID
        ),
        direction=-1,
    ),
    *over(
        (30, 90, 180),
        "orders_change",
        lambda w: Change(order_count(w), days("sum", "orders", days=2 * w, until=w)),
        "change",
        "frequency",
        english=Words(
            "Change in orders, last {days} days against the {days} before",
            "Orders {value} against the {days} days before",
            "No orders to compare with in the {days} days before the last {days}",
        ),
        indonesian=Words(
            "Perubahan pesanan, {days} hari terakhir terhadap {days} hari sebelumnya",
            "Pesanan {value} dibanding {days} hari sebelumnya",
            "Tidak ada pesanan pembanding pada {days} hari sebelum {days} hari terakhir",
        ),
        direction=-1,
        actionable=True,
    ),
    Feature(
        "orders_purchase_days_90d_of_365d",
        Ratio(purchases(90), purchases(365)),
        "share",
        "frequency",
        Words(
            "Share of the year's purchase days that fell in the last 90 days",
            "{value} of the year's purchase days were in the last 90 days",
            "No orders in the last 365 days",
            "Ordered this past year, but not in the last 90 days",
        ),
        Words(
            "Bagian hari belanja setahun yang jatuh pada 90 hari terakhir",
            "{value} hari belanja setahun terjadi dalam 90 hari terakhir",
            "Tidak ada pesanan dalam 365 hari terakhir",
            "Memesan dalam setahun terakhir, tetapi tidak dalam 90 hari terakhir",
        ),
        direction=-1,
    ),
    Feature(
        "orders_purchase_days_slope_84d",
        days("slope", "orders", days=84),
        "trend",
        "frequency",
        Words(
            "Trend of weekly orders over the last 12 weeks",
            "Weekly orders over the last 12 weeks {value} a week",
            EVER,
            "Weekly orders steady over the last 12 weeks",
        ),
        Words(
            "Tren pesanan mingguan selama 12 minggu terakhir",
            "Pesanan mingguan selama 12 minggu terakhir {value} per minggu",
            EVER_ID,
            "Pesanan mingguan stabil selama 12 minggu terakhir",
        ),
        direction=-1,
        actionable=True,
    ),
]
