"""Generated tickets run in order, and surveys tell of them."""

import pytest

from tests.features.planted_company import ask, planted


def test_a_bad_month_is_slow_for_everybody() -> None:
    (ratio,) = ask(
        planted(),
        """
        SELECT median(hours) FILTER (d >= 315 AND d < 345) / median(hours) FILTER (d < 315)
        FROM (SELECT day(opened_at) AS d, epoch(first_response_at - opened_at) AS hours
              FROM tickets WHERE channel = 'email')
        """,
    )
    assert ratio == pytest.approx(3.0, rel=0.2)


def test_the_times_of_every_ticket_are_in_order() -> None:
    (wrong,) = ask(
        planted(),
        """
        SELECT count(*) FROM tickets WHERE first_response_at < opened_at
        OR escalated_at < first_response_at OR resolved_at < escalated_at
        OR resolved_at < first_response_at OR reopened_at < resolved_at
        OR (resolved_at IS NOT NULL AND first_response_at IS NULL)
        """,
    )
    assert wrong == 0


def test_most_tickets_are_opened_while_the_customer_is_there() -> None:
    (late,) = ask(
        planted(),
        "SELECT avg((coalesce(opened_at >= dropped_out_at, false))::INT) "
        "FROM tickets JOIN truth USING (customer_id)",
    )
    assert 0 < late < 0.03


def test_the_unhappy_answer_surveys_less() -> None:
    slow, quick = ask(
        planted(),
        """
        SELECT avg((answered_at IS NOT NULL)::INT) FILTER (hours > 24),
               avg((answered_at IS NOT NULL)::INT) FILTER (hours <= 24)
        FROM (SELECT answered_at, epoch(first_response_at - opened_at) / 3600 AS hours
              FROM surveys JOIN tickets USING (ticket_id) WHERE surveys.kind = 'csat')
        """,
    )
    assert slow < quick - 0.04


def test_low_nps_goes_with_dissatisfaction() -> None:
    happy, unhappy = ask(
        planted(),
        """
        SELECT avg(score) FILTER (debt < 0.05), avg(score) FILTER (debt > 1)
        FROM surveys JOIN truth USING (customer_id)
        WHERE kind = 'nps' AND day(sent_at) > 800
        """,
    )
    assert happy - unhappy > 0.5
