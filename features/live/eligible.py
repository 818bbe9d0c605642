"""Whether one customer is among those that the model was asked about: the spine's twin."""

from datetime import datetime

from features.config import ChurnConfig
from features.live.rows import History
from features.live.shape import CompanyShape
from features.windows import day_number


def is_eligible(history: History, cutoff: datetime, shape: CompanyShape) -> bool:
    """Whether the nightly run would score the customer at `cutoff`."""
    churn = shape.churn
    if churn.label == "column":
        return True
    if churn.label == "subscription":
        rows = history["subscriptions"].rows
        return any(
            row["started_at"] < cutoff and (row.get("ended_at") or cutoff) >= cutoff for row in rows
        )
    last = day_number(cutoff, shape.zone)
    return any(last - churn.eligible_days <= day < last for day in _active_days(history, churn))


def _active_days(history: History, churn: ChurnConfig) -> list[int]:
    if churn.activity == "orders":
        return history["orders"].purchases.days("ordered_at")
    return history["events"].days("occurred_at")


def why_not(churn: ChurnConfig) -> str:
    """What a customer needs in order to be eligible, as a sentence for whoever calls."""
    if churn.label == "subscription":
        return "the model knows customers whose subscription runs; send the one that does"
    return (
        f"the model knows customers with {churn.activity} in the {churn.eligible_days} days "
        f"before; send those, or take the customer as lost"
    )
