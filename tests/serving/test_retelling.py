"""A score told again: the same words as if it had been scored in that language."""

from typing import Any

import numpy as np
import orjson
import pytest

from features.config import ServingConfig
from features.feature_contract import FeatureColumn, FeatureContract
from features.wording import Language
from serving.retelling import retold, retold_timing
from serving.scoring import score_record, score_rows
from serving.when import score_timings
from tests.serving.scored_company import CUTOFF
from tests.tiny_bundle import TINY_CONTRACT, tiny_bundle, tiny_rows
from training.bundle import Bundle

SUPPORT = (
    "tickets_reopened_count_90d",
    "surveys_csat_last",
    "tickets_first_response_hours_mean_90d",
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    more = [FeatureColumn(name=name, definition=f"s{i}") for i, name in enumerate(SUPPORT)]
    contract = FeatureContract(columns=(*TINY_CONTRACT.columns, *more))
    return tiny_bundle(tmp_path_factory.mktemp("tiny"), contract)


def told(bundle: Bundle, X: np.ndarray, language: Language) -> list[dict[str, Any]]:
    """Records and timings as JSON holds them, scored in `language`."""
    serving = ServingConfig(language=language)
    ids = [str(place) for place in range(len(X))]
    scores = score_rows(bundle, ids, X, CUTOFF, serving)
    timings = score_timings(bundle, scores, X, language)
    both = zip(scores, timings, strict=True)
    return [orjson.loads(orjson.dumps([score_record(one), timing])) for one, timing in both]


@pytest.mark.parametrize(("first", "second"), [("en", "id"), ("id", "en"), ("en", "en")])
def test_a_score_told_again_is_the_score_told_in_that_language(
    bundle: Bundle, first: Language, second: Language
) -> None:
    X = tiny_rows(400, bundle.contract, seed=8)
    currency = bundle.manifest.currency
    pairs = zip(told(bundle, X, first), told(bundle, X, second), strict=True)
    for (record, timing), (wanted, wanted_timing) in pairs:
        assert retold(record, second, currency) == wanted
        assert retold_timing(timing, record["act_by"], bundle, second) == wanted_timing


def test_a_score_without_reasons_stays_without(bundle: Bundle) -> None:
    X = tiny_rows(3, bundle.contract)
    (score, *_) = score_rows(bundle, ["a", "b", "c"], X, None, ServingConfig(), explain=False)
    record = orjson.loads(orjson.dumps(score_record(score)))
    assert retold(record, "id", "USD") == record
    timing = {"act_by_meaning": None, "churn_curve": []}
    assert retold_timing(timing, None, bundle, "id") == timing


def test_words_are_kept_as_text_and_value() -> None:
    """What is stored of a reason is enough to say it in Indonesian."""
    reason = {
        "theme": "recency",
        "feature": "orders_days_since_last",
        "value": 143.0,
        "effect": "raises",
        "text": "",
        "actionable": True,
        "log_odds": 0.5,
    }
    record = {"reasons": [reason], "next_step": "Send a win-back message"}
    again = retold(record, "id", "IDR")
    assert again["reasons"][0]["text"].endswith("(menaikkan risiko)")
    assert "143 hari" in again["reasons"][0]["text"]
    assert again["next_step"] == "Kirim pesan ajakan kembali"
