"""E-mail to customers by SMTP, with verified certificates; never sent again when in doubt."""

import csv
import re
import smtplib
import ssl
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from pathlib import Path

from features.outreach_config import EmailEndpoint
from serving.outreach.deliver.channels.list_headers import HEADERS, list_headers
from serving.outreach.message import Message, Receipt
from serving.outreach.words.playbook import Playbook, PlaybookError

_SECONDS = 20.0
"""For each answer of the server, but the last."""
_SECONDS_TO_ACCEPT = 60.0
"""For the answer to the whole text; RFC 5321 4.5.3.2.6 allows more, our lease does not."""
_SECONDS_TO_BEGIN = 90.0
"""What has not been begun by then goes back, so that the lease outlasts the last message."""
_LINES = SMTP.clone(cte_type="7bit", header_factory=HEADERS)
"""Every server takes lines of plain ASCII."""
_GOING_AWAY = 421
_ADDRESS = re.compile(
    r"(?P<name>[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64})@"
    r"(?P<domain>[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+)"
)
"""As web forms take it (WHATWG HTML), with a dot in the domain; no quotes, plain ASCII."""
_AT_LINE_START = re.compile(rb"^\.", re.MULTILINE)


class AddressBookError(ValueError):
    """An address book that cannot be read; the message names the file and what it lacks."""


class EmailSender:
    """Sends the playbook's e-mail to each customer through one SMTP server."""

    most_at_once = 10
    in_flight = 1
    repeatable = False

    def __init__(
        self,
        endpoint: EmailEndpoint,
        playbook: Playbook,
        password: str | None = None,
        trusted: ssl.SSLContext | None = None,
    ) -> None:
        """`trusted` says whose certificates are believed; those of the machine unless given."""
        self._endpoint = endpoint
        self._playbook = playbook
        self._password = password
        self._trusted = trusted or ssl.create_default_context()

    def send(self, messages: Sequence[Message], now: datetime) -> list[Receipt]:
        """Send each message over one connection, opened when the first is ready to go.

        A message is `unknown` when the connection ended after its text was handed over.
        """
        until = time.monotonic() + _SECONDS_TO_BEGIN
        try:
            book = addresses_of(self._endpoint.addresses, {one.customer_id for one in messages})
        except AddressBookError as error:
            return [Receipt("throttled", str(error))] * len(messages)
        ready = [self._written(message, book, now) for message in messages]
        if not any(isinstance(one, EmailMessage) for one in ready):
            return [one for one in ready if isinstance(one, Receipt)]
        try:
            server = self._connected()
        except (OSError, smtplib.SMTPException) as error:
            failed = self._not_connected(error)
            return [one if isinstance(one, Receipt) else failed for one in ready]
        return _all_sent(server, ready, until)

    def close(self) -> None:
        """Nothing is held open between deliveries."""

    def _written(
        self, message: Message, book: dict[str, str], now: datetime
    ) -> EmailMessage | Receipt:
        payload = message.payload
        if message.type != "outreach.contact" or payload["channel"] != "email":
            return Receipt("refused", f"{message.type} is not for customers to read")
        address = book.get(message.customer_id)
        if address is None:
            return Receipt("refused", f"no address for {message.customer_id!r} in the address book")
        try:
            recipient = address_of(address)
        except ValueError:
            return Receipt("refused", f"the address of {message.customer_id!r} is not one")
        try:
            return self._email(message, recipient, now)
        except (PlaybookError, MessageError, ValueError) as error:
            return Receipt("retry", str(error))

    def _email(self, message: Message, recipient: Address, now: datetime) -> EmailMessage:
        """The e-mail; EmailMessage itself refuses a line break in a header."""
        words = self._playbook.words(message.payload, "email")
        name, sender = parseaddr(self._endpoint.sender)
        email = EmailMessage(policy=_LINES)
        email["From"] = Address(name, addr_spec=sender)
        email["To"] = recipient
        email["Subject"] = words.subject
        email["Date"] = format_datetime(now)
        email["Message-ID"] = f"<{message.id}@{sender.rpartition('@')[2]}>"
        email["Auto-Submitted"] = "auto-generated"
        for header, value in list_headers(self._playbook, message.payload).items():
            email[header] = value
        email.set_content(words.text)
        if words.html:
            email.add_alternative(words.html, subtype="html")
        return email

    def _connected(self) -> smtplib.SMTP:
        """A connection, encrypted and logged in as the endpoint says."""
        end = self._endpoint
        if end.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                end.host, end.port, timeout=_SECONDS, context=self._trusted
            )
        else:
            server = smtplib.SMTP(end.host, end.port, timeout=_SECONDS)
        try:
            if end.security == "starttls":
                server.starttls(context=self._trusted)
            if end.username is not None and self._password is not None:
                server.login(end.username, self._password)
            server.ehlo_or_helo_if_needed()
        except BaseException:
            server.close()
            raise
        return server

    def _not_connected(self, error: OSError | smtplib.SMTPException) -> Receipt:
        where = f"{self._endpoint.host}:{self._endpoint.port}"
        if isinstance(error, ssl.SSLCertVerificationError):
            why = f"its certificate is not to be trusted ({error.verify_message})"
            return Receipt("throttled", f"{where}: {why}")
        if isinstance(error, smtplib.SMTPAuthenticationError):
            why = "user name or password refused; set another and start again"
            return Receipt("throttled", f"{where}: {why}", error.smtp_code)
        if isinstance(error, smtplib.SMTPNotSupportedError):
            why = "it offers no STARTTLS or no log-in that we know"
            return Receipt("throttled", f"{where}: {why}")
        code = error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else None
        return Receipt("throttled", f"{where}: {error or type(error).__name__}", code)


def addresses_of(path: Path, customer_ids: Iterable[str]) -> dict[str, str]:
    """The address of each of these customers that is in the CSV file (customer_id, email).

    No other row is kept; of a customer's rows the first counts. Raises AddressBookError if the
    file or a column is missing.
    """
    wanted = set(customer_ids)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            if lacking := {"customer_id", "email"} - set(header):
                lacks = " and ".join(sorted(lacking))
                raise AddressBookError(f"address book {path} has no column {lacks}")
            return _found(rows, wanted, header.index("customer_id"), header.index("email"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AddressBookError(f"address book {path} cannot be read: {error}") from error


def _found(
    rows: Iterable[Sequence[str]], wanted: set[str], id_place: int, email_place: int
) -> dict[str, str]:
    """Read until everybody is found; a row that is too short is nobody's."""
    found: dict[str, str] = {}
    width = max(id_place, email_place)
    for row in rows:
        if len(row) > width and row[id_place] in wanted and row[email_place].strip():
            found.setdefault(row[id_place], row[email_place].strip())
            if len(found) == len(wanted):
                break
    return found


def address_of(text: str) -> Address:
    """The address that `text` is; ValueError if it is not exactly one."""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise ValueError("not an address")
    return Address(username=found["name"], domain=found["domain"])


def _all_sent(
    server: smtplib.SMTP, ready: Sequence[EmailMessage | Receipt], until: float
) -> list[Receipt]:
    """A receipt for each; once the connection or the time is gone, the rest go back unsent."""
    receipts: list[Receipt] = []
    for one in ready:
        if isinstance(one, Receipt):
            receipts.append(one)
        elif server.sock is None or time.monotonic() > until:
            receipts.append(Receipt("retry", "the connection or the time ended before its turn"))
        else:
            receipts.append(_sent(server, one))
    with suppress(OSError, smtplib.SMTPException):
        server.quit()
    server.close()
    return receipts


def _sent(server: smtplib.SMTP, email: EmailMessage) -> Receipt:
    try:
        if refusal := _refused(server, email):
            return refusal
        server.send(_lines(email))
    except (OSError, smtplib.SMTPException) as error:
        server.close()
        return Receipt("retry", f"the connection ended before the whole e-mail had left: {error}")
    try:
        if server.sock is not None:
            server.sock.settimeout(_SECONDS_TO_ACCEPT)
        server.send(b".\r\n")
        code, answer = server.getreply()
    except (OSError, smtplib.SMTPException):
        server.close()
        told = (
            "the whole e-mail had left when the connection ended; the server's log knows if it took"
        )
        return Receipt("unknown", f"{told} {email['Message-ID']}")
    return Receipt("delivered", _told(answer), code) if code < 300 else _receipt(code, answer)


def _refused(server: smtplib.SMTP, email: EmailMessage) -> Receipt | None:
    """What the server has against the sender, the recipient or a text at all, if anything."""
    sender, recipient = (email[name].addresses[0].addr_spec for name in ("From", "To"))
    code, answer = server.mail(sender)
    if code >= 300:
        end = _receipt(code, answer)
        # Whom we send as is not this message's fault: the others would fare the same.
        return replace(end, verdict="throttled") if end.verdict == "refused" else end
    code, answer = server.rcpt(recipient)
    if code < 300:
        code, answer = server.docmd("DATA")
    if code < 400:
        return None
    if code != _GOING_AWAY:
        server.rset()
    return _receipt(code, answer)


def _receipt(code: int, answer: bytes) -> Receipt:
    """5xx is for good, 4xx for now (RFC 5321 4.2.1)."""
    return Receipt("refused" if code >= 500 else "retry", _told(answer), code)


def _told(answer: bytes) -> str:
    return " ".join(answer.decode("utf-8", "replace").split())


def _lines(email: EmailMessage) -> bytes:
    """The text as it goes over the wire, but for the line with one dot that ends it."""
    text = email.as_bytes()
    return _AT_LINE_START.sub(b"..", text if text.endswith(b"\r\n") else text + b"\r\n")
