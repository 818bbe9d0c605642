"""From an e-mail's header to the next plan: who clicks once is not contacted that way again."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from serving.database import Database
from serving.outreach.decide.planning import write_plan
from serving.outreach.deliver.recheck import boundary_of
from serving.outreach.deliver.senders import sender_for
from serving.outreach.opt_out import made_key
from serving.outreach.records import DECISIONS, MESSAGES
from serving.outreach.words.playbook import playbook_of
from tests.serving.outreach.deliver.channels.post_office import Post, open_office
from tests.serving.outreach.outbox_rows import add_message
from tests.serving.outreach.outboxes import Clock, worker
from tests.serving.outreach.outreach_company import DAY, Shop, open_shop
from tests.serving.scored_company import Api

PEOPLE = 25
BASE = "https://api.toko.example"


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def shop(tmp_path: Path, post: Post) -> Iterator[Shop]:
    """A shop that contacts by e-mail alone, its server, and everybody's address."""
    book = "".join(f"c_{place:04d},c_{place:04d}@pelanggan.example\n" for place in range(PEOPLE))
    (tmp_path / "addresses.csv").write_text("customer_id,email\n" + book)
    with open_office(post) as port:
        endpoint = {
            "kind": "email",
            "host": "127.0.0.1",
            "port": port,
            "security": "none",
            "sender": "Toko <halo@toko.example>",
            "addresses": tmp_path / "addresses.csv",
        }
        yield open_shop(
            tmp_path,
            PEOPLE,
            endpoints={"post": endpoint},
            channels={"email": {"endpoint": "post", "cost": 1, "daily_capacity": 20}},
            public_url=BASE,
            rest_days=1,
        )


@pytest.fixture
def database(shop: Shop) -> Iterator[Database]:
    opened = Database(shop.config.workspace)
    yield opened
    opened.close()


def deliver(shop: Shop, database: Database, clock: Clock) -> None:
    outreach = shop.config.outreach
    playbook = playbook_of(shop.config, made_key(database))
    sender = sender_for("post", outreach.endpoints["post"], {}, database, playbook)
    boundary = boundary_of(outreach, shop.config.workspace)
    worker(database, {"post": sender}, clock, boundary.permissions).deliver_due()


def test_what_is_queued_is_stopped_and_the_next_plan_leaves_them_alone(
    shop: Shop, database: Database, post: Post
) -> None:
    basis, clock = shop.basis(), Clock()
    write_plan(database, shop.config, basis, clock.now)
    deliver(shop, database, clock)
    email = post.arrived[0]
    customer_id = email["To"].partition("@")[0]
    assert email["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    path = email["List-Unsubscribe"].strip("<>").removeprefix(BASE)

    clock.now += 2 * DAY
    with database.writing() as connection:
        add_message(connection, "queued", customer_id, decided_at=clock.now, endpoint="post")
    assert Api(shop.config.workspace).post(path).status_code == 200
    before = len(post.arrived)
    deliver(shop, database, clock)
    with database.reading() as connection:
        queued = connection.execute(select(MESSAGES).where(MESSAGES.c.id == "msg_queued")).one()
    assert (queued.state, queued.detail, len(post.arrived)) == ("suppressed", "no_consent", before)

    clock.now += 30 * DAY
    plan = write_plan(database, shop.config, replace(basis, known_until=clock.now), clock.now)
    with database.reading() as connection:
        run = DECISIONS.c.run == plan.run
        reasons = dict(
            connection.execute(select(DECISIONS.c.customer_id, DECISIONS.c.reason).where(run)).all()
        )
    assert reasons[customer_id] == "no_consent"
    assert "no_consent" not in {reasons[one] for one in reasons if one != customer_id}
