"""The list for support: customers whom no marketing may reach before their ticket is solved."""

from pathlib import Path

from serving.outreach.decide.planning import Planned
from serving.scoring import utc_text
from serving.tables import csv_text, write_whole

FILE = "for_support.csv"
COLUMNS = (
    "customer_id",
    "ticket_id",
    "note",
    "churn_probability",
    "risk_tier",
    "value_at_risk",
    "currency",
    "as_of",
)


def write_support_list(folder: Path, planned: Planned) -> Path:
    """Write FILE into `folder`, the most value at risk first; returns where it is."""
    about = planned.basis.online.about
    noted = {one.customer_id: one.note for one in planned.plan.decisions if one.note}
    rows = [
        {
            "customer_id": customer_id,
            "ticket_id": prospect.candidate.open_ticket,
            "note": noted[customer_id],
            "churn_probability": prospect.scored.churn_probability,
            "risk_tier": prospect.scored.risk_tier,
            "value_at_risk": prospect.scored.value_at_risk,
            "currency": about.currency,
            "as_of": utc_text(planned.basis.known_until),
        }
        for customer_id, prospect in planned.prospects.items()
        if customer_id in noted
    ]
    path = folder / FILE
    write_whole(path, csv_text(COLUMNS, rows).encode())
    return path
