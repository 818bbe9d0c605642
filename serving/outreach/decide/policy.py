"""The outreach policy: candidates and the state of the day in, one decision per customer out."""

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from serving.outreach.decide.decisions import (
    STEPS,
    Candidate,
    Channel,
    Day,
    Decision,
    Plan,
    Policy,
    PolicyError,
    Reason,
    Rules,
)
from serving.outreach.decide.quiet_hours import SendWindow
from serving.outreach.holdout import keyed_fraction

_TIERS = {"incident": 0, "first_purchase": 1, "risk": 2}
"""Incidents are answered first, then newcomers greeted; neither waits for a score."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """A candidate whom nothing that protects them forbids to contact."""

    candidate: Candidate
    channels: tuple[Channel, ...]
    """Open to them, cheapest first, so the largest gain first."""
    window: SendWindow
    draw: float
    """Keyed hash of customer and day, uniform in [0, 1): for exploration and for ties."""

    def gain(self, channel: Channel) -> float | None:
        """Expected gain of a contact by `channel`, in the currency; None without a change."""
        change = self.candidate.change
        return None if change is None else self.candidate.value * change - channel.cost


class _Room:
    """What capacity and budget are left as decisions fall."""

    def __init__(self, rules: Rules, day: Day, share: float = 1.0) -> None:
        self.places = {
            channel.name: math.floor(
                share * max(0, channel.daily_capacity - day.sent.get(channel.name, 0))
            )
            for channel in rules.channels
        }
        self.money = share * (rules.budget - day.spent)
        self.used = dict.fromkeys(self.places, 0)
        self.cost = 0.0

    def refuses(self, channel: Channel) -> Reason | None:
        """Why one more message by `channel` does not fit, if it does not."""
        if self.used[channel.name] >= self.places[channel.name]:
            return "over_capacity"
        return "over_budget" if self.cost + channel.cost > self.money else None

    def take(self, channel: Channel) -> None:
        self.used[channel.name] += 1
        self.cost += channel.cost


def plan_outreach(candidates: Iterable[Candidate], rules: Rules, day: Day) -> Plan:
    """Decide on every candidate once; the order of the candidates changes nothing.

    What protects a person comes first: consent, an open ticket, a recent complaint, rest and
    frequency caps, quiet hours. Then what is known of them: a stale score, do not disturb, an
    abstaining model, too little gain. Of the rest a random slice is explored, be the gain too
    little or unknown; then incidents are answered, newcomers greeted, and the others contacted
    by expected gain, for as long as capacity and budget last.

    The held-out take part in all of it but use nothing up. Places go one by one and nobody's
    place depends on those after, so a held-out customer is in arm `holdout` exactly when they
    would have been contacted had the draw left them in: the arms differ by the draw alone.

    Raises PolicyError for a customer given twice, a time without a zone or a value that is none.
    """
    decisions, ready = _sorted_out(candidates, rules, day)
    room = _Room(rules, day)
    explored = _explore(ready, _Room(rules, day, rules.exploration_share), room)
    waiting = [one for one in ready if one.candidate.customer_id not in explored]
    found = decisions | explored | _ranked(waiting, room)
    return Plan(tuple(found[name] for name in sorted(found)), dict(room.used), room.cost)


def _sorted_out(
    candidates: Iterable[Candidate], rules: Rules, day: Day
) -> tuple[dict[str, Decision], list[_Ready]]:
    """Decisions on those who may not be contacted, and those who may."""
    decisions: dict[str, Decision] = {}
    ready: dict[str, _Ready] = {}
    windows: dict[str, SendWindow | None] = {}
    for candidate in candidates:
        name, zone = candidate.customer_id, candidate.timezone
        if name in decisions or name in ready:
            raise PolicyError(f"customer {name!r} is given twice; merge the identities first")
        _require_usable(candidate)
        if zone not in windows:
            windows[zone] = rules.quiet_hours.window(day.now, rules.send_within, zone)
        judged = _judged(candidate, windows[zone], rules, day)
        if isinstance(judged, Decision):
            decisions[name] = judged
        else:
            ready[name] = judged
    return decisions, list(ready.values())


def _judged(
    candidate: Candidate, window: SendWindow | None, rules: Rules, day: Day
) -> Decision | _Ready:
    """The decision not to contact, or the candidate as ready for ranking and exploration."""
    agreed = [one for one in rules.cheapest_first if one.name in candidate.consents]
    free = _uncapped(candidate, agreed, rules, day.now)
    barred = _barred(candidate, agreed, rules, day.now) or _unreached(free, window)
    if barred or window is None:
        return _suppressed(candidate, barred or "quiet_hours")
    purpose = f"exploration {day.now.astimezone(UTC).date()}"
    draw = keyed_fraction(day.key, purpose, candidate.customer_id)
    one = _Ready(candidate, free, window, draw)
    unwise = _unwise(one, rules, day.now) if candidate.occasion == "risk" else None
    if unwise in (None, "below_value", "model_abstains"):
        return one
    return _suppressed(candidate, unwise, one.gain(free[0]))


def _barred(
    candidate: Candidate, agreed: Sequence[Channel], rules: Rules, now: datetime
) -> Reason | None:
    """What protects the person from any contact now."""
    if not agreed:
        return "no_consent"
    if candidate.open_ticket is not None:
        return "open_ticket"
    complained = candidate.complained_at
    if complained is not None and now - complained < rules.complaint_rest:
        return "recent_complaint"
    if any(now - contact.at < rules.rest for contact in candidate.contacts):
        return "contacted_recently"
    return None


def _unreached(free: Sequence[Channel], window: SendWindow | None) -> Reason | None:
    """What keeps a message from reaching the person within the time given."""
    if not free:
        return "capped"
    return "quiet_hours" if window is None else None


def _unwise(one: _Ready, rules: Rules, now: datetime) -> Reason | None:
    """Why a contact for the sake of its gain is not worth while."""
    age = now - one.candidate.scored_at
    # A score from the future tells of a wrong clock, and is trusted no more than an old one.
    if not timedelta(0) <= age <= rules.score_lasts:
        return "stale_score"
    if one.candidate.do_not_disturb:
        return "do_not_disturb"
    gain = one.gain(one.channels[0])
    if gain is None:
        return "model_abstains"
    return "below_value" if gain <= 0 else None


def _uncapped(
    candidate: Candidate, channels: Sequence[Channel], rules: Rules, now: datetime
) -> tuple[Channel, ...]:
    """The channels on which no rolling frequency cap is reached; messages under way count."""
    if not candidate.contacts:
        return tuple(channels)
    full = {
        cap.channel
        for cap in rules.caps
        if sum(
            now - contact.at < cap.within and cap.channel in (None, contact.channel)
            for contact in candidate.contacts
        )
        >= cap.most
    }
    return () if None in full else tuple(one for one in channels if one.name not in full)


def _explore(ready: Sequence[_Ready], slice_of: _Room, room: _Room) -> dict[str, Decision]:
    """Contact customers drawn by hash, in no order of gain, while the slice has room."""
    explored: dict[str, Decision] = {}
    pool = [one for one in ready if one.candidate.occasion == "risk"]
    for one in sorted(pool, key=lambda each: (each.draw, each.candidate.customer_id)):
        channel = next((each for each in one.channels if not slice_of.refuses(each)), None)
        if channel is not None:
            explored[one.candidate.customer_id] = _placed(
                one, channel, "exploration", (slice_of, room)
            )
    return explored


def _ranked(waiting: Sequence[_Ready], room: _Room) -> dict[str, Decision]:
    """Contact the largest expected gain that still has room, again and again."""
    decided: dict[str, Decision] = {}
    options = [_option(one, 0) for one in waiting]
    heapq.heapify(options)
    by_name = {one.candidate.customer_id: one for one in waiting}
    while options:
        *_, name, place = heapq.heappop(options)
        one = by_name[name]
        channel = one.channels[place]
        gain = one.gain(channel)
        reason = _too_little(one, gain, place) or room.refuses(channel)
        if reason is None:
            decided[name] = _placed(one, channel, "expected_gain", (room,))
        elif reason == "over_capacity" and place + 1 < len(one.channels):
            heapq.heappush(options, _option(one, place + 1))
        else:
            decided[name] = _suppressed(one.candidate, reason, one.gain(one.channels[0]))
    return decided


def _too_little(one: _Ready, gain: float | None, place: int) -> Reason | None:
    """Why a contact by the channel at `place` would not pay; never asked of other occasions."""
    if one.candidate.occasion != "risk" or (gain is not None and gain > 0):
        return None
    if place > 0:  # It would have paid by a cheaper channel, which is full.
        return "over_capacity"
    return "model_abstains" if gain is None else "below_value"


def _option(one: _Ready, place: int) -> tuple[int, float, float, str, int]:
    """A contact by the channel at `place`, in the order in which options are taken."""
    gain = one.gain(one.channels[place])
    candidate = one.candidate
    return (_TIERS[candidate.occasion], -(gain or 0.0), one.draw, candidate.customer_id, place)


def _placed(one: _Ready, channel: Channel, policy: Policy, rooms: Iterable[_Room]) -> Decision:
    """Contact by `channel`, which takes a place in the rooms; a held-out customer takes none."""
    held_out = one.candidate.held_out
    if not held_out:
        for room in rooms:
            room.take(channel)
    return Decision(
        customer_id=one.candidate.customer_id,
        action="suppress" if held_out else "contact",
        reason="holdout" if held_out else policy,
        expected_gain=one.gain(channel),
        arm="holdout" if held_out else "contact",
        policy=policy,
        channel=channel.name,
        step=STEPS[one.candidate.occasion],
        window=one.window,
    )


def _suppressed(candidate: Candidate, reason: Reason, gain: float | None = None) -> Decision:
    note = None
    if reason == "open_ticket":
        ask = "apologise first" if candidate.occasion == "incident" else "solve it before we sell"
        note = f"ticket {candidate.open_ticket}: this customer may leave; {ask}"
    return Decision(candidate.customer_id, "suppress", reason, gain, note=note)


def _require_usable(candidate: Candidate) -> None:
    """Raise PolicyError for a number that is none or a time without a zone."""
    change = 0.0 if candidate.change is None else candidate.change
    if not (0 <= candidate.value < math.inf and -1 <= change <= 1):
        raise PolicyError(
            f"customer {candidate.customer_id!r}: value {candidate.value} must be 0 or more and "
            f"change {candidate.change} in [-1, 1]; give change None when the model abstains"
        )
    times = [candidate.scored_at, *(contact.at for contact in candidate.contacts)]
    if candidate.complained_at is not None:
        times.append(candidate.complained_at)
    for at in times:
        if at.tzinfo is None:
            raise PolicyError(
                f"customer {candidate.customer_id!r}: {at.isoformat()} has no zone; "
                "give aware times"
            )
