"""Live equals batch: every feature and score of a demo's customers, from the rows of its files.

`python -m benchmarks.live_parity demo/pipeline.yaml [VALUES]`, after `setia demo`: each customer's
rows are sent to the API as JSON, and what comes back is held against the nightly run's.
"""

import asyncio
import math
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pyarrow.parquet as pq

from features.config import PipelineConfig, TableName, load_config
from features.engine import configured_snapshot
from serving.api.app import create_app, install
from serving.batch import scoring_rows
from serving.live import LiveShelf
from serving.scoring import score_record, score_rows

VALUES = 100_000
"""How many values to hold against each other, unless told."""

Rows = dict[TableName, list[dict[str, Any]]]


def main() -> int:
    config = load_config(Path(sys.argv[1]))
    values = int(sys.argv[2]) if len(sys.argv) > 2 else VALUES
    started, compared, different = time.thread_time(), 0, []
    for customer, place, live, batch in _pairs(config, values):
        compared += 1
        if not _is_same(live, batch):
            different.append((customer, place, live, batch))
    seconds = time.thread_time() - started
    for mismatch in different[:10]:
        print(*mismatch)
    print(f"{compared:,} values compared, {len(different)} mismatches ({seconds:.0f} s of CPU)")
    return 1 if different or compared < values else 0


def _is_same(live: Any, batch: Any) -> bool:
    """Numbers to 1e-9 of each, anything else alike."""
    if isinstance(live, float) and isinstance(batch, float):
        both_unknown = math.isnan(live) and math.isnan(batch)
        return both_unknown or math.isclose(live, batch, rel_tol=1e-9)
    return bool(live == batch)


def _pairs(config: PipelineConfig, values: int) -> Iterator[tuple[str, str, Any, Any]]:
    """Customer, the value's name, live and batch, for so many values or all there are."""
    app = create_app()
    served = install(app, config.workspace).served
    scorer = LiveShelf(config.workspace).scorer(served)
    cutoff, bundle = scorer.context.cutoff, served.bundle
    snapshot = configured_snapshot(config)
    ids, X = scoring_rows(config, snapshot, bundle, cutoff, lambda *_: None)
    names = bundle.contract.names
    asked = math.ceil(values / len(names))
    rows = _rows_by_customer(config)
    for customer, x in zip(ids[:asked], X, strict=False):
        body = _body(customer, rows[customer], cutoff)
        given: Rows = {"customers": [body["customer"]], **rows[customer]}
        admitted = scorer.admit(customer, given, datetime.now(UTC))
        live_x = scorer.features(admitted, cutoff)[0]
        for name, live, batch in zip(names, live_x.tolist(), x.tolist(), strict=True):
            yield customer, name, live, batch
        (score,) = score_rows(bundle, [customer], x[None], cutoff, config.serving)
        answer = asyncio.run(_ask(app, body))["customer"]
        for name, batch in orjson.loads(orjson.dumps(score_record(score))).items():
            yield customer, name, answer[name], batch


async def _ask(app: Any, body: Mapping[str, Any]) -> dict[str, Any]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://setia") as client:
        answer = (await client.post("/v1/scores/live", json=body)).raise_for_status()
        return dict(answer.json())


def _body(customer: str, rows: Rows, cutoff: datetime) -> dict[str, Any]:
    customers = rows.pop("customers")
    return {
        "customer_id": customer,
        "as_of": cutoff.isoformat(),
        "customer": customers[0],
        **{str(name): each for name, each in rows.items()},
    }


def _rows_by_customer(config: PipelineConfig) -> dict[str, Rows]:
    """The rows of the company's own files, as a client would send them."""
    found: dict[str, Rows] = {}
    for name, source in config.sources.items():
        if name == "contacts" or source.path is None:
            continue
        for row in pq.read_table(source.path).to_pylist():
            told = {column: _json(value) for column, value in row.items() if value is not None}
            found.setdefault(row["customer_id"], {}).setdefault(name, []).append(told)
    return found


def _json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


if __name__ == "__main__":
    raise SystemExit(main())
