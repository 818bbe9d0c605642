"""Last year's season: found where there is one, tried before it is used, never ahead of time."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq

from features.config import ChurnConfig, ClvConfig, PipelineConfig, SourceConfig, TrainingConfig
from features.snapshot import Snapshot
from tests.conftest import write_snapshot
from tests.tiny_bundle import TINY_INFO
from training.btyd.composite import Btyd
from training.btyd.history import order_history
from training.bundle import write_bundle
from training.calibration import Calibration, sigmoid
from training.fitting import Fitted, fit_models, refit_models, with_value, with_value_refitted
from training.rows import Rows, ValueRows, churn_rows, refit_rows, value_rows
from training.season import Gap, Gaps, Season, season_at, season_notes, served_notes
from training.timing.when import with_when
from training.work import judged_work, served_models

FIRST = datetime(2022, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DAYS, HORIZON = 1096, 90
END = FIRST + DAYS * DAY
BEFORE_CHRISTMAS = FIRST + 1004 * DAY  # 1 October 2024
STRENGTH = 2.0
OBJECTIVES = ("binary", "poisson", "tweedie")


def config(horizon: int = HORIZON, **churn: Any) -> PipelineConfig:
    return PipelineConfig(
        name="seasonal shop",
        currency="EUR",
        generated=True,
        sources={"orders": SourceConfig(path="orders.csv")},
        churn=ChurnConfig(horizon_days=horizon, **churn),
        clv=ClvConfig(horizon_days=horizon, annual_discount_rate=0.2),
        training=TrainingConfig(threads=1, cutoffs=3, cutoff_every_days=90, bootstrap_draws=20),
    )


def shop(customers: int, seed: int, strength: float, *, growing: bool = False) -> list[Any]:
    """MBG/NBD customers, all at `strength` times their pace from October to December.

    They come evenly over three years, or twice as many each year where it is growing.
    """
    rng = np.random.default_rng(seed)
    month = (np.datetime64("2022-01-01") + np.arange(DAYS)).astype("datetime64[M]").astype(int) % 12
    clock = np.concatenate([[0.0], np.cumsum(np.where(month >= 9, strength, 1.0))])
    day, orders = np.arange(DAYS + 1.0), []
    begun = rng.uniform(0, 1, customers)
    begun = (DAYS - 30) * (np.log2(1 + 7 * begun) / 3 if growing else begun)
    for number, start in enumerate(begun):
        pace, chance = 40.0 / rng.gamma(1.2), max(rng.beta(0.6, 4.0), 1e-3)
        waits = rng.exponential(pace, rng.geometric(chance) - 1)
        at = np.interp(start, day, clock) + np.cumsum([0.0, *waits])
        size = rng.lognormal(3.0, 0.5)
        for when in np.interp(at[at < clock[-1]], clock, day):
            amount = round(float(rng.gamma(4.0, size / 4.0)), 2) + 0.01
            ordered = FIRST + float(when) * DAY
            orders.append({"customer_id": f"c{number}", "ordered_at": ordered, "amount": amount})
    return orders


def opened(folder: Path, orders: list[Any], until: datetime = END) -> Snapshot:
    """A snapshot of the orders before `until`."""
    known = [row for row in orders if row["ordered_at"] < until]
    return write_snapshot(folder, {"orders": known}, watermark=until)


@pytest.fixture(scope="module")
def seasonal(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return opened(tmp_path_factory.mktemp("seasonal"), shop(1_100, 5, STRENGTH))


@dataclass(frozen=True)
class Pair:
    """Models before Christmas, and the same of a company whose last year is not known."""

    churn: Rows
    value: ValueRows
    moved: Fitted
    unmoved: Fitted


@pytest.fixture(scope="module")
def pair(seasonal: Snapshot) -> Pair:
    churn = churn_rows(seasonal, config(), BEFORE_CHRISTMAS)
    value = value_rows(seasonal, config(), churn.train.contract, BEFORE_CHRISTMAS)
    blind = (replace(one, basis=replace(one.basis, season=Season())) for one in (churn, value))
    return Pair(churn, value, fitted_on(churn, value), fitted_on(*blind))


def fitted_on(churn: Rows, value: ValueRows) -> Fitted:
    training = config().training
    return with_value(fit_models(churn, training), value, training)


def gaps(size: float, error: float = 0.05) -> Gaps:
    return {objective: Gap(size, error) for objective in OBJECTIVES}


def test_half_of_last_year_is_applied_and_nothing_of_no_year() -> None:
    assert Season(date(2023, 1, 1), gaps(0.4)).shift("poisson") == pytest.approx(0.2)
    assert Season().shift("poisson") == 0.0


@pytest.mark.parametrize(
    ("trials", "is_proved"),
    [
        # Squares fall by .36 - .09 and .04 - .01, or .30 with an error of .032.
        ([(0.6, 0.6), (-0.2, -0.2)], True),
        # The same from fewer customers: an error of .38.
        ([(0.6, 0.6, 0.6), (-0.2, -0.2, 0.6)], False),
        # Last year was no guide: squares grow.
        ([(0.6, -0.1), (-0.2, 0.0)], False),
        # .4 instead of .2: as far on the other side.
        ([(0.8, 0.2), (0.8, 0.2)], False),
        ([(0.6, 0.6)], False),
        ([], False),
    ],
)
def test_a_season_is_proved_by_squared_gaps_of_two_trials(
    trials: list[tuple[float, ...]], is_proved: bool
) -> None:
    tried = tuple((gaps(then), gaps(own, *error)) for then, own, *error in trials)
    assert Season(date(2023, 1, 1), gaps(0.4), tried).is_proved("binary") is is_proved


def test_a_planted_season_is_found_and_proved(seasonal: Snapshot) -> None:
    """BTYD knows the year's mean pace: October to December is some 2 / 1.25 of it."""
    season = season_at(seasonal, config(), BEFORE_CHRISTMAS, HORIZON)
    assert season.begins == date(2023, 10, 3)
    assert np.exp(season.last_year["poisson"].size) == pytest.approx(STRENGTH / 1.25, rel=0.15)
    assert season.last_year["binary"].size < -0.2
    assert len(season.trials) == 4
    assert all(season.is_proved(objective) for objective in OBJECTIVES)


@pytest.mark.parametrize("growing", [False, True])
def test_a_company_without_seasons_has_none_though_it_grows(growing: bool, tmp_path: Path) -> None:
    snapshot = opened(tmp_path, shop(1_100, 6, 1.0, growing=growing))
    season = season_at(snapshot, config(), BEFORE_CHRISTMAS, HORIZON)
    assert abs(season.last_year["poisson"].size) < 0.15
    assert not any(season.is_proved(objective) for objective in OBJECTIVES)


def test_last_years_gaps_are_those_of_btyd_as_known_then_less_their_years_mean(
    tmp_path: Path,
) -> None:
    """Computed again from the orders: all customers are eligible, so sums are over all known."""
    orders = shop(600, 7, STRENGTH)
    asked = config(eligible_days=3650)
    season = season_at(opened(tmp_path, orders), asked, BEFORE_CHRISTMAS, HORIZON)
    at = (BEFORE_CHRISTMAS - FIRST) // DAY
    year = np.array([gaps_by_hand(orders, at - 91 * quarter) for quarter in (4, 3, 2, 1)])
    departed = year[0] - year.mean(axis=0)
    found = [season.last_year[objective].size for objective in OBJECTIVES]
    assert found == pytest.approx(departed.tolist(), abs=2e-3)


def gaps_by_hand(orders: list[Any], at: int) -> tuple[float, float, float]:
    """Of the 90 days from day `at` on."""
    who = np.array([row["customer_id"] for row in orders])
    day = np.array([(row["ordered_at"] - FIRST) // DAY for row in orders])
    value = np.array([row["amount"] for row in orders])
    customers, history = order_history(who, day, value, at)
    forecast = Btyd.fit(history).predict(history, HORIZON)
    came = np.isin(who, customers) & (day >= at) & (day < at + HORIZON)
    order_days = len(set(zip(who[came].tolist(), day[came].tolist(), strict=True)))
    silent = forecast.probability_no_order
    odds = np.log(silent) - np.log1p(-silent)
    left = 1 - len(set(who[came].tolist())) / len(customers)
    return (
        float(brentq(lambda shift: sigmoid(odds + shift).mean() - left, -5, 5)),
        float(np.log(order_days / forecast.expected_orders.sum())),
        float(np.log(value[came].sum() / forecast.expected_spend.sum())),
    )


def test_nothing_from_the_cutoff_on_is_read(tmp_path: Path) -> None:
    orders = shop(300, 8, STRENGTH)
    whole = season_at(opened(tmp_path / "a", orders), config(), BEFORE_CHRISTMAS, HORIZON)
    past = opened(tmp_path / "b", orders, BEFORE_CHRISTMAS)
    assert season_at(past, config(), BEFORE_CHRISTMAS, HORIZON) == whole


@pytest.mark.parametrize(
    ("horizon", "begun", "is_told"),
    [
        (90, 364 + 180, True),
        (90, 364 + 179, False),
        (100, 364 + 200, True),
        (100, 364 + 199, False),
    ],
)
def test_last_year_needs_half_a_year_and_two_horizons_before_it(
    horizon: int, begun: int, is_told: bool, tmp_path: Path
) -> None:
    orders = shop(600, 9, STRENGTH)
    cutoff = min(row["ordered_at"] for row in orders).replace(hour=0, minute=0, second=0)
    cutoff = cutoff.replace(microsecond=0) + (begun + 1) * DAY
    season = season_at(opened(tmp_path, orders), config(horizon), cutoff, horizon)
    assert bool(season.last_year) is is_told
    assert season.trials == ()


def test_a_horizon_over_half_a_year_has_no_season_of_its_own(seasonal: Snapshot) -> None:
    assert season_at(seasonal, config(183), BEFORE_CHRISTMAS, 183) == Season()
    assert season_notes(Season(), 183, {"tweedie": False}) == ()


def test_propensities_move_by_the_same_log_odds_for_everybody(pair: Pair) -> None:
    churn = pair.churn
    before, after = (one.models.churn.predict(churn.test.X) for one in (pair.unmoved, pair.moved))
    shift = np.log(after / (1 - after)) - np.log(before / (1 - before))
    assert shift == pytest.approx(churn.basis.season.shift("binary"), abs=1e-9)
    assert shift[0] < -0.1


def test_orders_value_and_its_interval_move_by_one_factor(pair: Pair) -> None:
    value = pair.value
    before, after = (one.models.predict(value.test.X) for one in (pair.unmoved, pair.moved))
    for objective, name in (("poisson", "expected_orders"), ("tweedie", "clv")):
        factor = np.exp(value.basis.season.shift(objective))
        assert factor > 1.1
        assert getattr(after, name) == pytest.approx(getattr(before, name) * factor)
    assert (after.clv_low <= after.clv).all()
    assert after.clv_high.sum() == pytest.approx(before.clv_high.sum() * factor, rel=0.05)


def test_the_forecast_of_christmas_comes_closer(pair: Pair) -> None:
    churn, value = pair.churn, pair.value
    for name, actual in (("expected_orders", churn.test.orders), ("clv", value.test.value)):
        before, after = (
            abs(np.log(getattr(one.models.predict(churn.test.X), name).sum() / actual.sum()))
            for one in (pair.unmoved, pair.moved)
        )
        assert after < before - 0.1
    before, after = (
        np.mean((one.models.churn.predict(churn.test.X) - churn.test.churned) ** 2)
        for one in (pair.unmoved, pair.moved)
    )
    assert after < before - 0.002


def test_a_season_is_no_reason(pair: Pair) -> None:
    X = pair.churn.test.X[:50]
    assert (pair.moved.models.contributions(X) == pair.unmoved.models.contributions(X)).all()


def test_a_refit_takes_the_season_where_it_stands(seasonal: Snapshot, pair: Pair) -> None:
    """The data end with the year: last January to March lay below BTYD, so odds now rise."""
    churn, value = pair.churn, pair.value
    bases = {"churn": churn.basis, "clv": value.basis}
    refits = {
        task: refit_rows(seasonal, config(), task, churn.train.contract, basis)
        for task, basis in bases.items()
    }
    season = refits["churn"].basis.season
    assert season.begins == date(2024, 1, 3)
    assert season.shift("binary") > 0.05
    served = refit_models(pair.moved, refits["churn"], config().training)
    served = with_value_refitted(served, pair.moved.value, refits["clv"], config().training)
    plain = refit_models(pair.unmoved, refits["churn"], config().training)
    plain = with_value_refitted(plain, pair.unmoved.value, refits["clv"], config().training)
    X = churn.test.X
    odds = [np.log(p / (1 - p)) for p in (one.churn.predict(X) for one in (plain, served))]
    assert odds[1] - odds[0] == pytest.approx(season.shift("binary"), abs=1e-9)
    ratio = served.value.predict(X) / plain.value.predict(X)
    assert ratio == pytest.approx(np.exp(season.shift("tweedie")))


def test_an_isotonic_curve_is_moved_in_log_odds() -> None:
    curve = Calibration(kind="isotonic", scores=(-1.0, 1.0), propensities=(0.2, 0.6))
    scores = np.array([-1.0, 1.0])
    assert curve.apply(scores).tolist() == [0.2, 0.6]
    assert curve.shifted(np.log(2.0)).apply(scores) == pytest.approx([1 / 3, 0.75])
    assert curve.shifted(0.0) == curve


def test_the_card_says_what_was_tried_and_what_came_of_it(pair: Pair) -> None:
    orders, value = pair.moved.notes
    assert orders.startswith(
        "Season of churn and expected orders: beside the mean of their year, the "
    )
    assert orders.endswith("tried at 4 cutoffs since, came surely closer, so it is applied.")
    assert value.startswith("Season of CLV: ")
    assert "not looked for, as it takes 544 days of orders before" in pair.unmoved.notes[0]


def test_each_verdict_is_said_in_words() -> None:
    twice = ((gaps(0.1), gaps(0.1)),) * 2
    season = Season(date(2023, 10, 2), gaps(np.log(1.5)), twice)
    (mixed,) = season_notes(season, 90, {"binary": False, "poisson": True})
    assert mixed == (
        "Season of churn and expected orders: beside the mean of their year, the same days last "
        "year, from 2023-10-02, brought 1.50 times the odds of no order and 1.50 times the orders "
        "that BTYD had forecast; half of that, tried at 2 cutoffs since, came surely closer for "
        "expected orders, to which it is applied, but not for churn."
    )
    (neither,) = season_notes(season, 90, {"binary": False})
    assert neither.endswith("did not come surely closer, so it is not applied.")
    (short,) = season_notes(replace(season, trials=twice[:1]), 90, {"binary": False})
    assert "the history is too short to try half of that twice since" in short


def test_what_is_served_is_said_where_it_is_moved() -> None:
    season = Season(date(2024, 1, 2), gaps(np.log(0.8)))
    assert served_notes(season, {"binary": False, "poisson": True}) == (
        "Season as served: beside the mean of their year, the same days last year, from "
        "2024-01-02, brought 0.80 times the orders that BTYD had forecast; half of that is "
        "applied.",
    )
    assert served_notes(season, {"binary": False}) == ()
    assert served_notes(Season(), {"binary": True}) == ()


def test_a_bundle_keeps_the_season_for_one_row_and_at_the_horizon_of_the_curve(
    seasonal: Snapshot, pair: Pair, tmp_path: Path
) -> None:
    churn = pair.churn
    models = with_when(pair.moved.models, seasonal, config(), churn.train, BEFORE_CHRISTMAS)
    bundle = write_bundle(tmp_path / "bundle", models, TINY_INFO, "# Generated\n")
    X = churn.test.X[:200]
    together, curve = bundle.predict(X), bundle.models.hazard.curve
    assert (together.propensity == pair.moved.models.churn.predict(X)).all()
    for name in ("propensity", "expected_orders", "clv", "clv_low", "clv_high"):
        alone = [getattr(bundle.predict(X[row : row + 1]), name)[0] for row in range(len(X))]
        assert (getattr(together, name) == alone).all()
    at_horizon = curve(np.array([float(HORIZON)]), together.propensity, X, bundle.contract)[:, 0]
    assert at_horizon == pytest.approx(together.propensity, abs=1e-8)


def test_a_training_run_says_what_it_tried_and_what_it_serves(
    seasonal: Snapshot, tmp_path: Path
) -> None:
    (tmp_path / "snapshots").symlink_to(seasonal.folder)
    asked = config().model_copy(update={"workspace": tmp_path})
    work = judged_work(asked, None, None, lambda: None, lambda _: None)
    tried = [note for note in work.verdict.notes if note.startswith("Season")]
    assert [note.split(":")[0] for note in tried] == [
        "Season of churn and expected orders",
        "Season of CLV",
    ]
    assert "from 2023-10-05" in tried[0]
    _, models, served = served_models(work)
    assert [note.split(", brought")[0] for note in served] == [
        "Season as served: beside the mean of their year, the same days last year, from 2024-01-03"
    ] * 2
    assert models.orders.level < work.fitted.models.orders.level
