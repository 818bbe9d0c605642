"""Training: the default fit beside one plain LightGBM fit of 200 trees, on the same rows.

`python -m benchmarks.training` is small; `--customers 200000` is the promise's size. The rows are
synthetic arrays made directly, not a company. Each fit is a process of its own with one thread: CPU
seconds are of the fit alone, peak memory is of the whole process, the rows in it included.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np

from features.config import TrainingConfig
from features.feature_contract import FeatureColumn, FeatureContract
from training.dataset import Dataset

FITS = ("plain", "default")
MOST_TIMES_PLAIN = 10.0
MOST_MEGABYTES = 4_000
PROMISED_CUSTOMERS = 200_000
TREES = 200
HORIZON = 90
_HISTORY = (
    "orders_days_since_last",
    "orders_frequency",
    "orders_recency",
    "orders_T",
    "orders_value_mean",
)
_UNKNOWN = 0.05


def main() -> int:
    options = _options()
    if options.fit:
        print(json.dumps(_fit(options)))
        return 0
    rows = options.customers * options.cutoffs
    print(f"synthetic: {rows:,} rows x {options.features} features")
    plain, default = (_measured(options, fit) for fit in FITS)
    times = default["cpu"] / plain["cpu"]
    print(f"default fit over plain fit: {times:.1f} times the CPU")
    if options.customers < PROMISED_CUSTOMERS:
        print(f"the promise is for {PROMISED_CUSTOMERS:,} customers; fewer weigh the folds more")
        return 0
    print(f"at most {MOST_TIMES_PLAIN:g} times and {MOST_MEGABYTES:,} MB are promised")
    return 0 if times <= MOST_TIMES_PLAIN and default["megabytes"] <= MOST_MEGABYTES else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--customers", type=int, default=2_000)
    parser.add_argument("--cutoffs", type=int, default=6)
    parser.add_argument("--features", type=int, default=150)
    parser.add_argument("--fit", choices=FITS, help="one fit, as JSON; used by the run itself")
    return parser.parse_args()


def _measured(options: argparse.Namespace, fit: str) -> dict[str, float]:
    sizes = [f"--{name}={getattr(options, name)}" for name in ("customers", "cutoffs", "features")]
    command = [sys.executable, "-m", "benchmarks.training", f"--fit={fit}", *sizes]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(ended.stdout)
    print(
        f"{fit} fit: {found['cpu']:.1f} s CPU, {found['seconds']:.1f} s, peak "
        f"{found['megabytes']:,.0f} MB (before the fit {found['before']:,.0f} MB)",
        flush=True,
    )
    return found


def _fit(options: argparse.Namespace) -> dict[str, float]:
    """CPU and wall seconds of one fit, and the process's peak memory before and after it."""
    import lightgbm  # noqa: F401  (loading it is no part of a fit)

    data = _rows(options.customers, options.cutoffs, options.features)
    before = _peak()
    cpu, wall = time.process_time(), time.perf_counter()
    _plain(data) if options.fit == "plain" else _default(data)
    return {
        "cpu": time.process_time() - cpu,
        "seconds": time.perf_counter() - wall,
        "before": before,
        "megabytes": _peak(),
    }


def _plain(data: Dataset) -> None:
    import lightgbm as lgb

    settings = {"objective": "binary", "num_threads": 1, "verbosity": -1}
    lgb.train(settings, lgb.Dataset(data.X, data.churned), num_boost_round=TREES)


def _default(data: Dataset) -> None:
    """The fit that `setia train` makes of rows whose last cutoff judges what the first have."""
    from training.btyd.composite import Btyd
    from training.families.forecast import Standpoint, history_of
    from training.fitting import fit_models, with_value
    from training.rows import Basis, Rows, ValueRows, proof_of

    last = data.rows(data.cutoff == data.cutoff.max())
    stand = Standpoint(last.X, Btyd.fit(history_of(last.X, data.contract.names)), 1.0)
    basis = Basis(HORIZON, HORIZON, stand, proof_of(data, HORIZON, lambda _: stand))
    fitted = fit_models(Rows(data, last, basis), TrainingConfig())
    with_value(fitted, ValueRows(data, last, basis), TrainingConfig())


def _peak() -> float:
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes / (1024 * 1024 if sys.platform == "darwin" else 1024)


def _rows(customers: int, cutoffs: int, features: int) -> Dataset:
    """Customers who buy at paces and sizes of their own; what they do hangs on their past."""
    rng = np.random.default_rng(7)
    rows = customers * cutoffs
    X = rng.standard_normal((rows, features))
    days, pace = rng.uniform(30, 700, rows), rng.gamma(1.5, 0.02, rows)
    again = rng.poisson(pace * days)
    since = np.where(again > 0, days * rng.beta(1.0, 1.0 + again), days)
    X[:, :5] = np.column_stack([since, again, days - since, days, rng.gamma(4.0, 10.0, rows)])
    for place in range(5, features):
        X[rng.random(rows) < _UNKNOWN, place] = np.nan
    active = rng.random(rows) < 1.0 / (1.0 + np.exp(since * pace - 1.5))
    orders = rng.poisson(HORIZON * pace * active).astype(np.float64)
    first = np.datetime64("2024-01-01", "us")
    return Dataset(
        X=X,
        customer_id=np.tile(np.array([f"c{n}" for n in range(customers)]), cutoffs),
        cutoff=np.repeat(first + np.arange(cutoffs) * np.timedelta64(30, "D"), customers),
        contract=_contract(features),
        churned=(orders == 0).astype(np.float64),
        value=orders * X[:, 4] * rng.gamma(4.0, 0.25, rows),
        orders=orders,
    )


def _contract(features: int) -> FeatureContract:
    made = [f"customers_made_{place}" for place in range(len(_HISTORY), features)]
    columns = (FeatureColumn(name=name, definition="synthetic") for name in (*_HISTORY, *made))
    return FeatureContract(columns=tuple(columns))


if __name__ == "__main__":
    sys.exit(main())
