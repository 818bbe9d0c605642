"""Model quality on real data: Setia beside the best known methods, with paired intervals.

`python -m benchmarks.quality` runs every data set that is here; SETIA_DATA names their folder.
`--save FOLDER` keeps rows and rivals between runs, so that only Setia is fitted again.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks import quality_rivals, quality_scores
from benchmarks.quality_data import SPLITS, Absent, Material, fingerprint, kept, material
from benchmarks.quality_promises import promises
from benchmarks.quality_rivals import Forecast, rivals
from benchmarks.quality_scores import COLUMNS, Scores, difference, score
from training import dataset, rows
from training.dataset import CannotTrain, NotEnoughHistory
from training.fitting import fit_models
from training.rows import NoValueModel

SETIA = "Setia"


def main() -> int:
    options = _options()
    kept_all = [_judged(name, options.save) for name in options.split or SPLITS]
    return 0 if all(kept_all) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--split", action="append", choices=SPLITS, help="repeatable; default all")
    parser.add_argument("--save", type=Path, help="folder that keeps rows and rivals between runs")
    return parser.parse_args()


def _judged(name: str, save: Path | None) -> bool:
    """Print one split's table and promises; whether every promise holds."""
    print(f"\n## {name}\n", flush=True)
    try:
        found = material(name, save)
        started = time.perf_counter()
        ours = score(found, _setia(found))
        seconds = time.perf_counter() - started
    except Absent as error:
        print(f"skipped: {error}")
        return True
    except (NotEnoughHistory, CannotTrain, NoValueModel) as error:
        print(f"MISS refused: {error}")
        return False
    scores = {SETIA: ours, **_rivals(name, found, save)}
    print(_about(found, seconds))
    print(_table(scores))
    print(_differences(scores))
    lines = promises(name, ours, {key: each for key, each in scores.items() if key != SETIA})
    print("\n".join(lines), flush=True)
    return not any(line.startswith("MISS") for line in lines)


def _setia(found: Material) -> Forecast:
    """The product's models, fitted and asked exactly as `setia backtest` does."""
    fitted = fit_models(found.churn.train, found.value.train, found.config.training)
    said = fitted.models.predict(found.churn.test.X)
    return Forecast(said.propensity, said.expected_orders, said.clv, said.clv_low, said.clv_high)


def _rivals(name: str, found: Material, save: Path | None) -> dict[str, Scores]:
    def scored() -> dict[str, Scores]:
        return {method: score(found, said) for method, said in rivals(found).items()}

    if save is None:
        return scored()
    code = fingerprint(dataset, rows, quality_rivals, quality_scores)
    return kept(save / f"{name}-rivals-{code}.pickle", scored)


def _about(found: Material, seconds: float) -> str:
    test, train = found.churn.test, found.churn.train
    orders, churned = np.asarray(test.orders), np.asarray(test.churned)
    cutoffs = len(np.unique(train.cutoff))
    return (
        f"{len(test):,} customers, horizon {found.config.churn.horizon_days} days, "
        f"{churned.mean():.1%} silent, {orders.sum():,.0f} order days; training rows "
        f"{len(train):,} of {cutoffs} cutoffs, {train.X.shape[1]} features; Setia fitted and "
        f"judged in {seconds:.0f} s\n"
    )


def _table(scores: Mapping[str, Scores]) -> str:
    heads = [*COLUMNS, "cover 90 %", "buyers", "top decile", "worst decile"]
    lines = [_row("method", heads), _row("---", ["---"] * len(heads))]
    for method, found in scores.items():
        cells = [_number(found.points[column]) for column in COLUMNS]
        lines.append(_row(method, [*cells, *_covered(found)]))
    return "\n".join(lines) + "\n"


def _covered(found: Scores) -> list[str]:
    held = found.coverage
    if held is None:
        return [""] * 4
    shares = (held.overall, held.buyers, held.deciles[-1], min(held.deciles))
    return [f"{share:.3f}" for share in shares]


def _differences(scores: Mapping[str, Scores]) -> str:
    """Setia minus each rival, with the paired 95 % interval."""
    lines = [_row("Setia minus", list(COLUMNS)), _row("---", ["---"] * len(COLUMNS))]
    for method, found in scores.items():
        if method == SETIA:
            continue
        gaps = [difference(scores[SETIA], found, column) for column in COLUMNS]
        cells = [f"{_number(d.point)} [{_number(d.low)}, {_number(d.high)}]" for d in gaps]
        lines.append(_row(method, cells))
    return "\n".join(lines) + "\n"


def _row(first: str, cells: list[str]) -> str:
    return f"| {' | '.join([first, *cells])} |"


def _number(value: float) -> str:
    return (
        f"{value:,.0f}"
        if abs(value) >= 1000
        else f"{value:.4f}"
        if abs(value) < 10
        else f"{value:.1f}"
    )


if __name__ == "__main__":
    sys.exit(main())
