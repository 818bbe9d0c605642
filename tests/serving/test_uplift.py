"""Uplift is served from the promoted bundle, on rows as the online snapshot keeps them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.config import ServingConfig
from serving.online import FILE, OnlineSnapshot, about_scores, write_online
from serving.scoring import score_rows
from serving.served import NotReady, load_served
from tests.serving.operations import NOW
from tests.serving.scored_company import Company
from tests.training.test_uplift_model import ROWS, bundle_with, tiny_uplift


def served(workspace: Path) -> None:
    bundle = bundle_with(workspace / "bundle", tiny_uplift())
    names = [f"c{number}" for number in range(len(ROWS))]
    serving = ServingConfig()
    scores = score_rows(bundle, names, ROWS, None, serving, explain=False)
    about = about_scores(bundle, None, len(scores), serving, NOW, data_until=NOW)
    write_online(workspace / "scores" / FILE, bundle, about, scores, ROWS)


def test_the_rows_of_the_online_snapshot_give_the_changes_of_the_batch(tmp_path: Path) -> None:
    served(tmp_path)
    uplift = load_served(tmp_path).bundle.models.uplift
    assert uplift is not None
    found = OnlineSnapshot(tmp_path / "scores" / FILE).find_many(["c7", "c8"])
    X = np.vstack([found["c7"].features, found["c8"].features])
    told, batch = uplift.foreseen(X).changes, tiny_uplift().foreseen(ROWS[7:9]).changes
    np.testing.assert_array_equal(told, batch)


def test_scores_of_another_bundle_are_refused(tmp_path: Path) -> None:
    served(tmp_path)
    bundle_with(tmp_path / "bundle", replace(tiny_uplift(), verdict="Another."))
    with pytest.raises(NotReady, match="run `setia score` with the bundle"):
        load_served(tmp_path)


def test_a_company_that_never_held_anybody_out_has_none(company: Company) -> None:
    assert load_served(company.workspace).bundle.models.uplift is None
