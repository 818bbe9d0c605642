"""The sender for each endpoint of the configuration, checked before anything is sent."""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from email.utils import parseaddr
from pathlib import Path
from typing import assert_never

import httpx

from features.outreach_config import (
    EmailEndpoint,
    Endpoint,
    FileEndpoint,
    HubSpotEndpoint,
    SalesforceEndpoint,
    WebhookEndpoint,
)
from serving.database import Database
from serving.outreach.deliver.channels.crm import CrmSender, client_for, last_told
from serving.outreach.deliver.channels.file_drop import FileDrop
from serving.outreach.deliver.channels.hubspot import HubSpot
from serving.outreach.deliver.channels.mail import (
    AddressBookError,
    EmailSender,
    address_of,
    addresses_of,
)
from serving.outreach.deliver.channels.salesforce import Salesforce
from serving.outreach.deliver.channels.salesforce_login import SalesforceLogin
from serving.outreach.deliver.connecting import LOOPBACK_NAMES, UrlError
from serving.outreach.deliver.webhooks import webhook_sender
from serving.outreach.message import Message, Receipt, Sender
from serving.outreach.words.playbook import Playbook, PlaybookError


class SenderError(ValueError):
    """An endpoint that cannot be used as configured; the message says what to set."""


def sender_for(
    name: str,
    endpoint: Endpoint,
    environ: Mapping[str, str],
    database: Database,
    playbook: Playbook,
    trusted: ssl.SSLContext | None = None,
) -> Sender:
    """The sender for `endpoint`, with its secrets from `environ`.

    `trusted` says whose certificates are believed; those of the machine unless given. Raises
    SenderError, or `webhook_sender`'s own errors, before anything is sent: for a secret that is
    not set, a place that cannot be used, and a connection that others could read.
    """
    match endpoint:
        case WebhookEndpoint():
            return Worded(webhook_sender(name, endpoint, environ, trusted=trusted), playbook)
        case FileEndpoint():
            return FileDrop(_folder(name, endpoint.folder), playbook)
        case EmailEndpoint():
            return _email(name, endpoint, environ, playbook, trusted)
        case HubSpotEndpoint():
            token = secret(name, endpoint.token_variable, environ)
            client, told = _client(name, endpoint.url, trusted), last_told(database, name)
            return CrmSender(HubSpot(endpoint, token, client), told, playbook)
        case SalesforceEndpoint():
            variables = (endpoint.client_id_variable, endpoint.client_secret_variable)
            known = [secret(name, variable, environ) for variable in variables]
            login = SalesforceLogin(endpoint.url, *known)
            client, told = _client(name, endpoint.url, trusted), last_told(database, name)
            return CrmSender(Salesforce(endpoint, login, client), told, playbook)
        case _:
            assert_never(endpoint)


class Worded:
    """A sender whose contacts also carry what to say, as `words`: no template is needed there."""

    def __init__(self, sender: Sender, playbook: Playbook) -> None:
        self.most_at_once = sender.most_at_once
        self.in_flight = sender.in_flight
        self.repeatable = sender.repeatable
        self._sender = sender
        self._playbook = playbook

    def send(self, messages: Sequence[Message], now: datetime) -> list[Receipt]:
        """Send those whose words can be told; the others wait for a better template."""
        receipts: dict[str, Receipt] = {}
        ready = []
        for message in messages:
            try:
                ready.append(self._worded(message))
            except PlaybookError as error:
                receipts[message.id] = Receipt("retry", str(error))
        sent = self._sender.send(ready, now) if ready else ()
        receipts |= {one.id: receipt for one, receipt in zip(ready, sent, strict=True)}
        return [receipts[message.id] for message in messages]

    def close(self) -> None:
        """Let go of connections."""
        self._sender.close()

    def _worded(self, message: Message) -> Message:
        if message.type != "outreach.contact":
            return message
        words = self._playbook.words(message.payload).parts()
        return replace(message, payload={**message.payload, "words": words})


def _client(name: str, url: str, trusted: ssl.SSLContext | None) -> httpx.Client:
    try:
        return client_for(url, trusted)
    except UrlError as error:
        raise SenderError(f"endpoint {name!r}: {error}") from None


def secret(name: str, variable: str, environ: Mapping[str, str]) -> str:
    """The secret in `variable`; SenderError if it is not set or has a line break in it."""
    value = environ.get(variable, "").strip()
    if not value or "\n" in value:
        raise SenderError(
            f"endpoint {name!r}: the environment variable {variable} is not set to one line; "
            "nothing is sent until it is, and nothing is lost"
        )
    return value


def _email(
    name: str,
    endpoint: EmailEndpoint,
    environ: Mapping[str, str],
    playbook: Playbook,
    trusted: ssl.SSLContext | None,
) -> EmailSender:
    try:
        address_of(parseaddr(endpoint.sender)[1])
    except ValueError:
        raise SenderError(
            f"endpoint {name!r}: sender {endpoint.sender!r} has no e-mail address; write it as "
            "Company <name@company.example>"
        ) from None
    if endpoint.security == "none" and endpoint.host not in LOOPBACK_NAMES:
        raise SenderError(
            f"endpoint {name!r}: e-mail to {endpoint.host} would go in the clear; set security to "
            "starttls or tls"
        )
    try:
        addresses_of(endpoint.addresses, ())
    except AddressBookError as error:
        raise SenderError(f"endpoint {name!r}: {error}") from error
    password = None
    if endpoint.username is not None:
        if endpoint.password_variable is None:
            raise SenderError(f"endpoint {name!r}: username needs password_variable")
        password = secret(name, endpoint.password_variable, environ)
    return EmailSender(endpoint, playbook, password, trusted)


def _folder(name: str, folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SenderError(f"endpoint {name!r}: folder {folder}: {error.strerror}") from error
    return folder
