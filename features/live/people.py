"""Facts of the customers table in Python: the twins of its SQL."""

from collections.abc import Sequence
from datetime import UTC

from features.customers import ALWAYS
from features.live.rows import Facts, History, TableRows, Values, in_order

_TOLD = ("segment", "region", "language", "timezone", "preferred_channel")
_CONSENT = ("email_consent", "sms_consent")


def customers(history: History) -> Facts:
    """One row for each version of the customer, by when it became known."""
    rows = history["customers"]
    columns = {
        "ts": _known(rows),
        "signed_up_at": rows.seconds("signed_up_at"),
        "signup_month": [
            None if time is None else time.astimezone(UTC).month
            for time in rows.column("signed_up_at")
        ],
        **{name: rows.column(name) for name in _TOLD},
        **{name: rows.whole(name) for name in _CONSENT},
    }
    return in_order(columns, "ts", *_TOLD, *_CONSENT)


def attribute_facts(history: History, names: Sequence[str]) -> Facts:
    """One row for each version of the customer, with the attributes `names` in their order."""
    rows = history["customers"]
    columns = {f"attribute_{place}": rows.column(name) for place, name in enumerate(names)}
    return in_order({"ts": _known(rows), **columns}, "ts", *columns)


def _known(rows: TableRows) -> Values:
    """When each version became known: valid from then, and not before signing up."""
    times = zip(rows.seconds("valid_from"), rows.seconds("signed_up_at"), strict=True)
    return [max(ALWAYS if time is None else time for time in pair) for pair in times]
