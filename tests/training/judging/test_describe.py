"""A feature described in data whose spread and churn were worked out on paper."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.config import PipelineConfig
from training.judging.describe import Band, UnknownFeature, describe_feature

START, DAY = datetime(2024, 1, 1, tzinfo=UTC), timedelta(days=1)
CONFIG = PipelineConfig.model_validate(
    {"name": "shop", "currency": "EUR", "sources": {}, "churn": {"horizon_days": 30}}
)


@pytest.fixture
def shop(tmp_path: Path, make_snapshot: Any) -> Any:
    """100 customers at day 60: the first 50 bought 10 days ago and return, the rest 40 ago."""
    orders = []
    for place in range(100):
        name, early = f"c{place:03}", place >= 50
        orders.append(order(name, 20 if early else 50))
        if not early:
            orders.append(order(name, 65))
    return make_snapshot(tmp_path, {"orders": orders}, watermark=START + 90 * DAY)


def order(customer: str, day: int) -> dict[str, Any]:
    return {"customer_id": customer, "ordered_at": START + day * DAY, "amount": 10.0}


def test_each_part_of_the_range_shows_its_customers_and_their_churn(shop: Any) -> None:
    told = describe_feature(shop, CONFIG, "orders_days_since_last")
    assert told.cutoff == START + 60 * DAY
    assert (told.customers, told.missing) == (100, 0.0)
    assert told.bands == (Band("10", 50, 0.0), Band("40", 50, 1.0))
    assert told.example == "Last order 25 days ago"
    assert told.example_id == "Pesanan terakhir 25 hari lalu"


def test_a_value_nobody_has_is_said_to_be_missing(shop: Any) -> None:
    told = describe_feature(shop, CONFIG, "orders_gap_mean")
    assert told.missing == 1.0
    assert told.bands == (Band("no value", 100, 0.5),)


def test_many_values_are_shown_in_fifths(tmp_path: Path, make_snapshot: Any) -> None:
    orders = [order(f"c{place:03}", 10 + place // 2) for place in range(100)]
    orders += [order(f"c{place:03}", 65) for place in range(50)]
    shop = make_snapshot(tmp_path, {"orders": orders}, watermark=START + 90 * DAY)
    bands = describe_feature(shop, CONFIG, "orders_days_since_last").bands
    assert [band.customers for band in bands] == [20, 20, 20, 20, 20]
    assert [band.churned for band in bands] == [1.0, 1.0, 0.5, 0.0, 0.0]
    assert bands[0].label == "1 to below 11"


def test_a_name_that_is_no_feature_is_refused_with_the_nearest(shop: Any) -> None:
    with pytest.raises(UnknownFeature, match="did you mean orders_recency"):
        describe_feature(shop, CONFIG, "orders_resency")
