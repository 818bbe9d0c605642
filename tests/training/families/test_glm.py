"""The linear model: scikit-learn's answers on the same design, its offset, gaps and refusals."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, PoissonRegressor, TweedieRegressor

from features.feature_contract import FeatureColumn, FeatureContract
from training.families.glm import Glm, Objective, fit_glm

RIDGE = 0.003
COEFFICIENTS = np.array([0.8, -0.5, 0.3, 0.0])


def contract_of(width: int) -> FeatureContract:
    return FeatureContract(
        columns=tuple(FeatureColumn(name=f"f{place}", definition="d") for place in range(width))
    )


def drawn(
    objective: Objective, rows: int = 3_000, seed: int = 1, offset: np.ndarray | float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Four skewed features, and targets whose link is 0.2 + 0.8 z0 - 0.5 z1 + 0.3 z2 + offset."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(rows, 4))
    score = 0.2 + z @ COEFFICIENTS + offset
    X = np.expm1(np.abs(z)) * np.sign(z)
    if objective == "binary":
        return X, (rng.random(rows) < 1.0 / (1.0 + np.exp(-score))).astype(float)
    count = rng.poisson(np.exp(score)).astype(float)
    return X, count if objective == "poisson" else rng.gamma(np.maximum(count, 1e-9))


def standardised(X: np.ndarray) -> np.ndarray:
    """The design written anew: signed logs, standardised, kept within five deviations."""
    logs = np.sign(X) * np.log1p(np.abs(X))
    return np.clip((logs - logs.mean(axis=0)) / logs.std(axis=0), -5.0, 5.0)


def by_place(glm: Glm, width: int = 4) -> list[float]:
    found = dict(zip(glm.names, glm.coefficients, strict=True))
    return [found.get(f"f{place}", 0.0) for place in range(width)]


def places(glm: Glm, width: int) -> np.ndarray:
    names = contract_of(width).names
    return np.array([names.index(name) for name in glm.names], dtype=np.int64)


@pytest.mark.parametrize(
    ("objective", "theirs"),
    [
        ("binary", LogisticRegression(C=1.0 / (3_000 * RIDGE), tol=1e-8)),
        ("poisson", PoissonRegressor(alpha=RIDGE, tol=1e-8, solver="newton-cholesky")),
        ("tweedie", TweedieRegressor(alpha=RIDGE, power=1.5, link="log", tol=1e-8, max_iter=1_000)),
    ],
)
def test_coefficients_are_those_of_scikit_learn_with_the_same_penalty(
    objective: Objective,
    theirs: LogisticRegression | PoissonRegressor | TweedieRegressor,
) -> None:
    X, target = drawn(objective)
    ours = fit_glm(X, target, contract_of(4), objective, None)
    theirs.fit(standardised(X), target)
    assert by_place(ours) == pytest.approx(np.ravel(theirs.coef_).tolist(), abs=2e-4)
    assert ours.intercept == pytest.approx(np.ravel(theirs.intercept_).item(), abs=2e-4)
    assert ours.offset_weight == 0.0


def test_with_an_offset_it_is_the_weighted_rate_model_of_scikit_learn() -> None:
    """Poisson with an offset is Poisson of target / exp(offset) under weights exp(offset)."""
    offset = np.random.default_rng(2).normal(0.0, 0.7, 3_000)
    X, target = drawn("poisson", offset=0.6 * offset)
    ours = fit_glm(X, target, contract_of(4), "poisson", offset)
    exposure = np.exp(offset)
    theirs = PoissonRegressor(
        alpha=RIDGE * 3_000 / exposure.sum(), tol=1e-8, solver="newton-cholesky"
    )
    design = np.column_stack([standardised(X), offset - offset.mean()])
    theirs.fit(design, target / exposure, sample_weight=exposure)
    assert by_place(ours) == pytest.approx(theirs.coef_[:4].tolist(), abs=2e-4)
    assert ours.offset_weight == pytest.approx(1.0 + theirs.coef_[4], abs=2e-4)


@pytest.mark.parametrize("objective", ["binary", "poisson", "tweedie"])
@pytest.mark.parametrize("weight", [1.0, 0.6])
def test_coefficients_and_the_weight_of_the_offset_are_found_again(
    objective: Objective, weight: float
) -> None:
    offset = np.random.default_rng(3).normal(0.5, 0.8, 40_000)
    X, target = drawn(objective, 40_000, offset=weight * offset)
    glm = fit_glm(X, target, contract_of(4), objective, offset)
    assert by_place(glm) == pytest.approx(COEFFICIENTS.tolist(), abs=0.05)
    assert glm.offset_weight == pytest.approx(weight, abs=0.05)
    assert glm.intercept == pytest.approx(0.2, abs=0.06)


def test_the_raw_score_is_intercept_and_terms_and_weighted_offset() -> None:
    offset = np.random.default_rng(4).normal(size=3_000)
    X, target = drawn("binary", offset=offset)
    glm = fit_glm(X, target, contract_of(4), "binary", offset)
    asked = np.array([1.5, -0.5, 0.0])
    by_hand = glm.intercept + standardised(X)[:3] @ by_place(glm) + glm.offset_weight * asked
    assert glm.raw(X[:3], places(glm, 4), asked) == pytest.approx(by_hand, abs=1e-12)


def test_gaps_count_as_the_mean() -> None:
    X, target = drawn("binary")
    gap = np.random.default_rng(5).random(X.shape) < 0.1
    glm = fit_glm(np.where(gap, np.nan, X), target, contract_of(4), "binary", None)
    place = glm.names.index("f0")
    at_mean = np.expm1(abs(glm.centre[place])) * np.sign(glm.centre[place])
    rows = np.array([[np.nan, 1.0, 2.0, 3.0], [at_mean, 1.0, 2.0, 3.0]])
    scores = glm.raw(rows, places(glm, 4), np.zeros(2))
    assert scores[0] == pytest.approx(scores[1], abs=1e-12)
    assert glm.contributions(rows, places(glm, 4))[0, 0] == 0.0
    assert by_place(glm)[0] == pytest.approx(0.8, abs=0.12)


def test_constant_empty_and_infinite_columns_are_left_out_or_harmless() -> None:
    X, target = drawn("binary")
    wide = np.column_stack([X, np.full(3_000, 7.0), np.full(3_000, np.nan), X[:, 0]])
    wide[::50, 6] = np.inf
    glm = fit_glm(wide, target, contract_of(7), "binary", None)
    assert {"f4", "f5"}.isdisjoint(glm.names)
    assert np.isfinite(glm.raw(wide, places(glm, 7), np.zeros(3_000))).all()


def test_of_two_twins_one_is_taken_and_of_many_at_most_twenty_four() -> None:
    X, target = drawn("binary")
    noise = np.random.default_rng(6).normal(size=(3_000, 40))
    wide = np.column_stack([X, X[:, 0] * 1.01, noise])
    glm = fit_glm(wide, target, contract_of(45), "binary", None)
    assert len({"f0", "f4"} & set(glm.names)) == 1
    assert len(glm.names) == 24
    assert {"f1", "f2"} <= set(glm.names)


def with_plan(rows: int, seed: int) -> tuple[np.ndarray, FeatureContract, np.ndarray]:
    """Numbers and a plan a, b, c or (of one row in 200) rare; churn hangs on b and c alone."""
    columns = (
        FeatureColumn(name="orders_frequency", definition="d"),
        FeatureColumn(
            name="plan", kind="category", categories=("a", "b", "c", "rare"), definition="d"
        ),
        FeatureColumn(name="tickets", definition="d"),
    )
    rng = np.random.default_rng(seed)
    plan = rng.choice(4, rows, p=[0.5, 0.3, 0.195, 0.005])
    X = np.column_stack([rng.poisson(3.0, rows), plan, rng.poisson(2.0, rows)]).astype(float)
    score = -1.0 + np.array([0.0, 1.5, 0.7, 0.0])[plan]
    target = (rng.random(rows) < 1.0 / (1.0 + np.exp(-score))).astype(float)
    return X, FeatureContract(columns=columns), target


def test_a_category_has_a_term_for_each_value_that_is_not_rare_and_histories_have_none() -> None:
    X, contract, target = with_plan(3_000, 7)
    alone = fit_glm(X, target, contract, "binary", None)
    on_offset = fit_glm(X, target, contract, "binary", np.zeros(3_000))
    numbers = {("orders_frequency", -1), ("tickets", -1)}
    plans = {("plan", 0), ("plan", 1), ("plan", 2)}
    assert set(zip(alone.names, alone.codes, strict=True)) == numbers | plans
    assert set(zip(on_offset.names, on_offset.codes, strict=True)) == {("tickets", -1)} | plans


def test_the_effects_of_categories_are_found_again_and_told_of_their_feature() -> None:
    """b against a adds 1.5, c against a 0.7; what was never seen adds nothing, like a gap."""
    X, contract, target = with_plan(40_000, 9)
    glm = fit_glm(X, target, contract, "binary", None)
    asked = np.array([[3.0, plan, 2.0] for plan in (0.0, 1.0, 2.0, np.nan)])
    at = np.array([contract.names.index(name) for name in glm.names])
    score, added = glm.raw(asked, at, np.zeros(4)), glm.contributions(asked, at)
    assert score[1:3] - score[0] == pytest.approx([1.5, 0.7], abs=0.08)
    assert added[1:3, 1] - added[0, 1] == pytest.approx((score[1:3] - score[0]).tolist(), abs=1e-12)
    assert added[3, 1] == 0.0
    assert score - added.sum(axis=1) == pytest.approx(np.full(4, glm.intercept), abs=1e-12)


def test_one_row_alone_is_scored_to_the_bit_as_in_a_batch() -> None:
    X, target = drawn("tweedie")
    offset = np.random.default_rng(8).normal(size=3_000)
    glm = fit_glm(X, target, contract_of(4), "tweedie", offset)
    whole = glm.raw(X[:50], places(glm, 4), offset[:50])
    alone = [glm.raw(X[n], places(glm, 4), float(offset[n])) for n in range(50)]
    assert alone == whole.tolist()


def test_a_model_of_no_terms_is_its_intercept_and_offset() -> None:
    nothing: tuple[()] = ()
    glm = Glm(
        names=nothing, codes=nothing, centre=nothing, spread=nothing, coefficients=nothing,
        intercept=0.5, offset_weight=2.0,
    )  # fmt: skip
    at = np.array([], dtype=np.int64)
    assert glm.raw(np.zeros((2, 3)), at, np.array([1.0, 2.0])).tolist() == [2.5, 4.5]
    assert glm.raw(np.zeros(3), at, 1.0) == 2.5


def test_separated_classes_and_a_target_of_nothing_stay_finite() -> None:
    X, _ = drawn("binary")
    for objective, target in (
        ("binary", (X[:, 0] > 0).astype(float)),
        ("poisson", np.zeros(3_000)),
        ("tweedie", np.zeros(3_000)),
    ):
        glm = fit_glm(X, target, contract_of(4), objective, None)
        assert np.isfinite(glm.raw(X, places(glm, 4), np.zeros(3_000))).all()
