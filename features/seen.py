"""The SQL of a source's rows as they stood at a cutoff: later ones gone, late columns hidden."""

from collections.abc import Iterable, Sequence

from features.aggregates import Aggregate, Source
from features.standpoint import Standpoint


def seen_rows(blocks: Iterable[Sequence[Aggregate]], stand: Standpoint) -> dict[str, str]:
    """Name to SQL with the rows of one source, brought together for all blocks that read them."""
    parts: dict[str, list[Aggregate]] = {}
    for block in blocks:
        parts.setdefault(seen(block), []).extend(block)
    return {name: visible(asked, stand) for name, asked in parts.items()}


def seen(block: Sequence[Aggregate]) -> str:
    """What `seen_rows` calls the rows that a block reads: those of all history, or recent ones."""
    return f"seen_{block[0].source.name}{'_recent' if is_recent(block[0]) else ''}"


def visible(parts: Sequence[Aggregate], stand: Standpoint) -> str:
    """The rows and columns of one source that `parts` read, those of `spine` or of everybody."""
    source, now = parts[0].source, stand.at(parts[0].source)
    used = {name for part in parts for name in part.used} - {"ts", source.place}
    columns = [f"f.{name}" for name in dict.fromkeys(("ts", source.place))]
    columns += [_shown(source, name, now) for name in source.columns if name in used]
    everybody = parts[0].scope == "company"
    who = "f.customer_id" if everybody else "s.place AS asked"
    asked = "" if everybody else " JOIN spine s ON s.customer_id = f.customer_id"
    days = [part.days for part in parts if part.days is not None and is_recent(part)]
    since = f" AND f.ts >= {stand.at(source, max(days))}" if len(days) == len(parts) else ""
    return (
        f"SELECT {', '.join([who, *columns])} FROM facts_{source.name} f{asked} "
        f"WHERE f.ts < {now}{since}"
    )


def _shown(source: Source, name: str, now: int) -> str:
    times = source.known_at.get(name, ())
    if not times:
        return f"f.{name}"
    known = " AND ".join(f"f.{time} < {now}" for time in times)
    return f"CASE WHEN {known} THEN f.{name} END AS {name}"


def is_recent(part: Aggregate) -> bool:
    """Whether rows before the window cannot matter; a window on a late time may reach them."""
    return part.days is not None and part.time == "ts"
