"""Programmes: the holdout key of each, made once and kept for ever, and how many plans it has."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from features.outreach_config import OutreachConfig
from serving.database import insert_or
from serving.outreach.holdout import Holdout
from serving.outreach.records import PROGRAMMES

_KEY_BYTES = 32


class ProgrammeError(ValueError):
    """A programme that cannot go on as configured; the message says what to change."""


@dataclass(frozen=True)
class Programme:
    """A programme as it was begun."""

    holdout: Holdout
    planned: int
    """Customers, both arms together, at which the effect's interval is to be tightest."""


def find_programme(connection: Connection, config: OutreachConfig) -> Programme | None:
    """The configured programme, or None before its first plan.

    Raises ProgrammeError when its holdout share is not the configured one any more.
    """
    row = connection.execute(
        select(PROGRAMMES).where(PROGRAMMES.c.name == config.programme)
    ).first()
    if row is None:
        return None
    if row.holdout_share != config.holdout_share:
        raise ProgrammeError(
            f"programme {row.name!r} began with outreach.holdout_share {row.holdout_share}, and "
            f"its effect is measured by that; write it again in place of {config.holdout_share}, "
            "or name another outreach.programme, which draws a holdout of its own"
        )
    return Programme(_holdout(row), row.planned)


def holdouts(connection: Connection) -> dict[str, Holdout]:
    """The holdout of every programme there ever was, by its name."""
    return {row.name: _holdout(row) for row in connection.execute(select(PROGRAMMES))}


def _holdout(row: Row[Any]) -> Holdout:
    return Holdout(row.holdout_key, row.name, row.holdout_share)


def draw_holdout(config: OutreachConfig) -> Holdout:
    """The holdout that a programme may begin with: its key is drawn here."""
    return Holdout(secrets.token_bytes(_KEY_BYTES), config.programme, config.holdout_share)


def keep_programme(connection: Connection, programme: Programme, now: datetime) -> None:
    """Write that the programme had one more plan; with its first, the programme itself."""
    holdout = programme.holdout
    values = {
        "name": holdout.programme,
        "holdout_key": holdout.key,
        "holdout_share": holdout.share,
        "planned": programme.planned,
        "started_at": now,
        "plans": 1,
    }
    statement = insert_or(connection, PROGRAMMES).values(values)
    counted = {"plans": PROGRAMMES.c.plans + 1}
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=counted))


def plans_written(connection: Connection) -> int:
    """How many plans were ever written, of all programmes: they share customers and caps."""
    total = connection.execute(select(func.coalesce(func.sum(PROGRAMMES.c.plans), 0))).scalar_one()
    return int(total)
