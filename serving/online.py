"""The online snapshot: every scored customer in one SQLite file, written whole, read by rank or id.

Batch writes it beside the score file and renames it into place; the service only reads it.
"""

import hashlib
import os
import sqlite3
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from features.config import ServingConfig
from features.feature_contract import Matrix
from features.outreach_config import EndpointName
from serving.at_risk import at_risk_parquet
from serving.past import SCHEMA, PastScore, carry_past, past_scores
from serving.score_ids import nightly_score_id, snapshot_id
from serving.scoring import RiskTier, Score, score_record
from serving.when import score_timings
from training.bundle import Bundle

FILE = "online.db"

_SCHEMA = """
CREATE TABLE about (document TEXT NOT NULL);
CREATE TABLE ranking (
    rank INTEGER PRIMARY KEY,
    customer_id TEXT NOT NULL UNIQUE,
    risk_tier TEXT NOT NULL,
    churn_probability REAL NOT NULL,
    value_at_risk REAL NOT NULL
);
CREATE TABLE customers (
    rank INTEGER PRIMARY KEY, features BLOB NOT NULL, score BLOB NOT NULL, timing BLOB NOT NULL
);
CREATE TABLE export (parquet BLOB NOT NULL);
"""


_COLUMNS = "customer_id, rank, features, score, timing"
_MAPPED_BYTES = 1 << 36
"""Read through a mapping that workers share; SQLite takes 2 GiB of it, the rest is the kernel's."""
_ROWS_AT_ONCE = 1_000
_PIECE_BYTES = 1 << 16


class OnlineError(ValueError):
    """There is no usable online snapshot; the message says which command makes one."""


class About(BaseModel):
    """What a snapshot holds and which bundle made it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    snapshot_id: str
    created_at: AwareDatetime
    cutoff: AwareDatetime | None
    """None when the label has no time (a column of the company's own)."""
    customers: int
    model_version: str
    bundle_digest: str
    contract_hash: str
    currency: str
    generated: bool
    serving: ServingConfig
    data_until: AwareDatetime
    """The time of the last fact of the data that the scores were made from."""
    events_to: tuple[EndpointName, ...]
    """Endpoints that are told who comes into danger or out of it."""

    @property
    def known_until(self) -> datetime:
        """Until when the scores know what happened; a live score made later knows more."""
        return min(self.data_until, self.cutoff) if self.cutoff else self.data_until


def about_scores(
    bundle: Bundle,
    cutoff: datetime | None,
    customers: int,
    serving: ServingConfig,
    now: datetime,
    *,
    data_until: datetime,
    events_to: Sequence[EndpointName] = (),
) -> About:
    """What the snapshot of `customers` scores made by `bundle` at `cutoff` says of itself."""
    manifest = bundle.manifest
    return About(
        snapshot_id=snapshot_id(now),
        created_at=now,
        cutoff=cutoff,
        customers=customers,
        model_version=manifest.version,
        bundle_digest=bundle_digest(bundle),
        contract_hash=manifest.contract_hash,
        currency=manifest.currency,
        generated=manifest.generated,
        serving=serving,
        data_until=data_until,
        events_to=tuple(events_to),
    )


def bundle_digest(bundle: Bundle) -> str:
    """SHA-256 over the digests of the bundle's files: the same exactly when the models are."""
    return hashlib.sha256(orjson.dumps(sorted(bundle.manifest.files.items()))).hexdigest()


@dataclass(frozen=True, slots=True)
class OnlineCustomer:
    """One customer as scored in batch: place in the at-risk list, feature row, stored score."""

    customer_id: str
    rank: int
    features: Matrix
    score: bytes
    """JSON of `serving.scoring.score_record`."""
    timing: bytes
    """JSON of what the act-by date means and of the churn curve."""


@dataclass(frozen=True, slots=True)
class ListFilter:
    """Which part of the at-risk list to read; None leaves that side open."""

    tier: RiskTier | None = None
    min_value: float | None = None
    """Smallest value at risk, in the snapshot's currency."""
    min_probability: float | None = None


def write_online(
    path: Path, bundle: Bundle, about: About, ranked: Sequence[Score], X: Matrix
) -> None:
    """Write `path` whole and rename it into place; a reader of the old file keeps the old file.

    `ranked`, made by `bundle`, is in at-risk order; row i of `X` is the encoded features of
    `ranked[i]`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    os.close(handle)
    fresh = Path(name)
    try:
        _fill(fresh, path, bundle, about, ranked, X)
        fresh.chmod(0o644)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _fill(
    path: Path, old: Path, bundle: Bundle, about: About, ranked: Sequence[Score], X: Matrix
) -> None:
    with closing(sqlite3.connect(path.as_uri(), uri=True)) as connection, connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.executescript(_SCHEMA + SCHEMA)
        connection.execute("INSERT INTO about VALUES (?)", (about.model_dump_json(),))
        parquet = at_risk_parquet(ranked, about.currency)
        connection.execute("INSERT INTO export VALUES (?)", (parquet,))
        connection.executemany("INSERT INTO ranking VALUES (?, ?, ?, ?, ?)", _ranking(ranked))
        rows = _rows(bundle, about, ranked, X)
        connection.executemany("INSERT INTO customers VALUES (?, ?, ?, ?)", rows)
        _carry(connection, old, about)


def _carry(connection: sqlite3.Connection, old: Path, about: About) -> None:
    """Take over what earlier runs said, if the snapshot before this one is readable and like it."""
    try:
        before = OnlineSnapshot(old)
    except OnlineError:
        return
    before.close()
    made_at = before.about.created_at
    if made_at >= about.created_at or before.about.currency != about.currency:
        return
    connection.commit()
    connection.execute("ATTACH ? AS old", (_uri(old),))
    carry_past(connection, made_at, about.created_at, timedelta(days=about.serving.history_days))


def _uri(path: Path) -> str:
    return f"{path.resolve().as_uri()}?mode=ro&immutable=1"


def _ranking(ranked: Sequence[Score]) -> Iterable[tuple[Any, ...]]:
    for rank, score in enumerate(ranked, 1):
        yield (
            rank,
            score.customer_id,
            score.risk_tier,
            score.churn_probability,
            score.value_at_risk,
        )


def _rows(
    bundle: Bundle, about: About, ranked: Sequence[Score], X: Matrix
) -> Iterator[tuple[int, bytes, bytes, bytes]]:
    for start in range(0, len(ranked), _ROWS_AT_ONCE):
        some = slice(start, start + _ROWS_AT_ONCE)
        timings = score_timings(bundle, ranked[some], X[some], about.serving.language)
        rows = zip(ranked[some], X[some], timings, strict=True)
        for rank, (score, row, timing) in enumerate(rows, start + 1):
            features = np.ascontiguousarray(row, dtype="<f8").tobytes()
            record = score_record(score, nightly_score_id(about.snapshot_id, rank))
            yield rank, features, orjson.dumps(record), orjson.dumps(timing)


class OnlineSnapshot:
    """A snapshot opened for reading; it stays whole even after a newer file takes its place.

    `close()` closes the file, as does the end of the last request that uses it.
    """

    def __init__(self, path: Path) -> None:
        """Open `path`.

        Raises OnlineError when there is none or it is not one of ours.
        """
        if not path.is_file():
            raise OnlineError(f"{path} does not exist; run `setia score` to make it")
        self._connection = sqlite3.connect(_uri(path), uri=True, check_same_thread=False)
        self.close = weakref.finalize(self, self._connection.close)
        try:
            self._connection.execute(f"PRAGMA mmap_size = {_MAPPED_BYTES}")
            document = self._connection.execute("SELECT document FROM about").fetchone()
            self.about = About.model_validate_json(document[0])
            self._connection.execute(f"SELECT {_COLUMNS} FROM ranking JOIN customers USING (rank)")
            self._connection.execute("SELECT customer_id, points FROM past")
        except (sqlite3.Error, TypeError, ValidationError) as error:
            self.close()
            raise OnlineError(f"{path} is no snapshot ({error}); run `setia score` again") from None

    def find(self, customer_id: str) -> OnlineCustomer | None:
        """The customer with this id, or None when the batch did not score it."""
        row = self._connection.execute(
            f"SELECT {_COLUMNS} FROM ranking JOIN customers USING (rank) WHERE customer_id = ?",
            (customer_id,),
        ).fetchone()
        return _customer(row) if row else None

    def find_many(self, customer_ids: Sequence[str]) -> dict[str, OnlineCustomer]:
        """Those of the customers that the batch scored, by id."""
        if len(customer_ids) == 1:
            found = self.find(customer_ids[0])
            return {found.customer_id: found} if found else {}
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM ranking JOIN customers USING (rank)"
            " WHERE customer_id IN (SELECT value FROM json_each(?))",
            (orjson.dumps(customer_ids).decode(),),
        )
        return {row[0]: _customer(row) for row in rows}

    @property
    def has_parquet(self) -> bool:
        """Whether the list is here as Parquet too; an erasure by the service alone takes it out."""
        return self._connection.execute("SELECT 1 FROM export").fetchone() is not None

    def past(self, customer_id: str) -> list[PastScore]:
        """What earlier scoring runs said of the customer, the oldest first."""
        row = self._connection.execute(
            "SELECT points FROM past WHERE customer_id = ?", (customer_id,)
        ).fetchone()
        return past_scores(row[0]) if row else []

    def parquet(self) -> Iterator[bytes]:
        """The at-risk list as a Parquet file, in pieces."""
        with self._connection.blobopen("export", "parquet", 1, readonly=True) as blob:
            while piece := blob.read(_PIECE_BYTES):
                yield piece

    def page(self, filters: ListFilter, after_rank: int, limit: int) -> list[tuple[int, bytes]]:
        """Up to `limit` (rank, stored score) of the at-risk list beyond `after_rank`, in order."""
        clauses, values = _where(filters)
        rows = self._connection.execute(
            "SELECT rank, score FROM customers WHERE rank IN (SELECT rank FROM ranking"
            f" WHERE {' AND '.join(['rank > ?', *clauses])} ORDER BY rank LIMIT ?) ORDER BY rank",
            (after_rank, *values, limit),
        )
        return rows.fetchall()


def _customer(row: tuple[str, int, bytes, bytes, bytes]) -> OnlineCustomer:
    customer_id, rank, features, score, timing = row
    return OnlineCustomer(customer_id, rank, np.frombuffer(features, dtype="<f8"), score, timing)


def _where(filters: ListFilter) -> tuple[list[str], list[Any]]:
    clauses: list[str] = []
    values: list[Any] = []
    if filters.tier is not None:
        clauses.append("risk_tier = ?")
        values.append(filters.tier)
    if filters.min_probability is not None:
        clauses.append("churn_probability >= ?")
        values.append(filters.min_probability)
    if filters.min_value is not None:
        clauses.append("value_at_risk >= ?")
        values.append(filters.min_value)
    return clauses, values
