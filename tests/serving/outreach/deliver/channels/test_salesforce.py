"""Salesforce on this machine: what its records become, and what each of its complaints means."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from features.outreach_config import SalesforceEndpoint
from serving.outreach.deliver.channels.crm import FIELDS, WORDS, CrmSender, Last
from serving.outreach.deliver.channels.salesforce import Salesforce, field_name
from serving.outreach.deliver.channels.salesforce_login import SalesforceLogin
from serving.outreach.message import Message, Receipt
from tests.serving.outreach.deliver.channels.letters import NOW, PLAYBOOK, contact
from tests.serving.outreach.deliver.channels.local_crm import TOKEN, LocalSalesforce, Reply, served


class Organisation:
    """A Salesforce organisation and how to send to it."""

    def __init__(self, force: LocalSalesforce, url: str) -> None:
        self.force = force
        self._url = url

    def sender(self, told: Any = lambda _: {}, secret: str = TOKEN, **changes: Any) -> Any:
        variables = {"client_id_variable": "SF_ID", "client_secret_variable": "SF_SECRET"}
        given = {"kind": "salesforce", "url": self._url, **variables}
        endpoint = SalesforceEndpoint.model_validate(given | changes)
        login = SalesforceLogin(self._url, "app", secret)
        client = httpx.Client(trust_env=False)
        return CrmSender(Salesforce(endpoint, login, client), told, PLAYBOOK)

    def send(self, *messages: Message, **changes: Any) -> list[Receipt]:
        with closing(self.sender(**changes)) as sender:
            receipts: list[Receipt] = sender.send(messages, NOW)
            return receipts


@pytest.fixture
def organisation() -> Iterator[Organisation]:
    force = LocalSalesforce()
    with served(force) as url:
        yield Organisation(force, url)


def test_fields_are_named_as_salesforce_names_its_own() -> None:
    assert field_name("churn_risk") == "Setia_Churn_Risk__c"
    assert all(len(field_name(name)) <= 43 for name in (*FIELDS, *WORDS))


def test_two_hundred_records_go_in_one_call(organisation: Organisation) -> None:
    receipts = organisation.send(*(contact(number) for number in range(200)))
    assert {one.verdict for one in receipts} == {"delivered"}
    assert [len(call) for call in organisation.force.calls] == [200]
    record = organisation.force.records["c_7"]
    assert record["Setia_Churn_Risk__c"] == 0.71
    assert record["Setia_Outreach_Decision__c"] == "dec_7"


def test_a_value_that_is_not_known_clears_the_field(organisation: Organisation) -> None:
    organisation.send(contact(1, clv=None))
    assert organisation.force.records["c_1"]["Setia_Clv__c"] is None


def test_a_known_record_gets_only_what_changed(organisation: Organisation) -> None:
    organisation.send(contact(1, "c_1"))
    before = {"c_1": Last(1, contact(1, "c_1").payload)}
    organisation.send(contact(2, "c_1", risk_tier="medium"), told=lambda _: before)
    sent = set(organisation.force.calls[1][0])
    assert sent == {
        "attributes",
        "Setia_Customer_Id__c",
        "Setia_Churn_Risk_Band__c",
        "Setia_Model_Version__c",
        "Setia_Outreach_Decision__c",
        "Setia_Outreach_Subject__c",
        "Setia_Outreach_Text__c",
        "Setia_Score_As_Of__c",
    }


def test_a_record_that_somebody_deleted_comes_back_whole(organisation: Organisation) -> None:
    before = {"c_1": Last(1, contact(1, "c_1").payload)}
    organisation.send(contact(2, "c_1"), told=lambda _: before)
    assert organisation.force.records["c_1"].keys() == organisation.force.fields


def test_each_record_has_its_own_answer_in_order(organisation: Organisation) -> None:
    organisation.force.locked, organisation.force.unwanted = {"c_1"}, {"c_3"}
    receipts = organisation.send(*(contact(number) for number in range(4)))
    assert [one.verdict for one in receipts] == ["delivered", "retry", "delivered", "refused"]
    assert receipts[3].detail == "FIELD_CUSTOM_VALIDATION_EXCEPTION: not this one"


def test_a_field_that_nobody_created_is_named_and_nothing_is_lost(
    organisation: Organisation,
) -> None:
    organisation.force.fields.remove("Setia_Clv__c")
    receipt = organisation.send(contact(1))[0]
    assert receipt.verdict == "throttled"
    assert "No such column 'Setia_Clv__c'" in receipt.detail
    assert "create the field as docs/channels.md lists it" in receipt.detail


def test_one_token_is_fetched_and_used_until_it_expires(organisation: Organisation) -> None:
    with closing(organisation.sender()) as sender:
        for number in range(2):
            assert sender.send([contact(number)], NOW)[0].verdict == "delivered"
        assert organisation.force.tokens == ["token_0"]
        organisation.force.tokens.append("somebody else's")
        assert sender.send([contact(3)], NOW)[0].verdict == "delivered"
    assert organisation.force.tokens[-1] == "token_2"
    assert len(organisation.force.calls) == 3


def test_credentials_that_are_refused_are_named_by_their_variables(
    organisation: Organisation,
) -> None:
    receipt = organisation.send(contact(1), secret="old")[0]
    assert receipt == Receipt(
        "throttled",
        "Salesforce gives no token (status 400, invalid_client: invalid client credentials); "
        "put valid ones into SF_ID and SF_SECRET",
    )


def test_a_fresh_token_that_is_not_taken_is_not_asked_for_for_ever(
    organisation: Organisation,
) -> None:
    organisation.force.accepts = False
    receipt = organisation.send(contact(1))[0]
    assert (receipt.verdict, receipt.code) == ("throttled", 401)
    assert "Session expired or invalid" in receipt.detail
    assert len(organisation.force.tokens) == 2


def test_a_record_type_that_is_not_there_holds_everything_back(organisation: Organisation) -> None:
    receipt = organisation.send(contact(1), record="Klant__c")[0]
    assert (receipt.verdict, receipt.code) == ("throttled", 404)


def _error(code: str) -> list[dict[str, str]]:
    return [{"errorCode": code, "message": "so it is"}]


@pytest.mark.parametrize(
    ("reply", "verdict", "wait"),
    [
        (Reply(403, _error("REQUEST_LIMIT_EXCEEDED")), "throttled", None),
        (Reply(403, _error("INSUFFICIENT_ACCESS")), "throttled", None),
        (Reply(400, _error("INVALID_FIELD")), "throttled", None),
        (Reply(503, None, {"Retry-After": "60"}), "throttled", 60.0),
        (Reply(302, None, {"Location": "http://127.0.0.1:1/"}), "throttled", None),
        (Reply(500), "retry", None),
        (Reply(0), "retry", None),
        (Reply(200, []), "retry", None),
        (Reply(200, [None]), "retry", None),
        (Reply(400, _error("JSON_PARSER_ERROR")), "refused", None),
    ],
)
def test_what_each_answer_means(
    organisation: Organisation, reply: Reply, verdict: str, wait: float | None
) -> None:
    organisation.force.instead = [reply]
    receipt = organisation.send(contact(1))[0]
    assert (receipt.verdict, receipt.retry_after_seconds) == (verdict, wait)


def test_a_call_refused_as_a_whole_is_parted(organisation: Organisation) -> None:
    organisation.force.instead = [Reply(400, _error("JSON_PARSER_ERROR"))]
    receipts = organisation.send(contact(1), contact(2))
    assert [one.verdict for one in receipts] == ["delivered", "delivered"]
    assert [len(call) for call in organisation.force.calls] == [2, 1, 1]
