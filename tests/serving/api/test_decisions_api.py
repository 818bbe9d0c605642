"""Decisions are read in pages: of the last plan, of another one, or of a customer."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from serving.outreach.decide.planning import write_plan
from tests.serving.operations import new_key
from tests.serving.outreach.outreach_company import open_shop
from tests.serving.scored_company import NOW, Api

PATH = "/v1/outreach/decisions"
CUSTOMERS = 60


@pytest.fixture
def api(tmp_path: Path) -> Api:
    """A company with two plans, a week apart."""
    shop = open_shop(tmp_path, CUSTOMERS)
    opened = Api(tmp_path)
    for days in (0, 6):
        now = NOW + timedelta(days=days)
        write_plan(opened.app.state.database, shop.config, shop.basis(now), now)
    return opened


def pages(api: Api, query: str) -> list[list[dict[str, Any]]]:
    found, cursor = [], ""
    while cursor is not None:
        answer = api.get(f"{PATH}?{query}{cursor and '&cursor='}{cursor}")
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["decisions"])
        cursor = answer.json()["next_cursor"]
    return found


def test_the_last_plan_is_read_in_pages_with_every_customer_once(api: Api) -> None:
    found = pages(api, "limit=25")
    assert [len(page) for page in found] == [25, 25, 10]
    names = [one["customer_id"] for page in found for one in page]
    assert names == [f"c_{place:04d}" for place in range(CUSTOMERS)]
    assert {one["decided_at"] for page in found for one in page} == {"2026-01-08T03:04:05+00:00"}


def test_a_page_read_on_stays_with_its_plan(api: Api, tmp_path: Path) -> None:
    first = api.get(f"{PATH}?limit=50").json()
    shop = open_shop(tmp_path, CUSTOMERS)
    later = NOW + timedelta(days=12)
    write_plan(api.app.state.database, shop.config, shop.basis(later), later)
    rest = api.get(f"{PATH}?limit=50&cursor={first['next_cursor']}").json()
    assert {one["run"] for one in rest["decisions"]} == {first["decisions"][0]["run"]}
    assert len(rest["decisions"]) == 10
    assert api.get(f"{PATH}?limit=1").json()["decisions"][0]["run"] != first["decisions"][0]["run"]


def test_filters_by_reason_and_by_run(api: Api) -> None:
    (every,) = pages(api, "limit=1000")
    for reason in ("expected_gain", "holdout", "over_capacity"):
        (found,) = pages(api, f"reason={reason}&limit=1000")
        assert found == [one for one in every if one["reason"] == reason]
    (held,) = pages(api, "reason=holdout&limit=1000")
    assert all((one["arm"], one["action"]) == ("holdout", "suppress") for one in held)
    (one, *_) = pages(api, "customer_id=c_0001")[0][::-1]
    (first_plan,) = pages(api, f"run={one['run']}&limit=1000")
    assert {each["decided_at"] for each in first_plan} == {"2026-01-02T03:04:05+00:00"}
    assert pages(api, "run=run_unknown") == [[]]


def test_a_customers_decisions_come_the_newest_first(api: Api) -> None:
    found = [page[0]["decided_at"] for page in pages(api, "customer_id=c_0001&limit=1")]
    assert found == ["2026-01-08T03:04:05+00:00", "2026-01-02T03:04:05+00:00"]
    assert pages(api, "customer_id=nobody") == [[]]


def test_a_decision_says_what_it_was_made_of_in_the_companys_money(api: Api) -> None:
    answer = api.get(f"{PATH}?reason=expected_gain&limit=1").json()
    assert (answer["currency"], answer["generated"]) == ("USD", True)
    (one,) = answer["decisions"]
    expected = one["value"] * one["change"] - one["cost"]
    assert one["expected_gain"] == pytest.approx(expected)
    assert (one["action"], one["step"], one["arm"]) == ("contact", "win_back", "contact")


def test_before_the_first_plan_the_list_is_empty(tmp_path: Path) -> None:
    open_shop(tmp_path, 5)
    assert pages(Api(tmp_path), "") == [[]]


def test_what_cannot_be_asked_is_refused(api: Api) -> None:
    assert api.get(f"{PATH}?reason=bored").status_code == 422
    assert api.get(f"{PATH}?color=red").status_code == 422
    cursor = api.get(f"{PATH}?limit=5").json()["next_cursor"]
    answer = api.get(f"{PATH}?limit=5&reason=holdout&cursor={cursor}")
    assert answer.status_code == 400
    assert "belongs to other filters" in answer.json()["detail"]


def test_a_key_needs_the_outreach_scope(api: Api) -> None:
    database = api.app.state.database
    told = [new_key(database, scope)[0] for scope in ("score", "outreach")]
    api.refresh()
    codes = [api.get(PATH, headers={"Authorization": f"Bearer {t}"}).status_code for t in told]
    assert codes == [403, 200]
