"""Churn as a wide table states it: Setia beside a shallow LightGBM and a logistic regression."""

import gzip
import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from benchmarks.quality_data import example, present
from benchmarks.quality_scores import SETIA, Forecast, Scores, difference, score
from benchmarks.quality_tables import differences, table
from features.config import PipelineConfig
from features.engine import configured_snapshot
from features.ingest.run import ingest
from training.baselines import ALL_LOGISTIC, churn_baselines
from training.dataset import Dataset, Vector, build_dataset
from training.fitting import fit_models
from training.population import in_population
from training.rows import Rows

TABLES = ("ibm-telco", "iranian-churn")
SHALLOW = "shallow LightGBM"
_UNNUMBERED = "Customer_Churn.csv.gz"
_FOLDS = 5
_FARTHEST_MEAN = 0.15
_ROUNDS = 300
_SETTINGS = {
    "objective": "binary",
    "learning_rate": 0.03,
    "num_leaves": 8,
    "seed": 7,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}

Forecaster = Callable[[Dataset, Dataset], Vector]
"""Propensities of the second rows, learned from the first."""


def judged_table(name: str) -> list[str]:
    """Five folds of customers, each predicted by methods that have not seen it; promises last.

    Raises Absent when the data are not here.
    """
    with tempfile.TemporaryDirectory() as folder:
        config = _configured(name, Path(folder))
        data = given_rows(config)
    methods: dict[str, Forecaster] = {
        SETIA: lambda known, asked: _setia(config, known, asked),
        SHALLOW: _shallow,
        ALL_LOGISTIC: lambda known, asked: churn_baselines(known, asked)[ALL_LOGISTIC],
    }
    actual = {"churn": np.asarray(data.churned, dtype=np.float64)}
    scores = {
        method: score(actual, data.customer_id, Forecast(_out_of_fold(data, forecaster)))
        for method, forecaster in methods.items()
    }
    about = f"{len(data):,} customers, {actual['churn'].mean():.1%} churned, {_FOLDS} folds\n"
    lines = [*_promises(scores), _balanced(config, data)]
    return [about, table(scores), differences(scores), *lines]


def given_rows(config: PipelineConfig) -> Dataset:
    """Every customer of a table with a given label, as `setia train` reads it."""
    ingest(config)
    snapshot = configured_snapshot(config)
    return build_dataset(snapshot, config, (snapshot.manifest.watermark,), "churn")


def _configured(name: str, folder: Path) -> PipelineConfig:
    config = example(name)
    customers = config.sources["customers"]
    wanted = Path(customers.path or "")
    raw = wanted.parent / _UNNUMBERED
    if not wanted.exists() and raw.exists():
        wanted = numbered(raw, folder)
    sources = {"customers": customers.model_copy(update={"path": str(present(wanted, name))})}
    return config.model_copy(update={"workspace": folder, "sources": sources})


def numbered(raw: Path, folder: Path) -> Path:
    """The different rows of a compressed table without ids, numbered, as the README does it."""
    header, *rows = gzip.decompress(raw.read_bytes()).decode().splitlines()
    lines = [f"c{number:04d},{row}" for number, row in enumerate(dict.fromkeys(rows), 1)]
    written = folder / "customers.csv"
    written.write_text("\n".join([f"customer_id,{header}", *lines]) + "\n", encoding="utf-8")
    return written


def _out_of_fold(data: Dataset, forecaster: Forecaster) -> Vector:
    fold = _folds(data)
    said = np.empty(len(data))
    for place in range(_FOLDS):
        said[fold == place] = forecaster(data.rows(fold != place), data.rows(fold == place))
    return said


def _folds(data: Dataset) -> npt.NDArray[np.int64]:
    """By other bytes than the product's own folds, which then split each training part anew."""
    digests = (hashlib.sha256(str(one).encode()).digest() for one in data.customer_id)
    return np.array([int.from_bytes(digest[8:12]) % _FOLDS for digest in digests])


def _setia(config: PipelineConfig, known: Dataset, asked: Dataset) -> Vector:
    models = fit_models(Rows(known, asked), config.training).models
    return models.predict(asked.X).propensity


def _shallow(known: Dataset, asked: Dataset) -> Vector:
    rows = lgb.Dataset(known.X, known.churned, categorical_feature=known.contract.categorical)
    booster = lgb.train(_SETTINGS, rows, _ROUNDS)
    return np.asarray(booster.predict(asked.X, num_threads=1), dtype=np.float64)


def _promises(scores: dict[str, Scores]) -> list[str]:
    ours, rival = scores[SETIA], scores[SHALLOW]
    gap = difference(ours, rival, "AUC")
    lines = [
        f"{'PASS' if gap.point >= 0 else 'MISS'} AUC {ours.points['AUC']:.4f} is not below "
        f"{SHALLOW} {rival.points['AUC']:.4f}: {gap.point:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]"
    ]
    for column in ("ECE", "log loss"):
        mine, theirs = ours.points[column], rival.points[column]
        verdict = "PASS" if mine < theirs else "MISS"
        lines.append(f"{verdict} {column} {mine:.4f} is lower than {theirs:.4f}")
    return lines


def _balanced(config: PipelineConfig, data: Dataset) -> str:
    """Taught by as many churners as stayers, told the share in all: the mean of the others."""
    teaches = _folds(data) > 1
    known, asked = data.rows(teaches), data.rows(~teaches)
    left, stayed = (np.flatnonzero(np.asarray(known.churned) == kind) for kind in (1, 0))
    even = known.rows(np.sort(np.concatenate([left, stayed[: len(left)]])))
    models = fit_models(Rows(even, asked), config.training).models
    rate = float(np.asarray(data.churned).mean())
    said = in_population(models.churn, even, rate).predict(asked.X).mean()
    ratio = said / np.asarray(asked.churned).mean()
    verdict = "PASS" if abs(ratio - 1.0) <= _FARTHEST_MEAN else "MISS"
    return (
        f"{verdict} balanced to 50 % with population_rate {rate:.3f}: mean {said:.3f}, "
        f"{ratio:.3f} of what happened (within {_FARTHEST_MEAN:.0%})"
    )
