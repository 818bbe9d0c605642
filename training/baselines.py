"""What a model must beat: the base rate, one good rule, and a regression on a few features."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.catalogue import feature_named
from features.feature_contract import FeatureColumn
from training.dataset import Dataset, Vector
from training.metrics import measure, roc_auc

BASE_RATE = "base rate"
BEST_RULE = "best single rule"
RFM_LOGISTIC = "RFM logistic"
USAGE_LOGISTIC = "usage logistic"
ALL_LOGISTIC = "logistic on all features"
MEAN_VALUE = "mean value"
HISTORICAL_VALUE = "historical average"
MEAN_ORDERS = "mean orders"
HISTORICAL_PACE = "historical pace"
RFM_RIDGE = "RFM ridge"
ALL_RIDGE = "ridge on all features"

_FREQUENCY, _T, _MEAN_SPEND = "orders_frequency", "orders_T", "orders_value_mean"
_RFM = ("orders_days_since_last", _FREQUENCY, _T, _MEAN_SPEND)
_USAGE = ("events_days_since_last", "events_active_days_30d", "events_active_days_90d")
_RULE_ROWS = 50_000
_SMOOTHING = 10.0


@dataclass(frozen=True)
class Rule:
    """Rank customers by one feature; what a retention team would do with a spreadsheet."""

    position: int
    words: str
    """The feature's meaning and which end of it is risky."""
    rates: Vector | None
    """Churn rate of each category code, for a category; None for a number."""
    sign: float
    missing: float
    """Risk score of a missing value: above or below every other."""

    def score(self, data: Dataset) -> Vector:
        """A number for each row, higher riskier; not a propensity."""
        return _rule_score(data.X[:, self.position], self.rates, self.sign, self.missing)


def churn_baselines(train: Dataset, test: Dataset) -> dict[str, Vector]:
    """Propensities of the test rows by method: base rate, best single rule, logistic.

    The logistic uses recency, frequency, T and money where there are orders, usage where there
    are events only, and every feature otherwise.
    """
    churned = _known(train.churned)
    positions, name = _logistic_inputs(train)
    return {
        BASE_RATE: np.full(len(test), churned.mean()),
        BEST_RULE: _rule_propensity(best_rule(train), train, test),
        name: _logistic(*_design(train, test, positions), churned),
    }


def value_baselines(train: Dataset, test: Dataset, horizon_days: int) -> dict[str, Vector]:
    """Values of the test rows by method: training mean, historical average, RFM ridge.

    The historical average carries on a customer's spend per day since the first purchase, taken
    over at least one horizon so that a purchase of yesterday is not repeated daily. Without
    features of orders there is none, and the ridge reads every feature.
    """
    from sklearn.linear_model import Ridge

    value = _known(train.value)
    is_rfm = len(_positions(train, _RFM)) == len(_RFM)
    positions = _positions(train, _RFM if is_rfm else train.contract.names)
    known, asked = _design(train, test, positions)
    ridge = Ridge(alpha=1.0).fit(known, value)
    simple = {MEAN_VALUE: np.full(len(test), value.mean())}
    if is_rfm:
        simple[HISTORICAL_VALUE] = _historical_value(test, horizon_days)
    return simple | {RFM_RIDGE if is_rfm else ALL_RIDGE: np.clip(ridge.predict(asked), 0, None)}


def orders_baselines(train: Dataset, test: Dataset, horizon_days: int) -> dict[str, Vector]:
    """Purchase days of the test rows by method: training mean, and each customer's own pace.

    The pace is taken since the first purchase, over at least one horizon; there is none without
    features of orders.
    """
    simple = {MEAN_ORDERS: np.full(len(test), _known(train.orders).mean())}
    if len(_positions(test, (_FREQUENCY, _T))) < 2:
        return simple
    frequency, since_first = (_column(test, name) for name in (_FREQUENCY, _T))
    pace = (frequency + 1) / np.maximum(since_first, horizon_days)
    return simple | {HISTORICAL_PACE: np.nan_to_num(pace * horizon_days)}


def _historical_value(test: Dataset, horizon_days: int) -> Vector:
    frequency, since_first, mean_spend = (_column(test, n) for n in (_FREQUENCY, _T, _MEAN_SPEND))
    spent = (frequency + 1) * mean_spend
    return np.nan_to_num(spent / np.maximum(since_first, horizon_days) * horizon_days)


def best_rule(train: Dataset) -> Rule:
    """The feature and direction whose ranking has the best AUC on the training rows."""
    rows = thinned(train)
    churned = _known(rows.churned)
    rules = [
        rule
        for position, column in enumerate(rows.contract.columns)
        for rule in feature_rules(position, column, rows.X[:, position], churned)
    ]
    return max(rules, key=lambda rule: measure(roc_auc, churned, rule.score(rows)))


def thinned(train: Dataset) -> Dataset:
    """Evenly spread rows, at most 50,000 of them: enough to compare single features."""
    return train.rows(np.arange(0, len(train), max(1, -(-len(train) // _RULE_ROWS))))


def feature_rules(
    position: int, column: FeatureColumn, values: Vector, churned: Vector
) -> list[Rule]:
    """The rules one feature offers: each direction, missing values at either end."""
    meaning = _meaning(column.name)
    if column.kind == "category":
        rates = _category_rates(values, churned, len(column.categories))
        worst = column.categories[int(np.argmax(rates))] if column.categories else "none"
        return [Rule(position, f"{meaning} (riskiest: {worst})", rates, 1.0, churned.mean())]
    ends = (-np.inf, np.inf) if np.isnan(values).any() else (-np.inf,)
    return [
        Rule(position, f"{meaning} ({word} is risky)", None, sign, missing)
        for sign, word in ((1.0, "high"), (-1.0, "low"))
        for missing in ends
    ]


def _category_rates(values: Vector, churned: Vector, categories: int) -> Vector:
    """Churn rate of each category, drawn towards the base rate where there are few rows."""
    seen = ~np.isnan(values)
    codes = values[seen].astype(int)
    rows = np.bincount(codes, minlength=categories)
    left = np.bincount(codes, weights=churned[seen], minlength=categories)
    return np.asarray((left + _SMOOTHING * churned.mean()) / (rows + _SMOOTHING))


def _rule_score(values: Vector, rates: Vector | None, sign: float, missing: float) -> Vector:
    unknown = np.isnan(values)
    if rates is None:
        return np.where(unknown, missing, sign * values)
    return np.where(unknown, missing, rates[np.where(unknown, 0, values).astype(int)])


def _rule_propensity(rule: Rule, train: Dataset, test: Dataset) -> Vector:
    """The rule's ranking as propensities, by a logistic on the rank among training rows."""
    known = np.sort(rule.score(train))

    def rank(data: Dataset) -> Vector:
        score = rule.score(data)
        ends = (np.searchsorted(known, score, side) for side in ("left", "right"))
        return np.asarray(sum(ends) / (2 * len(known)))[:, None]

    return _logistic(rank(train), rank(test), _known(train.churned))


def _logistic_inputs(train: Dataset) -> tuple[list[int], str]:
    """Which features the logistic reads, and its name for that."""
    for names, method in ((_RFM, RFM_LOGISTIC), (_USAGE, USAGE_LOGISTIC)):
        positions = _positions(train, names)
        if positions:
            return positions, method
    return list(range(len(train.contract.names))), ALL_LOGISTIC


def _positions(data: Dataset, names: Sequence[str]) -> list[int]:
    order = data.contract.names
    return [order.index(name) for name in names if name in order]


def _logistic(known: Vector, asked: Vector, churned: Vector) -> Vector:
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(max_iter=2000).fit(known, churned)
    return np.asarray(fitted.predict_proba(asked)[:, 1])


def _design(train: Dataset, test: Dataset, positions: Sequence[int]) -> tuple[Vector, Vector]:
    """Standardised regression inputs of train and test, rows x terms, scaled by train.

    A number gives its logarithm (missing at the train median) and, where train has gaps, whether
    it is missing; a category gives one term for each of its values.
    """
    first, second = (
        np.hstack(
            [_terms(train.contract.columns[i], train.X[:, i], side.X[:, i]) for i in positions]
        )
        for side in (train, test)
    )
    centre, spread = first.mean(axis=0), first.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    return (first - centre) / scale, (second - centre) / scale


def _terms(column: FeatureColumn, known: Vector, values: Vector) -> Vector:
    if column.kind == "category":
        return np.asarray(values[:, None] == np.arange(len(column.categories)), dtype=float)
    gaps = np.isnan(known)
    middle = 0.0 if gaps.all() else float(np.median(known[~gaps]))
    filled = np.where(np.isnan(values), middle, values)
    logs = np.sign(filled) * np.log1p(np.abs(filled))
    return np.column_stack([logs, np.isnan(values)] if gaps.any() else [logs])


def _column(data: Dataset, name: str) -> Vector:
    return data.X[:, data.contract.names.index(name)]


def _known(labels: Vector | None) -> Vector:
    if labels is None:
        raise ValueError("the rows carry no labels of this kind; build them with the other task")
    return labels


def _meaning(name: str) -> str:
    meaning: str = feature_named(name).meaning
    return meaning[:1].lower() + meaning[1:]
