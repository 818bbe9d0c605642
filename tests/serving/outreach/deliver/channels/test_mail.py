"""E-mail through a real SMTP server on this machine: what arrives, and what if things go wrong."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import SMTP

from features.outreach_config import EmailEndpoint
from serving.outreach.deliver.channels.mail import AddressBookError, EmailSender, addresses_of
from serving.outreach.message import Message
from serving.outreach.opt_out import OptOutLinks, opened
from serving.outreach.words.playbook import Playbook
from tests.serving.outreach.deliver.channels.letters import NOW, PLAYBOOK, contact, event
from tests.serving.outreach.deliver.channels.post_office import Post, hang_up, open_office

KEY = b"k" * 32
BOOK = 'customer_id,email\nc_1,ani@pelanggan.example\nc_2,"budi@pelanggan.example"\nc_3,\n'


@dataclass(frozen=True)
class Office:
    """A running server and how to write to it."""

    post: Post
    port: int
    trust: ssl.SSLContext
    book: Path

    def send(self, *messages: Message, **changes: Any) -> Any:
        password = changes.pop("password", None)
        trust = changes.pop("trust", self.trust)
        playbook = changes.pop("playbook", PLAYBOOK)
        given = {
            "kind": "email",
            "host": "localhost",
            "port": self.port,
            "sender": "Toko Nusantara <halo@toko.example>",
            "addresses": self.book,
        }
        endpoint = EmailEndpoint.model_validate(given | changes)
        return EmailSender(endpoint, playbook, password, trust).send(messages, NOW)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trust(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture(scope="module")
def certified(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "addresses.csv"
    path.write_text(BOOK, encoding="utf-8")
    return path


@pytest.fixture
def office(trust: ssl.SSLContext, certified: ssl.SSLContext, book: Path) -> Iterator[Office]:
    post = Post()
    with open_office(post, starttls=certified) as port:
        yield Office(post, port, trust, book)


def test_the_customer_gets_the_playbooks_words_in_both_forms(office: Office) -> None:
    receipts = office.send(contact(1), contact(2, language="id"))
    assert [(one.verdict, one.code) for one in receipts] == [("delivered", 250)] * 2
    ani, budi = office.post.arrived
    assert ani["From"] == "Toko Nusantara <halo@toko.example>"
    assert ani["To"] == "ani@pelanggan.example"
    assert ani["Subject"] == "We would like to put this right"
    assert ani["Message-ID"] == "<msg_1@toko.example>"
    assert ani["List-Unsubscribe"] == "<https://toko.example/stop?c=c_1>"
    assert ani["List-Unsubscribe-Post"] is None, "nobody knows what a POST does there"
    words = PLAYBOOK.words(contact(1).payload)
    plain, html = ani.iter_parts()
    assert plain.get_content().splitlines() == words.text.splitlines()  # type: ignore[attr-defined]
    assert html.get_content().splitlines() == (words.html or "").splitlines()  # type: ignore[attr-defined]
    assert budi["Subject"] == "Kami ingin memperbaikinya"


def test_sent_again_the_e_mail_has_the_same_id(office: Office) -> None:
    for _ in range(2):
        office.send(contact(1))
    assert {one["Message-ID"] for one in office.post.arrived} == {"<msg_1@toko.example>"}


def test_lines_that_begin_with_a_dot_and_letters_beyond_ascii_arrive_as_they_are(
    office: Office, tmp_path: Path
) -> None:
    template = tmp_path / "en" / "win_back" / "email.txt"
    template.parent.mkdir(parents=True)
    template.write_text("Subject: Héllo ½\n\n.\n..two\n.three ½ ñ\nend", encoding="utf-8")
    receipts = office.send(contact(1), playbook=Playbook("Toko", folder=tmp_path))
    assert receipts[0].verdict == "delivered"
    arrived = office.post.arrived[0]
    assert arrived["Subject"] == "Héllo ½"
    body = next(arrived.iter_parts()).get_content()  # type: ignore[attr-defined]
    assert body.splitlines() == [".", "..two", ".three ½ ñ", "end"]


def test_a_customer_without_an_address_is_refused_by_id_and_the_others_are_written_to(
    office: Office,
) -> None:
    receipts = office.send(contact(9), contact(1), contact(3))
    assert [one.verdict for one in receipts] == ["refused", "delivered", "refused"]
    assert receipts[0].detail == "no address for 'c_9' in the address book"


@pytest.mark.parametrize(
    "address",
    [
        "ani@pelanggan.example\nBcc: all@else.example",
        "ani@pelanggan.example\r\nSubject: x",
        "ani@pelanggan.example, budi@pelanggan.example",
        "Ani <ani@pelanggan.example>",
        "ani@pelanggan.example>",
        "ani",
        "@pelanggan.example",
        "ani@localhost",
        "anï@pelanggan.example",
        "ani@pelanggan.example\x00",
    ],
)
def test_what_is_not_one_address_is_refused_and_reaches_no_header(
    office: Office, address: str
) -> None:
    office.book.write_text(f'customer_id,email\nc_1,"{address}"\n', encoding="utf-8")
    receipt = office.send(contact(1))[0]
    assert (receipt.verdict, receipt.detail) == ("refused", "the address of 'c_1' is not one")
    assert not office.post.arrived


def test_a_customer_id_with_a_line_break_adds_no_header(office: Office) -> None:
    mean = "c\r\nBcc: all@else.example"
    office.book.write_text(f'customer_id,email\n"{mean}",ani@pelanggan.example\n', newline="")
    assert office.send(contact(1, mean))[0].verdict == "delivered"
    arrived = office.post.arrived[0]
    assert arrived["Bcc"] is None
    assert arrived["List-Unsubscribe"].strip() == (
        "<https://toko.example/stop?c=c%0D%0ABcc%3A%20all%40else.example>"
    )


def listed(office: Office, message: Message, **changes: Any) -> list[str]:
    """The lines of the list headers of a message as they came over the wire."""
    playbook = replace(PLAYBOOK, opt_outs=OptOutLinks("https://api.toko.example", KEY), **changes)
    assert office.send(message, playbook=playbook)[0].verdict == "delivered"
    return [
        f"{name}: {value}"
        for name, value in office.post.arrived[-1].raw_items()  # type: ignore[attr-defined]
        if name.startswith("List-")
    ]


def test_one_click_unsubscribes_where_the_service_is_reached_from_outside(office: Office) -> None:
    """RFC 8058, 3.1: two headers, and of links in the first one alone that begins with https."""
    one_click = OptOutLinks("https://api.toko.example", KEY).link("c_1", "email")
    assert listed(office, contact(1)) == [
        f"List-Unsubscribe: <{one_click}>",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
    ]
    plain = next(office.post.arrived[-1].iter_parts())
    assert "https://toko.example/stop?c=c_1" in plain.get_content()  # type: ignore[attr-defined]
    by_mail, _ = listed(office, contact(1), unsubscribe="mailto:stop@toko.example")
    assert by_mail == f"List-Unsubscribe: <{one_click}>, <mailto:stop@toko.example>"


def test_without_a_page_of_the_companys_the_text_leads_to_the_same_link(office: Office) -> None:
    link, _ = listed(office, contact(1), unsubscribe=None)
    for part in office.post.arrived[-1].iter_parts():
        text = part.get_content()  # type: ignore[attr-defined]
        assert link.partition("<")[2].rstrip(">") in text


def test_a_long_link_is_neither_folded_nor_encoded(office: Office) -> None:
    name = "c" * 180
    office.book.write_text(f"customer_id,email\n{name},ani@pelanggan.example\n", encoding="utf-8")
    link, _ = listed(office, contact(1, name))
    token = link.removeprefix("List-Unsubscribe: <https://api.toko.example/v1/unsubscribe/")
    assert opened(KEY, token.removesuffix(">")) == (name, "email")
    office.send(contact(1, name))
    (page,) = office.post.arrived[-1].get_all("List-Unsubscribe")
    assert page == f"<https://toko.example/stop?c={name}>"


def test_4xx_is_tried_again_and_5xx_is_not(office: Office) -> None:
    office.post.at_recipient = {
        "ani@pelanggan.example": "450 4.2.0 greylisted, come back",
        "budi@pelanggan.example": "550 5.1.1 no such user",
    }
    receipts = office.send(contact(1), contact(2))
    assert [(one.verdict, one.code, one.detail) for one in receipts] == [
        ("retry", 450, "4.2.0 greylisted, come back"),
        ("refused", 550, "5.1.1 no such user"),
    ]


def test_a_refusal_leaves_the_connection_good_for_the_next(office: Office) -> None:
    office.post.at_recipient = {"ani@pelanggan.example": "550 no"}
    assert [one.verdict for one in office.send(contact(1), contact(2))] == ["refused", "delivered"]


@pytest.mark.parametrize(
    ("answer", "verdict"), [("451 disk is full", "retry"), ("554 looks like spam", "refused")]
)
def test_an_answer_to_the_text_counts_the_same(office: Office, answer: str, verdict: str) -> None:
    office.post.at_text = lambda _: answer
    assert office.send(contact(1))[0].verdict == verdict


def test_when_the_sender_is_refused_everybody_waits(office: Office) -> None:
    office.post.at_mail = "553 sender not allowed"
    assert {one.verdict for one in office.send(contact(1), contact(2))} == {"throttled"}


def test_a_connection_lost_after_the_text_leaves_the_outcome_unknown(office: Office) -> None:
    def take_and_hang_up(server: SMTP) -> str:
        hang_up(server)
        return "250 taken"

    office.post.at_text = take_and_hang_up
    lost, next_one = office.send(contact(1), contact(2))
    assert lost.verdict == "unknown"
    assert "<msg_1@toko.example>" in lost.detail
    assert next_one.verdict == "retry"
    assert len(office.post.arrived) == 1


def test_a_server_that_never_answers_leaves_the_outcome_unknown(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.outreach.deliver.channels.mail._SECONDS_TO_ACCEPT", 0.1)
    office.post.at_text = lambda _: ""
    assert [one.verdict for one in office.send(contact(1), contact(2))] == ["unknown", "retry"]


def test_what_has_no_time_left_to_be_begun_goes_back(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.outreach.deliver.channels.mail._SECONDS_TO_BEGIN", 0.0)
    assert {one.verdict for one in office.send(contact(1), contact(2))} == {"retry"}
    assert not office.post.arrived


def test_a_connection_lost_before_the_text_is_tried_again(office: Office) -> None:
    office.post.at_recipient = {"ani@pelanggan.example": ""}
    assert {one.verdict for one in office.send(contact(1), contact(2))} == {"retry"}
    assert not office.post.arrived


def test_a_certificate_that_nobody_vouches_for_is_not_accepted(office: Office) -> None:
    receipt = office.send(contact(1), trust=ssl.create_default_context())[0]
    assert receipt.verdict == "throttled"
    assert "its certificate is not to be trusted" in receipt.detail
    assert not office.post.arrived


def test_a_certificate_for_another_name_is_not_accepted(office: Office) -> None:
    receipt = office.send(contact(1), host="127.0.0.1")[0]
    assert "its certificate is not to be trusted" in receipt.detail


def test_the_user_logs_in_once_the_line_is_encrypted(office: Office) -> None:
    assert office.send(contact(1), username="setia", password="right")[0].verdict == "delivered"
    assert office.post.logins == [(b"setia", b"right")]


def test_a_wrong_password_says_so_and_loses_nothing(office: Office) -> None:
    receipt = office.send(contact(1), username="setia", password="wrong")[0]
    assert receipt.verdict == "throttled"
    assert "user name or password refused" in receipt.detail
    assert "wrong" not in receipt.detail


def test_a_server_without_starttls_is_told_nothing(book: Path, trust: ssl.SSLContext) -> None:
    post = Post()
    with open_office(post) as port:
        office = Office(post, port, trust, book)
        receipt = office.send(contact(1))[0]
        assert (receipt.verdict, receipt.detail.partition(": ")[2]) == (
            "throttled",
            "it offers no STARTTLS or no log-in that we know",
        )
        assert office.send(contact(1), security="none")[0].verdict == "delivered"


def test_tls_from_the_first_byte(
    book: Path, trust: ssl.SSLContext, certified: ssl.SSLContext
) -> None:
    post = Post()
    with open_office(post, tls=certified) as port:
        office = Office(post, port, trust, book)
        assert office.send(contact(1), security="tls")[0].verdict == "delivered"


def test_a_server_that_is_not_there_loses_nothing(office: Office) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        receipts = office.send(contact(1), contact(9), port=free.getsockname()[1])
    assert [one.verdict for one in receipts] == ["throttled", "refused"]


def test_only_a_contact_by_e_mail_is_written_to_customers(office: Office) -> None:
    receipts = office.send(event(1, "c_1"), contact(2, channel="phone"))
    assert [one.verdict for one in receipts] == ["refused", "refused"]
    assert receipts[0].detail == "customer.at_risk is not for customers to read"
    assert not office.post.arrived


def test_a_payload_that_a_template_cannot_tell_waits_for_a_better_template(office: Office) -> None:
    receipts = office.send(contact(1, step="serenade"), contact(2))
    assert [one.verdict for one in receipts] == ["retry", "delivered"]
    assert "en/serenade/email.txt" in receipts[0].detail


def test_addresses_are_read_anew_each_time_and_only_those_wanted(book: Path) -> None:
    assert addresses_of(book, ["c_2", "c_3", "c_9"]) == {"c_2": "budi@pelanggan.example"}
    changed = "\ufeffemail,customer_id\nshort\nnew@pelanggan.example,c_2\nlate@x.example,c_2\n"
    book.write_text(changed, encoding="utf-8")
    assert addresses_of(book, ["c_2"]) == {"c_2": "new@pelanggan.example"}


def test_an_address_book_that_cannot_be_read_holds_everything_back(
    office: Office, tmp_path: Path
) -> None:
    office.book.write_text("customer_id,mail\nc_1,ani@pelanggan.example\n", encoding="utf-8")
    receipts = office.send(contact(1), contact(2))
    assert [one.verdict for one in receipts] == ["throttled", "throttled"]
    assert receipts[0].detail == f"address book {office.book} has no column email"
    with pytest.raises(AddressBookError, match=r"none\.csv cannot be read"):
        addresses_of(tmp_path / "none.csv", [])
