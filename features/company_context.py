"""How the whole company fares at a cutoff, so that a bad month for all is not read as one's own."""

from features.aggregates import Aggregate, Change, Difference, Formula, of_company
from features.declare import Feature, Words, over
from features.orders import days, order_count, spend
from features.support import tickets
from features.surveys import ASKED, answers
from features.usage import event_count

_NO_COMPARISON = "Nothing to compare with for the company in the {days} days before"
_NO_COMPARISON_ID = "Tidak ada pembanding untuk perusahaan pada {days} hari sebelumnya"


def _recent_change(part: Aggregate, before: Aggregate) -> Change:
    return Change(of_company(part), of_company(before))


def _moved(name: str, change: Change, english: str, indonesian: str, lookback: int) -> Feature:
    """How one total of the company moved, the window against the one before it."""
    return Feature(
        f"{name}_{lookback}d",
        change,
        "change",
        "company",
        Words(
            f"Change in the company's {english}, last {{days}} days against the {{days}} before",
            f"The company's {english} {{value}} against the {{days}} days before",
            _NO_COMPARISON,
        ).over(lookback),
        Words(
            f"Perubahan {indonesian} perusahaan, {{days}} hari terakhir terhadap {{days}} hari "
            "sebelumnya",
            f"{indonesian.capitalize()} perusahaan {{value}} dibanding {{days}} hari sebelumnya",
            _NO_COMPARISON_ID,
        ).over(lookback),
    )


_MONTH = 30

_VOLUMES: list[Feature] = [
    _moved(
        "orders_company_count_change",
        _recent_change(order_count(_MONTH), days("sum", "orders", days=2 * _MONTH, until=_MONTH)),
        "orders",
        "pesanan",
        _MONTH,
    ),
    _moved(
        "orders_company_spend_change",
        _recent_change(spend(_MONTH), spend(2 * _MONTH, until=_MONTH)),
        "sales",
        "penjualan",
        _MONTH,
    ),
    _moved(
        "events_company_count_change",
        _recent_change(event_count(_MONTH), event_count(2 * _MONTH, until=_MONTH)),
        "usage",
        "pemakaian",
        _MONTH,
    ),
    _moved(
        "tickets_company_count_change",
        _recent_change(
            tickets("count", days=_MONTH), tickets("count", days=2 * _MONTH, until=_MONTH)
        ),
        "tickets",
        "tiket",
        _MONTH,
    ),
]

_WAITS = (
    ("first_response", "response_time", "a first answer", "jawaban pertama"),
    ("resolution", "resolution_time", "a solution", "penyelesaian"),
)


def _wait(name: str, column: str, english: str, indonesian: str) -> list[Feature]:
    return over(
        (30, 90),
        f"tickets_company_{name}_hours_mean",
        lambda w: of_company(tickets("mean", column, days=w)),
        "hours",
        "company",
        english=Words(
            f"Mean wait of all customers for {english}, tickets of the last {{days}} days",
            f"All customers waited {{value}} for {english} on average (last {{days}} days)",
            f"Nobody got {english} in the last {{days}} days",
        ),
        indonesian=Words(
            f"Rata-rata waktu {indonesian} semua pelanggan, tiket {{days}} hari terakhir",
            f"Semua pelanggan menunggu {indonesian} rata-rata {{value}} ({{days}} hari terakhir)",
            f"Tidak ada {indonesian} bagi siapa pun dalam {{days}} hari terakhir",
        ),
    )


def _mood(kind: str, english: str, indonesian: str) -> list[Feature]:
    where = f"kind = '{kind}'"

    def mean(lookback: int, until: int = 0) -> Aggregate:
        return of_company(answers("mean", "score", where=where, days=lookback, until=until))

    def moved(lookback: int) -> Formula:
        return Difference(mean(lookback), mean(2 * lookback, lookback))

    return [
        *over(
            (90,),
            f"surveys_company_{kind}_mean",
            mean,
            "score",
            "company",
            english=Words(
                f"Mean score of all customers for {english}, last {{days}} days",
                f"All customers score {{value}} for {english} (last {{days}} days)",
                f"Nobody answered about {english} in the last {{days}} days",
            ),
            indonesian=Words(
                f"Rata-rata nilai {indonesian} semua pelanggan, {{days}} hari terakhir",
                f"Semua pelanggan memberi nilai {indonesian} {{value}} ({{days}} hari terakhir)",
                f"Tidak ada yang menjawab tentang {indonesian} dalam {{days}} hari terakhir",
            ),
        ),
        *over(
            (90,),
            f"surveys_company_{kind}_change",
            moved,
            "points",
            "company",
            english=Words(
                f"Change of all customers' mean score for {english}, last {{days}} days against "
                "the {days} before",
                f"All customers' score for {english} {{value}} against the {{days}} days before",
                _NO_COMPARISON,
            ),
            indonesian=Words(
                f"Perubahan rata-rata nilai {indonesian} semua pelanggan, {{days}} hari terakhir "
                "terhadap {days} hari sebelumnya",
                f"Nilai {indonesian} semua pelanggan {{value}} dibanding {{days}} hari sebelumnya",
                _NO_COMPARISON_ID,
            ),
        ),
    ]


COMPANY_CONTEXT: list[Feature] = [
    *_VOLUMES,
    *[feature for wait in _WAITS for feature in _wait(*wait)],
    *[feature for asked in ASKED for feature in _mood(*asked)],
]
