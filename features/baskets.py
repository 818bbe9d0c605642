"""Features on how a customer's basket changes, how it began, and what comes back of it."""

from features.aggregates import Change, Difference, Ratio
from features.declare import Feature, Words, over
from features.orders import EVER, EVER_ID, days, order_count, spend
from features.variety import basket, refunds

_NO_COMPARISON = "No orders to compare with in the {days} days before the last {days}"
_NO_COMPARISON_ID = "Tidak ada pesanan pembanding pada {days} hari sebelum {days} hari terakhir"
_NO_ORDER = "No orders in the last {days} days"
_NO_ORDER_ID = "Tidak ada pesanan dalam {days} hari terakhir"
_NONE = "Has never sent anything back"
_NONE_ID = "Belum pernah mengembalikan barang"


def _discount_share(lookback: int, until: int = 0) -> Ratio:
    return Ratio(days("sum", "discount", days=lookback, until=until), spend(lookback, until))


def _items_per_order(lookback: int, until: int = 0) -> Ratio:
    return Ratio(
        days("sum", "items", days=lookback, until=until),
        days("sum", "orders", days=lookback, until=until),
    )


_CHANGES: list[Feature] = [
    *over(
        (90, 180),
        "orders_value_mean_change",
        lambda w: Change(days("mean", "value", days=w), days("mean", "value", days=2 * w, until=w)),
        "change",
        "spending",
        english=Words(
            "Change in the value of a purchase day, last {days} days against the {days} before",
            "Spending on a purchase day {value} against the {days} days before",
            _NO_COMPARISON,
        ),
        indonesian=Words(
            "Perubahan rata-rata nilai hari belanja, {days} hari terakhir terhadap {days} hari "
            "sebelumnya",
            "Belanja per hari belanja {value} dibanding {days} hari sebelumnya",
            _NO_COMPARISON_ID,
        ),
        direction=-1,
        actionable=True,
    ),
    *over(
        (90,),
        "orders_items_per_order_change",
        lambda w: Change(_items_per_order(w), _items_per_order(2 * w, w)),
        "change",
        "spending",
        english=Words(
            "Change in items per order, last {days} days against the {days} before",
            "Items per order {value} against the {days} days before",
            _NO_COMPARISON,
        ),
        indonesian=Words(
            "Perubahan barang per pesanan, {days} hari terakhir terhadap {days} hari sebelumnya",
            "Barang per pesanan {value} dibanding {days} hari sebelumnya",
            _NO_COMPARISON_ID,
        ),
        direction=-1,
    ),
    *over(
        (90, 180),
        "orders_categories_change",
        lambda w: Change(
            basket("distinct", "category", days=w),
            basket("distinct", "category", days=2 * w, until=w),
        ),
        "change",
        "variety",
        english=Words(
            "Change in the categories bought from, last {days} days against the {days} before",
            "Categories bought from {value} against the {days} days before",
            _NO_COMPARISON,
        ),
        indonesian=Words(
            "Perubahan jumlah kategori, {days} hari terakhir terhadap {days} hari sebelumnya",
            "Jumlah kategori yang dibeli {value} dibanding {days} hari sebelumnya",
            _NO_COMPARISON_ID,
        ),
        direction=-1,
        actionable=True,
    ),
    *over(
        (90,),
        "orders_discount_share_change",
        lambda w: Difference(_discount_share(w), _discount_share(2 * w, w)),
        "change",
        "spending",
        english=Words(
            "Discount share of spending less that of the {days} days before, last {days} days",
            "Share of spending that is discount {value} against the {days} days before",
            _NO_COMPARISON,
        ),
        indonesian=Words(
            "Bagian diskon dari belanja dikurangi {days} hari sebelumnya, {days} hari terakhir",
            "Bagian diskon dari belanja {value} dibanding {days} hari sebelumnya",
            _NO_COMPARISON_ID,
        ),
    ),
]

_DISCOUNTS: list[Feature] = [
    *over(
        (365,),
        "orders_discounted_days_share",
        lambda w: Ratio(days("count", where="discount > 0", days=w), days("count", days=w)),
        "share",
        "spending",
        english=Words(
            "Share of the purchase days of the last {days} days with a discount",
            "{value} of purchase days had a discount (last {days} days)",
            _NO_ORDER,
            "No discount in the last {days} days",
        ),
        indonesian=Words(
            "Bagian hari belanja {days} hari terakhir yang memakai diskon",
            "{value} hari belanja memakai diskon ({days} hari terakhir)",
            _NO_ORDER_ID,
            "Tanpa diskon dalam {days} hari terakhir",
        ),
        actionable=True,
    ),
    Feature(
        "orders_first_value",
        days("first", "value"),
        "money",
        "spending",
        Words("Value of the first purchase day", "First purchase was {value}", EVER),
        Words("Nilai hari belanja pertama", "Belanja pertama {value}", EVER_ID),
    ),
    Feature(
        "orders_first_discount_share",
        Ratio(days("first", "discount"), days("first", "value")),
        "share",
        "spending",
        Words(
            "Discount over the amount ordered on the first purchase day",
            "First purchase was made at a discount of {value} of its value",
            EVER,
            "First purchase was made without a discount",
        ),
        Words(
            "Diskon dibagi nilai pesanan pada hari belanja pertama",
            "Belanja pertama dengan diskon {value} dari nilainya",
            EVER_ID,
            "Belanja pertama tanpa diskon",
        ),
        direction=1,
    ),
    Feature(
        "orders_last_value_over_first",
        Ratio(days("last", "value"), days("first", "value")),
        "times",
        "spending",
        Words(
            "Value of the last purchase day over that of the first",
            "Last purchase was {value} the first",
            EVER,
            "Last purchase was worth nothing",
        ),
        Words(
            "Nilai hari belanja terakhir dibagi yang pertama",
            "Belanja terakhir {value} dari belanja pertama",
            EVER_ID,
            "Belanja terakhir bernilai nol",
        ),
    ),
]

_RETURNS: list[Feature] = [
    *over(
        (90, 365),
        "orders_return_count",
        lambda w: refunds("count", where="returned = 1", days=w),
        "returns",
        "refunds",
        english=Words("Returns in the last {days} days", "{value} in the last {days} days", _NONE),
        indonesian=Words(
            "Pengembalian barang dalam {days} hari terakhir",
            "{value} dalam {days} hari terakhir",
            _NONE_ID,
        ),
        direction=1,
        actionable=True,
    ),
    *over(
        (365,),
        "orders_refunds_per_order",
        lambda w: Ratio(refunds("count", days=w), order_count(w)),
        "refunds",
        "refunds",
        english=Words(
            "Refunds per order, last {days} days",
            "{value} per order in the last {days} days",
            _NO_ORDER,
        ),
        indonesian=Words(
            "Pengembalian dana per pesanan, {days} hari terakhir",
            "{value} per pesanan dalam {days} hari terakhir",
            _NO_ORDER_ID,
        ),
        direction=1,
        actionable=True,
    ),
]

BASKETS: list[Feature] = [*_CHANGES, *_DISCOUNTS, *_RETURNS]
