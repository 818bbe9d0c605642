"""From declared features to one SQL query per cutoff, in the subset DuckDB and Spark share."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from features.aggregates import Aggregate, Formula, Ratio, Source, aggregates
from features.declare import Feature
from features.windows import day_number, shift_days


@dataclass(frozen=True)
class Standpoint:
    """A cutoff as the facts write time: epoch seconds, or local day numbers."""

    cutoff: datetime
    zone: ZoneInfo

    def at(self, source: Source, days_before: int = 0) -> int:
        """The instant `days_before` calendar days before the cutoff, on the source's clock."""
        if source.clock == "day":
            return day_number(self.cutoff, self.zone) - days_before
        return int(shift_days(self.cutoff, -days_before, self.zone).timestamp())


def sources_of(features: Iterable[Feature]) -> list[Source]:
    """The sources that the features draw from, each once, in order of first use."""
    parts = (part for feature in features for part in aggregates(feature.formula))
    return list(dict.fromkeys(part.source for part in parts))


def features_query(features: Sequence[Feature], cutoff: datetime, zone: ZoneInfo) -> str:
    """SQL that gives `spine` (place, customer_id) one column per feature, as of `cutoff`.

    Reads the tables `facts_<source>`; columns are f0, f1, … and rows in `place` order.
    """
    stand = Standpoint(cutoff, zone)
    blocks = _blocks(features)
    names = {
        part: f"{block}.a{i}" for block, parts in blocks.items() for i, part in enumerate(parts)
    }
    queries = [f"{name} AS (\n{_block(parts, stand)})" for name, parts in blocks.items()]
    columns = [f"{_formula(f.formula, names)} AS f{i}" for i, f in enumerate(features)]
    joins = [f"LEFT JOIN {name} ON {name}.customer_id = s.customer_id" for name in blocks]
    head = "WITH " + ",\n".join(queries) if queries else ""
    return "\n".join(
        [head, "SELECT " + ",\n  ".join(columns), "FROM spine s", *joins, "ORDER BY s.place"]
    )


def _blocks(features: Sequence[Feature]) -> dict[str, list[Aggregate]]:
    """Aggregates that one GROUP BY can answer together; distinct counts go key by key."""
    blocks: dict[str, list[Aggregate]] = {}
    parts = (part for feature in features for part in aggregates(feature.formula))
    for part in dict.fromkeys(parts):
        suffix = f"_by_{part.column}" if part.how == "distinct" else ""
        blocks.setdefault(part.source.name + suffix, []).append(part)
    return blocks


def _block(parts: Sequence[Aggregate], stand: Standpoint) -> str:
    """One level of conditional aggregates over the rows a source shows at the cutoff."""
    rows = _visible(parts[0].source, stand)
    if parts[0].how == "distinct":
        key = parts[0].column
        rows = (
            f"SELECT customer_id, {key}, max(ts) AS ts FROM ({rows}) v "
            f"WHERE {key} IS NOT NULL GROUP BY customer_id, {key}"
        )
    columns = [f"{_aggregate(part, stand)} AS a{i}" for i, part in enumerate(parts)]
    listed = ",\n  ".join(["customer_id", *columns])
    return f"SELECT {listed}\nFROM ({rows}) r GROUP BY customer_id"


def _visible(source: Source, stand: Standpoint) -> str:
    """The source's rows as they stood at the cutoff: later ones gone, late columns hidden."""
    now = stand.at(source)
    columns = [_shown(source, name, now) for name in source.columns]
    extra = [] if source.place in ("ts", *source.columns) else [f"f.{source.place}"]
    return (
        f"SELECT {', '.join(['f.customer_id', 'f.ts', *extra, *columns])} "
        f"FROM facts_{source.name} f JOIN spine s ON s.customer_id = f.customer_id "
        f"WHERE f.ts < {now}"
    )


def _shown(source: Source, name: str, now: int) -> str:
    times = source.known_at.get(name, ())
    if not times:
        return f"f.{name}"
    known = " AND ".join(f"f.{time} < {now}" for time in times)
    return f"CASE WHEN {known} THEN f.{name} END AS {name}"


def _aggregate(part: Aggregate, stand: Standpoint) -> str:
    rows = _condition(part, stand)
    now, column, time = stand.at(part.source), part.column, part.time
    where = f" FILTER (WHERE {rows})" if rows else ""
    known = f" FILTER (WHERE {' AND '.join(filter(None, [rows, f'{column} IS NOT NULL']))})"
    number, total = f"count({column}){where}", f"sum({column}){where}"
    simple: dict[str, Callable[[], str]] = {
        "count": lambda: f"count(*){where}",
        "distinct": lambda: f"count(*){where}",
        "sum": lambda: total,
        "mean": lambda: f"CAST({total} AS DOUBLE) / nullif({number}, 0)",
        "sd": lambda: _deviation(number, total, f"sum({column} * {column}){where}"),
        "max": lambda: f"max({column}){where}",
        "median": lambda: f"median({column}){where}",
        "last": lambda: f"max_by({column}, {part.source.place}){known}",
        "since_last": lambda: f"{now} - max({time}){where}",
        "since_first": lambda: f"{now} - min({time}){where}",
        "span": lambda: f"max({time}){where} - min({time}){where}",
        "slope": lambda: _slope(part, stand, where),
    }
    return simple[part.how]()


def _condition(part: Aggregate, stand: Standpoint) -> str:
    conditions = [f"({part.where})"] if part.where else []
    if part.days is not None:
        conditions.append(f"{part.time} >= {stand.at(part.source, part.days)}")
    if part.until:
        conditions.append(f"{part.time} < {stand.at(part.source, part.until)}")
    return " AND ".join(conditions)


def _deviation(number: str, total: str, squares: str) -> str:
    """Sample standard deviation from exact whole sums, so that no order of adding shows."""
    spread = f"CAST({number} * {squares} - {total} * {total} AS DOUBLE)"
    freedom = f"(CAST({number} AS DOUBLE) * ({number} - 1))"
    return f"CASE WHEN {number} > 1 THEN sqrt({spread} / {freedom}) END"


def _slope(part: Aggregate, stand: Standpoint, where: str) -> str:
    """Least-squares slope over equal buckets of the lookback, empty ones counted as zero.

    With n buckets numbered i = 0..n-1, the slope is 12 * sum(y_i * (i - (n-1)/2)) / (n^3 - n);
    doubling the weight keeps the sum whole.
    """
    days, step = part.days or 0, part.bucket
    buckets = days // step
    start = stand.at(part.source, days)
    weight = f"(2 * CAST(floor((ts - {start}) / {step}) AS BIGINT) - {buckets - 1})"
    return f"CAST(sum({weight} * {part.column}){where} AS DOUBLE) * 6 / {buckets**3 - buckets}"


def _formula(formula: Formula, names: dict[Aggregate, str]) -> str:
    if isinstance(formula, Aggregate):
        return _value(formula, names)
    if isinstance(formula, Ratio):
        return f"{_value(formula.top, names)} / nullif({_value(formula.bottom, names)}, 0)"
    before = _value(formula.before, names)
    return f"({_value(formula.recent, names)} - {before}) / nullif({before}, 0)"


def _value(part: Aggregate, names: dict[Aggregate, str]) -> str:
    if part.is_text:
        return names[part]
    value = f"CAST({names[part]} AS DOUBLE)"
    scaled = f"{value} / {part.scale}" if part.scale != 1 else value
    return f"coalesce({scaled}, 0)" if part.is_zero_when_empty else scaled
