"""A stored score told in another language, word for word as if it had been told in it at first."""

from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Any

from features.catalogue import feature_named
from features.wording import Language
from serving.reasons import reason_text, steps
from serving.when import act_by_meaning
from training.bundle import Bundle


def retold(record: Mapping[str, Any], language: Language, currency: str) -> dict[str, Any]:
    """A `score_record`, as JSON holds it, with its reasons and next step in `language`."""
    reasons = [_reason(reason, language, currency) for reason in record["reasons"]]
    step = record["next_step"]
    return {**record, "reasons": reasons, "next_step": step and _steps()[step][language]}


def retold_timing(
    timing: Mapping[str, Any], act_by: str | None, bundle: Bundle, language: Language
) -> dict[str, Any]:
    """The `score_timings` of a customer to act for by `act_by`, told in `language`."""
    day = date.fromisoformat(act_by) if act_by else None
    return {**timing, "act_by_meaning": act_by_meaning(bundle, day, language)}


def _reason(reason: Mapping[str, Any], language: Language, currency: str) -> dict[str, Any]:
    feature = feature_named(reason["feature"])
    text = reason_text(feature, reason["value"], reason["effect"], language, currency)
    return {**reason, "text": text}


@cache
def _steps() -> dict[str, Mapping[Language, str]]:
    """Every next step there is, by its words in any language."""
    return {text: step for step in steps() for text in step.values()}
