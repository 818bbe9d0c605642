"""Arrivals of generated customers follow their rates."""

import numpy as np
import pytest

from features.company.world import arrivals


def test_arrivals_follow_rate_and_profile() -> None:
    """Rate 2 over a profile of 0 then 1: ten days of 2 a day, none in the first ten."""
    rng = np.random.default_rng(0)
    profile = np.repeat([0.0, 1.0], 10)
    owner, times = arrivals(rng, np.full(500, 2.0), np.zeros(500), 20, profile)
    assert len(times) / 500 == pytest.approx(20, rel=0.03)
    assert times.min() >= 10
    assert np.all(np.diff(owner) >= 0)
