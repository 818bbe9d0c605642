"""Some of the features as one would write them in pandas, for `benchmarks.features`."""

from pathlib import Path

import pandas as pd

WINDOWS = (7, 30, 90, 180, 365)
_ZERO_WHEN_EMPTY = (
    "orders_purchase_days_",
    "orders_products_",
    "events_count_",
    "events_active_days_",
    "events_kinds_",
    "tickets_count_",
    "subscriptions_monthly_price",
)


def pandas_features(snapshot: Path, cutoff: pd.Timestamp) -> pd.DataFrame:
    """One row per customer, columns called as in the catalogue; the tables are read as needed."""
    parts = [
        _orders(snapshot, cutoff),
        _usage(snapshot, cutoff),
        _tickets(snapshot, cutoff),
        _surveys(snapshot, cutoff),
        _subscriptions(snapshot, cutoff),
    ]
    customers = pd.read_parquet(snapshot / "customers.parquet", columns=["customer_id"])
    table = pd.concat([customers.set_index("customer_id"), *parts], axis="columns")
    zeros = {name: 0.0 for name in table.columns if str(name).startswith(_ZERO_WHEN_EMPTY)}
    return table.fillna(zeros)


def _orders(snapshot: Path, cutoff: pd.Timestamp) -> pd.DataFrame:
    columns = ["customer_id", "ordered_at", "day", "amount", "product_id", "is_return"]
    rows = pd.read_parquet(snapshot / "orders.parquet", columns=columns)
    rows = rows[(rows.ordered_at < cutoff) & ~rows.is_return]
    today = (cutoff - pd.Timestamp(0, tz="UTC")).days
    days = rows.groupby(["customer_id", "day"], as_index=False).amount.sum()
    days["gap"] = days.groupby("customer_id").day.diff()
    customer = days.groupby("customer_id")
    found = pd.DataFrame(
        {
            "orders_days_since_last": today - customer.day.max(),
            "orders_T": today - customer.day.min(),
            "orders_gap_mean": customer.gap.mean(),
            "orders_gap_sd": customer.gap.std(),
            "orders_gap_max": customer.gap.max(),
            "orders_gap_median": customer.gap.median(),
        }
    )
    for days_back in WINDOWS:
        recent = days[days.day >= today - days_back].groupby("customer_id")
        found[f"orders_purchase_days_{days_back}d"] = recent.size()
    for days_back in (90, 365):
        recent = rows[rows.day >= today - days_back].groupby("customer_id")
        found[f"orders_products_{days_back}d"] = recent.product_id.nunique()
    return found


def _usage(snapshot: Path, cutoff: pd.Timestamp) -> pd.DataFrame:
    columns = ["customer_id", "occurred_at", "day", "event", "session_id"]
    rows = pd.read_parquet(snapshot / "events.parquet", columns=columns)
    rows = rows[rows.occurred_at < cutoff]
    today = (cutoff - pd.Timestamp(0, tz="UTC")).days
    customer = rows.groupby("customer_id")
    found = pd.DataFrame({"events_days_since_last": today - customer.day.max()})
    for days_back in (7, 30, 90):
        recent = rows[rows.day >= today - days_back].groupby("customer_id")
        found[f"events_count_{days_back}d"] = recent.size()
        found[f"events_active_days_{days_back}d"] = recent.day.nunique()
    for days_back in (30, 90):
        recent = rows[rows.day >= today - days_back].groupby("customer_id")
        found[f"events_kinds_{days_back}d"] = recent.event.nunique()
    return found


def _tickets(snapshot: Path, cutoff: pd.Timestamp) -> pd.DataFrame:
    columns = ["customer_id", "opened_at", "first_response_at", "resolved_at"]
    rows = pd.read_parquet(snapshot / "tickets.parquet", columns=columns)
    rows = rows[rows.opened_at < cutoff]
    for late in ("first_response_at", "resolved_at"):
        rows[late] = rows[late].where(rows[late] < cutoff)
    rows["response"] = (rows.first_response_at - rows.opened_at).dt.total_seconds() / 3600
    found = pd.DataFrame(index=pd.Index(rows.customer_id.unique(), name="customer_id"))
    for days_back in (30, 90, 365):
        recent = rows[rows.opened_at >= cutoff - pd.Timedelta(days=days_back)]
        found[f"tickets_count_{days_back}d"] = recent.groupby("customer_id").size()
    year = rows[rows.opened_at >= cutoff - pd.Timedelta(days=365)].groupby("customer_id").response
    found["tickets_first_response_hours_mean_365d"] = year.mean()
    found["tickets_first_response_hours_median_365d"] = year.median()
    found["tickets_first_response_hours_max_365d"] = year.max()
    return found


def _surveys(snapshot: Path, cutoff: pd.Timestamp) -> pd.DataFrame:
    columns = ["customer_id", "kind", "answered_at", "score"]
    rows = pd.read_parquet(snapshot / "surveys.parquet", columns=columns)
    rows = rows[(rows.answered_at < cutoff) & rows.score.notna()].sort_values("answered_at")
    last = rows.groupby(["customer_id", "kind"]).score.last().unstack()
    return last.add_prefix("surveys_").add_suffix("_last")


def _subscriptions(snapshot: Path, cutoff: pd.Timestamp) -> pd.DataFrame:
    columns = ["customer_id", "started_at", "ended_at", "monthly_price"]
    rows = pd.read_parquet(snapshot / "subscriptions.parquet", columns=columns)
    rows = rows[rows.started_at < cutoff]
    rows["running"] = ~(rows.ended_at < cutoff)
    rows["price"] = rows.monthly_price.where(rows.running, 0.0)
    customer = rows.groupby("customer_id")
    return pd.DataFrame({"subscriptions_monthly_price": customer.price.sum()})
