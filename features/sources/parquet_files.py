"""Parquet files, read where they lie as columns of text."""

from collections.abc import Sequence
from pathlib import Path

import duckdb

_MAGIC = b"PAR1"
_SCAN = (
    "read_parquet({files}, union_by_name = true, filename = 'source_file', "
    "file_row_number = true, hive_partitioning = {hive}, hive_types_autocast = false)"
)


def is_parquet(path: Path) -> bool:
    """Whether `path` starts as a Parquet file does, whatever its name."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def view_parquet(
    connection: duckdb.DuckDBPyConnection, relation: str, files: Sequence[Path]
) -> dict[str, str]:
    """Create the view `relation` of `files`, every column as text, with its row's file and place.

    Folders named `key=value` become columns, kept as text. Returns the type each column has in
    the files. Raises duckdb.Error when a file is not readable Parquet.
    """
    scan = _scan(files)
    described = connection.execute(f"DESCRIBE SELECT * FROM {scan}").fetchall()
    kinds = {
        row[0]: row[1] for row in described if row[0] not in ("source_file", "file_row_number")
    }
    quoted = ['"' + name.replace('"', '""') + '"' for name in kinds]
    texts = ", ".join(f"CAST({name} AS VARCHAR) AS {name}" for name in quoted)
    connection.execute(
        f"CREATE OR REPLACE VIEW {relation} AS "
        f"SELECT source_file, file_row_number + 1 AS source_row, {texts} FROM {scan}"
    )
    return kinds


def count_parquet(files: Sequence[Path]) -> int:
    """Rows of `files` together, from their footers."""
    import pyarrow.parquet as pq

    return sum(int(pq.read_metadata(file).num_rows) for file in files)


def _scan(files: Sequence[Path]) -> str:
    listed = ", ".join("'" + str(file).replace("'", "''") + "'" for file in files)
    hive = all("=" in file.parent.name for file in files)
    return _SCAN.format(files=f"[{listed}]", hive=str(hive).lower())
