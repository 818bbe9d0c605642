"""Facts kept between runs: made once from a snapshot, extended by new days, read at each cutoff."""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
from pydantic import BaseModel, ConfigDict, ValidationError

from features.aggregates import Source
from features.contracts import TABLES
from features.day_digests import day_digests, first_changed_day
from features.snapshot import Snapshot
from features.versions import is_read_by

Progress = Callable[[str, int, int], None]

REOPENED_DAYS = 7
"""A change in so many of the last days is taken for a late delivery, and they are made again."""
MOST_PARTS = 30
"""Files of one source; one more and they are made anew as one, so that reading stays cheap."""


class Part(BaseModel):
    """One file of facts, good for the days from `first_day` on (None: all) until the next part."""

    model_config = ConfigDict(frozen=True)

    file: str
    first_day: int | None


class Kept(BaseModel):
    """What the facts of one source were made from, and the files that hold them."""

    model_config = ConfigDict(frozen=True)

    definition: str
    """Digest of the SQL, the time zone and the engine's version."""
    data: str
    """Fingerprint of the snapshot; empty where `days` tells more."""
    days: dict[int, str] = {}
    """Digest of each day of the table, for facts that new days only add to."""
    parts: tuple[Part, ...] = ()


def provide_facts(
    connection: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    sources: Sequence[Source],
    progress: Progress | None = None,
) -> None:
    """Give `connection` a relation `facts_<source>` for each source.

    With a facts folder they are Parquet files in it, as equal to the snapshot as if made anew;
    only what changed is worked out. Without one they are temporary tables.
    """
    for done, source in enumerate(sources):
        name = f"facts_{source.name}"
        if snapshot.facts is None:
            connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {source.facts}")
            continue
        if progress:
            progress("facts", done, len(sources))
        parts = _up_to_date(connection, snapshot, source, snapshot.facts)
        rows = _rows(snapshot.facts, parts)
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {rows}")
    if progress and snapshot.facts is not None:
        progress("facts", len(sources), len(sources))


def grows_by_day(source: Source) -> bool:
    """Whether new days only add to the facts: each draws on its customer's rows up to its day.

    So it is for facts by local day that read one table and nothing that becomes known later.
    """
    others = [name for name in TABLES if name != source.table and is_read_by(name, source.facts)]
    late = [name for name in TABLES[source.table].known_at if is_read_by(name, source.facts)]
    return source.clock == "day" and not others and not late


def _up_to_date(
    connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, source: Source, folder: Path
) -> tuple[Part, ...]:
    """The files that hold the facts of the snapshot as it is, written where need be."""
    folder.mkdir(parents=True, exist_ok=True)
    kept, now = _read(folder, source), _from(snapshot, source)
    if kept and kept.model_copy(update={"parts": ()}) == now:
        return kept.parts
    first = _extended_from(kept, now)
    part = Part(file=f"{source.name}-{_name(now, first)}.parquet", first_day=first)
    if kept is None or first is None:
        _write_part(connection, source.facts, folder / part.file)
        parts: tuple[Part, ...] = (part,)
    else:
        _write_later_days(connection, source, first, folder / part.file)
        parts = (*kept.parts, part)
    _keep(folder, source, now.model_copy(update={"parts": parts}))
    return parts


def _from(snapshot: Snapshot, source: Source) -> Kept:
    """What facts made from this snapshot would say of themselves."""
    facts = " ".join(source.facts.split())
    zone, engine = snapshot.manifest.timezone, duckdb.__version__
    definition = hashlib.sha256(f"{engine}\n{zone}\n{source.clock}\n{facts}".encode()).hexdigest()
    days = day_digests(snapshot.folder, source.table) if grows_by_day(source) else None
    data = snapshot.manifest.fingerprint if days is None else ""
    return Kept(definition=definition, data=data, days=days or {})


def _extended_from(kept: Kept | None, now: Kept) -> int | None:
    """The first day to work out again; None when all are."""
    if kept is None or kept.definition != now.definition or kept.data or now.data:
        return None
    first = first_changed_day(kept.days, now.days)
    is_late = first is None or first <= max(kept.days, default=0) - REOPENED_DAYS
    return None if is_late or not kept.days or len(kept.parts) >= MOST_PARTS else first


def _write_later_days(
    connection: duckdb.DuckDBPyConnection, source: Source, first: int, target: Path
) -> None:
    """Write the facts from the day `first` on, from the rows of those who have rows there.

    All their rows are read: gaps and streaks draw on the days before.
    """
    database = connection.execute("SELECT current_database()").fetchall()[0][0]
    table = f"{database}.main.{source.table}"
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW {source.table} AS SELECT * FROM {table} "
        f"WHERE customer_id IN (SELECT customer_id FROM {table} WHERE day >= {first})"
    )
    _write_part(connection, f"SELECT * FROM ({source.facts}) f WHERE ts >= {first}", target)
    connection.execute(f"DROP VIEW temp.{source.table}")


def _write_part(connection: duckdb.DuckDBPyConnection, query: str, target: Path) -> None:
    """Write the rows by customer, so that a query for some customers skips the others."""
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    connection.execute(
        f"COPY (SELECT * FROM ({query}) f ORDER BY customer_id, ts) "
        f"TO {_text(draft)} (FORMAT parquet, COMPRESSION zstd)"
    )
    draft.replace(target)


def _rows(folder: Path, parts: Sequence[Part]) -> str:
    """SQL for the facts in `parts`; what a later part covers is hidden in those before it."""
    queries = []
    for place, part in enumerate(parts):
        file = _text(folder / part.file)
        ends = [later.first_day for later in parts[place + 1 :] if later.first_day is not None]
        until = f" WHERE ts < {min(ends)}" if ends else ""
        queries.append(f"SELECT * FROM read_parquet({file}){until}")
    return " UNION ALL ".join(queries)


def _name(now: Kept, first: int | None) -> str:
    text = f"{now.model_dump_json()}\n{first}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(folder: Path, source: Source) -> Kept | None:
    """What is kept for the source; None when there is nothing whole."""
    try:
        kept = Kept.model_validate_json((folder / f"{source.name}.json").read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return kept if all((folder / part.file).is_file() for part in kept.parts) else None


def _keep(folder: Path, source: Source, kept: Kept) -> None:
    """Say what is kept now, and delete the files that no longer are."""
    draft = folder / f".{source.name}.json.{os.getpid()}"
    draft.write_text(kept.model_dump_json(), encoding="utf-8")
    draft.replace(folder / f"{source.name}.json")
    names = {part.file for part in kept.parts}
    for file in folder.glob(f"{source.name}-*.parquet"):
        if file.name not in names:
            file.unlink()


def _text(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
