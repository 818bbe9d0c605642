"""Facts of orders, and features on when a customer buys: recency, T and the gaps between."""

from functools import partial

from features.aggregates import FIXED, Aggregate, Fact, Ratio, Source, fixed
from features.declare import Feature, Words

PURCHASE_DAYS = Source(
    name="purchase_days",
    table="orders",
    time="ordered_at",
    clock="day",
    facts=f"""
        SELECT customer_id, ts, orders, lines, value, discount, margin, items, ts % 7 AS weekday,
          CAST(ts - lag(ts) OVER (PARTITION BY customer_id ORDER BY ts) AS BIGINT) AS gap
        FROM (
          SELECT customer_id, CAST(day AS BIGINT) AS ts, count(*) AS lines,
            count(DISTINCT order_id) + count(*) FILTER (WHERE order_id IS NULL) AS orders,
            CAST(sum({fixed("amount")}) AS BIGINT) AS value,
            CAST(coalesce(sum({fixed("discount")}), 0) AS BIGINT) AS discount,
            CAST(coalesce(sum({fixed("margin")}), 0) AS BIGINT) AS margin,
            CAST(coalesce(sum({fixed("quantity")}), 0) AS BIGINT) AS items
          FROM orders WHERE NOT is_return GROUP BY customer_id, day
        ) d""",
    columns={
        "orders": Fact(("ordered_at",)),
        "lines": Fact(("ordered_at",)),
        "gap": Fact(("ordered_at",)),
        "weekday": Fact(("ordered_at",)),
        "value": Fact(("amount",), FIXED),
        "discount": Fact(("discount",), FIXED),
        "margin": Fact(("margin",), FIXED),
        "items": Fact(("quantity",), FIXED),
    },
)

BASKET = Source(
    name="basket",
    table="orders",
    time="ordered_at",
    clock="day",
    facts="""
        SELECT DISTINCT customer_id, CAST(day AS BIGINT) AS ts, product_id, category, channel
        FROM orders WHERE NOT is_return""",
    columns={
        "product_id": Fact(("product_id",), is_text=True),
        "category": Fact(("category",), is_text=True),
        "channel": Fact(("channel",), is_text=True),
    },
)

REFUNDS = Source(
    name="refunds",
    table="orders",
    time="refunded_at",
    clock="second",
    facts=f"""
        SELECT customer_id, epoch_seconds(refunded_at) AS ts,
          {fixed("coalesce(refund_amount, 0)")} AS refund,
          CASE WHEN is_return THEN 1 ELSE 0 END AS returned
        FROM orders WHERE refunded_at IS NOT NULL""",
    columns={
        "refund": Fact(("refund_amount",), FIXED),
        "returned": Fact(("refund_amount",)),
    },
)

EVER = "Has never ordered"
EVER_ID = "Belum pernah memesan"
ONCE = "No repeat order so far"
ONCE_ID = "Belum ada pesanan ulang"

days = partial(Aggregate, PURCHASE_DAYS)


def purchases(lookback: int | None = None, until: int = 0) -> Aggregate:
    """Number of purchase days."""
    return days("count", days=lookback, until=until)


def spend(lookback: int | None = None, until: int = 0) -> Aggregate:
    """Amount ordered, before refunds."""
    return days("sum", "value", days=lookback, until=until)


def order_count(lookback: int) -> Aggregate:
    """Number of orders; without order ids every row is one."""
    return days("sum", "orders", days=lookback)


_SINCE_LAST = days("since_last")
_GAP_MEAN = days("mean", "gap")

RECENCY: list[Feature] = [
    Feature(
        "orders_days_since_last",
        _SINCE_LAST,
        "days",
        "recency",
        Words("Days since the last purchase day", "Last order {value} ago", EVER),
        Words("Hari sejak hari belanja terakhir", "Pesanan terakhir {value} lalu", EVER_ID),
        direction=1,
        actionable=True,
    ),
    Feature(
        "orders_frequency",
        days("count", where="gap IS NOT NULL"),
        "purchase days",
        "frequency",
        Words("Purchase days minus one", "Came back on {value} after the first", ONCE, ONCE),
        Words(
            "Jumlah hari belanja dikurangi satu",
            "Kembali berbelanja: {value} setelah yang pertama",
            ONCE_ID,
            ONCE_ID,
        ),
        direction=-1,
    ),
    Feature(
        "orders_recency",
        days("span"),
        "days",
        "recency",
        Words(
            "Days from the first purchase day to the last",
            "Orders span {value} from first to last",
            EVER,
            "All orders fell on one day",
        ),
        Words(
            "Hari dari belanja pertama sampai belanja terakhir",
            "Rentang pesanan pertama sampai terakhir {value}",
            EVER_ID,
            "Semua pesanan pada satu hari",
        ),
    ),
    Feature(
        "orders_T",
        days("since_first"),
        "days",
        "recency",
        Words("Days since the first purchase day", "First order {value} ago", EVER),
        Words("Hari sejak hari belanja pertama", "Pesanan pertama {value} lalu", EVER_ID),
    ),
    Feature(
        "orders_gap_mean",
        _GAP_MEAN,
        "days",
        "frequency",
        Words("Mean days between purchase days", "Usually orders every {value}", ONCE),
        Words("Rata-rata hari antara dua hari belanja", "Biasanya memesan setiap {value}", ONCE_ID),
        direction=1,
    ),
    Feature(
        "orders_gap_sd",
        days("sd", "gap"),
        "days",
        "frequency",
        Words(
            "Standard deviation of the days between purchase days",
            "Time between orders varies by {value}",
            "Too few orders to know their rhythm",
            "Orders at perfectly even intervals",
        ),
        Words(
            "Simpangan baku jarak hari antara dua hari belanja",
            "Jarak antar pesanan bervariasi {value}",
            "Pesanan terlalu sedikit untuk mengetahui iramanya",
            "Memesan dengan jarak waktu yang selalu sama",
        ),
    ),
    Feature(
        "orders_gap_cv",
        Ratio(days("sd", "gap"), _GAP_MEAN),
        "share",
        "frequency",
        Words(
            "Standard deviation of the gaps between purchase days over their mean",
            "Time between orders varies by {value} of its mean",
            "Too few orders to know their rhythm",
            "Orders at perfectly even intervals",
        ),
        Words(
            "Simpangan baku jarak antar hari belanja dibagi rata-ratanya",
            "Jarak antar pesanan bervariasi {value} dari rata-ratanya",
            "Pesanan terlalu sedikit untuk mengetahui iramanya",
            "Memesan dengan jarak waktu yang selalu sama",
        ),
    ),
    Feature(
        "orders_gap_median",
        days("median", "gap"),
        "days",
        "frequency",
        Words(
            "Median days between purchase days",
            "Half of the orders came within {value} of the one before",
            ONCE,
        ),
        Words(
            "Median hari antara dua hari belanja",
            "Separuh pesanan datang dalam {value} setelah yang sebelumnya",
            ONCE_ID,
        ),
    ),
    Feature(
        "orders_gap_max",
        days("max", "gap"),
        "days",
        "frequency",
        Words(
            "Longest time between two purchase days",
            "Longest pause between orders so far {value}",
            ONCE,
        ),
        Words(
            "Jarak terpanjang antara dua hari belanja",
            "Jeda terpanjang antar pesanan sejauh ini {value}",
            ONCE_ID,
        ),
    ),
    Feature(
        "orders_days_since_last_over_gap_mean",
        Ratio(_SINCE_LAST, _GAP_MEAN),
        "times",
        "recency",
        Words(
            "Days since the last purchase day over the customer's own mean gap",
            "Silent for {value} the usual time between orders",
            ONCE,
        ),
        Words(
            "Hari sejak belanja terakhir dibagi jarak belanja rata-rata pelanggan itu",
            "Diam selama {value} jarak pesanan biasanya",
            ONCE_ID,
        ),
        direction=1,
        actionable=True,
    ),
    Feature(
        "orders_days_since_last_over_gap_max",
        Ratio(_SINCE_LAST, days("max", "gap")),
        "times",
        "recency",
        Words(
            "Days since the last purchase day over the longest gap so far",
            "Silent for {value} the longest pause so far",
            ONCE,
        ),
        Words(
            "Hari sejak belanja terakhir dibagi jeda terpanjang sejauh ini",
            "Diam selama {value} jeda terpanjang sejauh ini",
            ONCE_ID,
        ),
        direction=1,
        actionable=True,
    ),
]
