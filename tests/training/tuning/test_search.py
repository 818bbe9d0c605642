"""The search for boosting settings: purged folds, the same answer however often it was killed."""

from datetime import timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from features.config import BoostingConfig, TrainingConfig, TuningConfig
from features.feature_contract import FeatureColumn, FeatureContract
from training.calibration import sigmoid
from training.dataset import CannotTrain, Dataset
from training.families.boosting_settings import boosting_settings, default_boosting
from training.tuning.folds import customer_groups, time_folds
from training.tuning.search import Trial, Tuned, tune

pytest.importorskip("optuna")

UTC = ZoneInfo("UTC")
CONTRACT = FeatureContract(
    columns=tuple(FeatureColumn(name=f"orders_{n}", definition="made") for n in "abc")
)


@cache
def company(cutoffs: int = 6, every: int = 30) -> Dataset:
    """Two hundred customers at so many cutoffs; two features decide together who churns."""
    rng = np.random.default_rng(1)
    rows = 200 * cutoffs
    X = rng.normal(0.0, 1.0, (rows, 3))
    first = np.datetime64("2025-01-01", "us")
    times = first + np.arange(cutoffs) * np.timedelta64(every, "D")
    return Dataset(
        X=X,
        customer_id=np.tile([f"c{n}" for n in range(200)], cutoffs),
        cutoff=np.repeat(times, 200),
        contract=CONTRACT,
        churned=(rng.random(rows) < sigmoid(2 * X[:, 0] * X[:, 1])).astype(float),
    )


def search(store: Path, trials: int, seed: int = 7) -> tuple[Tuned, list[Trial]]:
    seen: list[Trial] = []
    folds = time_folds(company(), 90, UTC)
    budget = TuningConfig(trials=trials)
    return tune(company(), folds, TrainingConfig(seed=seed), budget, store, seen.append), seen


def test_the_folds_by_hand() -> None:
    """Six cutoffs 30 days apart, horizon 90: the last three each judge what ends before them."""
    data = company()
    folds = time_folds(data, 90, UTC)
    assert [len(fold.teach) for fold in folds] == [200, 400, 600]
    for fold, judge in zip(folds, (3, 4, 5), strict=True):
        assert set(data.cutoff[fold.judge]) == {np.unique(data.cutoff)[judge]}


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
@pytest.mark.parametrize(("horizon", "every"), [(30, 7), (61, 30), (90, 45)])
def test_no_label_that_teaches_ends_after_its_judges_stand(
    zone: str, horizon: int, every: int
) -> None:
    data = company(9, every)
    for fold in time_folds(data, horizon, ZoneInfo(zone)):
        last = data.cutoff[fold.teach].max() + np.timedelta64(horizon, "D")
        late = last - data.cutoff[fold.judge].min()
        # A local day at a change of the clocks is an hour shorter or longer.
        assert late.astype(timedelta) <= timedelta(hours=1)


def test_cutoffs_that_are_no_horizon_apart_are_refused_with_what_to_change() -> None:
    with pytest.raises(CannotTrain, match=r"2025-01-01 and 2025-03-02 .* raise training.cutoffs"):
        time_folds(company(3), 90, UTC)


def test_groups_of_customers_judge_where_labels_have_no_time() -> None:
    data = company(2)
    for fold in customer_groups(data):
        assert not set(data.customer_id[fold.teach]) & set(data.customer_id[fold.judge])
        assert len(fold.teach) + len(fold.judge) == len(data)


def test_a_search_that_was_stopped_goes_on_to_the_same_answer(tmp_path: Path) -> None:
    """Parity: 2 trials, then 7 in all, and 10 in all, beside 10 at once, to the last digit."""
    at_once, every = search(tmp_path / "one.db", 10)
    parts = [search(tmp_path / "two.db", trials) for trials in (2, 7, 10)]
    assert [len(seen) for _, seen in parts] == [2, 5, 3]
    assert repr([trial for _, seen in parts for trial in seen]) == repr(every)
    assert parts[-1][0] == at_once
    assert at_once.stopped_early > 0


def test_the_default_settings_are_tried_first_and_the_answer_is_no_worse(tmp_path: Path) -> None:
    found, seen = search(tmp_path / "one.db", 4)
    assert seen[0].boosting == default_boosting(len(company()))
    assert found.default_log_loss == seen[0].log_loss
    assert found.log_loss == min(trial.log_loss for trial in seen if not trial.stopped_early)
    assert found.words.startswith("Tuning tried 4 settings")


def test_a_search_of_one_trial_changes_nothing(tmp_path: Path) -> None:
    assert search(tmp_path / "one.db", 1)[0].boosting == BoostingConfig()


def test_another_seed_is_another_search(tmp_path: Path) -> None:
    first, other = (search(tmp_path / "one.db", 3, seed)[1] for seed in (1, 2))
    assert len(other) == 3
    assert [trial.boosting for trial in first[1:]] != [trial.boosting for trial in other[1:]]


def test_no_trial_begins_after_the_minutes_are_over(tmp_path: Path) -> None:
    budget = TuningConfig(trials=50, minutes=1e-9)
    folds = time_folds(company(), 90, UTC)
    found = tune(company(), folds, TrainingConfig(), budget, tmp_path / "one.db", lambda _: None)
    assert found.trials == 1


def test_rows_without_labels_are_refused(tmp_path: Path) -> None:
    data = company()
    bare = Dataset(data.X, data.customer_id, data.cutoff, data.contract)
    with pytest.raises(CannotTrain, match="carry no churn labels"):
        tune(bare, [], TrainingConfig(), TuningConfig(trials=1), tmp_path / "s.db", lambda _: None)


def test_given_settings_have_the_last_word_over_the_defaults() -> None:
    training = TrainingConfig(boosting=BoostingConfig(num_leaves=31))
    settings = boosting_settings("tweedie", 500, training)
    assert (settings["num_leaves"], settings["learning_rate"]) == (31, 0.06)
    assert (settings["min_data_in_leaf"], settings["metric"]) == (5, "tweedie")
