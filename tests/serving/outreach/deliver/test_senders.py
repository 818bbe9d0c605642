"""The configuration's endpoints become senders, or a sentence that says what to mend."""

import ssl
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import TypeAdapter

from features.outreach_config import Endpoint
from serving.database import Database
from serving.outreach.deliver.senders import SenderError, Worded, sender_for
from serving.outreach.message import Message, Receipt, Sender
from tests.serving.outreach.deliver.channels.letters import NOW, PLAYBOOK, contact, event
from tests.serving.outreach.deliver.channels.local_crm import LocalHubSpot, LocalSalesforce, served
from tests.serving.outreach.deliver.channels.post_office import Post, open_office

ENVIRON = {
    "TOKEN": "right",
    "APP": "app",
    "EMPTY": "",
    "TWO_LINES": "a\nb",
    "SIGNING": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}
HUBSPOT = {"kind": "hubspot", "token_variable": "TOKEN"}
SALESFORCE = {
    "kind": "salesforce",
    "url": "https://o.example",
    "client_id_variable": "APP",
    "client_secret_variable": "TOKEN",
}
EMAIL = {"kind": "email", "host": "mail.example", "sender": "halo@toko.example"}


@pytest.fixture
def operations(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "var")
    yield opened
    opened.close()


def opened(operations: Database, trusted: ssl.SSLContext | None = None, **given: Any) -> Sender:
    endpoint: Endpoint = TypeAdapter[Endpoint](Endpoint).validate_python(given)
    return sender_for("crm", endpoint, ENVIRON, operations, PLAYBOOK, trusted)


def test_a_file_endpoint_makes_its_folder_at_once(operations: Database, tmp_path: Path) -> None:
    sender = opened(operations, kind="file", folder=tmp_path / "out" / "drop")
    assert sender.send([contact(1)], NOW)[0].verdict == "delivered"
    assert len(list((tmp_path / "out" / "drop").iterdir())) == 1


def test_an_email_endpoint_writes_to_customers(operations: Database, tmp_path: Path) -> None:
    book = tmp_path / "book.csv"
    book.write_text("customer_id,email\nc_1,ani@pelanggan.example\n", encoding="utf-8")
    authority, post = trustme.CA(), Post()
    certified, trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(certified)
    authority.configure_trust(trusted)
    with open_office(post, starttls=certified) as port:
        given = EMAIL | {"host": "localhost", "port": port, "addresses": book}
        login = {"username": "setia", "password_variable": "TOKEN"}
        sender = opened(operations, trusted, **given, **login)
        assert sender.send([contact(1)], NOW)[0].verdict == "delivered"
    assert post.logins == [(b"setia", b"right")]


def test_crm_endpoints_reach_their_crm(operations: Database) -> None:
    hub, force = LocalHubSpot(), LocalSalesforce()
    with served(hub) as hub_url, served(force) as force_url:
        for given in (HUBSPOT | {"url": hub_url}, SALESFORCE | {"url": force_url}):
            sender = opened(operations, **given)
            assert sender.send([contact(1)], NOW)[0].verdict == "delivered"
            sender.close()
    assert hub.contacts.keys() == force.records.keys() == {"c_1"}


def test_a_crm_inside_the_network_is_not_connected_to(operations: Database) -> None:
    sender = opened(operations, **(HUBSPOT | {"url": "https://169.254.169.254"}))
    receipt = sender.send([contact(1)], NOW)[0]
    sender.close()
    assert receipt.verdict == "retry"
    assert "169.254.169.254" in receipt.detail


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (HUBSPOT | {"token_variable": "NOT_SET"}, "variable NOT_SET is not set"),
        (HUBSPOT | {"token_variable": "EMPTY"}, "variable EMPTY is not set"),
        (
            SALESFORCE | {"client_id_variable": "TWO_LINES"},
            "variable TWO_LINES is not set to one line",
        ),
        (HUBSPOT | {"url": "http://api.hubapi.com"}, "is not https://host/"),
        (SALESFORCE | {"url": "http://o.example"}, "is not https://host/"),
        (EMAIL | {"addresses": "/nowhere/book.csv"}, "address book /nowhere/book.csv cannot be"),
        (EMAIL | {"addresses": "BOOK", "sender": "Toko"}, "'Toko' has no e-mail address"),
        (EMAIL | {"addresses": "BOOK", "sender": "a@b@c.example"}, "has no e-mail address"),
        (EMAIL | {"addresses": "BOOK", "security": "none"}, "mail.example would go in the clear"),
        (EMAIL | {"addresses": "BOOK", "username": "setia"}, "username needs password_variable"),
        (
            EMAIL | {"addresses": "BOOK", "username": "setia", "password_variable": "NOT_SET"},
            "variable NOT_SET is not set",
        ),
        ({"kind": "file", "folder": "BOOK/drop"}, "Not a directory"),
    ],
)
def test_an_endpoint_that_cannot_work_says_so_before_anything_is_sent(
    operations: Database, tmp_path: Path, given: dict[str, Any], problem: str
) -> None:
    book = tmp_path / "book.csv"
    book.write_text("customer_id,email\n", encoding="utf-8")
    placed = {
        name: value.replace("BOOK", str(book)) if isinstance(value, str) else value
        for name, value in given.items()
    }
    with pytest.raises(SenderError, match=r"^endpoint 'crm': ") as caught:
        opened(operations, **placed)
    assert problem in str(caught.value)


def test_a_webhook_carries_the_words_and_events_go_as_they_are(operations: Database) -> None:
    given = {"kind": "webhook", "url": "https://crm.example/hook", "secret_variable": "SIGNING"}
    sender = opened(operations, **given)
    assert (sender.most_at_once, sender.repeatable) == (1, True)
    sender.close()
    taken: list[Message] = []
    receipts = Worded(Kept(taken), PLAYBOOK).send(
        [event(1, "c_1"), contact(2, step="serenade"), contact(3, channel="phone")], NOW
    )
    assert [one.verdict for one in receipts] == ["delivered", "retry", "delivered"]
    danger, call = taken
    assert danger == event(1, "c_1")
    words = PLAYBOOK.words(contact(3, channel="phone").payload)
    assert call.payload["words"] == {"form": "script", "text": words.text}
    assert call.id == "msg_3"


class Kept:
    """A sender to a list."""

    most_at_once = 10
    in_flight = 1
    repeatable = True

    def __init__(self, taken: list[Message]) -> None:
        self._taken = taken

    def send(self, messages: Sequence[Message], now: datetime) -> list[Receipt]:  # noqa: ARG002
        self._taken += messages
        return [Receipt("delivered") for _ in messages]

    def close(self) -> None:
        """Nothing is held open."""
