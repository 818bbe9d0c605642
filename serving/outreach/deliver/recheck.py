"""The check at the send boundary: whether a message may still leave, asked at every attempt."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import orjson
from sqlalchemy import Connection, Row, select

from features.outreach_config import ChannelName, Consent, OutreachConfig
from serving.fresh import FRESH_ROWS
from serving.history import FILE as HISTORY
from serving.history import History, Rows, unpacked
from serving.outreach.audit import audit
from serving.outreach.decide.cases import case_since
from serving.outreach.decide.contacted import contacts_beside, sent_to
from serving.outreach.decide.decisions import Cap, Contact, Reason
from serving.outreach.decide.programmes import holdouts
from serving.outreach.decide.quiet_hours import QuietHours
from serving.outreach.decide.rules import caps_of, quiet_hours_of
from serving.outreach.forgotten import ERASED, forgotten_in
from serving.outreach.holdout import HeldOut
from serving.outreach.identities import Identities, read_identities
from serving.outreach.message import Message
from serving.outreach.records import DECISIONS, MESSAGES, SUPPRESSIONS

_LONG_AGO = datetime.min.replace(tzinfo=UTC)

_log = logging.getLogger("setia.outreach")


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether a message may leave now: send it, wait, or end it as expired or suppressed."""

    verdict: Literal["send", "wait", "expired", "suppressed"]
    reason: Reason | None = None
    """Why it waits or is suppressed, in the policy's words."""
    until: datetime | None = None
    """For `wait`: when to ask again."""


_SEND, _EXPIRED = Permission("send"), Permission("expired")


@dataclass(frozen=True)
class Boundary:
    """Asks whether messages may leave; made once for many passes by `boundary_of`."""

    caps: tuple[Cap, ...]
    """Rest is one of them: a cap of one."""
    quiet_hours: QuietHours
    send_within: timedelta
    consents: Mapping[ChannelName, Consent]
    identities: Identities
    history: History | None
    """What the last scoring run knew of each customer."""

    def permissions(
        self, connection: Connection, messages: Sequence[Message], now: datetime
    ) -> list[Permission]:
        """One permission for each message, in order; ask in the transaction that leases them.

        Asked are, in this order: `not_after`; the holdout, over merged identities, whose breach
        is logged and audited as `holdout_refused`; a suppression or consent withdrawn since; a
        ticket opened or escalated since; rest and caps over what has been sent meanwhile; the
        person's quiet hours, for which the message waits. Read are the operations database and,
        where it is newer than the decision, what the last scoring run knew. A message that tells
        a system of an event, and contacts nobody, is sent unless it expired or is of somebody who
        is held out of any programme.
        """
        known = _Known(connection, messages, now, self)
        permissions = []
        for message in messages:
            permission = known.permission(message)
            if permission.reason == "holdout" and _is_contact(message):
                _alarm(connection, message, now)
            permissions.append(permission)
        return permissions


def boundary_of(config: OutreachConfig, workspace: Path) -> Boundary:
    """The boundary as configured. Raises IdentityError."""
    history = workspace / "scores" / HISTORY
    return Boundary(
        caps=(*caps_of(config), Cap(1, timedelta(days=config.rest_days))),
        quiet_hours=quiet_hours_of(config),
        send_within=timedelta(hours=config.send_within_hours),
        consents={channel: config.consent(channel) for channel in config.channels},
        identities=read_identities(config.merged),
        history=History(history) if history.exists() else None,
    )


class _Known:
    """What is known of a batch of messages and of the people they are for, read set by set."""

    def __init__(
        self, connection: Connection, messages: Sequence[Message], now: datetime, boundary: Boundary
    ) -> None:
        self._now, self._boundary = now, boundary
        self._rows = {row.id: row for row in connection.execute(_asked(messages))}
        contacted = {message.customer_id for message in messages if _is_contact(message)}
        ids = {one for person in contacted for one in boundary.identities.of(person)}
        self._forgotten = forgotten_in(connection)
        self._suppressed = _suppressed(connection, ids)
        self._sent = sent_to(connection, ids, now)
        self._fresh = _fresh(connection, ids, self._rows.values())
        self._leaving: dict[str, list[Contact]] = defaultdict(list)
        self._holdouts = holdouts(connection)

    def permission(self, message: Message) -> Permission:
        """Whether `message` may leave."""
        row = self._rows.get(message.id)
        if row is None or (row.not_after is not None and self._now >= row.not_after):
            return _EXPIRED
        if not _is_contact(message):
            return self._event(message)
        refused = self._refused(message, row)
        permission = Permission("suppressed", refused) if refused else self._quiet(row)
        if permission.verdict == "send":
            # The next message of this batch to the same person counts this one.
            person = self._boundary.identities.person(message.customer_id)
            self._leaving[person].append(Contact(self._now, row.channel))
        return permission

    def _event(self, message: Message) -> Permission:
        """Whether a system may be told: whatever acts on it must not reach who is held out."""
        people = self._boundary.identities.of(message.customer_id)
        if any(holdout.holds(*people) for holdout in self._holdouts.values()):
            return Permission("suppressed", "holdout")
        return _SEND

    def _refused(self, message: Message, row: Row[Any]) -> Reason | None:
        """Why the person may not be contacted any more."""
        people = self._boundary.identities.of(message.customer_id)
        # A decision that was erased leaves nothing to check by: what cannot be checked stays.
        if row.programme is None or any(map(self._is_erased, people)):
            return "no_consent"
        if self._is_held_out(people, row):
            return "holdout"
        if self._withdrawn(people, row):
            return "no_consent"
        newer = self._newer(people, row)
        if not self._agreed(newer, row.channel):
            return "no_consent"
        since = _known_until(row)
        if case_since((one for rows in newer for one in rows.get("tickets", ())), since, self._now):
            return "open_ticket"
        sent = [one for person in people for one in self._sent.get(person, ())]
        leaving = self._leaving[self._boundary.identities.person(message.customer_id)]
        return self._over(row.channel, [*contacts_beside(message.id, sent), *leaving])

    def _is_erased(self, customer_id: str) -> bool:
        return customer_id in self._forgotten or customer_id.startswith(ERASED)

    def _is_held_out(self, people: Sequence[str], row: Row[Any]) -> bool:
        try:
            self._holdouts[row.programme].refuse(*people)
        except HeldOut:
            return True
        arm: str | None = row.arm
        return arm == "holdout"

    def _withdrawn(self, people: Sequence[str], row: Row[Any]) -> bool:
        return any(
            (person, channel) in self._suppressed
            for person in people
            for channel in (row.channel, "any")
        )

    def _newer(self, people: Sequence[str], row: Row[Any]) -> list[Rows]:
        """Rows of the person that the decision did not know, oldest first."""
        history = self._boundary.history
        newer = []
        if history is not None and history.data_until >= _known_until(row):
            newer = [history.rows(person) for person in people]
        return newer + [rows for person in people for rows in self._fresh.get(person, ())]

    def _agreed(self, newer: Iterable[Rows], channel: ChannelName) -> bool:
        """Whether no newer row of the customer withdraws the consent that `channel` needs."""
        consent = self._boundary.consents.get(channel)
        if consent is None:
            return False
        rows = [one for each in newer for one in each.get("customers", ())]
        # The last of those with the same time is the newest, which max() would pass by.
        latest = max(reversed(rows), key=lambda one: one["valid_from"] or _LONG_AGO, default=None)
        return consent == "not_needed" or latest is None or latest[consent] is True

    def _over(self, channel: str, beside: Sequence[Contact]) -> Reason | None:
        """The cap, or rest, that one more contact by `channel` would break."""
        for cap in self._boundary.caps:
            if cap.channel in (None, channel):
                counted = sum(
                    self._now - one.at < cap.within and cap.channel in (None, one.channel)
                    for one in beside
                )
                if counted >= cap.most:
                    return "capped"
        return None

    def _quiet(self, row: Row[Any]) -> Permission:
        quiet_hours = self._boundary.quiet_hours
        within = row.not_after - self._now if row.not_after else self._boundary.send_within
        window = quiet_hours.window(self._now, within, row.timezone or "")
        if window is None:
            return Permission("suppressed", "quiet_hours")
        if window.opens > self._now:
            return Permission("wait", "quiet_hours", window.opens)
        return _SEND


def _is_contact(message: Message) -> bool:
    return message.type == "outreach.contact"


def _asked(messages: Sequence[Message]) -> Any:
    return (
        select(
            MESSAGES.c.id,
            MESSAGES.c.not_after,
            MESSAGES.c.created_at,
            MESSAGES.c.payload,
            DECISIONS.c.programme,
            DECISIONS.c.channel,
            DECISIONS.c.arm,
            DECISIONS.c.timezone,
        )
        .select_from(MESSAGES)
        .outerjoin(DECISIONS, DECISIONS.c.id == MESSAGES.c.decision_id)
        .where(MESSAGES.c.id.in_([message.id for message in messages]))
    )


def _known_until(row: Row[Any]) -> datetime:
    """Up to when the decision knew the customer."""
    stated = row.payload.get("score_as_of")
    return datetime.fromisoformat(stated) if stated else row.created_at


def _suppressed(connection: Connection, ids: Iterable[str]) -> set[tuple[str, str]]:
    query = select(SUPPRESSIONS.c.customer_id, SUPPRESSIONS.c.channel)
    found = connection.execute(query.where(SUPPRESSIONS.c.customer_id.in_(ids)))
    return {(row.customer_id, row.channel) for row in found}


def _fresh(
    connection: Connection, ids: Iterable[str], rows: Iterable[Row[Any]]
) -> Mapping[str, list[Rows]]:
    """Customer to the rows that reached the service since any decision's scores."""
    since = min((_known_until(row) for row in rows), default=None)
    found: dict[str, list[Rows]] = defaultdict(list)
    if since is not None:
        query = (
            select(FRESH_ROWS.c.customer_id, FRESH_ROWS.c.rows)
            .where(FRESH_ROWS.c.customer_id.in_(ids), FRESH_ROWS.c.received_at >= since)
            .order_by(FRESH_ROWS.c.received_at)
        )
        for customer_id, packed in connection.execute(query):
            found[customer_id].append(unpacked(orjson.loads(packed)))
    return found


def _alarm(connection: Connection, message: Message, now: datetime) -> None:
    """Leave a trace of a message to a held-out customer, of which there must never be one."""
    _log.error("message %s is for a held-out customer; it was not sent", message.id)
    detail = {"message_id": message.id}
    audit(connection, now, "send boundary", "holdout_refused", {message.customer_id: detail})
