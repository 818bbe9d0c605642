"""How all customers order, as known at a cutoff: what BTYD is fitted to."""

from datetime import datetime

import numpy as np
import numpy.typing as npt

from features.config import PipelineConfig
from features.feature_contract import FeatureContract, Matrix
from features.labels import net_share
from features.snapshot import Snapshot
from features.windows import day_number
from training.btyd.composite import Btyd
from training.btyd.history import History
from training.btyd.likelihood import CannotFit
from training.families.forecast import Standpoint, can_forecast

_LEAST_SHARE = 0.01
# The amounts are added as decimals, so that the order of adding does not show.
_HISTORIES = """
    SELECT customer_id, count(DISTINCT day) - 1 AS frequency, max(day) - min(day) AS recency,
           $day - 1 - min(day) AS t, count(DISTINCT day) AS orders,
           CAST(sum(CAST(amount AS DECIMAL(38, 9))) AS DOUBLE) / count(DISTINCT day) AS mean_value
    FROM orders WHERE NOT is_return AND day < $day GROUP BY customer_id ORDER BY customer_id
"""


def histories(snapshot: Snapshot, cutoff: datetime) -> History:
    """The history of every customer who had ordered before `cutoff`, by id; times in days."""
    return histories_by_customer(snapshot, cutoff)[1]


def histories_by_customer(
    snapshot: Snapshot, cutoff: datetime
) -> tuple[npt.NDArray[np.str_], History]:
    """The customers who had ordered before `cutoff`, sorted, and their histories."""
    day = day_number(cutoff, snapshot.zone)
    found = snapshot.connection.cursor().execute(_HISTORIES, {"day": day}).fetchnumpy()
    columns = (np.asarray(found[name], dtype=np.float64) for name in _COLUMNS)
    return np.asarray(found["customer_id"], dtype=np.str_), History(*columns)


_COLUMNS = ("frequency", "recency", "t", "orders", "mean_value")


def standpoint(
    snapshot: Snapshot,
    config: PipelineConfig,
    cutoff: datetime,
    contract: FeatureContract,
    X: Matrix,
) -> Standpoint | None:
    """BTYD as it can be fitted at `cutoff`, and the customers asked about then.

    None when the features do not hold every customer's orders, or too few ordered again.
    """
    if "orders" not in snapshot.manifest.tables or not can_forecast(contract.names):
        return None
    if np.isnan(X[:, contract.names.index("orders_T")]).any():
        return None
    try:
        btyd = Btyd.fit(histories(snapshot, cutoff))
    except CannotFit:
        return None
    share = net_share(snapshot, config, cutoff)
    return Standpoint(X, btyd, max(share, _LEAST_SHARE))
