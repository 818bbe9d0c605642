"""Churn as the user's own table states it: one attribute of each customer."""

from collections import Counter

import pyarrow as pa

from features.config import ChurnConfig
from features.snapshot import Snapshot

_MOST_VALUES = 12


class LabelError(ValueError):
    """The snapshot cannot give the configured label; the message says what is missing."""


def given_labels(snapshot: Snapshot, churn: ChurnConfig, spine: pa.Table) -> pa.Table:
    """Read `churn.column` of each asked customer: customer_id, cutoff, churned (int8).

    A value in `churned_values`, in any case, means churned; every other value means stayed.

    Raises LabelError, with counts, for customers without a value and for a column that cannot be
    a label: not declared, never churned, or with more than a dozen different values.
    """
    words = _words(snapshot, churn)
    _require_answers(words, churn)
    churned = {value.strip().casefold() for value in churn.churned_values}
    asked = spine["customer_id"].to_pylist()
    unknown = [customer for customer in asked if not words.get(customer)]
    if unknown:
        raise LabelError(
            f"{len(unknown)} of {len(asked)} customers have no value in churn.column "
            f"{churn.column!r} (first: {unknown[0]!r}); fill it, or leave those rows out"
        )
    labels = pa.array([int(words[customer] in churned) for customer in asked], pa.int8())
    return spine.select(["customer_id", "cutoff"]).append_column("churned", labels)


def _words(snapshot: Snapshot, churn: ChurnConfig) -> dict[str, str]:
    """Each customer's latest value in the label column, spelled one way; empty when unsaid."""
    entry = snapshot.manifest.tables.get("customers")
    declared = entry.attributes if entry else {}
    if churn.column is None or churn.column not in declared:
        raise LabelError(
            f"churn.column {churn.column!r} is not an attribute of customers; declare it under "
            f"sources.customers.attributes (declared: {', '.join(sorted(declared)) or 'none'})"
        )
    quoted = churn.column.replace('"', '""')
    query = f'SELECT customer_id, "{quoted}" FROM customers ORDER BY valid_from NULLS FIRST'
    rows = snapshot.connection.execute(query).fetchall()
    return {customer: _word(value) for customer, value in rows}


def _word(value: object) -> str:
    """One spelling for text and numbers: 'Yes ' becomes yes and 1.0 becomes 1."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip().casefold()


def _require_answers(words: dict[str, str], churn: ChurnConfig) -> None:
    counts = Counter(word for word in words.values() if word)
    seen = ", ".join(f"{word!r} ({count})" for word, count in counts.most_common(_MOST_VALUES))
    if len(counts) > _MOST_VALUES:
        raise LabelError(
            f"churn.column {churn.column!r} has {len(counts)} different values, which is no label "
            f"(most common: {seen}); name the column that says who churned"
        )
    if counts and not any(value.strip().casefold() in counts for value in churn.churned_values):
        raise LabelError(
            f"churn.column {churn.column!r} never says churned: it has {seen}, and "
            f"churn.churned_values is {churn.churned_values}; list the value that means churned"
        )
