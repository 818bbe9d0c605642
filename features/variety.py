"""Features on what a customer buys, through which channels, and what comes back as refunds."""

from functools import partial

from features.aggregates import Aggregate, Ratio
from features.declare import Feature, Words, over
from features.orders import BASKET, EVER, EVER_ID, REFUNDS, days, spend

basket = partial(Aggregate, BASKET)
refunds = partial(Aggregate, REFUNDS)

_NONE = "Has never had a refund"
_NONE_ID = "Belum pernah mendapat pengembalian dana"

VARIETY: list[Feature] = [
    *over(
        (90, 365),
        "orders_products",
        lambda w: basket("distinct", "product_id", days=w),
        "products",
        "variety",
        english=Words(
            "Different products bought in the last {days} days",
            "Bought {value} in the last {days} days",
            EVER,
        ),
        indonesian=Words(
            "Produk berbeda yang dibeli dalam {days} hari terakhir",
            "Membeli {value} dalam {days} hari terakhir",
            EVER_ID,
            "Tidak membeli produk apa pun dalam {days} hari terakhir",
        ),
        direction=-1,
    ),
    *over(
        (90, 365),
        "orders_categories",
        lambda w: basket("distinct", "category", days=w),
        "categories",
        "variety",
        english=Words(
            "Different categories bought in the last {days} days",
            "Bought from {value} in the last {days} days",
            EVER,
        ),
        indonesian=Words(
            "Kategori berbeda yang dibeli dalam {days} hari terakhir",
            "Membeli dari {value} dalam {days} hari terakhir",
            EVER_ID,
            "Tidak membeli dari kategori apa pun dalam {days} hari terakhir",
        ),
        direction=-1,
        actionable=True,
    ),
    *over(
        (365,),
        "orders_channels",
        lambda w: basket("distinct", "channel", days=w),
        "channels",
        "variety",
        english=Words(
            "Different channels ordered through in the last {days} days",
            "Ordered through {value} in the last {days} days",
            EVER,
        ),
        indonesian=Words(
            "Saluran berbeda untuk memesan dalam {days} hari terakhir",
            "Memesan lewat {value} dalam {days} hari terakhir",
            EVER_ID,
            "Tidak memesan lewat saluran apa pun dalam {days} hari terakhir",
        ),
        direction=-1,
    ),
]

REFUND_FEATURES: list[Feature] = [
    Feature(
        "orders_refund_count",
        refunds("count"),
        "refunds",
        "refunds",
        Words("Refunds so far", "{value} so far", _NONE, _NONE),
        Words("Pengembalian dana sejauh ini", "{value} sejauh ini", _NONE_ID, _NONE_ID),
        direction=1,
        actionable=True,
    ),
    *over(
        (90, 365),
        "orders_refund_count",
        lambda w: refunds("count", days=w),
        "refunds",
        "refunds",
        english=Words("Refunds in the last {days} days", "{value} in the last {days} days", _NONE),
        indonesian=Words(
            "Pengembalian dana dalam {days} hari terakhir",
            "{value} dalam {days} hari terakhir",
            _NONE_ID,
        ),
        direction=1,
        actionable=True,
    ),
    *over(
        (90, 365),
        "orders_refund_amount",
        lambda w: refunds("sum", "refund", days=w),
        "money",
        "refunds",
        english=Words(
            "Amount refunded in the last {days} days",
            "{value} refunded in the last {days} days",
            _NONE,
            "Nothing refunded in the last {days} days",
        ),
        indonesian=Words(
            "Nilai pengembalian dana dalam {days} hari terakhir",
            "{value} dikembalikan dalam {days} hari terakhir",
            _NONE_ID,
            "Tidak ada dana dikembalikan dalam {days} hari terakhir",
        ),
        direction=1,
        actionable=True,
    ),
    *over(
        (365,),
        "orders_refund_share",
        lambda w: Ratio(refunds("sum", "refund", days=w), spend(w)),
        "share",
        "refunds",
        english=Words(
            "Amount refunded over the amount ordered, last {days} days",
            "{value} of spending refunded in the last {days} days",
            "No spending in the last {days} days",
            "Nothing refunded in the last {days} days",
        ),
        indonesian=Words(
            "Nilai pengembalian dibagi nilai pesanan, {days} hari terakhir",
            "{value} belanja dikembalikan dalam {days} hari terakhir",
            "Tidak belanja dalam {days} hari terakhir",
            "Tidak ada dana dikembalikan dalam {days} hari terakhir",
        ),
        direction=1,
        actionable=True,
    ),
    Feature(
        "orders_refund_share",
        Ratio(refunds("sum", "refund"), days("sum", "value")),
        "share",
        "refunds",
        Words(
            "Amount refunded over the amount ordered, all history",
            "{value} of all spending was refunded",
            EVER,
            _NONE,
        ),
        Words(
            "Nilai pengembalian dibagi nilai pesanan, seluruh riwayat",
            "{value} dari seluruh belanja dikembalikan",
            EVER_ID,
            _NONE_ID,
        ),
        direction=1,
        actionable=True,
    ),
    Feature(
        "orders_days_since_last_refund",
        refunds("since_last"),
        "days",
        "refunds",
        Words("Days since the last refund", "Last refund {value} ago", _NONE),
        Words("Hari sejak pengembalian terakhir", "Pengembalian terakhir {value} lalu", _NONE_ID),
        direction=-1,
    ),
]
