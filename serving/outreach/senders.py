"""The sender for each endpoint of the configuration, checked before anything is sent."""

import ssl
from collections.abc import Mapping
from email.utils import parseaddr
from ipaddress import ip_address
from pathlib import Path
from typing import assert_never
from urllib.parse import urlsplit

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
from serving.outreach.channels.crm import last_told
from serving.outreach.channels.file_drop import FileDrop
from serving.outreach.channels.hubspot import HubSpotSender
from serving.outreach.channels.mail import AddressBookError, EmailSender, addresses_of
from serving.outreach.channels.salesforce import SalesforceSender
from serving.outreach.message import Sender
from serving.outreach.playbook import Playbook

_SECONDS = httpx.Timeout(30.0, connect=10.0)


class SenderError(ValueError):
    """An endpoint that cannot be used as configured; the message says what to set."""


def sender_for(
    name: str,
    endpoint: Endpoint,
    environ: Mapping[str, str],
    database: Database,
    playbook: Playbook,
    trust: ssl.SSLContext | None = None,
) -> Sender:
    """The sender for `endpoint`, with its secrets from `environ`.

    `trust` says whose certificates are believed; those of the machine unless given. Raises
    SenderError, before anything is sent, for a secret that is not set, a place that cannot be
    used, and a connection that others could read.
    """
    if isinstance(endpoint, FileEndpoint):
        return FileDrop(_folder(name, endpoint.folder), playbook)
    if isinstance(endpoint, EmailEndpoint):
        return _email(name, endpoint, environ, playbook, trust)
    if isinstance(endpoint, HubSpotEndpoint | SalesforceEndpoint):
        _refuse_readable(name, endpoint.url)
        token = secret(name, endpoint.token_variable, environ)
        client = httpx.Client(
            timeout=_SECONDS, trust_env=False, follow_redirects=False, verify=trust or True
        )
        told = last_told(database, name)
        if isinstance(endpoint, HubSpotEndpoint):
            return HubSpotSender(endpoint, token, client, told, playbook)
        return SalesforceSender(endpoint, token, client, told, playbook)
    if isinstance(endpoint, WebhookEndpoint):
        raise NotImplementedError
    assert_never(endpoint)


def secret(name: str, variable: str, environ: Mapping[str, str]) -> str:
    """The secret in `variable`; SenderError if it is not set or has a line break in it."""
    value = environ.get(variable, "").strip()
    if not value or "\n" in value:
        raise SenderError(f"endpoint {name}: export {variable}=… first, on one line")
    return value


def _email(
    name: str,
    endpoint: EmailEndpoint,
    environ: Mapping[str, str],
    playbook: Playbook,
    trust: ssl.SSLContext | None,
) -> EmailSender:
    address = parseaddr(endpoint.sender)[1]
    if "@" not in address or not address.isascii():
        raise SenderError(f"endpoint {name}: sender {endpoint.sender!r} has no e-mail address")
    if endpoint.security == "none" and not _is_here(endpoint.host):
        raise SenderError(
            f"endpoint {name}: e-mail to {endpoint.host} would go in the clear; set security to "
            "starttls or tls"
        )
    try:
        addresses_of(endpoint.addresses, ())
    except AddressBookError as error:
        raise SenderError(f"endpoint {name}: {error}") from error
    password = None
    if endpoint.username is not None:
        if endpoint.password_variable is None:
            raise SenderError(f"endpoint {name}: username needs password_variable")
        password = secret(name, endpoint.password_variable, environ)
    return EmailSender(endpoint, playbook, password, trust)


def _folder(name: str, folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SenderError(f"endpoint {name}: folder {folder}: {error.strerror}") from error
    return folder


def _refuse_readable(name: str, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and _is_here(parts.hostname or "")):
        return
    raise SenderError(f"endpoint {name}: {url} must begin with https://; others could read it")


def _is_here(host: str) -> bool:
    """Whether the host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
