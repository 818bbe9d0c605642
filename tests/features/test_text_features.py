"""Features of ticket texts and survey comments by hand, point in time, batch and live."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from features.catalogue import CATALOGUE
from features.compile import sources_of
from features.feature_contract import FeatureContract
from features.live.customer import LiveFeatures
from features.snapshot import Snapshot
from features.spine import SPINE_SCHEMA
from features.survey_texts import SURVEY_TEXT_FEATURES
from features.table import catalogue_contract, feature_table
from features.text.reading import read_text
from features.ticket_texts import TICKET_TEXT_FEATURES

MakeSnapshot = Callable[..., Snapshot]

CUTOFF = datetime(2024, 7, 1, tzinfo=UTC)
ANGRY = "The courier never came, terrible service, very disappointed!"
HAPPY = "Great service, thank you"
PLAIN = "How do I update my delivery address?"
UNSURE = "Problem solved, great."
DUTCH = "Mijn pakket is nog steeds niet aangekomen."


def ago(days: float) -> datetime:
    return CUTOFF - timedelta(days=days)


def ticket(number: int, days: float, text: str | None) -> dict[str, Any]:
    return {"customer_id": "a", "ticket_id": f"t{number}", "opened_at": ago(days), "text": text}


def tone(text: str) -> float:
    found = read_text(text)["text_sentiment"]
    assert isinstance(found, float)
    return found


def row_of(snapshot: Snapshot) -> dict[str, Any]:
    spine = pa.table({"customer_id": ["a"], "cutoff": [CUTOFF]}, SPINE_SCHEMA)
    return feature_table(snapshot, spine).to_pylist()[0]


ORDERS = [{"customer_id": "a", "ordered_at": ago(400), "amount": 1.0}]
TICKETS = [
    ticket(1, 300, ANGRY),
    ticket(2, 100, PLAIN),
    ticket(3, 80, ANGRY),
    ticket(4, 40, HAPPY),
    ticket(5, 30, UNSURE),
    ticket(6, 20, DUTCH),
    ticket(7, 10, None),
    ticket(8, -1, ANGRY),
]
SURVEYS = [
    {"kind": "nps", "sent_at": ago(60), "answered_at": ago(50), "score": 2.0, "text": ANGRY},
    {"kind": "csat", "sent_at": ago(40), "answered_at": ago(30), "score": 5.0, "text": HAPPY},
    {"kind": "csat", "sent_at": ago(5), "answered_at": ago(-1), "score": 1.0, "text": ANGRY},
]


@pytest.fixture
def snapshot(make_snapshot: MakeSnapshot, tmp_path: Path) -> Snapshot:
    surveys = [{"customer_id": "a", **survey} for survey in SURVEYS]
    return make_snapshot(tmp_path, {"orders": ORDERS, "tickets": TICKETS, "surveys": surveys})


def test_ticket_texts_by_hand(snapshot: Snapshot) -> None:
    found = row_of(snapshot)
    angry, happy, plain = tone(ANGRY), tone(HAPPY), tone(PLAIN)
    assert (angry < -0.3, happy > 0.3, abs(plain) < 0.3) == (True, True, True)
    lengths = [len(text) for text in (ANGRY, PLAIN, ANGRY, HAPPY, UNSURE, DUTCH)]
    expected = {
        "tickets_text_sentiment_mean_90d": (angry + happy) / 2,
        "tickets_text_sentiment_mean_365d": (2 * angry + plain + happy) / 4,
        "tickets_text_sentiment_last": happy,
        "tickets_text_negative_count_90d": 1,
        "tickets_text_negative_share_365d": 2 / 4,
        "tickets_text_delivery_count_180d": 2,
        "tickets_text_service_count_180d": 2,
        "tickets_text_price_count_180d": 0,
        "tickets_text_length_mean_365d": sum(lengths) / 6,
        "tickets_text_other_language_count_365d": 1,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-9)


def test_survey_comments_count_from_their_answer_on(snapshot: Snapshot) -> None:
    found = row_of(snapshot)
    expected = {
        "surveys_text_sentiment_mean_90d": (tone(ANGRY) + tone(HAPPY)) / 2,
        "surveys_text_sentiment_last": tone(HAPPY),
        "surveys_text_negative_count_365d": 1,
        "surveys_text_negative_share_365d": 1 / 2,
        "surveys_text_length_mean_365d": (len(ANGRY) + len(HAPPY)) / 2,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-9)
    time = CATALOGUE["surveys_text_sentiment_last"].time
    assert time == "answered_at"


def test_one_customer_live_equals_batch_whether_texts_come_as_words_or_as_numbers(
    snapshot: Snapshot,
) -> None:
    features = [*TICKET_TEXT_FEATURES, *SURVEY_TEXT_FEATURES]
    contract = catalogue_contract(snapshot)
    names = {feature.name for feature in features}
    own = FeatureContract(columns=tuple(c for c in contract.columns if c.name in names))
    batch = {name: value for name, value in row_of(snapshot).items() if name in own.names}
    words = {"tickets": TICKETS, "surveys": SURVEYS}
    numbers = {
        name: [
            {**{k: v for k, v in row.items() if k != "text"}, **read_text(row["text"])}
            for row in rows
        ]
        for name, rows in words.items()
    }
    live = LiveFeatures(own, snapshot.zone)
    assert live(words, CUTOFF, {}) == pytest.approx(batch, rel=1e-12)
    assert live(numbers, CUTOFF, {}) == live(words, CUTOFF, {})
    assert len(batch) == len(features) == 19


def test_a_customer_who_wrote_nothing_has_counts_of_zero_and_no_tone(
    make_snapshot: MakeSnapshot, tmp_path: Path
) -> None:
    other = {**ticket(1, 10, ANGRY), "customer_id": "b"}
    found = row_of(make_snapshot(tmp_path, {"orders": ORDERS, "tickets": [other]}))
    assert found["tickets_text_negative_count_90d"] == 0
    assert found["tickets_text_sentiment_last"] is None
    assert found["tickets_text_length_mean_365d"] is None


def test_without_a_mapped_text_there_are_no_text_features(
    make_snapshot: MakeSnapshot, tmp_path: Path
) -> None:
    tickets = [{key: value for key, value in ticket(1, 10, None).items() if key != "text"}]
    names = catalogue_contract(
        make_snapshot(tmp_path, {"orders": ORDERS, "tickets": tickets})
    ).names
    assert not [name for name in names if "_text_" in name]


def test_every_text_feature_rests_on_the_texts_alone() -> None:
    sources = sources_of([*TICKET_TEXT_FEATURES, *SURVEY_TEXT_FEATURES])
    assert [source.name for source in sources] == ["ticket_texts", "comments"]
    assert all(
        dict(feature.needs)[feature.source] and (feature.source, "text") in feature.needs
        for feature in [*TICKET_TEXT_FEATURES, *SURVEY_TEXT_FEATURES]
        if feature.name.split("_")[-1] != "count"
    )
