"""What happened after each cutoff: churn, failed payment, and value within the horizon."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime

import duckdb
import pyarrow as pa

from features.config import ChurnConfig, PipelineConfig
from features.given_labels import LabelError, given_labels
from features.snapshot import Snapshot
from features.windows import is_matured, local_day, shift_days

_EPOCH = date(1970, 1, 1).toordinal()
# Added as decimals, so that neither the order of adding nor the engine shows.
_EXACT = "CAST({} AS DECIMAL(38, 9))"
_ACTIVITY = {
    "orders": ("orders", "ordered_at", "NOT done.is_return"),
    "events": ("events", "occurred_at", "TRUE"),
}
# A voluntary end with nothing else running then, and no return within grace_days.
_LEFT = """
    coalesce(done.end_reason, 'voluntary') = 'voluntary'
    AND NOT EXISTS (
        SELECT 1 FROM subscriptions other
        WHERE other.customer_id = done.customer_id
          AND other.subscription_id <> done.subscription_id
          AND other.started_at < $known_before
          AND local_day(other.started_at) <= local_day(done.ended_at) + $grace_days
          AND coalesce(other.ended_at > done.ended_at, TRUE)
    )
"""


class ImmatureCutoff(ValueError):
    """A cutoff whose horizon reaches past the data; the message names the latest matured one."""


def churn_labels(
    snapshot: Snapshot,
    config: PipelineConfig,
    spine: pa.Table,
    known_before: datetime | None = None,
) -> pa.Table:
    """Say who churned: customer_id, cutoff, churned (int8), in the spine's order.

    `inactivity` looks for a purchase (or event) in `[cutoff, cutoff + horizon)`.
    `subscription` looks for a voluntary end there (an end without a reason counts as one) with no
    other subscription running then, and none started within `grace_days` after; the returns it
    may see stop at `known_before`, by default the watermark.
    `column` reads an attribute of `customers`, whatever the cutoff.

    Raises ImmatureCutoff, or LabelError when a table or column that the label needs is absent.
    """
    churn = config.churn
    if churn.label == "column":
        return given_labels(snapshot, churn, spine)
    require_matured(snapshot, _cutoffs(spine), churn.horizon_days)
    if churn.label == "subscription":
        until = known_before or snapshot.manifest.watermark
        return _subscription_labels(snapshot, churn, spine, until)
    return _inactivity_labels(snapshot, churn, spine)


def payment_failure_labels(snapshot: Snapshot, config: PipelineConfig, spine: pa.Table) -> pa.Table:
    """Say whose subscription ended by payment failure within the churn horizon.

    Returns customer_id, cutoff, payment_failed (int8), in the spine's order; such an end is never
    churn. Raises as `churn_labels` does.
    """
    require_matured(snapshot, _cutoffs(spine), config.churn.horizon_days)
    _require_table(snapshot, "subscriptions", "a payment failure label")
    happened = """
        done.ended_at >= asked.cutoff AND done.ended_at < asked.until
        AND done.end_reason = 'payment_failure'
    """
    query = _whether("payment_failed", "subscriptions", happened)
    with _asking(snapshot, spine, config.churn.horizon_days) as connection:
        return connection.execute(query).to_arrow_table()


def value_labels(
    snapshot: Snapshot, config: PipelineConfig, spine: pa.Table, horizon_days: int
) -> pa.Table:
    """Say what each customer brought in: customer_id, cutoff, value (double), orders (int32).

    `value` is the net contribution of `[cutoff, cutoff + horizon_days)`: amounts (or margins) of
    purchases made in it, less refunds paid in it whenever the purchase was, each discounted from
    its local day back to the cutoff at `annual_discount_rate`. It is negative where refunds
    exceed purchases. `orders` counts distinct days with a purchase.

    Raises ImmatureCutoff, or LabelError without orders, or without margins when they are the value.
    """
    require_matured(snapshot, _cutoffs(spine), horizon_days)
    _require_value(snapshot, config)
    query = _value_query(config.clv.value)
    with _asking(snapshot, spine, horizon_days) as connection:
        return connection.execute(query, [1 + config.clv.annual_discount_rate]).to_arrow_table()


def first_event_days(
    snapshot: Snapshot, config: PipelineConfig, spine: pa.Table, known_before: datetime
) -> pa.Table:
    """Say when the event that decides the churn label first came: customer_id, cutoff, day, seen.

    The event is the next purchase (or event) for `inactivity`, the voluntary end for
    `subscription`. `day` counts local days from the cutoff (0 is the cutoff's own day), null when
    it did not come before `known_before`; `seen` is how many whole days could be watched. So a
    label of h days says event exactly when `day < h`.

    Raises LabelError when the table is absent, or for labels given in a column: they have no time.
    """
    churn = config.churn
    if churn.label == "column":
        raise LabelError("labels given in a column say whether a customer left, not when")
    table, time, counts = (
        ("subscriptions", "ended_at", _LEFT)
        if churn.label == "subscription"
        else _ACTIVITY[churn.activity]
    )
    _require_table(snapshot, table, f"the time of churn by {churn.label}")
    until = local_day(known_before, snapshot.zone)
    query = f"""
        SELECT asked.customer_id, asked.cutoff, CAST(found.day AS INTEGER) AS day,
               CAST($until - asked.day AS INTEGER) AS seen
        FROM asked LEFT JOIN (
            SELECT asked.place, min(local_day(done.{time}) - asked.day) AS day FROM asked
            JOIN {table} done ON done.customer_id = asked.customer_id
            WHERE done.{time} >= asked.cutoff AND done.{time} < $known_before AND {counts}
            GROUP BY asked.place
        ) found USING (place)
        ORDER BY asked.place
    """
    given = {"known_before": known_before, "until": until.toordinal() - _EPOCH}
    if churn.label == "subscription":
        given["grace_days"] = churn.grace_days
    with _asking(snapshot, spine, churn.horizon_days) as connection:
        return connection.execute(query, given).to_arrow_table()


def net_share(snapshot: Snapshot, config: PipelineConfig, before: datetime) -> float:
    """Net contribution per amount ordered, over all that was known before `before`.

    Raises LabelError as `value_labels` does; 1.0 where nothing had been ordered.
    """
    _require_value(snapshot, config)
    query = f"""
        SELECT (SELECT round(CAST(sum({_EXACT.format("money")}) AS DOUBLE), 6)
                FROM ({_flows(config.clv.value)}) moved WHERE moved.at < $before),
               (SELECT round(CAST(sum({_EXACT.format("amount")}) AS DOUBLE), 6)
                FROM orders WHERE NOT is_return AND ordered_at < $before)
    """
    row = snapshot.connection.cursor().execute(query, {"before": before}).fetchone()
    net, gross = row or (None, None)
    return net / gross if net is not None and gross else 1.0


def latest_matured(snapshot: Snapshot, horizon_days: int) -> datetime:
    """The last cutoff whose whole horizon lies before the watermark."""
    return shift_days(snapshot.manifest.watermark, -horizon_days, snapshot.zone)


def require_matured(snapshot: Snapshot, cutoffs: Iterable[datetime], horizon_days: int) -> None:
    """Raise ImmatureCutoff unless every cutoff has its whole horizon in the data."""
    watermark, zone = snapshot.manifest.watermark, snapshot.zone
    for cutoff in cutoffs:
        if not is_matured(cutoff, horizon_days, watermark, zone):
            raise ImmatureCutoff(
                f"cutoff {local_day(cutoff, zone)} needs {horizon_days} days after it, but the "
                f"data ends before {local_day(watermark, zone)}; the latest matured cutoff is "
                f"{local_day(latest_matured(snapshot, horizon_days), zone)}"
            )


def _inactivity_labels(snapshot: Snapshot, churn: ChurnConfig, spine: pa.Table) -> pa.Table:
    table, time, counts = _ACTIVITY[churn.activity]
    _require_table(snapshot, table, f"inactivity by {churn.activity}")
    within = f"done.{time} >= asked.cutoff AND done.{time} < asked.until AND {counts}"
    query = _whether("churned", table, within, negate=True)
    with _asking(snapshot, spine, churn.horizon_days) as connection:
        return connection.execute(query).to_arrow_table()


def _subscription_labels(
    snapshot: Snapshot, churn: ChurnConfig, spine: pa.Table, known_before: datetime
) -> pa.Table:
    _require_table(snapshot, "subscriptions", "the subscription label")
    left = f"done.ended_at >= asked.cutoff AND done.ended_at < asked.until AND {_LEFT}"
    query = _whether("churned", "subscriptions", left)
    seen = {"known_before": known_before, "grace_days": churn.grace_days}
    with _asking(snapshot, spine, churn.horizon_days) as connection:
        return connection.execute(query, seen).to_arrow_table()


def _whether(label: str, table: str, condition: str, negate: bool = False) -> str:
    """SQL that marks each asked row 1 where some `done` row of `table` meets `condition`."""
    when = "IS NULL" if negate else "IS NOT NULL"
    return f"""
        SELECT asked.customer_id, asked.cutoff, CAST(found.place {when} AS TINYINT) AS {label}
        FROM asked LEFT JOIN (
            SELECT DISTINCT asked.place FROM asked
            JOIN {table} done ON done.customer_id = asked.customer_id WHERE {condition}
        ) found USING (place)
        ORDER BY asked.place
    """


def _require_value(snapshot: Snapshot, config: PipelineConfig) -> None:
    _require_table(snapshot, "orders", "customer value")
    mapped = snapshot.manifest.tables["orders"].columns
    if config.clv.value == "margin" and "margin" not in mapped:
        raise LabelError(
            "clv.value is 'margin' but orders has no margin column; map orders.margin, "
            "or set clv.value to 'amount'"
        )


def _flows(value: str) -> str:
    """SQL for every movement of money: whose, when it was known, its day, and how much."""
    brought = "0" if value == "amount" else "least(coalesce(margin, 0), 0)"
    refund = "coalesce(refund_amount, amount, 0)"
    if value == "margin":
        refund = f"CASE WHEN is_return AND margin < 0 THEN 0 ELSE {refund} END"
    return f"""
            SELECT customer_id, ordered_at AS at, day,
                   CASE WHEN is_return THEN {brought} ELSE {value} END AS money,
                   CASE WHEN NOT is_return THEN day END AS purchase_day
            FROM orders
            UNION ALL
            SELECT customer_id, refunded_at, local_day(refunded_at), -{refund}, NULL
            FROM orders WHERE refunded_at IS NOT NULL
    """


def _value_query(value: str) -> str:
    """SQL for value and orders of each asked row; its one parameter is 1 + the annual rate."""
    paid = "money / pow(?, (flows.day - asked.day) / 365e0)"
    return f"""
        WITH flows AS ({_flows(value)}), summed AS (
            SELECT asked.place,
                   round(CAST(sum({_EXACT.format(paid)}) AS DOUBLE), 6) AS value,
                   count(DISTINCT purchase_day) AS orders
            FROM asked JOIN flows ON flows.customer_id = asked.customer_id
             AND flows.at >= asked.cutoff AND flows.at < asked.until
            GROUP BY asked.place
        )
        SELECT asked.customer_id, asked.cutoff, coalesce(value, 0.0) AS value,
               CAST(coalesce(orders, 0) AS INTEGER) AS orders
        FROM asked LEFT JOIN summed USING (place)
        ORDER BY asked.place
    """


@contextmanager
def _asking(
    snapshot: Snapshot, spine: pa.Table, horizon_days: int
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with table `asked`: the spine with its place, horizon end and local day."""
    connection = snapshot.connection.cursor()
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("windows", _windows(snapshot, spine, horizon_days))
        connection.execute("CREATE TEMP TABLE asked AS SELECT * FROM windows")
        yield connection
    finally:
        connection.close()


def _windows(snapshot: Snapshot, spine: pa.Table, horizon_days: int) -> pa.Table:
    """The spine with each row's place, the end of its horizon and its cutoff's day number."""
    coded = spine["cutoff"].combine_chunks().dictionary_encode()
    cutoffs = coded.dictionary.to_pylist()
    ends = [shift_days(cutoff, horizon_days, snapshot.zone) for cutoff in cutoffs]
    days = [local_day(cutoff, snapshot.zone).toordinal() - _EPOCH for cutoff in cutoffs]
    return (
        spine.select(["customer_id", "cutoff"])
        .append_column("place", pa.array(range(spine.num_rows), pa.int64()))
        .append_column("until", pa.array(ends, spine["cutoff"].type).take(coded.indices))
        .append_column("day", pa.array(days, pa.int32()).take(coded.indices))
    )


def _cutoffs(spine: pa.Table) -> list[datetime]:
    return sorted(spine["cutoff"].unique().to_pylist())


def _require_table(snapshot: Snapshot, table: str, purpose: str) -> None:
    if table not in snapshot.manifest.tables:
        raise LabelError(
            f"{purpose} needs the {table} table, which is not in sources; add sources.{table}, "
            "or choose another churn.label"
        )
