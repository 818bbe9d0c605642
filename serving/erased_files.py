"""Taking a person out of the files of a workspace; each file stays whole for whoever reads it."""

import csv
import io
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import orjson

from serving.history import FILE as HISTORY
from serving.online import FILE as ONLINE
from serving.online import About
from serving.outreach.prove.outcome_files import FOLDER as REJECTED
from serving.tables import write_whole

_LISTS = ("scores/scores.csv", "scores/at_risk.csv", "outreach/for_support.csv")
_TABLE = "scores/scores.parquet"
_TAKEN_OUT = "taken out"
_DELETED = "deleted whole; `setia score` writes it again"


def erase_from_files(workspace: Path, customer_ids: Collection[str]) -> dict[str, str]:
    """Take the customers out of every list and file of scores; returns file to what became of it.

    A file in which none of them is stays as it is. Without pyarrow, as where only the service is
    installed, a Parquet file that may hold them is deleted.
    """
    scores = workspace / "scores"
    done = {
        f"scores/{HISTORY}": _rewrite(scores / HISTORY, _out_of_history, customer_ids),
        f"scores/{ONLINE}": _rewrite(scores / ONLINE, _out_of_online, customer_ids),
        _TABLE: _out_of_parquet_file(workspace / _TABLE, customer_ids),
    }
    done |= {name: _out_of_csv(workspace / name, _listed, customer_ids) for name in _LISTS}
    for path in sorted((workspace / REJECTED).glob("*.csv")):
        done[f"{REJECTED}/{path.name}"] = _out_of_csv(path, _rejected, customer_ids)
    return {name: said for name, said in done.items() if said}


def _rewrite(
    path: Path,
    take_out: Callable[[sqlite3.Connection, Collection[str]], bool],
    customer_ids: Collection[str],
) -> str | None:
    """Change a copy of an SQLite file and put it in place: readers of the old file keep it."""
    if not path.exists():
        return None
    with _copied(path) as copy:
        with closing(sqlite3.connect(copy)) as connection, connection:
            connection.execute("PRAGMA journal_mode = OFF")
            # Deleted cells are overwritten, not only let go.
            connection.execute("PRAGMA secure_delete = ON")
            changed = take_out(connection, customer_ids)
        if changed:
            copy.replace(path)
    return _TAKEN_OUT if changed else None


@contextmanager
def _copied(path: Path) -> Iterator[Path]:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    os.close(handle)
    copy = Path(name)
    try:
        shutil.copyfile(path, copy)
        shutil.copymode(path, copy)
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def _out_of_history(connection: sqlite3.Connection, customer_ids: Collection[str]) -> bool:
    found = connection.executemany(
        "DELETE FROM customers WHERE customer_id = ?", [(one,) for one in customer_ids]
    )
    return found.rowcount > 0


def _out_of_online(connection: sqlite3.Connection, customer_ids: Collection[str]) -> bool:
    """Leave gaps in the ranks: the ids of the others' scores are made of them."""
    ranks = [
        row
        for one in customer_ids
        for row in connection.execute("SELECT rank FROM ranking WHERE customer_id = ?", (one,))
    ]
    past = connection.executemany(
        "DELETE FROM past WHERE customer_id = ?", [(one,) for one in customer_ids]
    )
    if not ranks:
        return past.rowcount > 0
    connection.executemany("DELETE FROM ranking WHERE rank = ?", ranks)
    connection.executemany("DELETE FROM customers WHERE rank = ?", ranks)
    (document,) = connection.execute("SELECT document FROM about").fetchone()
    about = About.model_validate_json(document)
    fewer = about.model_copy(update={"customers": about.customers - len(ranks)})
    connection.execute("UPDATE about SET document = ?", (fewer.model_dump_json(),))
    # None is left where an earlier erasure could not read it.
    export = connection.execute("SELECT parquet FROM export").fetchone()
    connection.execute("DELETE FROM export")
    rest = _out_of_parquet(export[0], customer_ids) if export else None
    if rest is not None:
        connection.execute("INSERT INTO export VALUES (?)", (rest,))
    return True


def _out_of_parquet_file(path: Path, customer_ids: Collection[str]) -> str | None:
    if not path.exists():
        return None
    before = path.read_bytes()
    rest = _out_of_parquet(before, customer_ids)
    if rest is None:
        path.unlink()
        return _DELETED
    if rest == before:
        return None
    write_whole(path, rest)
    return _TAKEN_OUT


def _out_of_parquet(content: bytes, customer_ids: Collection[str]) -> bytes | None:
    """The Parquet file without the customers, itself where they are not in it; None: no pyarrow."""
    try:
        import pyarrow as pa
        from pyarrow import compute, parquet
    except ImportError:
        return None
    table = parquet.read_table(pa.BufferReader(content))
    theirs = compute.is_in(table["customer_id"], value_set=pa.array(list(customer_ids)))
    rest = table.filter(compute.invert(theirs))
    if rest.num_rows == table.num_rows:
        return content
    buffer = io.BytesIO()
    parquet.write_table(rest, buffer)
    return buffer.getvalue()


def _out_of_csv(
    path: Path, id_of: Callable[[dict[str, Any]], object], customer_ids: Collection[str]
) -> str | None:
    if not path.exists():
        return None
    rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
    every = list(rows)
    rest = [row for row in every if id_of(row) not in customer_ids]
    if len(rest) == len(every):
        return None
    out = io.StringIO()
    writer = csv.DictWriter(out, rows.fieldnames or (), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rest)
    write_whole(path, out.getvalue().encode())
    return _TAKEN_OUT


def _listed(row: dict[str, Any]) -> object:
    """The id in a score file; an apostrophe may stand before one that looks like a formula."""
    return row["customer_id"].removeprefix("'")


def _rejected(row: dict[str, Any]) -> object:
    return str(orjson.loads(row["raw"]).get("customer_id"))
