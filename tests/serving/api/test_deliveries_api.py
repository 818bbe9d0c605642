"""Messages are listed in pages, dead letters sent again, and outreach is measured."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from serving.outreach.records import AUDIT, DECISIONS, MESSAGES
from tests.serving.operations import new_key
from tests.serving.outreach.programme import DAY, START, Assigned, begin
from tests.serving.scored_company import Api, score_company

PATH = "/v1/outreach/deliveries"


@pytest.fixture
def api(tmp_path: Path) -> Api:
    """25 messages: the first 20 delivered, three dead (one too late), two unknown."""
    score_company(tmp_path, customers=30)
    opened = Api(tmp_path)
    database = opened.app.state.database
    assigned = [Assigned(f"c_{place:04}", "contact", START + place * DAY) for place in range(25)]
    begin(database, [*assigned, Assigned("c_0025", "holdout")])
    with database.writing() as connection:
        change = update(MESSAGES).where(MESSAGES.c.sequence > 20).values(state="dead")
        connection.execute(change.values(detail="550 no such user", endpoint="mail"))
        late = update(MESSAGES).where(MESSAGES.c.sequence == 21).values(not_after=START)
        connection.execute(late)
        unknown = update(MESSAGES).where(MESSAGES.c.sequence > 23).values(state="unknown")
        connection.execute(unknown)
    return opened


def listed(api: Api, query: str = "") -> list[dict[str, Any]]:
    answer = api.get(f"{PATH}?{query}")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["deliveries"])


def test_every_message_is_on_one_page_the_newest_first(api: Api) -> None:
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = api.get(f"{PATH}?limit=7{cursor and '&cursor='}{cursor}").json()
        seen += [one["sequence"] for one in page["deliveries"]]
        cursor = page["next_cursor"]
    assert seen == list(range(25, 0, -1))


def test_filters_narrow_the_list(api: Api) -> None:
    assert len(listed(api, "state=delivered")) == 20
    assert len(listed(api, "endpoint=mail&state=dead")) == 3
    (one,) = listed(api, "customer_id=c_0003")
    assert (one["id"], one["decision_id"], one["attempts"]) == ("msg_dec_3", "dec_3", 1)
    since = (START + 10 * DAY).isoformat().replace("+", "%2B")
    until = (START + 12 * DAY).isoformat().replace("+", "%2B")
    assert [one["sequence"] for one in listed(api, f"since={since}&until={until}")] == [12, 11]
    assert listed(api, "type=customer.at_risk") == []


def test_what_is_no_filter_or_no_cursor_is_refused(api: Api) -> None:
    for query in ("state=lost", "colour=red", "limit=0", "since=2026-01-01T00:00:00", "cursor="):
        assert api.get(f"{PATH}?{query}").status_code == 422, query
    assert api.get(f"{PATH}?cursor=abc").status_code == 400
    cursor = api.get(f"{PATH}?limit=5").json()["next_cursor"]
    other = api.get(f"{PATH}?limit=5&state=dead&cursor={cursor}")
    assert "keep them the same on every page" in other.json()["detail"]


def test_dead_letters_are_listed_with_what_was_said(api: Api) -> None:
    found = api.get("/v1/outreach/dead?limit=4").json()
    assert found["more"]
    assert {one["detail"] for one in found["dead"]} == {"550 no such user"}
    everything = api.get("/v1/outreach/dead?endpoint=mail").json()
    assert sorted(one["state"] for one in everything["dead"]) == ["dead"] * 3 + ["unknown"] * 2
    assert api.get("/v1/outreach/dead?endpoint=crm").json() == {"dead": [], "more": False}


def replay(api: Api, **body: Any) -> dict[str, Any]:
    answer = api.post("/v1/outreach/replay", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_dead_letters_of_an_endpoint_are_sent_again_and_a_dry_run_only_says_so(api: Api) -> None:
    dry = replay(api, endpoint="mail", dry_run=True)
    assert (dry["replayed"], dry["too_late"]) == (2, 1)
    assert len(listed(api, "state=dead")) == 3
    found = replay(api, endpoint="mail")
    assert [one["id"] for one in found["messages"]] == [one["id"] for one in dry["messages"]]
    assert {one["sequence"] for one in listed(api, "state=pending")} == {22, 23}
    with api.app.state.database.reading() as connection:
        actors = connection.scalars(select(AUDIT.c.actor).where(AUDIT.c.action == "replay")).all()
    assert actors == ["local", "local"]
    assert replay(api, endpoint="mail")["replayed"] == 0


def test_what_may_have_arrived_is_sent_again_only_by_its_id(api: Api) -> None:
    found = replay(api, ids=["msg_dec_23", "msg_dec_23", "msg_dec_0", "nothing"])
    assert [one["id"] for one in found["messages"]] == ["msg_dec_23"]
    assert [one["id"] for one in found["refused"]] == ["msg_dec_0", "nothing"]
    assert "is delivered; only dead and unknown ones go again" in found["refused"][0]["detail"]


def test_a_replay_of_nothing_or_of_two_choices_is_refused(api: Api) -> None:
    for body in ({}, {"dry_run": True}, {"ids": ["a"], "endpoint": "mail"}, {"ids": []}):
        assert api.post("/v1/outreach/replay", json=body).status_code == 422


def test_these_need_the_scope_outreach(api: Api) -> None:
    weak, _ = new_key(api.app.state.database, "score", "list")
    api.refresh()
    headers = {"Authorization": f"Bearer {weak}"}
    for path in (PATH, "/v1/outreach/dead"):
        assert api.get(path, headers=headers).status_code == 403
    body = {"endpoint": "mail"}
    assert api.post("/v1/outreach/replay", json=body, headers=headers).status_code == 403


def test_outreach_is_measured_once_a_minute(api: Api) -> None:
    metrics, now = api.app.state.outreach_metrics, START + 100 * DAY
    with api.app.state.database.writing() as connection:
        values = {"at": START, "actor": "planner", "action": "plan_written", "subject": "run_1"}
        detail = {"reasons": {"expected_gain": 25, "holdout": 1}}
        connection.execute(insert(AUDIT).values(**values, detail=detail))
    metrics.refresh(now)
    metrics.refresh(now + timedelta(minutes=2))
    said = api.get("/metrics").text
    assert 'setia_outbox_messages{endpoint="crm",state="delivered"} 20.0' in said
    assert 'setia_outbox_messages{endpoint="mail",state="dead"} 3.0' in said
    assert 'setia_plan_verdicts{reason="holdout"} 1.0' in said
    assert "setia_holdout_contacts 0.0" in said
    assert "setia_effect_ratio_p_value 1.0" in said
    replay(api, endpoint="mail")
    with api.app.state.database.writing() as connection:
        contacted = update(DECISIONS).where(DECISIONS.c.id == "dec_3").values(arm="holdout")
        connection.execute(contacted)
        gone = update(MESSAGES).where(MESSAGES.c.state == "dead").values(state="delivered")
        connection.execute(gone)
    metrics.refresh(now + timedelta(minutes=2, seconds=30))
    assert "setia_holdout_contacts 0.0" in api.get("/metrics").text
    metrics.refresh(now + timedelta(minutes=4))
    said = api.get("/metrics").text
    assert "setia_holdout_contacts 1.0" in said
    assert 'setia_outbox_messages{endpoint="mail",state="dead"} 0.0' in said
    assert 'setia_outbox_messages{endpoint="mail",state="pending"} 2.0' in said
    assert "c_0003" not in said
