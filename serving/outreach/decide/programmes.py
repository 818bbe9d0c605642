"""Programmes: the holdout key of each, made once and kept for ever, and how many plans it has."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects import postgresql, sqlite

from features.outreach_config import OutreachConfig
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
    return Programme(Holdout(row.holdout_key, row.name, row.holdout_share), row.planned)


def draw_holdout(config: OutreachConfig) -> Holdout:
    """The holdout that a programme may begin with: its key is drawn here."""
    return Holdout(secrets.token_bytes(_KEY_BYTES), config.programme, config.holdout_share)


def keep_programme(connection: Connection, programme: Programme, now: datetime) -> None:
    """Write that the programme had one more plan; with its first, the programme itself."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    holdout = programme.holdout
    values = {
        "name": holdout.programme,
        "holdout_key": holdout.key,
        "holdout_share": holdout.share,
        "planned": programme.planned,
        "started_at": now,
        "plans": 1,
    }
    statement = dialect.insert(PROGRAMMES).values(values)
    counted = {"plans": PROGRAMMES.c.plans + 1}
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=counted))


def plans_written(connection: Connection) -> int:
    """How many plans were ever written, of all programmes: they share customers and caps."""
    total = connection.execute(select(func.coalesce(func.sum(PROGRAMMES.c.plans), 0))).scalar_one()
    return int(total)
