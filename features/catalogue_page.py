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
are missing. Money is in the configured currency, shares and changes are fractions.

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
        "| feature | what it means | artinya | unit | days | respects | risk | actionable |",
        "|---|---|---|---|---|---|---|---|",
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
        _DIRECTIONS[feature.direction],
        "yes" if feature.actionable else "",
    ]
    return f"| {' | '.join(cells)} |"
