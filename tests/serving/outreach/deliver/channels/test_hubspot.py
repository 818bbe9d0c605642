"""HubSpot on this machine: what its contacts become, and what each of its complaints means."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from features.outreach_config import HubSpotEndpoint
from serving.outreach.deliver.channels.crm import CrmSender, Last
from serving.outreach.deliver.channels.hubspot import HubSpot
from serving.outreach.message import Message, Receipt
from tests.serving.outreach.deliver.channels.letters import NOW, PLAYBOOK, contact
from tests.serving.outreach.deliver.channels.local_crm import TOKEN, LocalHubSpot, Reply, served


class Account:
    """A HubSpot account and how to send to it."""

    def __init__(self, hub: LocalHubSpot, url: str) -> None:
        self.hub = hub
        self._url = url

    def send(
        self, *messages: Message, token: str = TOKEN, told: Any = lambda _: {}, **changes: Any
    ) -> list[Receipt]:
        given = {"kind": "hubspot", "token_variable": "HUBSPOT_TOKEN", "url": self._url}
        endpoint = HubSpotEndpoint.model_validate(given | changes)
        client = httpx.Client(trust_env=False)
        sender = CrmSender(HubSpot(endpoint, token, client), told, PLAYBOOK)
        try:
            return sender.send(messages, NOW)
        finally:
            sender.close()


@pytest.fixture
def account() -> Iterator[Account]:
    hub = LocalHubSpot()
    with served(hub) as url:
        yield Account(hub, url)


def test_contacts_are_upserted_by_customer_with_every_value_as_text(account: Account) -> None:
    receipts = account.send(contact(1), contact(2, clv=None))
    assert [one.verdict for one in receipts] == ["delivered", "delivered"]
    ani = account.hub.contacts["c_1"]
    assert ani["setia_churn_risk"] == "0.71"
    assert ani["setia_churn_risk_band"] == "high"
    assert ani["setia_clv"] == "1850000.0"
    assert ani["setia_outreach_decision"] == "dec_1"
    assert ani["setia_outreach_subject"] == "We would like to put this right"
    assert account.hub.contacts["c_2"]["setia_clv"] == ""
    assert account.hub.calls[0][0]["objectWriteTraceId"] == "msg_1"


def test_a_contact_known_to_hubspot_gets_only_what_changed(account: Account) -> None:
    account.send(contact(1, "c_1"))
    before = {"c_1": Last(1, contact(1, "c_1").payload)}
    account.send(contact(2, "c_1", churn_probability=0.5), told=lambda _: before)
    assert set(account.hub.calls[1][0]["properties"]) == {
        "setia_churn_risk",
        "setia_model_version",
        "setia_outreach_decision",
        "setia_outreach_subject",
        "setia_outreach_text",
        "setia_score_as_of",
    }
    assert account.hub.contacts["c_1"]["setia_churn_risk_band"] == "high"


def test_a_contact_that_somebody_deleted_comes_back_whole(account: Account) -> None:
    before = {"c_1": Last(1, contact(1, "c_1").payload)}
    assert account.send(contact(2, "c_1"), told=lambda _: before)[0].verdict == "delivered"
    assert [len(call[0]["properties"]) for call in account.hub.calls] == [5, 15]
    assert account.hub.contacts["c_1"]["setia_churn_risk"] == "0.71"


def test_a_bad_record_fails_alone_where_hubspot_says_which(account: Account) -> None:
    account.hub.unwanted = {"c_2"}
    receipts = account.send(contact(1), contact(2), contact(3))
    assert [one.verdict for one in receipts] == ["delivered", "refused", "delivered"]
    assert receipts[1].detail == "VALIDATION_ERROR: not good enough"
    assert len(account.hub.calls) == 1


def test_where_hubspot_does_not_say_which_all_are_tried_again(account: Account) -> None:
    account.hub.unwanted, account.hub.tells_traces = {"c_2"}, False
    receipts = account.send(contact(1), contact(2), contact(3))
    assert {one.verdict for one in receipts} == {"retry"}


def test_where_one_bad_record_fails_the_call_the_others_are_parted_from_it(
    account: Account,
) -> None:
    account.hub.unwanted, account.hub.part_by_part = {"c_37"}, False
    receipts = account.send(*(contact(number) for number in range(100)))
    bad = [place for place, one in enumerate(receipts) if one.verdict == "refused"]
    assert bad == [37]
    assert len(account.hub.contacts) == 99
    assert len(account.hub.calls) <= 15


def test_a_property_that_nobody_created_is_named_and_nothing_is_lost(account: Account) -> None:
    account.hub.properties.remove("setia_currency")
    receipts = account.send(contact(1), contact(2))
    assert {one.verdict for one in receipts} == {"throttled"}
    assert "setia_currency" in receipts[0].detail
    assert receipts[0].detail.endswith("create the property as docs/channels.md lists it")
    assert len(account.hub.calls) == 1


def test_an_id_property_that_is_not_unique_holds_everything_back(account: Account) -> None:
    receipts = account.send(contact(1), contact(2), id_property="nickname")
    assert {one.verdict for one in receipts} == {"throttled"}
    assert "non-unique" in receipts[0].detail


def test_a_token_that_is_not_accepted_is_named_by_its_variable(account: Account) -> None:
    receipts = account.send(contact(1), token="wrong")
    assert (receipts[0].verdict, receipts[0].code) == ("throttled", 401)
    assert "put a valid one there" in receipts[0].detail
    assert "HUBSPOT_TOKEN" in receipts[0].detail
    assert "wrong" not in receipts[0].detail


@pytest.mark.parametrize(
    ("reply", "verdict", "wait"),
    [
        (Reply(429, {"message": "slow"}, {"Retry-After": "7"}), "throttled", 7.0),
        (Reply(429, None, {"Retry-After": "Fri, 02 Jan 2026 03:05:05 GMT"}), "throttled", 60.0),
        (
            Reply(429, None, {"X-HubSpot-RateLimit-Interval-Milliseconds": "10000"}),
            "throttled",
            10.0,
        ),
        (Reply(429, {"policyName": "DAILY"}), "throttled", 3600.0),
        (Reply(403, {"category": "MISSING_SCOPES", "message": "write"}), "throttled", None),
        (Reply(302, None, {"Location": "http://127.0.0.1:1/"}), "throttled", None),
        (Reply(404), "throttled", None),
        (Reply(423, {"message": "locked"}), "retry", 2.0),
        (Reply(477, None, {"Retry-After": "30"}), "retry", 30.0),
        (Reply(503), "throttled", None),
        (Reply(500), "retry", 2.0),
        (Reply(0), "retry", None),
        (Reply(400, {"message": "odd"}), "refused", None),
        (Reply(200, ["what"]), "delivered", None),
    ],
)
def test_what_each_answer_means(
    account: Account, reply: Reply, verdict: str, wait: float | None
) -> None:
    account.hub.instead = [reply]
    receipt = account.send(contact(1))[0]
    assert (receipt.verdict, receipt.retry_after_seconds) == (verdict, wait)


def test_a_storm_of_429_stops_the_parting_of_a_call(account: Account) -> None:
    account.hub.instead = [Reply(400, {"message": "odd"}), *(Reply(429) for _ in range(2))]
    receipts = account.send(*(contact(number) for number in range(64)))
    assert {one.verdict for one in receipts} == {"throttled"}
    assert len(account.hub.calls) == 3
