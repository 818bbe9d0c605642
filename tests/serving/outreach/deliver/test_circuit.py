"""The circuit of an endpoint, by hand."""

from datetime import UTC, datetime, timedelta

from serving.outreach.deliver.circuit import Circuit
from serving.outreach.message import Receipt

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
GOOD, BAD = Receipt("delivered"), Receipt("retry", "503")


def test_four_failures_in_a_row_are_borne_and_five_are_not() -> None:
    four = Circuit().after([BAD] * 4, NOW)
    assert (four.failures, four.failing_since, four.closed_until) == (4, NOW, None)
    assert four.admits(64, NOW) == 64
    five = four.after([BAD], NOW + SECOND)
    assert five.closed_until == NOW + 31 * SECOND
    assert five.admits(64, NOW + 30 * SECOND) == 0
    assert five.admits(64, NOW + 31 * SECOND) == 1, "one message to see"


def test_an_answer_in_between_starts_the_count_again() -> None:
    assert Circuit().after([BAD, BAD, BAD, BAD, GOOD, BAD], NOW).failures == 1
    assert Circuit().after([BAD] * 4 + [Receipt("refused")], NOW) == Circuit()


def test_pauses_grow_with_the_outage_up_to_half_an_hour() -> None:
    circuit, at, pauses = Circuit().after([BAD] * 5, NOW), NOW, []
    while at < NOW + timedelta(hours=3):
        assert circuit.closed_until is not None
        pauses.append((circuit.closed_until - at) / SECOND)
        at = circuit.closed_until
        circuit = circuit.after([BAD], at)
    assert pauses[:8] == [30, 30, 60, 120, 240, 480, 960, 1800]
    assert set(pauses[7:]) == {1800}
    assert circuit.after([GOOD], circuit.closed_until or at) == Circuit()


def test_a_429_holds_all_messages_for_as_long_as_it_asks() -> None:
    asked = Circuit().after([Receipt("throttled", "429", 429, 90.0)], NOW)
    assert asked.closed_until == NOW + 90 * SECOND
    unasked = Circuit().after([Receipt("throttled", "502", 502)], NOW)
    assert unasked.closed_until == NOW + 30 * SECOND


def test_a_pause_holds_though_an_earlier_request_was_answered_well_after_it() -> None:
    late = Circuit().after([Receipt("throttled", "429", 429, 90.0), GOOD], NOW)
    assert late.admits(64, NOW + 89 * SECOND) == 0
    assert late.admits(64, NOW + 90 * SECOND) == 1


def test_a_410_disables_until_somebody_enables() -> None:
    gone = Circuit().after([Receipt("gone", "410"), GOOD], NOW)
    assert gone.disabled_at == NOW
    assert gone.admits(64, NOW + timedelta(days=999)) == 0
