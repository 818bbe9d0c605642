"""POST /v1/events: fresh rows are kept, and the customer's score is that of all rows together."""

import json
import shlex
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from features.config import ServingConfig
from features.versions import KNOWN_FROM
from serving.database import FILE
from serving.fresh_scoring import HistoryShelf, with_fresh
from serving.live import LiveShelf
from serving.scoring import score_record
from serving.standings import stands_at_risk
from tests.serving.live_company import LiveCompany
from tests.serving.scored_company import Api

REPOSITORY = Path(__file__).parents[3]
SERVING = ServingConfig()


@pytest.fixture
def live_api(live_company: LiveCompany) -> Api:
    for file in live_company.config.workspace.glob(f"{FILE}*"):
        file.unlink()
    return Api(live_company.config.workspace)


def now_text(**earlier: int) -> str:
    return (datetime.now(UTC) - timedelta(**earlier)).isoformat()


def order(**members: Any) -> dict[str, Any]:
    """An order of an hour ago, with which anybody is eligible."""
    return {"ordered_at": now_text(hours=1), "amount": 50_000.0, **members}


def kept(company: LiveCompany, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(company.config.workspace / FILE)) as connection:
        return connection.execute(query).fetchall()


def post(api: Api, body: dict[str, Any]) -> dict[str, Any]:
    response = api.post("/v1/events", json=body)
    assert response.status_code == 200, response.text
    return dict(response.json())


def unkept(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer's score as it would be without being kept."""
    return {**answer["customer"], "score_id": None}


def test_the_history_gives_every_customer_the_nightly_score(
    live_api: Api, live_company: LiveCompany
) -> None:
    served, run = live_api.shelf.served, live_company.run
    scorer = LiveShelf(live_company.config.workspace).scorer(served)
    history = HistoryShelf(live_company.config.workspace).history()
    serving = served.snapshot.about.serving
    for nightly in run.scores:
        rows = history.rows(nightly.customer_id)
        live = scorer.score(nightly.customer_id, rows, run.cutoff, serving, explain=True)
        assert score_record(live) == score_record(nightly)


def test_a_fresh_row_gives_the_score_of_all_rows_sent_at_once(
    live_api: Api, live_company: LiveCompany
) -> None:
    for score in live_company.run.scores[:25]:
        customer, rows = score.customer_id, live_company.rows[score.customer_id]
        ticket = {"ticket_id": "new", "opened_at": now_text(minutes=5), "text": "tolong, rusak"}
        fresh = {"orders": [order(order_id="fresh")], "tickets": [ticket]}
        after = post(live_api, {"customer_id": customer, **fresh})
        whole = live_company.call(customer)
        del whole["as_of"]
        for name, new in fresh.items():
            whole[name] = [*rows.get(name, []), *new]
        assert unkept(after) == live_api.post("/v1/scores/live", json=whole).json()["customer"]


def test_a_ticket_change_alters_the_ticket_and_keeps_what_it_does_not_name(
    live_api: Api, live_company: LiveCompany
) -> None:
    customer = live_company.run.scores[0].customer_id
    opened = now_text(days=2)
    ticket = {"ticket_id": "t", "opened_at": opened, "channel": "email", "category": "billing"}
    change = {"ticket_id": "t", "opened_at": opened, "resolved_at": now_text(hours=1)}
    post(live_api, {"customer_id": customer, "orders": [order()], "tickets": [ticket]})
    changed = post(live_api, {"customer_id": customer, "tickets": [change]})
    whole = live_company.call(customer)
    del whole["as_of"]
    whole["orders"] = [*whole["orders"], order()]
    whole["tickets"] = [*whole.get("tickets", []), {**ticket, **change}]
    assert unkept(changed) == live_api.post("/v1/scores/live", json=whole).json()["customer"]


def test_every_score_is_kept_with_its_cause(live_api: Api, live_company: LiveCompany) -> None:
    customer = live_company.run.scores[0].customer_id
    body = {"customer_id": customer, "orders": [order()]}
    ticket = {"ticket_id": "t", "opened_at": now_text(minutes=3), "text": "secret words"}
    answers = [post(live_api, body), post(live_api, {"customer_id": customer, "tickets": [ticket]})]
    found = kept(live_company, "SELECT score_id, cause, record FROM live_scores ORDER BY scored_at")
    assert [row[:2] for row in found] == [
        (answers[0]["score_id"], "1 orders"),
        (answers[1]["score_id"], "1 tickets"),
    ]
    assert [orjson.loads(row[2]) for row in found] == [answer["customer"] for answer in answers]
    (words,) = kept(live_company, "SELECT count(*) FROM fresh_rows WHERE rows LIKE '%secret%'")[0]
    assert words == 0


def test_crossing_the_limit_is_an_event_once(live_api: Api, live_company: LiveCompany) -> None:
    high = [score for score in live_company.run.scores if score.risk_tier == "high"]
    recovered = 0
    for score in high:
        body = {"customer_id": score.customer_id, "orders": [order(amount=1_000.0)]}
        first, second = post(live_api, body), post(live_api, body)
        is_at_risk = stands_at_risk(first["customer"]["churn_probability"], SERVING, was=True)
        assert first["event"] == (None if is_at_risk else "customer.recovered")
        if not is_at_risk:
            assert second["event"] is None
            recovered += 1
    assert recovered > 0
    events = kept(live_company, "SELECT type FROM risk_events")
    assert events.count(("customer.recovered",)) >= recovered


def test_a_probability_that_wavers_about_the_limit_makes_one_event() -> None:
    was, changes = False, 0
    for propensity in (0.58, 0.61, 0.59, 0.61, 0.56, 0.62, 0.54, 0.58, 0.59):
        stands = stands_at_risk(propensity, SERVING, was=was)
        was, changes = stands, changes + (stands != was)
    assert (was, changes) == (False, 2)


def test_what_was_kept_is_there_after_a_restart(live_api: Api, live_company: LiveCompany) -> None:
    customer = live_company.run.scores[0].customer_id
    post(live_api, {"customer_id": customer, "orders": [order(order_id="a")]})
    again = Api(live_company.config.workspace)
    usage = {"occurred_at": now_text(minutes=1), "event": "login"}
    both = post(again, {"customer_id": customer, "events": [usage]})
    whole = live_company.call(customer)
    del whole["as_of"]
    whole["orders"] = [*whole["orders"], order(order_id="a")]
    whole["events"] = [*whole.get("events", []), usage]
    assert unkept(both) == again.post("/v1/scores/live", json=whole).json()["customer"]


def test_rows_of_somebody_unknown_are_kept_until_there_is_something_to_score(
    live_api: Api, live_company: LiveCompany
) -> None:
    ticket = {"ticket_id": "t", "opened_at": now_text(minutes=3)}
    answer = post(live_api, {"customer_id": "new", "tickets": [ticket]})
    assert (answer["customer"], answer["score_id"]) == (None, None)
    assert "orders in the 365 days before" in answer["not_scored"]
    later = post(live_api, {"customer_id": "new", "orders": [order()]})
    sent = {"customer_id": "new", "orders": [order()], "tickets": [ticket]}
    assert unkept(later) == live_api.post("/v1/scores/live", json=sent).json()["customer"]


def test_a_row_that_breaks_the_contract_keeps_nothing(
    live_api: Api, live_company: LiveCompany
) -> None:
    post(live_api, {"customer_id": "budi", "orders": [order()]})
    rows = [order(), order(ordered_at="2999-01-01")]
    response = live_api.post("/v1/events", json={"customer_id": "ana", "orders": rows})
    assert response.status_code == 422
    assert response.json()["errors"][0]["location"] == "/orders/1/ordered_at"
    assert kept(live_company, "SELECT customer_id FROM fresh_rows") == [("budi",)]
    empty = live_api.post("/v1/events", json={"customer_id": "ana"})
    assert "at least one row" in empty.json()["errors"][0]["detail"]


def test_calls_at_the_same_time_lose_nothing(live_api: Api, live_company: LiveCompany) -> None:
    customers = [score.customer_id for score in live_company.run.scores[:4]]
    bodies = [
        {"customer_id": customers[place % 4], "orders": [order(order_id=f"o{place}")]}
        for place in range(32)
    ]
    other = Api(live_company.config.workspace)
    with ThreadPoolExecutor(8) as pool:
        work = [pool.submit(post, (live_api, other)[i % 2], body) for i, body in enumerate(bodies)]
        ids = {done.result()["score_id"] for done in work}
    assert len(ids) == 32
    assert kept(live_company, "SELECT count(*) FROM fresh_rows") == [(32,)]
    assert kept(live_company, "SELECT count(*) FROM live_scores") == [(32,)]


def test_a_row_known_again_takes_the_place_of_the_old_one() -> None:
    first = {"order_id": "a", "product_id": "p", "amount": 5.0}
    second = {"order_id": "a", "product_id": "q", "amount": 7.0}
    refunded = {"order_id": "a", "product_id": "p", "amount": 5.0, "refund_amount": 5.0}
    assert with_fresh("orders", [first, second], [refunded]) == [second, refunded]
    returned = {**first, "amount": 0.0, "is_return": True}
    assert with_fresh("orders", [first], [returned]) == [first, returned]
    usage = {"event": "login"}
    assert with_fresh("events", [usage], [usage]) == [usage, usage]
    sent = {"kind": "nps", "sent_at": 1, "ticket_id": None, "score": None}
    answered = {"kind": "nps", "sent_at": 1, "score": 9.0}
    assert with_fresh("surveys", [sent], [answered]) == [{**sent, **answered}]
    unsent = {"kind": "nps", "answered_at": 1, "score": 9.0}
    assert with_fresh("surveys", [unsent], [unsent]) == [unsent, unsent]


def test_a_change_of_a_ticket_from_a_log_stands_in_for_its_states() -> None:
    states = [
        {"ticket_id": "t", "opened_at": 1, "channel": "chat", "known_from": 1, "known_until": 5},
        {"ticket_id": "t", "opened_at": 1, "channel": "chat", "known_from": 5, "known_until": None},
        {"ticket_id": "u", "opened_at": 2, "channel": "chat", "known_from": 2, "known_until": None},
    ]
    change = {"ticket_id": "t", "opened_at": 1, "resolved_at": 8}
    other, changed = with_fresh("tickets", states, [change])
    assert other == states[2]
    assert changed == {**states[1], "resolved_at": 8, KNOWN_FROM: 1}


def test_the_documented_call_is_answered(live_api: Api) -> None:
    blocks = (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8").split("```")
    (call,) = [block for block in blocks if block.strip().startswith("curl") and "/events" in block]
    body = shlex.split(call)[shlex.split(call).index("-d") + 1]
    answer = post(live_api, json.loads(body))
    assert answer["customer"] is None or answer["customer"]["customer_id"] == "C-77"


def test_rows_of_an_erased_person_are_not_kept(live_company: LiveCompany, live_api: Api) -> None:
    live_api.send("DELETE", "/v1/customers/erased-one")
    body = {"customer_id": "erased-one", "orders": [order()]}
    answer = live_api.post("/v1/events", json=body)
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:setia:problem:erased")
    assert kept(live_company, "SELECT * FROM fresh_rows") == []
