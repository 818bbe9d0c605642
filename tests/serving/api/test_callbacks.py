"""A provider's callback is believed when it is signed by the secret, just now, as it is."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from serving.outreach.deliver.signatures import signed_headers, signing_key
from serving.outreach.records import AUDIT, SUPPRESSIONS
from tests.serving.operations import new_key
from tests.serving.outreach.programme import DAY, START, Assigned, begin
from tests.serving.scored_company import Api, score_company

PATH = "/v1/outcomes/signed"
SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 32).decode()


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Api:
    monkeypatch.setenv("SETIA_CALLBACK_SECRET", SECRET)
    score_company(tmp_path, customers=5)
    opened = Api(tmp_path)
    begin(opened.app.state.database, [Assigned("c_0001", "contact")])
    new_key(opened.app.state.database, "admin")
    opened.refresh()
    return opened


def callback(**members: Any) -> bytes:
    one = {
        "customer_id": "c_0001",
        "kind": "unsubscribed",
        "occurred_at": (START + DAY).isoformat(),
        "channel": "email",
    }
    document = {
        "type": "customer.outcomes",
        "timestamp": datetime.now(UTC).isoformat(),
        "data": {"outcomes": [one]},
    }
    return json.dumps(document | members).encode()


def signed(body: bytes, at: datetime | None = None, secret: str = SECRET) -> dict[str, str]:
    headers = signed_headers([signing_key(secret, "x")], "evt_1", body, at or datetime.now(UTC))
    return {**headers, "content-type": "application/json"}


def post(api: Api, body: bytes, headers: dict[str, str]) -> Any:
    return api.post(PATH, content=body, headers=headers)


def test_a_signed_callback_is_taken_in_without_a_key(api: Api) -> None:
    body = callback()
    assert post(api, body, signed(body)).json()["kept"] == 1
    assert post(api, body, signed(body)).json()["duplicates"] == 1
    with api.app.state.database.reading() as connection:
        (row,) = connection.execute(SUPPRESSIONS.select()).all()
        actors = {row.actor for row in connection.execute(AUDIT.select())}
    assert (row.customer_id, row.channel) == ("c_0001", "email")
    assert actors == {"callback evt_1"}


def test_the_reference_library_signs_what_we_take(api: Api) -> None:
    body, now = callback(), datetime.now(UTC)
    signature = Webhook(SECRET).sign("evt_2", now, body.decode())
    headers = {
        "webhook-id": "evt_2",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
        "content-type": "application/json",
    }
    assert post(api, body, headers).json()["kept"] == 1


def test_what_is_not_to_be_believed_is_refused_and_leaves_nothing(api: Api) -> None:
    body, now = callback(), datetime.now(UTC)
    refusals = {
        "signed 360 s behind our clock": signed(body, now - timedelta(minutes=6)),
        "s ahead of our clock": signed(body, now + timedelta(minutes=6)),
        "not by the secret": signed(body, secret=OTHER),
        "its body was changed": signed(body + b" "),
    }
    for said, headers in refusals.items():
        answer = post(api, body, headers)
        assert answer.status_code == 401, said
        assert answer.json()["type"] == "urn:setia:problem:signature"
        assert said.removeprefix("signed 360 ") in answer.json()["detail"]
    unsigned = post(api, body, {"content-type": "application/json"})
    assert unsigned.status_code == 422
    assert {one["location"] for one in unsigned.json()["errors"]} == {
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    }
    with api.app.state.database.reading() as connection:
        assert connection.execute(SUPPRESSIONS.select()).all() == []


def test_without_a_secret_no_callback_is_taken(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    body = callback()
    for secret in ("", "whsec_short"):
        monkeypatch.setenv("SETIA_CALLBACK_SECRET", secret)
        answer = post(api, body, signed(body))
        assert (answer.status_code, answer.json()["type"]) == (
            404,
            "urn:setia:problem:callbacks-off",
        )
        assert "short" not in answer.text


def test_a_signed_callback_is_still_judged(api: Api) -> None:
    body = callback(type="something.else")
    assert post(api, body, signed(body)).status_code == 422
    bought = {"customer_id": "c_0001", "kind": "purchase", "occurred_at": "2026-01-02T09:00:00Z"}
    body = callback(data={"outcomes": [{**bought, "value": 3.0}], "currency": "EUR"})
    assert "convert the values to USD" in post(api, body, signed(body)).text
