"""What generated customers answer when asked, and when they stay silent."""

from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
from scipy.special import expit

from features.company.dropout import SURVEY_EVERY_DAYS, Dropout
from features.company.people import People
from features.company.support import LOW_CSAT, Tickets, ticket_ids
from features.company.texts import SURVEY_TEXTS, SURVEY_VARIANTS
from features.company.world import (
    Calendar,
    Columns,
    Flags,
    Floats,
    Integers,
    World,
    names,
    numbers,
    rows_of,
    words,
)

KINDS = ("nps", "csat", "ces")
NPS_SHARE, CSAT_SHARE, CES_SHARE = 0.5, 0.7, 0.3
COMMENT_SHARE = 0.25
NPS_TENURE_DAYS = 30
NPS_MEAN, NPS_PER_DEBT, NPS_PER_MOOD = 8.3, 2.2, 1.2
ANSWER_LOGIT, UNHAPPY_LOGIT = 0.3, -1.0
"""Log-odds of answering, and what being unhappy adds to it."""
GONE_ANSWER_FACTOR = 0.1
ANSWER_DAYS = 1.5


@dataclass(frozen=True)
class Asked:
    """Surveys sent, whether or not anybody answers."""

    owner: Integers
    sent: Floats
    score: Floats
    """The answer, if one comes."""
    unhappy: Floats
    """How unhappy the customer is; multiplies `UNHAPPY_LOGIT`."""
    tone: Integers
    """0 unhappy, 1 neutral, 2 happy."""
    ticket: Integers
    """Position of the ticket asked about; -1 for none."""
    kind: Integers


def surveys_table(tickets: Tickets, dropout: Dropout, people: People, world: World) -> Columns:
    """The `surveys` rows: NPS every quarter, CSAT and CES after resolved tickets."""
    rng, calendar = world.stream("surveys"), world.calendar
    parts = (
        _nps(rng, people, dropout, calendar),
        _csat(rng, tickets, calendar),
        _ces(rng, tickets, calendar),
    )
    columns = [[getattr(part, column.name) for part in parts] for column in fields(Asked)]
    asked = Asked(*(np.concatenate(column) for column in columns))
    asked = rows_of(asked, np.lexsort((asked.kind, asked.sent, asked.owner)))
    gone = asked.sent >= dropout.day[asked.owner]
    answered = calendar.seen(_answer_times(rng, asked, gone))
    ids = ticket_ids(tickets, people)
    return {
        "customer_id": names("C", people.number[asked.owner]),
        "kind": words(KINDS, asked.kind),
        "sent_at": calendar.stamps(asked.sent),
        "answered_at": calendar.stamps(answered),
        "score": numbers(asked.score, np.isfinite(answered)),
        "ticket_id": ids.take(pa.array(asked.ticket, mask=asked.ticket < 0)),
        "text": _comments(rng, asked, np.isfinite(answered), people),
    }


def _nps(rng: np.random.Generator, people: People, dropout: Dropout, calendar: Calendar) -> Asked:
    days = np.arange(SURVEY_EVERY_DAYS, calendar.days, SURVEY_EVERY_DAYS)
    chosen = rng.random((len(days), len(people))) < NPS_SHARE
    wave, owner = np.nonzero(chosen & (people.signed_up + NPS_TENURE_DAYS < days[:, None]))
    debt = np.stack([dropout.debt_on[int(day)] for day in days])[wave, owner]
    mood = NPS_PER_MOOD * people.mood[owner] + rng.standard_normal(len(owner))
    score = NPS_MEAN - NPS_PER_DEBT * debt + mood
    return Asked(
        owner=owner,
        sent=days[wave].astype(np.float64) + 10 / 24,
        score=np.clip(np.round(score), 0, 10),
        unhappy=debt,
        tone=np.digitize(score, [6.5, 8.5]),
        ticket=np.full(len(owner), -1),
        kind=np.full(len(owner), KINDS.index("nps")),
    )


def _csat(rng: np.random.Generator, tickets: Tickets, calendar: Calendar) -> Asked:
    ticket = _asked_after(rng, CSAT_SHARE, tickets, calendar)
    felt = tickets.felt[ticket]
    return Asked(
        owner=tickets.owner[ticket],
        sent=tickets.resolved[ticket] + 1 / 24,
        score=felt.astype(np.float64),
        unhappy=(felt <= LOW_CSAT).astype(np.float64),
        tone=np.digitize(felt, [2.5, 3.5]),
        ticket=ticket,
        kind=np.full(len(ticket), KINDS.index("csat")),
    )


def _ces(rng: np.random.Generator, tickets: Tickets, calendar: Calendar) -> Asked:
    """Ease, from 1 (very hard) to 7 (very easy)."""
    ticket = _asked_after(rng, CES_SHARE, tickets, calendar)
    ease = 6 - 0.9 * tickets.handling.transfers[ticket] - 1.0 * tickets.slow[ticket]
    score = np.clip(np.round(ease + rng.standard_normal(len(ticket))), 1, 7)
    return Asked(
        owner=tickets.owner[ticket],
        sent=tickets.resolved[ticket] + 2 / 24,
        score=score,
        unhappy=(score <= 3).astype(np.float64),
        tone=np.digitize(score, [3.5, 5.5]),
        ticket=ticket,
        kind=np.full(len(ticket), KINDS.index("ces")),
    )


def _asked_after(
    rng: np.random.Generator, share: float, tickets: Tickets, calendar: Calendar
) -> Integers:
    """Positions of resolved tickets asked about; the last hours leave time to send."""
    resolved = tickets.resolved < calendar.days - 2 / 24
    return np.flatnonzero(resolved & (rng.random(len(resolved)) < share))


def _answer_times(rng: np.random.Generator, asked: Asked, gone: Flags) -> Floats:
    """When each survey is answered; NaN for silence, which unhappiness makes likelier."""
    chance = expit(ANSWER_LOGIT + UNHAPPY_LOGIT * asked.unhappy)
    chance = chance * np.where(gone, GONE_ANSWER_FACTOR, 1.0)
    waits = rng.exponential(ANSWER_DAYS, len(chance))
    return np.where(rng.random(len(chance)) < chance, asked.sent + waits, np.nan)


def _comments(rng: np.random.Generator, asked: Asked, answered: Flags, people: People) -> pa.Array:
    writes = answered & (rng.random(len(answered)) < COMMENT_SHARE)
    variant = rng.integers(0, SURVEY_VARIANTS, len(answered))
    text = (people.language[asked.owner] * 3 + asked.tone) * SURVEY_VARIANTS + variant
    return words(SURVEY_TEXTS, text, writes)
