"""The commented `pipeline.yaml` that `setia init` writes from its guesses."""

from collections.abc import Sequence
from pathlib import Path

from features.config import TABLE_NAMES, TableName
from features.guess.guess import SourceGuess
from features.guess.horizons import Horizons, suggest_horizons
from features.guess.starter_source import indented, is_outcome, scalar, source_lines

_ADDS: dict[TableName, str] = {
    "customers": "tenure, segment, region, language and consent",
    "orders": "recency, frequency, spending, refunds and the value model",
    "events": "how often and how lately the product is used",
    "subscriptions": "plan, price, renewals, and churn as the end of a subscription",
    "tickets": "support experience: waiting, resolution, reopenings, escalations",
    "surveys": "satisfaction: NPS, CSAT and effort scores and how they move",
    "contacts": "past outreach, so that its effect can be told from chance",
}
_LABELS = {
    "inactivity": "nothing happens for horizon_days",
    "subscription": "the customer ends the subscription within horizon_days",
}
_ACTIVE: frozenset[TableName] = frozenset(("orders", "events", "subscriptions"))


def starter_config(name: str, guesses: Sequence[SourceGuess], folder: Path) -> str:
    """Write the configuration for `guesses` as commented YAML, to be saved in `folder`.

    Files inside `folder` are named relative to it; a database URL that holds a password becomes
    a `${VARIABLE}`. A required column nobody was found for is written as CHOOSE_A_COLUMN, unless
    the source can be done without: then all of it is commented out.
    """
    horizons = suggest_horizons([guess for guess in guesses if not guess.problems] or guesses)
    usable = any(guess.table in _ACTIVE and not guess.problems for guess in guesses)
    sections = [
        _opening(name, guesses),
        ["sources:", *_sources(guesses, folder, horizons, usable=usable)],
        _churn(guesses, horizons),
        _clv(guesses, horizons),
        [
            "training:",
            "  # Past days to learn from, a month apart.",
            f"  cutoffs: {horizons.cutoffs}",
        ],
        _outreach(guesses),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def _opening(name: str, guesses: Sequence[SourceGuess]) -> list[str]:
    return [
        "# Setia's configuration, written by `setia init` from your files.",
        "# Every guess says how sure it is: read the unsure ones, correct what is wrong, then run",
        "# `setia check`. An unknown key is refused, with the nearest valid name.",
        "",
        f"name: {scalar(name)}",
        _currency(guesses),
        "# Times that carry no zone are read in this one.",
        _timezone(guesses),
    ]


def _currency(guesses: Sequence[SourceGuess]) -> str:
    found = sorted({guess.currency for guess in guesses if guess.currency})
    if not found:
        return "currency: USD  # not stated in the data: check"
    others = f"; the data also shows {', '.join(found[1:])}: check" if len(found) > 1 else ""
    return f"currency: {found[0]}  # from the data{others}"


def _timezone(guesses: Sequence[SourceGuess]) -> str:
    if any(guess.indonesian for guess in guesses):
        return "timezone: Asia/Jakarta  # unsure: only because the headers are Indonesian"
    return "timezone: UTC  # not stated in the data: check"


def _sources(
    guesses: Sequence[SourceGuess], folder: Path, horizons: Horizons, *, usable: bool
) -> list[str]:
    lines: list[str] = []
    for guess in guesses:
        section = source_lines(guess, folder, attributes=horizons.label == "column")
        if guess.problems and usable:
            why = [f"# Left out: {problem}" for problem in guess.problems]
            section = why + [f"# {line}" for line in section]
        lines += indented(section, 2)
    if not {guess.table for guess in guesses} & _ACTIVE and horizons.label != "column":
        lines.append("  # At least one of orders, events and subscriptions is needed: add one.")
    missing = [table for table in TABLE_NAMES if all(guess.table != table for guess in guesses)]
    if missing:
        lines.append("  # Not given; each would add to the answer (docs/data-contract.md):")
        lines += [f"  #   {table}: {_ADDS[table]}" for table in missing]
    return lines


def _churn(guesses: Sequence[SourceGuess], horizons: Horizons) -> list[str]:
    if horizons.label == "column":
        return _given_churn(guesses)
    lines = [
        "churn:",
        f"  label: {horizons.label}  # {_LABELS[horizons.label]}",
        f"  # {horizons.churn_why}.",
        f"  horizon_days: {horizons.churn_days}",
    ]
    if horizons.label == "subscription":
        return [*lines, "  grace_days: 30  # who is back this soon did not churn"]
    return [
        *lines,
        f"  activity: {horizons.activity}",
        f"  eligible_days: {horizons.eligible_days}  # who was active this lately is asked about",
    ]


def _given_churn(guesses: Sequence[SourceGuess]) -> list[str]:
    names = [name for guess in guesses for name in guess.attributes if is_outcome(name)]
    return [
        "churn:",
        "  label: column  # a column of customers says who left",
        f"  column: {scalar(names[0]) if names else 'CHOOSE_A_COLUMN'}",
        '  churned_values: ["1", "true", "yes"]  # in any case',
    ]


def _clv(guesses: Sequence[SourceGuess], horizons: Horizons) -> list[str]:
    orders = [guess for guess in guesses if guess.table == "orders"]
    if not orders:
        return ["# clv: without orders there is no value model; churn alone ranks customers."]
    margin = any(guess.column("margin") for guess in orders)
    value = "margin  # the orders have one" if margin else "amount  # no margin is mapped"
    return [
        "clv:",
        f"  # {horizons.clv_why}.",
        f"  horizon_days: {horizons.clv_days}",
        f"  value: {value}",
        "  annual_discount_rate: 0.0",
    ]


def _outreach(guesses: Sequence[SourceGuess]) -> list[str]:
    found = any(guess.column("email_consent") for guess in guesses)
    consent = "consent: not_needed  # unless set so, customers.email_consent must be true"
    return [
        "# Whom to contact: `setia outreach plan --dry-run` shows it, `setia outreach run` does it",
        "# into files, until you name a webhook, mail server or CRM (docs/channels.md).",
        "outreach:",
        "  holdout_share: 0.05  # never contacted, so that the effect shows; fixed at first use",
        "  assumed_change: 0.05  # a guess: the share of those about to leave that a contact keeps",
        "  daily_budget: 0  # most to be spent on messages in a day",
        "  channels:",
        "    email:",
        "      endpoint: sent",
        "      cost: 0  # of one message",
        "      daily_capacity: 100",
        f"      # {consent}" + ("" if found else "; no such column was found"),
        "  endpoints:",
        "    sent:",
        "      kind: file",
        "      folder: var/outreach/sent",
    ]
