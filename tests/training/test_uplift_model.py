"""An uplift model in a bundle: the same predictions from files, and none that do not fit."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.config import TrainingConfig
from features.feature_contract import FeatureContract
from tests.tiny_bundle import TINY_CONTRACT, TINY_INFO, tiny_models, tiny_rows
from training.bundle import Bundle, BundleError, Uplift, load_bundle, write_bundle
from training.uplift.learners import LEARNERS
from training.uplift.trial import Trial
from training.uplift_model import NOBODY, Disturbance, Scale

ROWS = tiny_rows(60, seed=5)


def tiny_uplift(
    learner: str = "x_boosted", *, ranks: bool = True, contract: FeatureContract = TINY_CONTRACT
) -> Uplift:
    """A model of random outcomes: real files, nothing learned."""
    rng, X = np.random.default_rng(4), tiny_rows(400, contract)
    trial = Trial(
        X=X,
        contract=contract,
        customer_id=np.arange(400).astype(np.str_),
        cutoff=np.full(400, np.datetime64("2025-01-01", "us")),
        treated=rng.integers(0, 2, 400).astype(float),
        chance=np.full(400, 0.5),
        outcome=rng.integers(0, 2, 400).astype(float),
        value=np.ones(400),
    )
    model = LEARNERS[learner](trial, TrainingConfig())
    scores = model.predict(tiny_rows(60, contract, seed=5))
    harmed = Disturbance(up_to=float(np.median(scores)), slices=())
    return Uplift(model, ranks, "Uplift was judged.", Scale(level=0.01, slope=0.5), harmed)


def bundle_with(folder: Path, uplift: Uplift) -> Bundle:
    return write_bundle(folder, replace(tiny_models(), uplift=uplift), TINY_INFO, "# Tiny\n")


@pytest.mark.parametrize("learner", sorted(LEARNERS))
def test_every_learner_comes_back_from_its_files_to_the_bit(tmp_path: Path, learner: str) -> None:
    uplift = tiny_uplift(learner)
    bundle_with(tmp_path / "bundle", uplift)
    found = load_bundle(tmp_path / "bundle").models.uplift
    assert found is not None
    np.testing.assert_array_equal(found.model.predict(ROWS), uplift.model.predict(ROWS))
    for ours, theirs in zip(found.foreseen(ROWS), uplift.foreseen(ROWS), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert found.verdict == "Uplift was judged."


def test_a_bundle_without_one_has_none(tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle", tiny_models(), TINY_INFO, "# Tiny\n")
    assert load_bundle(tmp_path / "bundle").models.uplift is None


def test_changes_lie_on_the_line_that_the_trial_saw() -> None:
    uplift = tiny_uplift()
    expected = 0.01 + 0.5 * uplift.model.predict(ROWS)
    np.testing.assert_allclose(uplift.foreseen(ROWS).changes, expected)
    assert Scale(level=0.9, slope=1.0).apply(np.array([0.5, -3.0])).tolist() == [1.0, -1.0]


def test_an_abstaining_model_changes_nothing_but_may_still_leave_people_alone() -> None:
    uplift = tiny_uplift(ranks=False)
    changes, flags = uplift.foreseen(ROWS)
    assert changes is None
    assert flags.sum() == 30
    assert not replace(uplift, disturbance=NOBODY).foreseen(ROWS).do_not_disturb.any()


def test_no_rows_are_no_trouble() -> None:
    changes, flags = tiny_uplift().foreseen(ROWS[:0])
    assert (changes.tolist(), flags.tolist()) == ([], [])  # type: ignore[union-attr]


def test_a_row_alone_is_predicted_as_in_a_batch() -> None:
    uplift = tiny_uplift("t_logistic")
    together = uplift.model.predict(ROWS)
    assert [uplift.model.predict(row[None, :])[0] for row in ROWS] == together.tolist()


def test_a_missing_changed_or_foreign_file_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    bundle_with(folder, tiny_uplift())
    (folder / "uplift.1.txt").rename(tmp_path / "kept")
    with pytest.raises(BundleError, match=r"'uplift.1.txt' is missing"):
        load_bundle(folder)
    (tmp_path / "kept").rename(folder / "uplift.1.txt")
    (folder / "uplift.2.txt").write_text("more")
    with pytest.raises(BundleError, match=r"'uplift.2.txt' has no place"):
        load_bundle(folder)
    (folder / "uplift.2.txt").unlink()
    plan = folder / "uplift.json"
    plan.write_text(plan.read_text().replace('"ranks": true', '"ranks": false'))
    with pytest.raises(BundleError, match=r"'uplift.json' changed"):
        load_bundle(folder)


def test_a_model_of_other_features_is_refused(tmp_path: Path) -> None:
    other = TINY_CONTRACT.model_copy(update={"columns": TINY_CONTRACT.columns[::-1]})
    with pytest.raises(BundleError, match="takes other features"):
        write_bundle(
            tmp_path / "bundle",
            replace(tiny_models(other), uplift=tiny_uplift()),
            TINY_INFO,
            "# Tiny\n",
        )
