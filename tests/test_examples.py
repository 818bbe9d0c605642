"""The worked examples, on the public data they name; skipped where it is absent."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.config import ChurnConfig, PipelineConfig, load_config
from features.ingest.report import IngestReport
from features.ingest.run import ingest
from features.leakage import changed_features
from features.snapshot import open_snapshot
from features.windows import cutoff_from
from serving.batch import score_snapshot
from tests.shared_data import shared_data
from training.dataset import CannotTrain
from training.run import backtest, train

EXAMPLES = Path(__file__).parents[1] / "examples"
LARGEST_PICTURE = 150_000
"""Bytes."""

Checked = tuple[PipelineConfig, IngestReport]
CheckExample = Callable[[str], Checked]


@pytest.fixture(scope="module")
def check_example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckExample]:
    """Ingest an example into a workspace of its own, once for this module."""
    checked: dict[str, Checked] = {}

    def check(name: str) -> Checked:
        if name not in checked:
            config = load_config(EXAMPLES / name / "pipeline.yaml")
            workspace = tmp_path_factory.mktemp(name)
            config = config.model_copy(update={"workspace": workspace})
            checked[name] = config, ingest(config)
        return checked[name]

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SETIA_DATA", str(shared_data()))
        yield check


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "SETIA_BUNDLE_KEY"):
        monkeypatch.delenv(name, raising=False)


def silent(label: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def brief(config: PipelineConfig, workspace: Path, cutoffs: int = 1) -> PipelineConfig:
    """The same with few cutoffs and draws, tracked in `workspace`, on the same snapshot."""
    (workspace / "snapshots").symlink_to(config.workspace / "snapshots")
    training = config.training.model_copy(update={"cutoffs": cutoffs, "bootstrap_draws": 40})
    return config.model_copy(update={"workspace": workspace, "training": training})


@pytest.mark.parametrize(
    ("name", "read", "accepted"),
    [
        ("online-retail", 502_938, 400_996),
        ("cdnow", 69_659, 69_659),
        ("ravenstack", 34_500, 34_500),
        ("ibm-telco", 7_043, 7_043),
    ],
)
def test_every_row_of_an_example_is_accepted_or_set_aside(
    check_example: CheckExample, name: str, read: int, accepted: int
) -> None:
    _, report = check_example(name)
    assert sum(table.rows_read for table in report.tables) == read
    assert sum(table.accepted for table in report.tables) == accepted
    assert sum(table.rejected for table in report.tables) == 0
    assert sum(sum(t.set_aside.values()) for t in report.tables) == read - accepted


def test_nothing_that_the_retailer_sold_later_changes_a_feature(
    check_example: CheckExample,
) -> None:
    config, _ = check_example("online-retail")
    snapshot = open_snapshot(config.workspace / "snapshots")
    cutoffs = [cutoff_from(day, config.zone) for day in ("2010-05-02", "2010-09-01")]
    assert changed_features(snapshot, cutoffs) == []


@pytest.mark.parametrize(
    ("name", "cutoffs", "skill"), [("online-retail", 3, 0.65), ("cdnow", 1, 0.75)]
)
def test_an_example_trains_is_promoted_and_scores_with_reasons(
    check_example: CheckExample, tmp_path: Path, name: str, cutoffs: int, skill: float
) -> None:
    """The retailer's season turns: one or two cutoffs would leave it badly calibrated."""
    config = brief(check_example(name)[0], tmp_path, cutoffs)
    report = train(config, True, silent)
    assert report.refusals == ()
    assert report.churn.comparison.methods["model"]["auc"].low > skill
    assert report.value is not None
    assert report.value.comparison.differences["mean value"]["gini"].low > 0
    run = score_snapshot(config, None, datetime(2026, 1, 1, tzinfo=UTC), silent)
    called = [score.value_at_risk for score in run.scores if score.risk_tier != "low"]
    assert [score.value_at_risk for score in run.scores][: len(called)] == called
    assert called == sorted(called, reverse=True)
    assert all(len(score.reasons) == 3 for score in run.scores[:100])


def test_the_backtest_of_the_retailer_beats_a_rule_and_is_no_worse_than_rfm(
    check_example: CheckExample, tmp_path: Path
) -> None:
    config, _ = check_example("online-retail")
    report = backtest(config, cutoff_from("2010-09-01", config.zone), tmp_path, silent)
    gained = report.churn.comparison.differences
    assert gained["best single rule"]["auc"].low > 0
    assert gained["RFM logistic"]["auc"].high > 0
    readme = (EXAMPLES / "online-retail" / "README.md").read_text()
    stated = re.findall(r"^\| \**([\w ]+?)\** \| (\d\.\d{3})", readme, re.MULTILINE)[:4]
    assert dict(stated).keys() == report.churn.comparison.methods.keys()
    for method, auc in stated:
        found = report.churn.comparison.methods[method]["auc"].point
        assert found == pytest.approx(float(auc), abs=0.005)


def test_ravenstack_contradicts_itself_and_the_check_counts_it(
    check_example: CheckExample,
) -> None:
    _, report = check_example("ravenstack")
    tickets, events = report.warnings
    assert tickets.startswith("tickets: 1,077 rows (53.9 %) are dated before")
    assert events.startswith("events: 19,142 rows (76.6 %) happened before the start")
    assert report.table("tickets").rows_read == 2_000
    assert report.table("events").rows_read == 25_000


def test_ravenstack_shows_no_skill_and_is_refused(
    check_example: CheckExample, tmp_path: Path
) -> None:
    report = train(brief(check_example("ravenstack")[0], tmp_path), True, silent)
    auc = report.churn.comparison.methods["model"]["auc"]
    assert auc.low < 0.5 < auc.high
    assert "no evidence of skill" in report.refusals[0]
    assert report.promoted is None
    assert not (tmp_path / "bundle").exists()


def test_ravenstack_has_one_subscription_churner_and_nothing_to_learn_from(
    check_example: CheckExample,
) -> None:
    config, _ = check_example("ravenstack")
    churn = ChurnConfig(label="subscription", horizon_days=90, grace_days=30)
    with pytest.raises(CannotTrain, match="1 of 1662 rows churned"):
        train(config.model_copy(update={"churn": churn}), False, silent)


@pytest.mark.parametrize("name", ["online-retail", "cdnow", "ravenstack"])
def test_an_example_shows_every_picture_it_keeps_and_keeps_them_small(name: str) -> None:
    folder = EXAMPLES / name
    shown = re.findall(r"!\[.+?\]\((.+?)\)", (folder / "README.md").read_text())
    kept = {str(file.relative_to(folder)): file.stat().st_size for file in folder.rglob("*.png")}
    assert set(shown) == kept.keys()
    assert max(kept.values()) < LARGEST_PICTURE
