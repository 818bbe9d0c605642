"""The outbox delivering through channels: nothing twice by e-mail, only changes to a CRM."""

import random
import ssl
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import trustme
from aiosmtpd.smtp import SMTP
from sqlalchemy import select

from features.outreach_config import EmailEndpoint, Endpoint, HubSpotEndpoint
from serving.database import Database
from serving.outreach.deliver.delivery import Worker
from serving.outreach.deliver.senders import sender_for
from serving.outreach.outbox import NewMessage
from serving.outreach.records import MESSAGES
from tests.serving.outreach.deliver.channels.letters import NOW, PLAYBOOK, contact
from tests.serving.outreach.deliver.channels.local_crm import LocalHubSpot, served
from tests.serving.outreach.deliver.channels.post_office import Post, hang_up, open_office
from tests.serving.outreach.outboxes import Clock, anybody, write


def letter(number: int, customer_id: str, endpoint: str, **changes: object) -> NewMessage:
    told = contact(number, customer_id, **changes)
    return NewMessage(endpoint, "outreach.contact", customer_id, f"effect_{number}", told.payload)


class Desk:
    """A worker with one endpoint, whose clock can be moved on."""

    def __init__(
        self, database: Database, endpoint: Endpoint, trusted: ssl.SSLContext | None = None
    ) -> None:
        environ = {"TOKEN": "right"}
        self.sender = sender_for("out", endpoint, environ, database, PLAYBOOK, trusted)
        self._clock = Clock(NOW)
        self._database = database
        draws = random.Random(1)
        senders = {"out": self.sender}
        self._worker = Worker(database, senders, senders.keys(), anybody, self._clock, draws)

    def deliver(self, later: timedelta = timedelta(0)) -> dict[str, str]:
        """Customers to the state of their newest message, after delivering what is due."""
        self._clock.now += later
        self._worker.deliver_due()
        query = select(MESSAGES.c.customer_id, MESSAGES.c.state).order_by(MESSAGES.c.sequence)
        with self._database.reading() as connection:
            return {row.customer_id: row.state for row in connection.execute(query)}


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def desk(database: Database, post: Post, tmp_path: Path) -> Iterator[Desk]:
    authority, certified = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(certified)
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    book = tmp_path / "book.csv"
    book.write_text(
        "customer_id,email\nc_1,ani@pelanggan.example\nc_2,budi@pelanggan.example\n",
        encoding="utf-8",
    )
    with open_office(post, starttls=certified) as port:
        endpoint = EmailEndpoint(
            kind="email",
            host="localhost",
            port=port,
            sender="halo@toko.example",
            addresses=book,
        )
        yield Desk(database, endpoint, trusted)


def test_an_e_mail_whose_fate_is_unknown_is_never_sent_again(
    database: Database, desk: Desk, post: Post
) -> None:
    def take_and_hang_up(server: SMTP) -> str:
        hang_up(server)
        return "250 taken"

    write(database, letter(1, "c_1", "out"))
    post.at_text = take_and_hang_up
    assert desk.deliver() == {"c_1": "unknown"}
    post.at_text = lambda _: "250 taken"
    for _ in range(4):
        assert desk.deliver(timedelta(days=1)) == {"c_1": "unknown"}
    assert len(post.arrived) == 1


def test_an_e_mail_put_off_by_the_server_arrives_once_when_it_may(
    database: Database, desk: Desk, post: Post
) -> None:
    write(database, letter(1, "c_1", "out"), letter(2, "c_2", "out"), letter(3, "c_3", "out"))
    post.at_recipient = {"ani@pelanggan.example": "450 come back later"}
    assert desk.deliver() == {"c_1": "pending", "c_2": "delivered", "c_3": "dead"}
    post.at_recipient = {}
    assert desk.deliver(timedelta(minutes=10))["c_1"] == "delivered"
    desk.deliver(timedelta(days=1))
    assert sorted(one["To"] for one in post.arrived) == [
        "ani@pelanggan.example",
        "budi@pelanggan.example",
    ]


def test_a_crm_is_told_only_what_changed_since_it_took_something(database: Database) -> None:
    hub = LocalHubSpot()
    with served(hub) as url:
        endpoint = HubSpotEndpoint(kind="hubspot", token_variable="TOKEN", url=url)
        desk = Desk(database, endpoint)
        with closing(desk.sender):
            write(database, letter(1, "c_1", "out"))
            assert desk.deliver() == {"c_1": "delivered"}
            write(database, letter(2, "c_1", "out", churn_probability=0.9))
            desk.deliver(timedelta(days=3))
    assert [len(call[0]["properties"]) for call in hub.calls] == [15, 6]
    assert hub.contacts["c_1"]["setia_churn_risk"] == "0.9"
    assert hub.contacts["c_1"]["setia_outreach_decision"] == "dec_2"
