"""From declared features to one SQL query per cutoff, in the subset DuckDB and Spark share."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from features.aggregate_sql import BY_KEY, aggregate_sql, shares_query, shrunk_sql, where
from features.aggregates import (
    Aggregate,
    Change,
    CompanyNumber,
    Difference,
    Formula,
    Level,
    Likeness,
    Ratio,
    Shrunk,
    Source,
    Until,
    aggregates,
    company_numbers,
    of_company,
)
from features.declare import Feature
from features.seen import is_recent, seen, seen_rows, visible
from features.standpoint import Standpoint

__all__ = ["Standpoint", "company_numbers_of", "company_query", "features_query", "sources_of"]

NEXT, SEPARATOR = ",\n", ",\n  "

Names = Mapping[Aggregate | CompanyNumber, str]
"""What a query calls the answer to each aggregate and each number of the company."""


def sources_of(features: Iterable[Feature]) -> list[Source]:
    """The sources that the features draw from, each once, in order of first use."""
    parts = (part for feature in features for part in aggregates(feature.formula))
    return list(dict.fromkeys(part.source for part in parts))


def features_query(
    features: Sequence[Feature], cutoff: datetime, zone: ZoneInfo, keys: Sequence[str] = ()
) -> str:
    """SQL that gives `spine` (place, customer_id) one column per feature, as of `cutoff`.

    Reads the tables `facts_<source>`; columns are those of the spine named in `keys`, then
    f0, f1, …, and rows in `place` order.
    """
    parts = query_parts(features, cutoff, zone)
    columns = [*(f"s.{key}" for key in keys), *parts.formulas]
    joins = [f"LEFT JOIN {name} ON {name}.asked = s.place" for name in parts.customers]
    joins += [f"CROSS JOIN {name}" for name in parts.company]
    queries = _named_queries({**parts.rows, **parts.customers, **parts.company})
    return "\n".join(
        [
            f"WITH {queries}" if queries else "",
            "SELECT " + SEPARATOR.join(columns),
            "\n".join(["FROM spine s", *joins]),
            "ORDER BY s.place",
        ]
    )


@dataclass(frozen=True)
class QueryParts:
    """A features query taken apart: formulas over the columns of other queries, side by side."""

    rows: Mapping[str, str]
    """Name to SQL with the rows of one source that the customers in `spine` show."""
    customers: Mapping[str, str]
    """Name to SQL over `rows` with a row for each place of `spine` whose customer has rows:
    asked (the place), then numbers."""
    company: Mapping[str, str]
    """Name to SQL with one row of numbers of the whole company."""
    formulas: Sequence[str]
    """One expression per feature, named f0, f1, …; no two queries share a column name."""


def query_parts(features: Sequence[Feature], cutoff: datetime, zone: ZoneInfo) -> QueryParts:
    """What `features_query` joins in one statement, for an engine that joins by itself."""
    stand = Standpoint(cutoff, zone)
    blocks, shares = _blocks(features), _shares(features)
    names = {**_names(blocks), **_share_names(shares)}
    own = {name: parts for name, parts in blocks.items() if not _is_company(parts)}
    return QueryParts(
        rows=seen_rows(own.values(), stand),
        customers={name: _block(name, parts, stand) for name, parts in own.items()},
        company=_company_queries(blocks, shares, stand),
        formulas=[f"{_formula(f.formula, names)} AS f{i}" for i, f in enumerate(features)],
    )


def _company_queries(
    blocks: Mapping[str, Sequence[Aggregate]],
    shares: Mapping[str, Sequence[Level]],
    stand: Standpoint,
) -> dict[str, str]:
    company = {name: parts for name, parts in blocks.items() if _is_company(parts)}
    queries = {name: _block(name, parts, stand) for name, parts in company.items()}
    return queries | {name: _share_query(name, levels, stand) for name, levels in shares.items()}


def _named_queries(queries: Mapping[str, str]) -> str:
    return NEXT.join(f"{name} AS (\n{query})" for name, query in queries.items())


def company_query(features: Sequence[Feature], cutoff: datetime, zone: ZoneInfo) -> str:
    """SQL for one row with the company's numbers as of `cutoff`.

    Columns are n0, n1, … and come in the order of `company_numbers_of`; with them, a
    customer's own rows are enough to work out every feature.
    """
    stand = Standpoint(cutoff, zone)
    blocks, shares = _blocks(features), _shares(features)
    names = {**_names(blocks), **_share_names(shares)}
    queries = _company_queries(blocks, shares, stand)
    columns = [
        f"{_value(number, names) if isinstance(number, Aggregate) else names[number]} AS n{i}"
        for i, number in enumerate(company_numbers_of(features))
    ]
    tables = " CROSS JOIN ".join(queries)
    return f"WITH {_named_queries(queries)}\nSELECT {', '.join(columns)}\nFROM {tables}"


def company_numbers_of(features: Iterable[Feature]) -> list[CompanyNumber]:
    """The numbers of the whole company that the features need, each once."""
    return list(dict.fromkeys(n for feature in features for n in company_numbers(feature.formula)))


def _blocks(features: Sequence[Feature]) -> dict[str, list[Aggregate]]:
    """Aggregates that one GROUP BY can answer together; counts of values go key by key.

    Those that look back so many days go apart from those over all history: they need only
    the rows of the longest window, often a small share.
    """
    blocks: dict[str, list[Aggregate]] = {}
    parts = (part for feature in features for part in aggregates(feature.formula))
    for part in dict.fromkeys(parts):
        key = f"_by_{part.column}" if part.how in BY_KEY else ""
        whose = "_company" if part.scope == "company" else ""
        reach = "_recent" if is_recent(part) else ""
        blocks.setdefault(part.source.name + key + whose + reach, []).append(part)
    return blocks


def _is_company(parts: Sequence[Aggregate]) -> bool:
    return parts[0].scope == "company"


def _names(blocks: Mapping[str, Sequence[Aggregate]]) -> Names:
    return {
        part: f"{block}_a{i}" for block, parts in blocks.items() for i, part in enumerate(parts)
    }


def _block(name: str, parts: Sequence[Aggregate], stand: Standpoint) -> str:
    """One level of conditional aggregates over the rows a source shows at the cutoff."""
    rows = f"({visible(parts, stand)}) r" if _is_company(parts) else seen(parts)
    if parts[0].how in BY_KEY:
        rows = f"({_by_key(parts, stand)}) r"
        columns = [_over_keys(part, i, stand) for i, part in enumerate(parts)]
    else:
        columns = [aggregate_sql(part, stand) for part in parts]
    names = _names({name: parts})
    named = [
        f"{column if part.is_text else f'CAST({column} AS DOUBLE)'} AS {names[part]}"
        for part, column in zip(parts, columns, strict=True)
    ]
    if _is_company(parts):
        return f"SELECT {SEPARATOR.join(named)}\nFROM {rows}"
    return f"SELECT {SEPARATOR.join(['asked', *named])}\nFROM {rows} GROUP BY asked"


def _by_key(parts: Sequence[Aggregate], stand: Standpoint) -> str:
    """One row per customer and value of the key: when it was last seen, and how often."""
    key = parts[0].column
    counts = [
        f", count(*){where(part, stand)} AS n{i}"
        for i, part in enumerate(parts)
        if not _asks_when_last_seen(part)
    ]
    return (
        f"SELECT asked, {key}, max(ts) AS ts{''.join(counts)} FROM {seen(parts)} "
        f"WHERE {key} IS NOT NULL GROUP BY asked, {key}"
    )


def _over_keys(part: Aggregate, place: int, stand: Standpoint) -> str:
    if part.how == "modal":
        return f"max(n{place})"
    if _asks_when_last_seen(part):
        return f"count(*){where(part, stand)}"
    return f"count(*) FILTER (WHERE n{place} > 0)"


def _asks_when_last_seen(part: Aggregate) -> bool:
    """Whether a value counts exactly when its last row lies in the window."""
    return part.how == "distinct" and not part.where and not part.until


def _shares(features: Iterable[Feature]) -> dict[str, list[Level]]:
    """The company's shares by the query that answers them: one for each source."""
    shares: dict[str, list[Level]] = {}
    for number in company_numbers_of(features):
        if isinstance(number, Level):
            shares.setdefault(f"{number.trials.source.name}_shares", []).append(number)
    return shares


def _share_names(shares: Mapping[str, Sequence[Level]]) -> Names:
    names: dict[Aggregate | CompanyNumber, str] = {}
    for query, levels in shares.items():
        for i, level in enumerate(levels):
            names[level] = f"{query}_level{i}"
            names[Likeness(level.hits, level.trials)] = f"{query}_likeness{i}"
    return names


def _share_query(name: str, levels: Sequence[Level], stand: Standpoint) -> str:
    parts = [of_company(part) for level in levels for part in (level.hits, level.trials)]
    rows = visible(parts, stand)
    columns = [
        f"level{i} AS {name}_level{i}, likeness{i} AS {name}_likeness{i}"
        for i in range(len(levels))
    ]
    return f"SELECT {', '.join(columns)} FROM (\n{shares_query(levels, rows, stand)}) q"


def _formula(formula: Formula, names: Names) -> str:
    match formula:
        case Aggregate():
            return _value(formula, names)
        case Ratio(top, bottom):
            return f"{_formula(top, names)} / nullif({_formula(bottom, names)}, 0)"
        case Difference(left, right):
            return f"({_formula(left, names)} - {_formula(right, names)})"
        case Change(recent, before):
            base = _formula(before, names)
            return f"({_formula(recent, names)} - {base}) / nullif({base}, 0)"
        case Until(elapsed, days):
            passed = _formula(elapsed, names)
            return f"({days} - ({passed} - {days} * floor({passed} / {days})))"
        case Shrunk(hits, trials):
            own = (_value(hits, names), _value(trials, names))
            return shrunk_sql(*own, names[formula.level], names[formula.likeness])


def _value(part: Aggregate, names: Names) -> str:
    if part.is_text:
        return names[part]
    value = names[part]
    scaled = f"{value} / {part.scale}" if part.scale != 1 else value
    return f"coalesce({scaled}, 0)" if part.is_zero_when_empty else scaled
