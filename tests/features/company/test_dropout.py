"""What moves a generated customer's dropout is found again from the files."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.company.dropout import DAILY_DECAY, cause_sums
from features.company.generate import Effects
from features.company.support import Shocks
from features.company.world import Calendar, Floats
from tests.features.planted_company import DAYS, END, NOTHING, Tables, ask, planted

NO_CSAT = Effects(low_csat=0)
CAUSES = ("slow_response", "reopened", "escalated", "persuadable", "sleeping_dog", "unmoved")
FELT = """
    SELECT customer_id, 'slow_response' AS cause, day(opened_at) + 1 AS felt FROM tickets
    WHERE coalesce(first_response_at > opened_at + INTERVAL 24 HOUR, true)
    UNION ALL SELECT customer_id, 'reopened', day(reopened_at) FROM tickets
    WHERE reopened_at IS NOT NULL
    UNION ALL SELECT customer_id, 'escalated', day(escalated_at) FROM tickets
    WHERE escalated_at IS NOT NULL
    UNION ALL SELECT customer_id, contact_group, day(contacted_at)
    FROM contacts JOIN truth_contacts USING (customer_id, contacted_at)
    WHERE arm = 'treatment'
"""
PEOPLE = """
    SELECT customer_id, base_hazard, coalesce(round(day(dropped_out_at)), 9999) AS dropout,
           day(signed_up_at) AS joined
    FROM truth JOIN customers USING (customer_id)
"""


def log_hazards(tables: Tables) -> pd.DataFrame:
    """Log-hazards of support and contact with their standard errors, from the files alone.

    A Poisson likelihood over customer-days with the true base hazard as offset and one
    decaying covariate per cause, maximised by Newton's method.
    """
    x, offset, left = customer_days(tables)
    seen = x.max(axis=0) > 0
    x, estimate = x[:, seen], np.zeros(seen.sum())
    for _ in range(100):
        expected = offset * np.exp(x @ estimate)
        spread = np.linalg.inv((x * expected[:, None]).T @ x)
        step = spread @ (x.T @ (left - expected))
        estimate = estimate + step
        if np.abs(step).max() < 1e-6:
            found = {"estimate": estimate, "error": np.sqrt(np.diag(spread))}
            return pd.DataFrame(found, np.array(CAUSES)[seen])
    raise AssertionError("the likelihood found no maximum")


def customer_days(tables: Tables) -> tuple[Floats, Floats, Floats]:
    """What is felt, the base hazard and the leaving on each customer-day with anything felt.

    The other days carry no information about the effects.
    """
    felt, people = tables.execute(FELT).df(), tables.execute(PEOPLE).df()
    owner = pd.Index(people["customer_id"]).get_indexer(felt["customer_id"])
    cause = pd.Index(CAUSES).get_indexer(felt["cause"])
    felt_on = felt["felt"].to_numpy().astype(int)
    hazard, dropout, joined = (people[name].to_numpy() for name in people.columns[1:])
    state, rows = np.zeros((len(people), len(CAUSES))), []
    for today in range(DAYS):
        seen = (joined < today) & (dropout >= today) & (state.max(axis=1) > 1e-3)
        rows.append((state[seen], hazard[seen], dropout[seen] == today))
        state *= DAILY_DECAY
        now = felt_on == today
        np.add.at(state, (owner[now], cause[now]), 1.0)
    x, offset, left = (np.concatenate(part) for part in zip(*rows, strict=True))
    return x, offset, left.astype(float)


def test_support_and_contact_effects_are_found_again() -> None:
    found = log_hazards(planted(NO_CSAT))
    for cause, (estimate, error) in found.iterrows():
        strength = getattr(NO_CSAT, str(cause), 0.0)
        assert (cause, estimate) == (cause, pytest.approx(strength, abs=3 * error))
        assert error < (0.12 if cause in ("slow_response", "reopened", "escalated") else 0.3)


def test_without_effects_every_hazard_ratio_is_one() -> None:
    for cause, (estimate, error) in log_hazards(planted(NOTHING)).iterrows():
        assert (cause, estimate) == (cause, pytest.approx(0.0, abs=3 * error))


LEFT_AFTER_CSAT = """
    SELECT sum((day(dropped_out_at) <= day(answered_at) + 45)::INT * 1.0)
           / sum(45 * base_hazard)
    FROM surveys JOIN truth USING (customer_id)
    WHERE kind = 'csat' AND score {answer} AND day(answered_at) < 850
      AND coalesce(day(dropped_out_at), 9999) > day(answered_at)
"""


def test_low_csat_multiplies_the_hazard_after_it() -> None:
    """Over 45 days the planted 1.2 has decayed to 0.94 on average: a ratio of about 2.6.

    Both sides carry the unanswered low scores of other tickets, which cancel.
    """
    only = replace(NOTHING, low_csat=1.2)
    (low,) = ask(planted(only), LEFT_AFTER_CSAT.format(answer="<= 2"))
    (high,) = ask(planted(only), LEFT_AFTER_CSAT.format(answer="> 2"))
    assert low / high == pytest.approx(2.6, abs=0.6)


def test_without_its_effect_low_csat_changes_nothing() -> None:
    (low,) = ask(planted(NOTHING), LEFT_AFTER_CSAT.format(answer="<= 2"))
    assert low == pytest.approx(1.0, abs=0.35)


def test_dissatisfied_customers_order_less() -> None:
    """With slow answers alone, the rate over the next 30 days follows the planted debt."""
    effects = replace(NOTHING, slow_response=1.4, fewer_orders=0.7)
    (ratio,) = ask(
        planted(effects),
        """
        WITH slow AS (
            SELECT customer_id, floor(day(opened_at) + 1) AS felt, purchase_rate,
                   coalesce(day(dropped_out_at), 900) AS gone,
                   lag(felt) OVER w AS before, lead(felt) OVER w AS after
            FROM tickets JOIN truth USING (customer_id)
            WHERE first_response_at > opened_at + INTERVAL 24 HOUR
            WINDOW w AS (PARTITION BY customer_id ORDER BY opened_at)),
        alone AS (
            SELECT * FROM slow WHERE felt + 31 < gone
            AND coalesce(before < felt - 300, true) AND coalesce(after > felt + 31, true)),
        bought AS (
            SELECT customer_id, felt, count(DISTINCT order_id) AS orders
            FROM alone JOIN orders USING (customer_id)
            WHERE amount > 0 AND day(ordered_at) >= felt + 1 AND day(ordered_at) < felt + 31
            GROUP BY ALL)
        SELECT (SELECT sum(orders) FROM bought) / (SELECT sum(30 * purchase_rate) FROM alone)
        """,
    )
    kept = np.exp(-0.7 * 1.4 * DAILY_DECAY ** np.arange(30)).mean()
    assert ratio == pytest.approx(kept, rel=0.06)


def test_referred_customers_stay_and_advertised_ones_leave() -> None:
    (ratio,) = ask(
        planted(),
        """
        SELECT avg(CASE WHEN acquisition = 'adverts' THEN base_hazard END)
               / avg(CASE WHEN acquisition = 'referral' THEN base_hazard END)
        FROM truth JOIN customers USING (customer_id)
        """,
    )
    assert np.log(ratio) == pytest.approx(2 * Effects().acquisition, abs=0.1)


def test_cause_sums_are_geometric() -> None:
    """A shock of 2 on day 3, customer gone on day 6: felt on days 4 and 5."""
    shocks = Shocks(np.array([0]), np.array([3]), np.array([2.0]), np.array([1]))
    sums = cause_sums(shocks, np.array([6]), Calendar(END, DAYS))
    assert sums[:, 0] == pytest.approx([0, 2 + 2 * DAILY_DECAY, 0, 0])
