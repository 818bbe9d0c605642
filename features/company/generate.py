"""A generated company with planted, known effects, for demonstrations and recovery tests.

Nothing here describes a real business; the configuration says `generated: true` and the
folder holds a GENERATED.md. The whole process, with its equations and parameter values, is in
docs/generated-company.md.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features.company.campaign import contact_truth, contacts_table
from features.company.dropout import Block, customer_truth, simulate_dropout
from features.company.orders import draw_purchases, orders_table
from features.company.pages import notice, pipeline_yaml
from features.company.people import customers_table, draw_people
from features.company.support import draw_shocks, draw_tickets, opened_tickets, tickets_table
from features.company.surveys import surveys_table
from features.company.usage import draw_subscriptions, events_table, subscriptions_table
from features.company.world import Calendar, Columns, Effects, World

__all__ = ["PLANTED", "Company", "Effects", "generate_company"]

BLOCK = 10_000
"""Customers drawn together; it bounds the memory, whatever the size of the company."""
END = date(2026, 6, 30)
"""The first day without data, unless told otherwise."""
PLANTED = Effects()


class CompanyError(ValueError):
    """The generated company cannot be made; the message says what to change."""


@dataclass(frozen=True)
class Company:
    """A generated company on disk."""

    folder: Path
    config: Path
    """Its pipeline.yaml."""
    rows: dict[str, int]
    """Rows by table, the truth tables included."""
    effects: Effects


def generate_company(
    folder: Path,
    customers: int = 5_000,
    *,
    seed: int = 7,
    days: int = 900,
    end: date = END,
    effects: Effects = PLANTED,
) -> Company:
    """Write a company of `customers` with `days` of history before `end` into `folder`.

    Parquet files with canonical columns, `truth.parquet` (per customer) and
    `truth_contacts.parquet` (per campaign entry) beside them, and a pipeline.yaml that
    reads the former. The same arguments give the same bytes.

    Raises CompanyError for a company without customers or a history under 400 days.
    """
    if customers < 1 or days < 400:
        raise CompanyError(
            f"{customers} customers over {days} days; give at least 1 customer and 400 days"
        )
    folder.mkdir(parents=True, exist_ok=True)
    rows = _write(folder, _blocks(customers, seed, Calendar(end, days), effects))
    config = folder / "pipeline.yaml"
    config.write_text(pipeline_yaml(customers), encoding="utf-8")
    (folder / "GENERATED.md").write_text(notice(customers, seed, days, end, effects), "utf-8")
    return Company(folder, config, rows, effects)


def _blocks(
    customers: int, seed: int, calendar: Calendar, effects: Effects
) -> Iterator[dict[str, Columns]]:
    for number, first in enumerate(range(0, customers, BLOCK)):
        world = World(calendar, effects, seed, number)
        yield _block(world, first + 1, min(BLOCK, customers - first))


def _block(world: World, first: int, count: int) -> dict[str, Columns]:
    """Every table of the customers numbered from `first`."""
    calendar = world.calendar
    people = draw_people(world, first, count)
    tickets, held = draw_tickets(people, world), draw_subscriptions(people, world)
    shocks, wishes = draw_shocks(tickets, world.effects), draw_purchases(people, world)
    block = Block(people, shocks, held, wishes)
    dropout = simulate_dropout(block, world)
    opened = opened_tickets(tickets, dropout.day, calendar)
    return {
        "customers": customers_table(people, calendar),
        "orders": orders_table(dropout.purchases, dropout.day, people, world),
        "events": events_table(people, dropout.day, world),
        "subscriptions": subscriptions_table(held, dropout.day, people, world),
        "tickets": tickets_table(opened, people, calendar),
        "surveys": surveys_table(opened, dropout, people, world),
        "contacts": contacts_table(dropout.contacts, people, calendar),
        "truth": customer_truth(block, dropout, world),
        "truth_contacts": contact_truth(dropout.contacts, dropout.day, people, calendar),
    }


def _write(folder: Path, blocks: Iterator[dict[str, Columns]]) -> dict[str, int]:
    """Append every block to one Parquet file per table; returns the rows by table."""
    rows: dict[str, int] = {}
    writers: dict[str, pq.ParquetWriter] = {}
    with ExitStack() as stack:
        for block in blocks:
            for name, columns in block.items():
                table = pa.table(columns)
                if name not in writers:
                    file = folder / f"{name}.parquet"
                    writers[name] = stack.enter_context(pq.ParquetWriter(file, table.schema))
                writers[name].write_table(table)
                rows[name] = rows.get(name, 0) + table.num_rows
    return rows
