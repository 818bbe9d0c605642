"""Outcomes from a file: every row kept, known already, or rejected with its reason."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from serving.database import Database
from serving.outreach.prove.outcomes import AT_ONCE, GivenOutcome, Refusal, Taken, take_in
from serving.tables import csv_text, write_whole

FOLDER = "rejected_outcomes"

_REQUIRED = ("customer_id", "kind", "occurred_at")
_OPTIONAL = ("value", "channel", "currency")
_REJECT_COLUMNS = ("row", "reason", "detail", "raw")

Row = Mapping[str, Any]


class OutcomeFileError(ValueError):
    """A file of outcomes that cannot be read; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file's rows."""

    kept: int
    duplicates: int
    refused: dict[str, int]
    """Reason to rows."""
    rejects: Path | None
    """The file that keeps the refused rows, each with its reason; none when there are none."""


def import_outcomes(
    database: Database, path: Path, workspace: Path, currency: str, now: datetime
) -> Imported:
    """Take in the rows of a CSV or Parquet file, a thousand to a transaction.

    Where it stops half-way, import the file again: what was kept counts as known then.

    Raises OutcomeFileError when the file cannot be read or lacks a column.
    """
    counts: Counter[str] = Counter()
    rejected: list[dict[str, Any]] = []
    rows = enumerate(_rows(path), 1)
    while some := list(islice(rows, AT_ONCE)):
        for number, row, refusal in _taken(database, some, path, currency, now, counts):
            rejected.append(_rejected(number, row, refusal))
    kept, duplicates = counts.pop("kept", 0), counts.pop("duplicate", 0)
    rejects = workspace / FOLDER / f"{now:%Y%m%dT%H%M%S}-{path.stem}.csv" if rejected else None
    if rejects:
        write_whole(rejects, csv_text(_REJECT_COLUMNS, rejected).encode())
    return Imported(kept, duplicates, dict(counts.most_common()), rejects)


def _taken(
    database: Database,
    some: Iterable[tuple[int, Row]],
    path: Path,
    currency: str,
    now: datetime,
    counts: Counter[str],
) -> Iterator[tuple[int, Row, Refusal]]:
    """Take in some rows and count them; yields those that were refused."""
    read = [(number, row, _outcome(row, currency)) for number, row in some]
    good = [one for _, _, one in read if isinstance(one, GivenOutcome)]
    with database.writing() as connection:
        results = iter(take_in(connection, good, "import", path.name[:200], now))
    for number, row, one in read:
        found = Taken("refused", one) if isinstance(one, Refusal) else next(results)
        counts[found.refusal.code if found.refusal else found.status] += 1
        if found.refusal:
            yield number, row, found.refusal


def _outcome(row: Row, currency: str) -> GivenOutcome | Refusal:
    """The row as an outcome, or what is wrong with it."""
    given = {name: value for name, value in row.items() if value not in (None, "")}
    try:
        if (said := given.pop("currency", currency)) != currency:
            raise ValueError(f"the currency is {said!r}, not {currency}; convert the value")
        if "value" in given:
            given["value"] = float(given["value"])
        if isinstance(given.get("customer_id"), int):
            given["customer_id"] = str(given["customer_id"])
        return GivenOutcome.model_validate(given)
    except ValidationError as error:
        return Refusal("not_valid", _told(error))
    except (TypeError, ValueError) as error:
        return Refusal("not_valid", str(error))


def _told(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    what = first["msg"].removeprefix("Value error, ")
    return f"{where}: {what}" if where else what


def _rejected(number: int, row: Row, refusal: Refusal) -> dict[str, Any]:
    raw = orjson.dumps(dict(row), default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    return {"row": number, "reason": refusal.code, "detail": refusal.detail, "raw": raw}


def _rows(path: Path) -> Iterator[Row]:
    if path.suffix not in (".csv", ".parquet"):
        raise OutcomeFileError(f"{path} is neither .csv nor .parquet; give outcomes as one of them")
    with _said(path):
        yield from _csv_rows(path) if path.suffix == ".csv" else _parquet_rows(path)


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """Say which file could not be read."""
    try:
        yield
    except FileNotFoundError:
        raise OutcomeFileError(f"{path} does not exist") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OutcomeFileError(f"{path} cannot be read: {error}") from None


def _csv_rows(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, restkey="more cells than columns")
        _require_columns(path, rows.fieldnames or ())
        yield from rows


def _parquet_rows(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise OutcomeFileError(f"{path} cannot be read: {error}") from None
    _require_columns(path, file.schema_arrow.names)
    for batch in file.iter_batches():
        yield from batch.to_pylist()


def _require_columns(path: Path, names: Iterable[str]) -> None:
    given = set(names)
    lacking = [name for name in _REQUIRED if name not in given]
    unknown = sorted(given - {*_REQUIRED, *_OPTIONAL})
    if lacking or unknown:
        wrong = f"lacks {', '.join(lacking)}" if lacking else f"has unknown {', '.join(unknown)}"
        raise OutcomeFileError(
            f"{path} {wrong}; its columns are {', '.join(_REQUIRED)}, and {', '.join(_OPTIONAL)} "
            "where there are such"
        )
