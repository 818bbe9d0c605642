"""Whom contact keeps: an uplift model that ranks only once randomised evidence says it may."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from features.config import TrainingConfig
from training.judging.comparison import Estimate
from training.metrics import Vector, bootstrap, measure
from training.uplift.disturbance import fit_disturbance
from training.uplift.learners import LEARNERS
from training.uplift.qini import qini_metric
from training.uplift.scores import RESPONSE_SCORE, Judged, judged_scores
from training.uplift.trial import Trial, require_trial
from training.uplift_model import NOBODY, Scale, Uplift

RESPONSE, AT_RISK, RANDOM = "response model", "value at risk", "a random order"
_TAIL = 2.5


@dataclass(frozen=True)
class UpliftVerdict:
    """The learner chosen by its Qini on unseen customers, and whether it may rank."""

    learner: str
    qini: Mapping[str, Estimate]
    """Qini per 1,000 customers, in value, by learner and rival, each with its own interval."""
    gains: Mapping[str, Estimate]
    """Chosen learner's Qini less each rival's, paired by draw.

    The intervals hold for all learners at once, so that choosing the best of them is paid for.
    """

    @property
    def is_used(self) -> bool:
        """Whether uplift may rank: surely better than every rival and than chance."""
        return all(gain.low > 0 for gain in self.gains.values())

    @property
    def beats_chance(self) -> bool:
        """Whether uplift surely ranks better than a random order: if not, it flags nobody."""
        return self.gains[RANDOM].low > 0

    def __str__(self) -> str:
        if self.is_used:
            shown = "; ".join(f"{gain} over {rival}" for rival, gain in self.gains.items())
            return f"Uplift ({self.learner}) may rank: its Qini per 1,000 gains {shown}."
        rival, gain = min(self.gains.items(), key=lambda item: item[1].low)
        return (
            f"Uplift abstains: this trial shows nothing to exploit, for the best learner "
            f"({self.learner}) does not surely rank better than {rival}. Its Qini per 1,000 "
            f"differs by {gain}; ranking stays as it was until a trial shows more."
        )


@dataclass(frozen=True)
class UpliftFit:
    """A fitted uplift model, the verdict on it, and the rows that judged it."""

    uplift: Uplift
    verdict: UpliftVerdict
    judged: Judged

    @property
    def metrics(self) -> dict[str, float]:
        """Numbers to track, by name."""
        chosen = self.verdict.qini[self.verdict.learner]
        told = {"uplift_qini": chosen} | {
            f"uplift_qini_vs_{rival.removeprefix('a ').replace(' ', '_')}": gain
            for rival, gain in self.verdict.gains.items()
        }
        return {
            f"{name}{bound}": value
            for name, found in told.items()
            for bound, value in (("", found.point), ("_low", found.low), ("_high", found.high))
        }


def fit_uplift(trial: Trial, horizon_days: int, training: TrainingConfig) -> UpliftFit:
    """Choose a learner by how it ranks unseen customers, judge it, and fit it on the whole trial.

    It is fitted even when the verdict is to abstain, so that it can be watched; its `changes`
    are None then. `horizon_days` is how long an outcome takes to be known.

    Raises NoTrial when the rows are no randomised trial to learn from.
    """
    require_trial(trial)
    judged = judged_scores(trial, horizon_days, training)
    verdict = judge_uplift(judged.trial, judged.scores, training)
    score, response = judged.scores[verdict.learner], judged.scores[RESPONSE_SCORE]
    uplift = Uplift(
        model=LEARNERS[verdict.learner](trial, training),
        ranks=verdict.is_used,
        verdict=str(verdict),
        scale=fit_scale(judged.trial, score, response),
        disturbance=fit_disturbance(judged.trial, score, response)
        if verdict.beats_chance
        else NOBODY,
    )
    return UpliftFit(uplift, verdict, judged)


def fit_scale(trial: Trial, uplift: Vector, response: Vector) -> Scale:
    """The straight line from the `uplift` of unseen customers to the change that was seen.

    Its slope is at most 1, as a trial may shrink what was predicted but not stretch it. Source:
    Chernozhukov, Demirer, Duflo and Fernández-Val (2018), "Generic machine learning inference on
    heterogeneous treatment effects", the best linear predictor, by the Horvitz-Thompson
    transform.
    """
    seen = (trial.outcome - response) * trial.signed
    spread = float(np.var(uplift))
    slope = float(np.cov(uplift, seen, bias=True)[0, 1]) / spread if spread > 0 else 0.0
    slope = min(max(slope, 0.0), 1.0)
    return Scale(level=float(seen.mean() - slope * uplift.mean()), slope=slope)


def judge_uplift(
    trial: Trial, scores: Mapping[str, Vector], training: TrainingConfig
) -> UpliftVerdict:
    """Set the learners' scores beside the response model and value at risk, and choose the best.

    `scores` are those of `training.uplift.scores`: of models that had not seen the rows. Every
    ranking is by score times value, and gains are counted in value, less what the response
    model expected of the customer: that is known before the contact, so it moves no gain on
    average, and takes most of the noise. Customers are drawn with replacement, all their waves
    together.
    """
    response, value = scores[RESPONSE_SCORE], trial.value
    learners = {name: scores[name] * value for name in LEARNERS}
    rivals = {
        RESPONSE: response * value,
        AT_RISK: (1.0 - response) * value,
        RANDOM: np.zeros(len(trial)),
    }
    everyone = learners | rivals
    points, draws = _qinis(trial, (trial.outcome - response) * value, everyone, training)
    chosen = max(learners, key=lambda name: points[name])
    return UpliftVerdict(
        learner=chosen,
        qini={name: _percentile(points[name], draws[name]) for name in everyone},
        gains={
            rival: _simultaneous(
                {name: points[name] - points[rival] for name in learners},
                {name: draws[name] - draws[rival] for name in learners},
                chosen,
            )
            for rival in rivals
        },
    )


def _qinis(
    trial: Trial, outcome: Vector, rankings: Mapping[str, Vector], training: TrainingConfig
) -> tuple[dict[str, float], dict[str, Vector]]:
    """Each ranking's Qini on the rows as they are, and in each draw of customers."""
    metric = qini_metric(trial.treated, trial.chance)
    drawn = bootstrap(
        {"qini": metric},
        outcome,
        rankings,
        trial.customer_id,
        draws=training.bootstrap_draws,
        seed=training.seed,
    )
    points = {name: measure(metric, outcome, ranked) for name, ranked in rankings.items()}
    return points, {name: found["qini"] for name, found in drawn.items()}


def _percentile(point: float, draws: Vector) -> Estimate:
    low, high = np.nanpercentile(draws, [_TAIL, 100 - _TAIL])
    return Estimate(point, float(low), float(high))


def _simultaneous(
    points: Mapping[str, float], draws: Mapping[str, Vector], chosen: str
) -> Estimate:
    """The chosen one's interval, as many standard errors wide as the worst of all deviates.

    Source: Romano and Wolf (2005), "Stepwise multiple testing as formalized data snooping", the
    first step, studentised, with deviations of bootstrap draws from the estimates.
    """
    errors = {name: max(float(np.nanstd(draws[name])), 1e-300) for name in points}
    away = np.array([(draws[name] - point) / errors[name] for name, point in points.items()])
    above = errors[chosen] * float(np.nanpercentile(away.max(axis=0), 100 - _TAIL))
    below = errors[chosen] * float(np.nanpercentile(-away.min(axis=0), 100 - _TAIL))
    return Estimate(points[chosen], points[chosen] - above, points[chosen] + below)
