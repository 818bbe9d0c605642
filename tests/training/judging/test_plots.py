"""Pictures are written, repeat exactly, and say when the data is generated."""

import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from features.feature_contract import FeatureContract
from training.dataset import Dataset
from training.evaluate import ChurnEvaluation, ValueEvaluation, judge_churn, judge_value
from training.judging.plots import draw_churn, draw_coverage, draw_features, draw_value

ROWS = 300
BLUE = np.array([0x1F, 0x5F, 0x8B]) / 255


def ink(path: Path) -> int:
    """Pixels in the model's colour."""
    pixels = imread(path)[:, :, :3]
    return int((np.abs(pixels - BLUE).max(axis=2) < 0.01).sum())


def rows(**labels: np.ndarray) -> Dataset:
    ids = np.arange(ROWS).astype(str)
    cutoffs = np.full(ROWS, datetime(2024, 1, 1), dtype="datetime64[us]")
    return Dataset(np.empty((ROWS, 0)), ids, cutoffs, FeatureContract(columns=()), **labels)


@pytest.fixture(scope="module")
def churn() -> ChurnEvaluation:
    risk = np.linspace(0.05, 0.95, ROWS)
    churned = (np.random.default_rng(1).random(ROWS) < risk).astype(float)
    return judge_churn(rows(churned=churned), {"model": risk}, draws=20, seed=1)


@pytest.fixture(scope="module")
def value() -> ValueEvaluation:
    worth = np.arange(ROWS, dtype=float)
    interval = (np.zeros(ROWS), 2 * worth)
    return judge_value(rows(value=worth), {"model": worth}, interval, draws=20, seed=1)


def test_churn_pictures_are_drawn_and_repeat_exactly(
    tmp_path: Path, churn: ChurnEvaluation
) -> None:
    first = draw_churn(churn, tmp_path / "a" / "deeper", generated=False)
    second = draw_churn(churn, tmp_path / "b", generated=False)
    assert [path.name for path in first] == ["reliability.png", "gains.png"]
    for one, other in zip(first, second, strict=True):
        assert ink(one) > 300
        assert one.read_bytes() == other.read_bytes()


def test_generated_data_is_called_so_in_the_title(tmp_path: Path, churn: ChurnEvaluation) -> None:
    """The title takes a second line: at mid width, more rows of pixels hold dark ink."""

    def title_rows(folder: str, *, generated: bool) -> int:
        image = imread(draw_churn(churn, tmp_path / folder, generated=generated)[1])
        middle = image[:50, 350:550, :3]
        return int((middle.max(axis=2) < 0.3).any(axis=1).sum())

    one_line = title_rows("real", generated=False)
    assert 1.5 * one_line < title_rows("generated", generated=True) < 2.5 * one_line


def test_deciles_of_a_value_model_grow_from_left_to_right(
    tmp_path: Path, value: ValueEvaluation
) -> None:
    path = draw_value(value, tmp_path, currency="EUR", horizon_days=90, generated=False)
    pixels = imread(path)[:, :, :3]
    heights = (np.abs(pixels - BLUE).max(axis=2) < 0.01).sum(axis=0)
    half = len(heights) // 2
    assert path.name == "value_deciles.png"
    assert heights[half:].sum() > 2 * heights[:half].sum()


def test_coverage_of_intervals_that_always_hold_lies_on_one_line(
    tmp_path: Path, value: ValueEvaluation
) -> None:
    path = draw_coverage(value.coverage, tmp_path, generated=False)
    rows = (np.abs(imread(path)[:, :, :3] - BLUE).max(axis=2) < 0.01).sum(axis=1)
    assert path.name == "coverage.png"
    assert ink(path) > 300
    assert np.flatnonzero(rows).max() - np.flatnonzero(rows).min() < 200


def test_features_are_drawn_as_shares_in_order_of_importance(tmp_path: Path) -> None:
    """Three parts to one: the longer bar has three times the ink of the shorter."""
    both = {"orders_days_since_last": 3.0, "orders_frequency": 1.0}
    path = draw_features(both, tmp_path, target="churn", generated=False)
    pixels = np.abs(imread(path)[:, :, :3] - BLUE).max(axis=2) < 0.01
    lengths = pixels.sum(axis=1)
    long, short = lengths.max(), np.unique(lengths[lengths > 0]).min()
    assert path.name == "top_features_churn.png"
    assert long / short == pytest.approx(3, abs=0.05)
    assert lengths[: len(lengths) // 2].max() == long


def test_drawing_leaves_the_global_state_of_matplotlib_alone() -> None:
    code = "import sys, training.judging.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    root = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
