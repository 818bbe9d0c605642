"""`setia outreach send|work|status|dead|replay|enable`, as somebody at a terminal uses them."""

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from serving.database import Database
from serving.outreach.message import Receipt
from serving.outreach.outbox import NewMessage, message_id
from tests.command import HEADER, setia, shop
from tests.serving.outreach.outboxes import SECRET, Clock, Scripted, new, worker, write
from tests.serving.outreach.receiver import Receiver, Reply, receiving

FOLDER = Path(__file__).parents[2]


def config(folder: Path, *receivers: Receiver) -> Path:
    """A shop with an endpoint crm0, crm1, … for each receiver."""
    endpoints = "".join(
        f"    crm{number}: {{kind: webhook, url: '{one.url}', secret_variable: CRM{number}}}\n"
        for number, one in enumerate(receivers)
    )
    return shop(folder, HEADER, settings=f"outreach:\n  endpoints:\n{endpoints}")


def waiting(file: Path, *messages: NewMessage, now: datetime | None = None) -> None:
    database = Database(file.parent / "var")
    write(database, *messages, now=now or datetime.now(UTC))
    database.close()


def give_up(file: Path, *effects: str, now: datetime, not_after: datetime | None = None) -> None:
    """Let messages be refused for good at `now`."""
    database = Database(file.parent / "var")
    messages = (new(one, endpoint="crm0", not_after=not_after) for one in effects)
    write(database, *messages, now=now)
    refused = Scripted(lambda _: Receipt("refused", "no such contact", 404))
    worker(database, {"crm0": refused}, Clock(now)).deliver_due()
    database.close()


@pytest.fixture
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM0", SECRET)
    monkeypatch.setenv("CRM1", SECRET)


def told(file: Path, *arguments: str) -> object:
    return json.loads(setia("outreach", *arguments, "-c", file, "--json").done().out)


@pytest.mark.usefixtures("_secrets")
def test_send_delivers_what_is_due_and_says_so(tmp_path: Path) -> None:
    with receiving() as good, receiving(lambda _: Reply(503)) as bad:
        file = config(tmp_path, good, bad)
        later = datetime.now(UTC) + timedelta(days=1)
        waiting(file, new("a", endpoint="crm0"), new("b", endpoint="crm0", not_before=later))
        waiting(file, new("c", endpoint="crm1"))
        said = setia("outreach", "send", "-c", file).done().out
        assert said == "crm0: 1 delivered\ncrm1: 1 to be tried again\n"
        assert good.ids == [message_id("a")]
        assert told(file, "send") == {"endpoints": {"crm0": {}, "crm1": {}}, "problems": []}


def test_a_missing_secret_is_said_and_stops_neither_the_others_nor_loses_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM1", SECRET)
    monkeypatch.delenv("CRM0", raising=False)
    with receiving() as one, receiving() as other:
        file = config(tmp_path, one, other)
        waiting(file, new("a", endpoint="crm0"), new("b", endpoint="crm1"))
        setia("outreach", "send", "-c", file).refused(
            "crm1: 1 delivered", "'crm0': the environment variable CRM0", "nothing is lost"
        )
        assert (one.seen, other.ids) == ([], [message_id("b")])
        monkeypatch.setenv("CRM0", SECRET)
        setia("outreach", "send", "-c", file).done()
        assert one.ids == [message_id("a")]


def test_without_endpoints_there_is_nothing_to_deliver_to(tmp_path: Path) -> None:
    file = shop(tmp_path, HEADER)
    setia("outreach", "send", "-c", file).refused("no endpoint is configured")
    setia("outreach", "work", "-c", file).refused("no endpoint can be delivered to")
    assert "no endpoint is configured" in setia("outreach", "status", "-c", file).done().out


@pytest.mark.usefixtures("_secrets")
def test_status_tells_how_each_endpoint_fares_and_enable_opens_one(tmp_path: Path) -> None:
    with receiving(lambda _: Reply(410)) as gone:
        file = config(tmp_path, gone)
        due = datetime.now(UTC) - timedelta(hours=2)
        waiting(file, new("a", endpoint="crm0"), new("b", endpoint="crm0"), now=due)
        setia("outreach", "send", "-c", file).done()
        said = setia("outreach", "status", "-c", file).done().out
        assert "crm0: disabled; 2 pending; the oldest has been due for 0:00" in said
        assert "answered 410" in said
        (status,) = told(file, "status")  # type: ignore[misc]
        assert status["states"] == {"pending": 2, "delivered": 0, "dead": 0, "unknown": 0}
        assert status["standing"] == "disabled"
        assert status["circuit"]["disabled_at"]
        gone.reply = lambda _: Reply()
        setia("outreach", "enable", "crm9", "-c", file).refused("'crm9'; outreach.endpoints has")
        assert "crm0 is enabled" in setia("outreach", "enable", "crm0", "-c", file).done().out
        setia("outreach", "send", "-c", file).done()
        (status,) = told(file, "status")  # type: ignore[misc]
        assert (status["standing"], status["states"]["delivered"]) == ("open", 2)


@pytest.mark.usefixtures("_secrets")
def test_messages_of_a_removed_endpoint_are_given_up_and_said_to_be(tmp_path: Path) -> None:
    with receiving() as receiver:
        file = config(tmp_path, receiver)
        both = file.read_text()
        due = datetime.now(UTC) - timedelta(hours=25)
        waiting(file, new("a", endpoint="crm0"), new("b", endpoint="old"), now=due)
        status = setia("outreach", "status", "-c", file).done().out
        assert "old: not configured; 1 pending; the oldest has been due for 1 day, 1:00" in status
        assert "! old is not in outreach.endpoints: its messages wait a day" in status
        said = setia("outreach", "send", "-c", file).done().out
        assert "crm0: 1 delivered\nold: 1 given up\n! old is not in outreach.endpoints" in said
        assert "replay --endpoint old" in said
        assert "outreach.endpoints" in setia("outreach", "dead", "-c", file).done().out
        replayed = setia("outreach", "replay", "--endpoint", "old", "-c", file).done().out
        assert "! old is not in outreach.endpoints" in replayed
        file.write_text(both.replace("crm0:", "old:"))
        assert setia("outreach", "send", "-c", file).done().out == "old: 1 delivered\n"
        assert sorted(receiver.ids) == sorted([message_id("a"), message_id("b")])


@pytest.mark.usefixtures("_secrets")
def test_dead_letters_are_shown_and_sent_again_under_their_ids(tmp_path: Path) -> None:
    with receiving() as receiver:
        file = config(tmp_path, receiver)
        monday = datetime(2026, 3, 2, 12, tzinfo=UTC)
        give_up(file, "a", "b", now=monday)
        give_up(file, "c", now=monday + timedelta(days=1))
        give_up(file, "d", now=monday, not_after=monday + timedelta(days=3))
        listed = setia("outreach", "dead", "-c", file).done().out
        assert len(listed.splitlines()) == 4
        assert f"{message_id('c')}  dead     crm0  customer.at_risk  c  2026-03-03" in listed
        assert "no such contact" in listed
        range_ = ("--endpoint", "crm0", "--since", "2026-03-02", "--until", "2026-03-02T13:00")
        dry = setia("outreach", "replay", *range_, "--dry-run", "-c", file).done().out
        assert "2 messages would be sent again" in dry
        assert "1 message not sent again: too late" in dry
        setia("outreach", "send", "-c", file).done()
        assert receiver.seen == []
        setia("outreach", "replay", *range_, "-c", file).done()
        setia("outreach", "send", "-c", file).done()
        assert sorted(receiver.ids) == sorted([message_id("a"), message_id("b")])
        document = told(file, "replay", "--id", message_id("c"))
        assert [one["id"] for one in document["again"]] == [message_id("c")]  # type: ignore[index]
        setia("outreach", "send", "-c", file).done()
        assert receiver.ids[-1] == message_id("c")


def test_what_cannot_be_sent_again_is_refused(tmp_path: Path) -> None:
    file = shop(tmp_path, HEADER)
    waiting(file, new("a"))
    again = ("outreach", "replay", "-c", file)
    setia(*again).refused("choose what to send again")
    setia(*again, "--id", "msg_1").refused("no message 'msg_1'", "`setia outreach dead`")
    setia(*again, "--id", message_id("a")).refused("is pending; only dead and unknown")
    setia(*again, "--since", "noon").refused("'noon' is no time", code=2)
    assert "no message was given up" in setia("outreach", "dead", "-c", file).done().out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.usefixtures("_secrets")
def test_the_worker_delivers_until_it_is_told_to_stop(
    number: signal.Signals, tmp_path: Path
) -> None:
    with receiving() as receiver:
        file = config(tmp_path, receiver)
        waiting(file, *(new(f"m{one}", endpoint="crm0") for one in range(70)))
        lines, code = stopped_after("70 delivered", number, ["-c", str(file)])
        assert code == 0, lines
        assert lines[0].startswith("delivering to crm0")
        assert lines[-1] == "stopped; nothing is on its way"
        assert len(set(receiver.ids)) == len(receiver.ids) == 70


def stopped_after(
    said: str, number: signal.Signals, arguments: Sequence[str]
) -> tuple[list[str], int]:
    """The lines and exit code of a worker that gets a signal once it has `said` something."""
    command = [sys.executable, "-m", "setia", "outreach", "work", *arguments]
    lines = []
    with subprocess.Popen(
        command, cwd=FOLDER, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip())
            if said in line:
                process.send_signal(number)
    return lines, process.returncode
