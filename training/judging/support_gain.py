"""What support experience adds to a churn model that knows behaviour alone, and through what."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations

import numpy as np
import numpy.typing as npt

from features.catalogue import feature_named
from features.config import PipelineConfig, TrainingConfig
from features.feature_contract import FeatureContract
from features.snapshot import Snapshot
from training.churn import fit_churn
from training.dataset import CannotTrain, Dataset, build_dataset, plan_split
from training.evaluate import ChurnEvaluation, judge_churn
from training.judging.comparison import MODEL, Estimate
from training.metrics import Counts, Vector, bootstrap
from training.models import ChurnModel
from training.rows import Rows

BEHAVIOUR = "behaviour alone"
SUPPORT_TABLES = frozenset(("tickets", "surveys"))
CAUSES: Mapping[str, tuple[str, ...]] = {
    "slow_response": ("first_response", "late_answer", "tickets_unanswered"),
    # A ticket that is opened again is open again, so open tickets tell of it too.
    "reopened": ("reopened", "tickets_open", "tickets_last_is_open", "resolution_rate"),
    "escalated": ("escalated",),
    "low_csat": ("surveys_csat", "surveys_low_csat"),
}
"""Cause of discontent to the parts of names by which the features that tell of it are known."""

_SHUFFLES = 10
_LEVEL = (2.5, 97.5)


@dataclass(frozen=True)
class SupportGain:
    """A churn model with support beside one without, on the same test customers."""

    evaluation: ChurnEvaluation
    """The model that knows support as well, judged; its one rival is `BEHAVIOUR`."""
    causes: Mapping[str, Estimate]
    """Cause to the log-loss that forgetting it would cost the model, in nats a customer."""
    apart: Mapping[tuple[str, str], Estimate]
    """Pair of causes to the paired difference of those, the first less the second."""

    @property
    def auc(self) -> Estimate:
        """AUC with support less AUC by behaviour alone, paired."""
        return self.evaluation.comparison.differences[BEHAVIOUR]["auc"]

    def told_apart(self) -> list[tuple[str, str]]:
        """Pairs of causes whose difference has an interval without 0, the stronger first."""
        found = []
        for (one, other), difference in self.apart.items():
            if difference.low > 0:
                found.append((one, other))
            elif difference.high < 0:
                found.append((other, one))
        return found


def support_gain(snapshot: Snapshot, config: PipelineConfig) -> SupportGain:
    """What support adds in this company, learned and judged at the cutoffs of a training run.

    Raises NotEnoughHistory, CannotTrain and CannotJudge as a training run does.
    """
    split = plan_split(snapshot, config, config.churn.horizon_days)
    train = build_dataset(snapshot, config, split.train, "churn")
    test = build_dataset(snapshot, config, (split.test,), "churn", train.contract)
    return gain_on(train, test, config.training)


def gain_on(train: Dataset, test: Dataset, training: TrainingConfig) -> SupportGain:
    """Fit churn models with and without support on `train`, and compare them on `test`.

    Both see the same rows and choose their rounds alike. Intervals are 95 % bootstraps over
    the test customers; they do not hold how the models would differ on other training rows.

    Raises CannotTrain and CannotJudge as fitting and judging do, and CannotTrain where there is
    no support to add, or nothing else.
    """
    known = _named(train, lambda name: feature_named(name).source not in SUPPORT_TABLES)
    if not 0 < len(known) < len(train.contract.names):
        raise CannotTrain(
            "support can be weighed only beside behaviour; configure tickets or surveys, and orders"
        )
    full = fit_churn(Rows(train, train), training).model
    without = _only(train, known)
    behaviour = fit_churn(Rows(without, without), training).model
    evaluation = judge_churn(
        test,
        {MODEL: full.predict(test.X), BEHAVIOUR: behaviour.predict(_only(test, known).X)},
        draws=training.bootstrap_draws,
        seed=training.seed,
    )
    causes, apart = _estimates(forgetting(full, test, training.seed), test, training)
    return SupportGain(evaluation, causes, apart)


def forgetting(model: ChurnModel, test: Dataset, seed: int) -> dict[str, Vector]:
    """Cause to the log-loss each test row gains when the model is misled about the cause.

    The features of a cause are taken together from another customer at random, ten times over:
    grouped permutation importance, after Breiman (2001), "Random Forests", section 10.
    """
    churned, dice = np.asarray(test.churned), np.random.default_rng(seed)
    known = _surprise(model, test.X, churned)
    misled = {}
    for cause in CAUSES:
        told = _named(test, partial(_tells, cause))
        X, losses = test.X.copy(), np.zeros(len(test))
        for _ in range(_SHUFFLES):
            X[:, told] = test.X[dice.permutation(len(test))][:, told]
            losses += _surprise(model, X, churned) - known
        misled[cause] = losses / _SHUFFLES
    return misled


def _tells(cause: str, name: str) -> bool:
    """Whether the feature `name` tells of `cause`."""
    return any(part in name for part in CAUSES[cause])


def _surprise(model: ChurnModel, X: npt.NDArray[np.float64], churned: Vector) -> Vector:
    """Log-loss of each row, in nats."""
    said = model.predict(X)
    return -np.log(np.where(churned > 0, said, 1 - said))


def _estimates(
    losses: Mapping[str, Vector], test: Dataset, training: TrainingConfig
) -> tuple[dict[str, Estimate], dict[tuple[str, str], Estimate]]:
    """Mean loss by cause, and the paired difference of each two, over the same draws."""
    drawn = bootstrap(
        {"loss": _mean_loss},
        np.asarray(test.churned),
        losses,
        test.customer_id,
        draws=training.bootstrap_draws,
        seed=training.seed,
    )
    means = {cause: (loss.mean(), drawn[cause]["loss"]) for cause, loss in losses.items()}
    causes = {cause: _estimate(*mean) for cause, mean in means.items()}
    apart = {
        (one, other): _estimate(means[one][0] - means[other][0], means[one][1] - means[other][1])
        for one, other in combinations(means, 2)
    }
    return causes, apart


def _mean_loss(_: Vector, losses: Vector, counts: Counts) -> Vector:
    return np.asarray(counts @ losses / counts.sum(axis=1))


def _estimate(point: float, draws: Vector) -> Estimate:
    low, high = np.percentile(draws, _LEVEL)
    return Estimate(float(point), float(low), float(high))


def _named(data: Dataset, chosen: Callable[[str], bool]) -> npt.NDArray[np.intp]:
    """Places of the columns whose names are `chosen`."""
    return np.flatnonzero([chosen(name) for name in data.contract.names])


def _only(data: Dataset, places: npt.NDArray[np.intp]) -> Dataset:
    """The rows with none but the columns at `places`."""
    columns = tuple(data.contract.columns[place] for place in places)
    return replace(
        data,
        X=np.ascontiguousarray(data.X[:, places]),
        contract=FeatureContract(columns=columns),
    )
