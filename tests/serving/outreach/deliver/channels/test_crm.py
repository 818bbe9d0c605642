"""Which fields a CRM is sent: those that changed since it was last told, and never stale ones."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert

from serving.database import Database
from serving.outreach.deliver.channels.crm import (
    FIELDS,
    STAMPS,
    WORDS,
    Answer,
    Answers,
    Last,
    Row,
    deliver,
    fields_of,
    last_told,
    same,
)
from serving.outreach.message import Message, Receipt
from serving.outreach.records import MESSAGES
from tests.serving.outreach.deliver.channels.letters import NOW, PLAYBOOK, contact, event


class Told:
    """What a CRM would be sent, given what it was told before."""

    def __init__(self, *before: Message) -> None:
        self._before = {one.customer_id: Last(one.sequence, one.payload) for one in before}
        self.rows: list[Row] = []

    def __call__(self, *messages: Message) -> list[Receipt]:
        return deliver(messages, self._find, PLAYBOOK, self._upsert, NOW)

    def _find(self, customer_ids: Iterable[str]) -> Mapping[str, Last]:
        return {one: self._before[one] for one in customer_ids if one in self._before}

    def _upsert(self, rows: Sequence[Row], _now: datetime) -> Answers:
        self.rows += rows
        return same(rows, Receipt("delivered"))


def test_every_field_comes_from_the_payload() -> None:
    fields = fields_of(contact(1).payload)
    assert fields.keys() == FIELDS.keys()
    assert fields["churn_risk"] == 0.71
    assert fields["top_reasons"] == "First answer took 31 hours (raises risk)"
    assert fields["outreach_decision"] == "dec_1"
    assert fields_of(event(1, "c_1").payload)["score_as_of"] == "2026-01-02T03:00:00+00:00"


def test_the_first_time_everything_goes_with_the_words_of_the_playbook() -> None:
    told = Told()
    assert [one.verdict for one in told(contact(1))] == ["delivered"]
    assert told.rows[0].sent.keys() == {*FIELDS, *WORDS}
    words = PLAYBOOK.words(contact(1).payload)
    assert told.rows[0].sent["outreach_text"] == words.text


def test_later_only_what_changed_goes_with_its_date_and_model() -> None:
    told = Told(event(1, "c_1"))
    now = event(2, "c_1")
    told(Message(**{**_plain(now), "payload": {**now.payload, "churn_probability": 0.9}}))
    assert told.rows[0].sent.keys() == {"churn_risk", *STAMPS}
    assert told.rows[0].sent["churn_risk"] == 0.9


def test_what_changed_in_no_decimal_that_is_shown_is_not_sent() -> None:
    before, later = event(1, "c_1"), event(2, "c_1")
    payload = {**later.payload, "churn_probability": 0.800_04, "at": "2026-01-03T03:00:00+00:00"}
    told = Told(before)
    receipts = told(Message(**{**_plain(later), "payload": payload}))
    assert receipts == [Receipt("delivered", "nothing changed, nothing sent")]
    assert not told.rows


def test_a_second_contact_always_says_that_it_is_another() -> None:
    told = Told(contact(1, "c_1"))
    told(contact(2, "c_1"))
    assert told.rows[0].sent.keys() == {"outreach_decision", *WORDS, *STAMPS}


def test_a_message_that_comes_after_a_newer_one_overwrites_nothing() -> None:
    told = Told(event(5, "c_1"))
    told(contact(4, "c_1"))
    sent = told.rows[0].sent.keys()
    assert not sent & fields_of(event(5, "c_1").payload).keys()
    assert {"outreach_step", "outreach_text", "top_reasons"} <= sent
    late = Told(contact(5, "c_1"))
    assert late(contact(4, "c_1"), event(3, "c_1"))[0].verdict == "delivered"
    assert not late.rows


def test_messages_to_one_customer_make_one_row_by_the_newest() -> None:
    told = Told()
    receipts = told(event(3, "c_1"), contact(2, "c_2"), contact(1, "c_1"))
    assert [one.verdict for one in receipts] == ["delivered"] * 3
    assert [(row.customer_id, row.trace) for row in told.rows] == [
        ("c_1", "msg_3"),
        ("c_2", "msg_2"),
    ]
    assert told.rows[0].sent["churn_risk"] == 0.8
    assert told.rows[0].sent["outreach_step"] == "win_back"


def test_a_record_that_turns_out_to_be_new_is_told_everything() -> None:
    calls: list[set[str]] = []

    def upsert(rows: Sequence[Row], now: datetime) -> Answers:
        calls.append(set(rows[0].sent))
        return {row.trace: Answer(Receipt("delivered"), is_new=len(calls) == 1) for row in rows}

    before = contact(1, "c_1")
    deliver(
        [contact(2, "c_1")],
        lambda _: {"c_1": Last(1, before.payload)},
        PLAYBOOK,
        upsert,
        NOW,
    )
    assert calls == [{"outreach_decision", *WORDS, *STAMPS}, {*FIELDS, *WORDS}]


def test_a_payload_that_a_template_cannot_tell_waits_and_the_others_go() -> None:
    told = Told()
    receipts = told(contact(1, step="serenade"), contact(2))
    assert [one.verdict for one in receipts] == ["retry", "delivered"]
    assert [row.trace for row in told.rows] == ["msg_2"]


def test_the_database_knows_what_an_endpoint_has_taken_last(database: Database) -> None:
    _keep(database, 1, "crm", "c_1", "delivered", churn_probability=0.1)
    _keep(database, 2, "crm", "c_1", "delivered", churn_probability=0.2)
    _keep(database, 3, "crm", "c_1", "dead", churn_probability=0.3)
    _keep(database, 4, "other", "c_1", "delivered", churn_probability=0.4)
    _keep(database, 5, "crm", "c_2", "pending", churn_probability=0.5)
    found = last_told(database, "crm")(["c_1", "c_2", "c_3"])
    assert found == {"c_1": Last(2, {"churn_probability": 0.2})}


def _plain(message: Message) -> dict[str, Any]:
    return {name: getattr(message, name) for name in Message.__dataclass_fields__}


def _keep(
    database: Database, number: int, endpoint: str, customer_id: str, state: str, **payload: float
) -> None:
    row = {
        "id": f"msg_{number}",
        "endpoint": endpoint,
        "type": "customer.at_risk",
        "customer_id": customer_id,
        "effect_key": f"key_{number}",
        "payload": payload,
        "state": state,
        "attempts": 1,
        "created_at": NOW + timedelta(seconds=number),
        "next_at": NOW,
    }
    with database.writing() as connection:
        connection.execute(insert(MESSAGES), row)
