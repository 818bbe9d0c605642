"""What was planted in the generated orders is found again."""

import numpy as np
import pandas as pd
import pytest

from features.company.generate import Effects
from features.company.people import RATE_MEAN
from tests.features.planted_company import DAYS, END, NOTHING, Tables, ask, planted


def copula_correlation(tables: Tables) -> float:
    truth = tables.execute("SELECT purchase_rate, order_value FROM truth").df()
    ranks = truth.rank().corr().iloc[0, 1]
    return float(2 * np.sin(np.pi * ranks / 6))


def test_value_and_rate_are_joined_by_the_planted_copula() -> None:
    """Spearman's rank correlation is (6/pi) asin(rho/2) under a Gaussian copula."""
    assert copula_correlation(planted()) == pytest.approx(
        Effects().value_rate_correlation, abs=0.04
    )
    assert copula_correlation(planted(NOTHING)) == pytest.approx(0.0, abs=0.04)


def test_mean_order_value_can_be_read_from_the_orders() -> None:
    (ratio,) = ask(
        planted(),
        """
        SELECT median(spent / order_value) FROM (
            SELECT customer_id, sum(amount + discount) / count(DISTINCT order_id) AS spent
            FROM orders WHERE amount > 0 GROUP BY 1 HAVING count(DISTINCT order_id) > 20)
        JOIN truth USING (customer_id)
        """,
    )
    assert ratio == pytest.approx(1.0, abs=0.04)


def test_purchase_rates_have_the_stated_mean() -> None:
    (mean,) = ask(planted(), "SELECT avg(purchase_rate) FROM truth")
    assert mean == pytest.approx(RATE_MEAN, rel=0.03)


def daily_intensity(tables: Tables) -> pd.DataFrame:
    """Orders of each day over those the present customers' rates would give."""
    rates = tables.execute("""
        SELECT d::INT AS d, sum(rate) AS change FROM (
            SELECT floor(day(signed_up_at)) + 1 AS d, purchase_rate AS rate
            FROM truth JOIN customers USING (customer_id)
            UNION ALL SELECT round(day(dropped_out_at)), -purchase_rate FROM truth
            WHERE dropped_out_at IS NOT NULL) GROUP BY 1 ORDER BY 1
    """).df()
    bought = tables.execute("""
        SELECT floor(day(ordered_at))::INT AS d, count(DISTINCT order_id) AS orders
        FROM orders JOIN customers USING (customer_id)
        WHERE amount > 0 AND floor(day(ordered_at)) > floor(day(signed_up_at)) GROUP BY 1
    """).df()
    days = pd.RangeIndex(120, DAYS)
    present = rates.set_index("d")["change"].cumsum().reindex(range(DAYS)).ffill().loc[days]
    orders = bought.set_index("d")["orders"].reindex(days, fill_value=0)
    dates = pd.Timestamp(END) - pd.to_timedelta(DAYS - days, unit="D")
    return pd.DataFrame({"intensity": orders / present, "date": dates}, days)


def yearly_amplitude(daily: pd.DataFrame) -> float:
    """The log-amplitude towards mid-December, weekdays averaged out."""
    weekly = daily["intensity"].rolling(7, center=True).mean().dropna()
    dates = daily["date"].loc[weekly.index]
    wave = np.cos(2 * np.pi * (dates.dt.day_of_year - 351) / 365.25)
    return float(np.polyfit(wave, np.log(weekly), 1)[0])


def test_season_and_weekdays_are_found_again() -> None:
    daily = daily_intensity(planted(Effects(fewer_orders=0)))
    assert yearly_amplitude(daily) == pytest.approx(0.25, abs=0.03)
    weekday = daily["date"].dt.day_of_week
    shares = daily["intensity"].groupby(weekday).mean()
    assert (shares / shares.mean()).to_numpy() == pytest.approx(
        [0.90, 0.85, 0.90, 0.95, 1.10, 1.25, 1.05], abs=0.05
    )


def test_without_season_every_day_is_alike() -> None:
    daily = daily_intensity(planted(NOTHING))
    assert yearly_amplitude(daily) == pytest.approx(0.0, abs=0.03)
    assert daily["intensity"].mean() == pytest.approx(1.0, abs=0.02)


def test_refunds_and_returns_never_exceed_what_was_paid() -> None:
    wrong, refunds, returns = ask(
        planted(),
        """
        SELECT count(*) FILTER (refund_amount > amount + 50 OR refunded_at < ordered_at),
               avg((refund_amount IS NOT NULL)::INT), avg((amount < 0)::INT)
        FROM orders
        """,
    )
    assert wrong == 0
    assert refunds == pytest.approx(0.04, abs=0.005)
    assert returns == pytest.approx(0.011, abs=0.003)
