"""The candidates of a plan: the last scores joined to what is known of each person."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from features.config import PipelineConfig
from serving.outreach.decide.basis import Basis, Change, Scored
from serving.outreach.decide.decisions import Candidate, Contact, Occasion
from serving.outreach.decide.ledger import Ledger
from serving.outreach.decide.people import Person
from serving.outreach.holdout import Holdout

_NOBODY = Person()
_LANGUAGES = {"id": ("id", "indo", "bahasa indo"), "en": ("en", "inggris", "bahasa inggris")}
"""Code to how a language's names begin, in either language."""


class UnvaluedError(ValueError):
    """Nothing says what customers are worth; the message says what to add."""


@dataclass(frozen=True, slots=True)
class Prospect:
    """A scored customer: what the policy decides by, and what is recorded beside it."""

    candidate: Candidate
    scored: Scored
    segment: str | None
    language: str
    before: float | None
    """Contribution over the last CLV horizon, in the currency."""


def prospects(
    basis: Basis, ledger: Ledger, holdout: Holdout, config: PipelineConfig, now: datetime
) -> list[Prospect]:
    """One prospect per scored person, in at-risk order; none for one who was erased.

    Raises UnvaluedError when neither CLV nor orders say what customers are worth.
    """
    maker = _Maker(basis, ledger, holdout, config, now)
    return [
        maker.prospect(scored, change)
        for scored, change in zip(basis.scored, basis.changes, strict=True)
        if not any(one in ledger.forgotten for one in basis.identities.of(scored.customer_id))
    ]


class _Maker:
    """Puts one person's parts together, over all ids that the person has."""

    def __init__(
        self,
        basis: Basis,
        ledger: Ledger,
        holdout: Holdout,
        config: PipelineConfig,
        now: datetime,
    ) -> None:
        self._basis, self._ledger, self._holdout = basis, ledger, holdout
        self._config, self._now = config, now
        outreach = config.outreach
        self._consents = {channel: outreach.consent(channel) for channel in outreach.channels}
        self._affected = {
            one: incident for incident in basis.people.incidents for one in incident.customers
        }

    def prospect(self, scored: Scored, change: Change) -> Prospect:
        people, ids = self._basis.people, self._basis.identities.of(scored.customer_id)
        person = people.persons.get(scored.customer_id, _NOBODY)
        before = people.before.get(scored.customer_id)
        candidate = Candidate(
            customer_id=scored.customer_id,
            value=_value(scored, before),
            change=change.change,
            scored_at=self._basis.scored_at,
            timezone=person.timezone or self._config.timezone,
            consents=self._agreed(ids),
            held_out=self._holdout.holds(*ids),
            occasion=self._occasion(ids),
            do_not_disturb=change.do_not_disturb,
            contacts=tuple(self._contacts(ids)),
            open_ticket=_first(people.cases, ids),
            complained_at=self._complained_at(ids),
        )
        language = language_code(person.language, self._config.serving.language)
        return Prospect(candidate, scored, person.segment, language, before)

    def _agreed(self, ids: Sequence[str]) -> frozenset[str]:
        """The channels to which every id that has a row agreed, and none was suppressed."""
        suppressed = set().union(*(self._ledger.suppressed.get(one, ()) for one in ids))
        if "any" in suppressed:
            return frozenset()
        known = [
            self._basis.people.persons[one] for one in ids if one in self._basis.people.persons
        ]
        return frozenset(
            channel
            for channel, consent in self._consents.items()
            if channel not in suppressed
            and (
                consent == "not_needed"
                or (known and all(getattr(one, consent) is True for one in known))
            )
        )

    def _occasion(self, ids: Sequence[str]) -> Occasion:
        done = set().union(*(self._ledger.steps.get(one, ()) for one in ids))
        if "apology" not in done and any(one in self._affected for one in ids):
            return "incident"
        bought = _first(self._basis.people.newcomers, ids)
        within = timedelta(days=self._config.outreach.check_in_days)
        if bought and "check_in" not in done and self._now - bought - self._basis.lag < within:
            return "first_purchase"
        return "risk"

    def _contacts(self, ids: Sequence[str]) -> Iterable[Contact]:
        for one in ids:
            for contact in self._basis.people.contacts.get(one, ()):
                yield Contact(contact.at + self._basis.lag, contact.channel)
            yield from self._ledger.contacts.get(one, ())

    def _complained_at(self, ids: Sequence[str]) -> datetime | None:
        complaints = self._basis.people.complaints
        times = [complaints[one] for one in ids if one in complaints]
        return max(times) + self._basis.lag if times else None


def _value(scored: Scored, before: float | None) -> float:
    """What the customer is worth: CLV, or without such a model the last horizon's contribution."""
    worth = before if scored.clv is None else scored.clv
    if worth is None:
        raise UnvaluedError(
            f"customer {scored.customer_id!r} has no CLV and the company no orders, so a contact's "
            "cost cannot be held against anything; map sources.orders (invoices will do) and "
            "train again"
        )
    return max(0.0, worth)


def _first(found: Mapping[str, datetime] | Mapping[str, str], ids: Sequence[str]) -> Any:
    return next((found[one] for one in ids if one in found), None)


def language_code(stated: str | None, otherwise: str) -> str:
    """The language to write in, as a code where it is one of Setia's own."""
    if not stated:
        return otherwise
    text = stated.strip().lower()
    codes = (code for code, names in _LANGUAGES.items() if text.startswith(names))
    return next(codes, text)
