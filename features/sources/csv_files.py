"""CSV files of any common delimiter and encoding, streamed into DuckDB as text."""

import codecs
import csv
import gzip
import io
import shutil
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

WHITESPACE = "whitespace"
_NAMED = {"tab": "\t", "\\t": "\t", "space": WHITESPACE, " ": WHITESPACE}
_CANDIDATES = (",", ";", "\t", "|")
_HEAD_BYTES = 1 << 18
_CHUNK = 1 << 20
_SAMPLED_LINES = 200
# DuckDB keeps only so much of a line it could not split; a longer one hides rows we cannot count.
_KEPT_OF_A_LINE = 10_000
_NOT_TEXT = {
    b"PK\x03\x04": "an Excel workbook or zip archive; save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the sheet as CSV",
    b"SQLite format 3": "an SQLite database; set url: sqlite:///… and table instead of path",
    b"%PDF": "a PDF; export the table as CSV",
    b"\x28\xb5\x2f\xfd": "compressed with zstd; decompress it, or use gzip",
    b"BZh": "compressed with bzip2; decompress it, or use gzip",
    b"[{": "JSON; export the table as CSV or Parquet",
    b"[\n": "JSON; export the table as CSV or Parquet",
    b'{"': "JSON; export the table as CSV or Parquet",
    b"{\n": "JSON; export the table as CSV or Parquet",
    b"<": "a web page or XML; export the table as CSV",
}


class CsvError(ValueError):
    """A CSV file that cannot be read; the message names the file and what to change."""


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written: delimiter, encoding and the names in its header."""

    delimiter: str
    """One character, or "whitespace" for runs of blanks."""
    encoding: str
    columns: tuple[str, ...]


def detect(path: Path, delimiter: str | None = None, encoding: str | None = None) -> Dialect:
    """The dialect of `path`; what is given is taken as said, the rest is found out.

    Raises CsvError for a file that is empty, unreadable or binary, and for a delimiter that
    leaves the header in one piece while another would split it.
    """
    head = _head(path)
    encoding = _given_encoding(path, encoding) if encoding else _found_encoding(path, head)
    lines = _lines(head, encoding)
    if not lines:
        raise CsvError(f"{path} is empty: it has neither a header nor rows")
    found = _delimiter(lines)
    chosen = _NAMED.get(delimiter, delimiter) if delimiter else found
    columns = _header(lines, chosen)
    if len(columns) == 1 and len(_header(lines, found)) > 1:
        raise CsvError(
            f"{path} does not split on {delimiter!r}: its header is the one column "
            f"{columns[0]!r}; set delimiter: {_NAMES.get(found, found)!r}, or leave it out"
        )
    return Dialect(chosen, encoding, columns)


def csv_records(path: Path, dialect: Dialect) -> Iterator[list[str]]:
    """The records of `path` after its header, each a list of fields; blank lines are passed over.

    Raises CsvError when the file cannot be read to its end.
    """
    with _decoded(path, dialect.encoding) as text:
        records = (
            (line.split() for line in text)
            if dialect.delimiter == WHITESPACE
            else csv.reader(text, delimiter=dialect.delimiter)
        )
        filled = (record for record in records if record)
        next(filled, None)
        try:
            yield from filled
        except (csv.Error, OSError, EOFError, zlib.error) as error:
            raise CsvError(f"{path} cannot be read: {error}") from None


def load_csv(
    connection: duckdb.DuckDBPyConnection, path: Path, dialect: Dialect, scratch: Path
) -> None:
    """Read `path` into the temporary relations `csv_numbered` (text, source_row) and `csv_broken`.

    A file that is not UTF-8, or is split by runs of blanks, is first rewritten into `scratch`;
    no file is held in memory. `csv_broken` has one row per line that does not parse
    (source_row, problem, line).

    Raises CsvError when an unclosed quote swallows the rest of the file.
    """
    readable, delimiter = path, dialect.delimiter
    if delimiter == WHITESPACE or dialect.encoding not in ("utf-8", "utf-8-sig"):
        readable, delimiter = _rewritten(path, dialect, scratch)
    compression = "gzip" if _is_gzip(readable) else "none"
    for leftover in ("csv_errors", "csv_scans"):
        connection.execute(f"DROP TABLE IF EXISTS {leftover}")
    connection.execute(
        _LOAD.format(columns=_column_types(dialect.columns)),
        [str(readable), delimiter, compression],
    )
    connection.execute(_BROKEN)
    connection.execute(_NUMBER)
    _refuse_unclosed(connection, path)


def _refuse_unclosed(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    found = connection.execute(
        f"SELECT min(line) FROM csv_errors WHERE length(csv_line) >= {_KEPT_OF_A_LINE}"
    ).fetchone()
    if found and found[0] is not None:
        raise CsvError(
            f"{path}, line {found[0]}: a quote opens and swallows thousands of characters; "
            "close or double the quote there and run again"
        )


_LOAD = """
CREATE OR REPLACE TEMP TABLE csv_rows AS
SELECT *, row_number() OVER () AS source_row
FROM read_csv(
    ?, delim = ?, compression = ?, auto_detect = false, header = true, columns = {columns},
    quote = '"', escape = '"', store_rejects = true, rejects_table = 'csv_errors',
    rejects_scan = 'csv_scans', rejects_limit = 0)
"""

_BROKEN = """
CREATE OR REPLACE TEMP TABLE csv_broken AS
SELECT line AS source_row, problem, unnest(string_split(text, chr(10))) AS line
FROM (
    SELECT line, min(lower(error_type::VARCHAR)) AS problem,
        trim(any_value(csv_line), chr(10) || chr(13)) AS text
    FROM csv_errors GROUP BY line)
"""

# The i-th broken line moves every later row down by one; `line - i` rows stand before it.
_NUMBER = """
CREATE OR REPLACE TEMP VIEW csv_numbered AS
SELECT csv_rows.* REPLACE (csv_rows.source_row + 1 + coalesce(gap.broken, 0) AS source_row)
FROM csv_rows ASOF LEFT JOIN (
    SELECT line - place AS before, max(place) AS broken
    FROM (SELECT line, dense_rank() OVER (ORDER BY line) AS place FROM csv_errors)
    GROUP BY before) AS gap
ON csv_rows.source_row + 1 > gap.before
"""

_NAMES = {"\t": "tab"}


def _column_types(columns: Sequence[str]) -> str:
    quoted = (name.replace("'", "''") for name in columns)
    return "{" + ", ".join(f"'{name}': 'VARCHAR'" for name in quoted) + "}"


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _open_binary(path: Path) -> gzip.GzipFile | io.BufferedReader:
    return gzip.open(path, "rb") if _is_gzip(path) else path.open("rb")


def _decoded(path: Path, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(_open_binary(path), encoding, newline="")


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        with _open_binary(path) as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CsvError(f"{path} is damaged or cut off ({error}); fetch it again") from None
    except OSError as error:
        raise CsvError(f"{path} cannot be read: {error.strerror or error}") from None


def _head(path: Path) -> bytes:
    head = next(_chunks(path), b"")
    for magic, what in _NOT_TEXT.items():
        if head.startswith(magic):
            raise CsvError(f"{path} is not a CSV file but {what}")
    return head[:_HEAD_BYTES]


def _found_encoding(path: Path, head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if b"\0" in head:
        return _utf16_without_mark(path, head)
    return next(name for name in ("utf-8", "cp1252", "latin-1") if _decodes(path, name))


def _utf16_without_mark(path: Path, head: bytes) -> str:
    for encoding, high in (("utf-16-le", head[1::2]), ("utf-16-be", head[0::2])):
        text = head.decode(encoding, "replace")
        printable = sum(letter.isprintable() or letter.isspace() for letter in text)
        if high.count(0) > len(high) * 0.4 and printable > 0.95 * len(text):
            return encoding
    raise CsvError(f"{path} is binary, not a CSV file; export it as CSV or Parquet")


def _given_encoding(path: Path, encoding: str) -> str:
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise CsvError(
            f"{path}: unknown encoding {encoding!r}; use utf-8, utf-16, cp1252 or latin-1, "
            "or leave it out"
        ) from None
    if not _decodes(path, encoding):
        raise CsvError(f"{path} is not {encoding}; leave encoding out to have it found")
    return codecs.lookup(encoding).name


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for chunk in _chunks(path):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _lines(head: bytes, encoding: str) -> list[str]:
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head)
    lines = text.splitlines()
    if len(head) >= _HEAD_BYTES:
        lines = lines[:-1]
    return [line for line in lines if line.strip()][:_SAMPLED_LINES]


def _records(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    if delimiter == WHITESPACE:
        return [line.split() for line in lines]
    return list(csv.reader(lines, delimiter=delimiter))


def _delimiter(lines: Sequence[str]) -> str:
    """The delimiter by which most lines split into the same number of fields, two or more."""

    def score(delimiter: str) -> tuple[float, int]:
        widths = Counter(len(record) for record in _records(lines, delimiter))
        width, count = widths.most_common(1)[0]
        agreement = count / sum(widths.values())
        return (agreement, width) if width > 1 and agreement > 0.5 else (0.0, 0)

    best = max(_CANDIDATES, key=score)
    if score(best) > (0.0, 0):
        return best
    return WHITESPACE if score(WHITESPACE) > (0.9, 1) else ","


def _header(lines: Sequence[str], delimiter: str) -> tuple[str, ...]:
    names = _records(lines, delimiter)[0]
    unique: list[str] = []
    for place, written in enumerate(names, 1):
        name = written.strip().lstrip("\ufeff") or f"column_{place}"
        taken = {other.lower() for other in unique}
        unique.append(name if name.lower() not in taken else f"{name}_{place}")
    return tuple(unique)


def _rewritten(path: Path, dialect: Dialect, scratch: Path) -> tuple[Path, str]:
    target = scratch / "utf8.csv"
    with _decoded(path, dialect.encoding) as text, target.open("w", encoding="utf-8") as out:
        if dialect.delimiter != WHITESPACE:
            shutil.copyfileobj(text, out, _CHUNK)
            return target, dialect.delimiter
        out.writelines("\t".join(line.split()) + "\n" for line in text)
    return target, "\t"
