"""The catalogue as a page: docs/feature-catalogue.md is written from the declarations."""

from collections.abc import Sequence
from itertools import groupby

from features.catalogue import ALL
from features.declare import Feature

_DIRECTIONS = {1: "more is riskier", -1: "less is riskier", 0: ""}

_HEAD = """# Feature catalogue

Written from the declarations by `features/catalogue_page.py`; a test fails when it is out of date.

{count} features. A feature is produced when every contract column it needs is mapped. Each row
is seen only if its own time lies before the cutoff, and a late value (a resolution, a refund, an
answer) only if the time at which it became known does too. Windows are whole local days,
`[cutoff - days, cutoff)`. Counts and sums are 0 where there is nothing; means, ages and ratios
are missing: a customer who never asked for support has no response time, not a fast one. Money
is in the configured currency, shares and changes are fractions.

A feature marked *company* depends on other customers' rows too, seen by the same rules: it is a
number of the whole company, or the customer's own held against one. All others depend on the
customer's own rows alone. A rate named `…_shrunk_…` is drawn towards the company's: with n trials
and likeness r (how far a customer's trials resemble each other, 0 to 1) the customer's own rate
weighs n r / (1 + (n - 1) r). That is the posterior mean of a beta-binomial (Casella 1985); r is
estimated from all customers at that cutoff by moments (Kleinman 1973). The raw rate and its count
stand beside it.

Attributes of customers follow as `customers_<attribute>`: seen from `valid_from` on, and not
before the customer signed up.
"""


def catalogue_page() -> str:
    """The whole catalogue in Markdown: one table per canonical table, one row per feature."""
    parts = [_HEAD.format(count=len(ALL))]
    ordered = sorted(ALL, key=lambda feature: feature.source)
    for table, features in groupby(ordered, key=lambda feature: feature.source):
        parts.append(_section(table, list(features)))
    return "\n".join(parts)


def _section(table: str, features: Sequence[Feature]) -> str:
    lines = [
        f"## {table}",
        "",
        "| feature | what it means | artinya | unit | days | respects | depends on | risk | "
        "actionable |",
        "|---|---|---|---|---|---|---|---|---|",
        *[_row(feature) for feature in features],
        "",
    ]
    return "\n".join(lines)


def _row(feature: Feature) -> str:
    cells = [
        f"`{feature.name}`",
        feature.meaning,
        feature.meaning_id,
        feature.unit,
        "all" if feature.window_days is None else str(feature.window_days),
        feature.time or "valid_from, signed_up_at",
        "company" if feature.company_relative else "",
        _DIRECTIONS[feature.direction],
        "yes" if feature.actionable else "",
    ]
    return f"| {' | '.join(cells)} |"
