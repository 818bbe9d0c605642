"""What dissatisfies generated customers, by cause, beside the sum that the truth table holds."""

import numpy as np

from features.company.causes import cause_debts
from features.company.generate import Effects
from tests.features.planted_company import CUSTOMERS, DAYS, NOTHING, planted


def test_the_causes_add_up_to_the_planted_debt() -> None:
    truth = planted().execute("SELECT debt FROM truth ORDER BY customer_id").fetchnumpy()["debt"]
    debts = cause_debts(CUSTOMERS, DAYS, seed=5)
    assert np.abs(debts.sum(axis=0) - truth).max() < 1e-9


def test_a_debt_halves_in_sixty_days_without_a_new_shock() -> None:
    only_slow = Effects(slow_response=1.0, reopened=0, escalated=0, low_csat=0)
    before, after = (cause_debts(300, day, effects=only_slow) for day in (600, 660))
    quiet = (before[0] > 0) & (after[0] <= before[0] / 2 + 1e-12)
    assert quiet.any()
    assert np.allclose(after[0][quiet], before[0][quiet] / 2)
    assert not before[1:].any()


def test_a_company_without_effects_dissatisfies_nobody() -> None:
    assert not cause_debts(300, DAYS, effects=NOTHING).any()
