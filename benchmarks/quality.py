"""Model quality on real data: Setia beside the best known methods, with paired intervals.

`python -m benchmarks.quality` runs every data set that is here; SETIA_DATA names their folder.
`--save FOLDER` keeps rows and rivals between runs, so that only Setia is fitted again.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks import quality_rivals, quality_scores
from benchmarks.quality_data import SPLITS, Absent, Material, fingerprint, kept, material
from benchmarks.quality_given import TABLES, judged_table
from benchmarks.quality_promises import promises
from benchmarks.quality_rivals import rivals
from benchmarks.quality_scores import SETIA, Forecast, Scores, score
from benchmarks.quality_tables import differences, table
from training import dataset, rows
from training.dataset import CannotTrain, NotEnoughHistory
from training.fitting import fit_models, with_value
from training.rows import NoValueModel


def main() -> int:
    options = _options()
    held = [_held(name, options.save) for name in options.split or (*SPLITS, *TABLES)]
    return 0 if all(held) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--split", action="append", choices=(*SPLITS, *TABLES), help="repeatable; default all"
    )
    parser.add_argument("--save", type=Path, help="folder that keeps rows and rivals between runs")
    return parser.parse_args()


def _held(name: str, save: Path | None) -> bool:
    """Print what came of one data set; whether every promise about it holds."""
    print(f"\n## {name}\n", flush=True)
    try:
        lines = judged_table(name) if name in TABLES else _judged_split(name, save)
    except Absent as error:
        lines = [f"skipped: {error}"]
    except (NotEnoughHistory, CannotTrain, NoValueModel) as error:
        lines = [f"MISS refused: {error}"]
    print("\n".join(lines), flush=True)
    return not any(line.startswith("MISS") for line in lines)


def _judged_split(name: str, save: Path | None) -> list[str]:
    found = material(name, save)
    started = time.perf_counter()
    ours = _scored(found, _setia(found))
    seconds = time.perf_counter() - started
    others = _rivals(name, found, save)
    scores = {SETIA: ours, **others}
    about = f"{_about(found)}; Setia fitted and judged in {seconds:.0f} s\n"
    return [about, table(scores), differences(scores), *promises(name, ours, others)]


def _setia(found: Material) -> Forecast:
    """The product's models, fitted and asked exactly as `setia backtest` does."""
    training = found.config.training
    fitted = with_value(fit_models(found.churn, training), found.value, training)
    said = fitted.models.predict(found.churn.test.X)
    return Forecast(said.propensity, said.expected_orders, said.clv, said.clv_low, said.clv_high)


def _rivals(name: str, found: Material, save: Path | None) -> dict[str, Scores]:
    def scored() -> dict[str, Scores]:
        return {method: _scored(found, said) for method, said in rivals(found).items()}

    if save is None:
        return scored()
    code = fingerprint(dataset, rows, quality_rivals, quality_scores)
    return kept(save / f"{name}-rivals-{code}.pickle", scored)


def _scored(found: Material, forecast: Forecast) -> Scores:
    return score(found.actual, found.churn.test.customer_id, forecast)


def _about(found: Material) -> str:
    train, actual = found.churn.train, found.actual
    cutoffs, horizon = len(np.unique(train.cutoff)), found.config.churn.horizon_days
    learned = found.churn.basis.learned_days
    return (
        f"{len(found.churn.test):,} customers, horizon {horizon} days, "
        f"{actual['churn'].mean():.1%} silent, {actual['orders'].sum():,.0f} order days; "
        f"training rows {len(train):,} of {cutoffs} cutoffs with labels of {learned} days, "
        f"{train.X.shape[1]} features"
    )


if __name__ == "__main__":
    sys.exit(main())
