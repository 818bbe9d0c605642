"""The SQL of one aggregate, of the company's shares, and of a rate drawn towards them."""

from collections.abc import Callable, Sequence

from features.aggregates import TREND_DAYS, Aggregate, How, Level
from features.standpoint import Standpoint

BY_KEY: tuple[How, ...] = ("distinct", "modal")
"""Aggregates over the values of a column rather than over rows."""


def aggregate_sql(part: Aggregate, stand: Standpoint) -> str:
    """The aggregate as an expression over the rows a source shows at the cutoff."""
    rows = where(part, stand)
    now, column, time = stand.at(part.source), part.column, part.time
    known = where(part, stand, f"{column} IS NOT NULL")
    number, total = f"count({column}){rows}", f"sum({column}){rows}"
    simple: dict[How, Callable[[], str]] = {
        "count": lambda: f"count(*){rows}",
        "sum": lambda: total,
        "mean": lambda: f"CAST({total} AS DOUBLE) / nullif({number}, 0)",
        "sd": lambda: _deviation(number, total, f"sum({column} * {column}){rows}"),
        "max": lambda: f"max({column}){rows}",
        "median": lambda: f"median({column}){rows}",
        "first": lambda: f"min_by({column}, {part.source.place}){known}",
        "last": lambda: f"max_by({column}, {part.source.place}){known}",
        "last_is": lambda: _last_is(part, stand),
        "since_last": lambda: f"{now} - max({time}){rows}",
        "since_first": lambda: f"{now} - min({time}){rows}",
        "span": lambda: f"max({time}){rows} - min({time}){rows}",
        "slope": lambda: _slope(part, stand, rows),
        "trend": lambda: _trend(part, stand, known),
    }
    return simple[part.how]()


def where(part: Aggregate, stand: Standpoint, further: str = "") -> str:
    """The FILTER that keeps the aggregate's rows; empty when it takes them all."""
    meets = f"({part.where})" if part.where else ""
    conditions = [each for each in (meets, *_window(part, stand), further) if each]
    return f" FILTER (WHERE {' AND '.join(conditions)})" if conditions else ""


def _window(part: Aggregate, stand: Standpoint) -> list[str]:
    conditions = []
    if part.days is not None:
        conditions.append(f"{part.time} >= {stand.at(part.source, part.days)}")
    if part.until:
        conditions.append(f"{part.time} < {stand.at(part.source, part.until)}")
    return conditions


def _last_is(part: Aggregate, stand: Standpoint) -> str:
    """1 when the last row of the window meets the condition, else 0."""
    window = _window(part, stand)
    rows = f" FILTER (WHERE {' AND '.join(window)})" if window else ""
    return f"max_by(CASE WHEN {part.where} THEN 1 ELSE 0 END, {part.source.place}){rows}"


def _deviation(number: str, total: str, squares: str) -> str:
    """Sample standard deviation from exact whole sums, so that no order of adding shows."""
    spread = f"CAST({number} * {squares} - {total} * {total} AS DOUBLE)"
    freedom = f"(CAST({number} AS DOUBLE) * ({number} - 1))"
    return f"CASE WHEN {number} > 1 THEN sqrt({spread} / {freedom}) END"


def _slope(part: Aggregate, stand: Standpoint, rows: str) -> str:
    """Least-squares slope over equal buckets of the lookback, empty ones counted as zero.

    With n buckets numbered i = 0..n-1, the slope is 12 * sum(y_i * (i - (n-1)/2)) / (n^3 - n);
    doubling the weight keeps the sum whole.
    """
    days, step = part.days or 0, part.bucket
    buckets = days // step
    start = stand.at(part.source, days)
    weight = f"(2 * CAST(floor((ts - {start}) / {step}) AS BIGINT) - {buckets - 1})"
    return f"CAST(sum({weight} * {part.column}){rows} AS DOUBLE) * 6 / {buckets**3 - buckets}"


def _trend(part: Aggregate, stand: Standpoint, known: str) -> str:
    """Least-squares line through single values by their age in whole days, from whole sums."""
    day = 1 if part.source.clock == "day" else 86_400
    age = f"CAST(floor(({stand.at(part.source)} - ts) / {day}) AS BIGINT)"
    number, ages, values = (
        f"{each}{known}" for each in ("count(*)", f"sum({age})", f"sum({part.column})")
    )
    products, squares = f"sum({age} * {part.column}){known}", f"sum({age} * {age}){known}"
    top = f"CAST({number} * {products} - {ages} * {values} AS DOUBLE)"
    bottom = f"CAST({number} * {squares} - {ages} * {ages} AS DOUBLE)"
    return f"-{TREND_DAYS} * {top} / nullif({bottom}, 0)"


def shares_query(levels: Sequence[Level], rows: str, stand: Standpoint) -> str:
    """One row with the level and the likeness of each share, from all customers' counts.

    With x hits in n trials per customer, p = sum(x) / sum(n) and the weighted spread
    S = sum(x^2 / n) - p sum(x), Kleinman's estimate of the likeness is
    (S / (p (1 - p)) - (k - 1)) / (sum(n) - sum(n^2) / sum(n) - (k - 1)) over the k customers
    with trials, held between 0 and 1. The quotients x^2 / n are summed as whole millionths.
    """
    counts = [
        f"{aggregate_sql(level.hits, stand)} AS x{i}, {aggregate_sql(level.trials, stand)} AS n{i}"
        for i, level in enumerate(levels)
    ]
    sums = [_sums(i) for i in range(len(levels))]
    answers = [
        f"x{i} / nullif(n{i}, 0) AS level{i}, {_likeness(i)} AS likeness{i}"
        for i in range(len(levels))
    ]
    customers = f"SELECT {', '.join(counts)} FROM ({rows}) v GROUP BY customer_id"
    return f"SELECT {', '.join(answers)} FROM (SELECT {', '.join(sums)} FROM ({customers}) c) t"


def _sums(i: int) -> str:
    quotient = f"CAST(floor(1e6 * x{i} * x{i} / nullif(n{i}, 0)) AS BIGINT)"
    columns = {
        f"x{i}": f"sum(x{i})",
        f"n{i}": f"sum(n{i})",
        f"k{i}": f"count(*) FILTER (WHERE n{i} > 0)",
        f"nn{i}": f"sum(n{i} * n{i})",
        f"xx{i}": f"sum({quotient})",
    }
    return ", ".join(f"CAST({sql} AS DOUBLE) AS {name}" for name, sql in columns.items())


def _likeness(i: int) -> str:
    chance = f"x{i} / n{i} * (1 - x{i} / n{i})"
    spread = f"(xx{i} / 1e6 - x{i} * x{i} / n{i}) / ({chance}) - (k{i} - 1)"
    room = f"n{i} - nn{i} / n{i} - (k{i} - 1)"
    held = f"least(1, greatest(0, ({spread}) / ({room})))"
    return f"CASE WHEN x{i} > 0 AND x{i} < n{i} AND {room} > 0 THEN {held} ELSE 0 END"


def shrunk_sql(hits: str, trials: str, level: str, likeness: str) -> str:
    """A customer's rate drawn towards the company's level; see `Shrunk` for the rule."""
    # Without trials and with a likeness of 1 the bottom is 0, at which Spark stops.
    weight = f"({trials} * {likeness} / nullif(1 + ({trials} - 1) * {likeness}, 0))"
    return f"{level} + {weight} * ({hits} / nullif({trials}, 0) - {level})"
