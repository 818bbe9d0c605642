"""The report on a programme: what contact changed, how sure that is, and what is still to come."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy import Connection, select

from features.config import PipelineConfig
from serving.outreach.holdout import HoldoutError, smallest_detectable_effect
from serving.outreach.prove.assignments import (
    Assignment,
    Became,
    contacts_of_held_out,
    costs_of_contact,
    first_assignments,
    what_became,
)
from serving.outreach.prove.effect import LEVEL, Arm, Effect
from serving.outreach.prove.effect_shapes import (
    Count,
    Difference,
    EffectReport,
    Point,
    Slice,
    Standing,
    Waiting,
)
from serving.outreach.prove.measured import (
    Arms,
    Design,
    Measured,
    Total,
    by_retention,
    by_value,
    running_totals,
    slices,
)
from serving.outreach.records import PROGRAMMES
from serving.tables import write_whole

FILE = "effect.json"


class EffectUnknown(ValueError):
    """There is no effect to report on; the message says what makes one."""


def report_effect(
    connection: Connection, config: PipelineConfig, data_until: datetime, now: datetime
) -> EffectReport:
    """The effect of the configured programme on all whose horizon ended by `data_until`.

    Raises EffectUnknown when the programme has not begun.
    """
    name = config.outreach.programme
    design = _design(connection, name)
    assigned = first_assignments(connection, name, config.churn.horizon_days, config.zone)
    matured = [one for one in assigned if one.until <= data_until]
    became = what_became(connection, name, matured)
    rows = _measured(matured, became, costs_of_contact(connection, name))
    return EffectReport(
        programme=name,
        made_at=now,
        data_until=data_until,
        horizon_days=config.churn.horizon_days,
        currency=config.currency,
        generated=config.generated,
        assigned=_count(assigned),
        assigned_ratio_p_value=design.ratio_p_value(assigned),
        unknown=_count(one for one in matured if one.decision_id not in became),
        waiting=_waiting([one for one in assigned if one.until > data_until]),
        contacts_of_held_out=contacts_of_held_out(connection),
        **_found(design, rows, config),
    )


def write_report(workspace: Path, report: EffectReport) -> None:
    """Keep the report in the workspace, where the API reads it; it appears whole."""
    write_whole(workspace / "outreach" / FILE, report.model_dump_json().encode())


def read_report(workspace: Path) -> EffectReport:
    """The report last kept. Raises EffectUnknown when there is none."""
    try:
        return EffectReport.model_validate_json((workspace / "outreach" / FILE).read_bytes())
    except (OSError, ValidationError):
        raise EffectUnknown(
            "no effect has been reported yet; run `setia outcomes report`, best every night"
        ) from None


def _design(connection: Connection, programme: str) -> Design:
    row = connection.execute(select(PROGRAMMES).where(PROGRAMMES.c.name == programme)).first()
    if row is None:
        raise EffectUnknown(
            f"programme {programme!r} has no plan yet; `setia outreach plan` makes the first"
        )
    return Design(row.holdout_share, row.planned)


def _measured(
    matured: Iterable[Assignment],
    became: Mapping[str, Became],
    costs: Mapping[str, Sequence[tuple[datetime, float]]],
) -> list[Measured]:
    """Those of whom it is known what became of them, with the cost of contact in the horizon."""
    rows = []
    for one in matured:
        if one.decision_id in became:
            spent = [cost for at, cost in costs.get(one.customer_id, ()) if at < one.until]
            rows.append(Measured(one, became[one.decision_id], math.fsum(spent)))
    return rows


def _found(design: Design, rows: Sequence[Measured], config: PipelineConfig) -> dict[str, object]:
    """The members of the report that say what contact changed."""
    arms, valued = by_retention(rows), by_value(rows)
    effect = design.measure(arms)
    cost = math.fsum(one.cost for one in rows)
    months = running_totals(rows, config.zone, lambda day: f"{day:%Y-%m}")
    days = running_totals(rows, config.zone, lambda day: day.isoformat())
    return {
        "sentence": effect.sentence(cost, config.currency),
        "measured": _count(one.assignment for one in rows),
        "measured_ratio_p_value": effect.ratio_p_value,
        "staying": {"contact": _share(arms.contact), "holdout": _share(arms.holdout)},
        "retention": _difference(effect),
        "value": _value(design, valued),
        "cost": cost,
        "cost_per_kept": _cost_per_kept(effect, cost),
        "smallest_detectable": _detectable(arms, design),
        "ledger": [_standing(design, total) for total in months],
        "daily": [_point(design, total) for total in days],
        "slices": _slices(design, rows),
    }


def _count(assignments: Iterable[Assignment]) -> Count:
    sizes = Counter(one.arm for one in assignments)
    return Count(contact=sizes["contact"], holdout=sizes["holdout"])


def _waiting(unripe: Sequence[Assignment]) -> Waiting:
    ends = [one.until for one in unripe]
    return Waiting(
        customers=_count(unripe),
        next_at=min(ends, default=None),
        last_at=max(ends, default=None),
    )


def _share(arm: Arm) -> float | None:
    return arm.outcome / arm.customers if arm.customers else None


def _difference(effect: Effect) -> Difference:
    return Difference(
        difference=effect.difference,
        low=_finite(effect.low),
        high=_finite(effect.high),
        sure=effect.is_sure and not effect.is_ratio_odd,
    )


def _value(design: Design, arms: Arms, level: float = LEVEL) -> Difference | None:
    """The effect on value; None when no value is known."""
    known = arms.contact.customers + arms.holdout.customers
    return _difference(design.measure(arms, level)) if known else None


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _times(number: float | None, customers: int) -> float | None:
    return None if number is None else number * customers


def _cost_per_kept(effect: Effect, cost: float) -> float | None:
    keeps = effect.low > 0 and not effect.is_ratio_odd
    return cost / (effect.difference * effect.contacted) if keeps else None


def _detectable(arms: Arms, design: Design) -> float | None:
    customers = arms.contact.customers + arms.holdout.customers
    staying = _share(arms.holdout)
    try:
        return smallest_detectable_effect(customers, staying or 0.0, design.share)
    except HoldoutError:  # Nobody, or nobody who left.
        return None


def _standing(design: Design, total: Total) -> Standing:
    effect = design.measure(total.retention)
    value = _value(design, total.value)
    valued = total.value.contact.customers
    return Standing(
        period=total.period,
        customers=Count(contact=effect.contacted, holdout=effect.held_out),
        retention=_difference(effect),
        kept=effect.difference * effect.contacted,
        kept_low=_finite(effect.low * effect.contacted),
        kept_high=_finite(effect.high * effect.contacted),
        value_kept=value and value.difference * valued,
        value_low=value and _times(value.low, valued),
        value_high=value and _times(value.high, valued),
        cost=total.cost,
    )


def _point(design: Design, total: Total) -> Point:
    effect = design.measure(total.retention)
    return Point(
        day=total.period,
        customers=effect.customers,
        difference=effect.difference,
        low=_finite(effect.low),
        high=_finite(effect.high),
    )


def _slices(design: Design, rows: Sequence[Measured]) -> list[Slice]:
    """The effect in each slice, at a level at which all the intervals hold together.

    Source: Dunn (1961), "Multiple comparisons among means" (the Bonferroni inequality).
    """
    groups = slices(rows)
    level = 1 - (1 - LEVEL) / max(1, len(groups))
    return [
        Slice(
            by=trait,
            name=name,
            customers=_count(one.assignment for one in some),
            retention=_difference(design.measure(by_retention(some), level)),
            value=_value(design, by_value(some), level),
        )
        for trait, name, some in groups
    ]
