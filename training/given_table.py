"""Rows to learn from that the user computed: a wide table of customers, cutoffs and features."""

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from features.catalogue import CATALOGUE
from features.feature_contract import FeatureColumn, FeatureContract
from features.windows import shift_days
from training.dataset import (
    CannotTrain,
    Dataset,
    Vector,
    require_trainable,
    split_customers,
)
from training.matrix import MOST_CATEGORIES
from training.rows import Rows, cutoffs_of

if TYPE_CHECKING:
    import pandas as pd

_LABELS = ("churned", "value", "orders")
_KEYS = ("customer_id", "cutoff")
_SHOWN = 5
_UTC = ZoneInfo("UTC")


class TableRefused(ValueError):
    """A given table that cannot be learned from; the message names the column and the value."""


def dataset_from_table(
    table: "pa.Table | pd.DataFrame", contract: FeatureContract | None = None
) -> Dataset:
    """The rows of a table that holds one customer at one cutoff in each.

    Columns: `customer_id`, `cutoff` (a date or time; UTC where it has no zone) and, to learn from,
    `churned` (0 or 1) and, where known, `value` (money within its horizon) and `orders`. Every
    other column is a feature: a number, a yes or no, or text, which is a category. One that is
    called like a feature of the catalogue is that; any other becomes `customers_<column>`. Missing
    and infinite numbers are unknown. With `contract`, that of a fitted model, the features are
    encoded as it knows them and labels may be absent.

    Raises TableRefused naming what to mend, CannotTrain when the labels cannot teach, and
    FeatureMismatch with the differences when the features are not those of `contract`.
    """
    arrow = table if isinstance(table, pa.Table) else _arrow(table)
    _require_keys(arrow)
    named = {_feature_name(name): arrow[name] for name in arrow.column_names if _is_feature(name)}
    if not named:
        raise TableRefused(f"the table has no feature beside {', '.join(arrow.column_names)}")
    here = FeatureContract(columns=tuple(_column(name, values) for name, values in named.items()))
    if contract is not None:
        _without_categories(contract).require(_in_order(_without_categories(here), contract))
    data = Dataset(
        X=(contract or here).encode({name: _plain(values) for name, values in named.items()}),
        customer_id=np.array(arrow["customer_id"].cast(pa.string()).to_pylist(), dtype=np.str_),
        cutoff=_cutoffs(arrow["cutoff"]),
        contract=contract or here,
        **{name: _label(name, arrow[name]) for name in _LABELS if name in arrow.column_names},
    )
    _require_once_each(data)
    if contract is None:
        if data.churned is None:
            raise TableRefused("the table has no column 'churned' (1 churned, 0 stayed)")
        require_trainable(data)
    return data


def rows_by_time(data: Dataset, horizon_days: int) -> Rows:
    """The latest cutoff to judge, and to learn from those whose labels end by then.

    Rows at cutoffs in between, whose labels reach past it, are left out.
    A table of a single cutoff is split by customer, three quarters to learn from.

    Raises CannotTrain when every earlier cutoff is less than a horizon before the latest.
    """
    cutoffs = cutoffs_of(data)
    if len(cutoffs) == 1:
        return Rows(*split_customers(data))
    ended = [one for one in cutoffs if shift_days(one, horizon_days, _UTC) <= cutoffs[-1]]
    if not ended:
        raise CannotTrain(
            f"the cutoffs are too close: labels of {horizon_days} days from {cutoffs[-2]:%Y-%m-%d} "
            f"end after the test cutoff {cutoffs[-1]:%Y-%m-%d}; add rows at a cutoff on or before "
            f"{shift_days(cutoffs[-1], -horizon_days, _UTC):%Y-%m-%d}, or shorten the horizon"
        )
    place = np.searchsorted(np.unique(data.cutoff), data.cutoff)
    train = data.rows(place < len(ended))
    require_trainable(train)
    return Rows(train, data.rows(place == len(cutoffs) - 1))


def _arrow(frame: "pd.DataFrame") -> pa.Table:
    """A pandas frame as Arrow, without its index."""
    zoned = {
        name: frame[name].dt.tz_convert(None)  # Arrow reads pandas' own zoned times with a warning
        for name in frame.columns
        if getattr(frame[name].dtype, "tz", None) is not None
    }
    return pa.Table.from_pandas(frame.assign(**zoned), preserve_index=False)


def _is_feature(column: str) -> bool:
    return column not in (*_KEYS, *_LABELS)


def _feature_name(column: str) -> str:
    """A name by which plots, reasons and baselines know the feature."""
    known = column in CATALOGUE or column.startswith("customers_")
    return column if known else f"customers_{column}"


def _require_keys(table: pa.Table) -> None:
    repeated = [name for name, times in Counter(table.column_names).items() if times > 1]
    if repeated:
        raise TableRefused(f"column {repeated[0]!r} is there twice; rename one of them")
    for name in _KEYS:
        if name not in table.column_names:
            listed = ", ".join(table.column_names[:_SHOWN])
            raise TableRefused(f"the table has no column {name!r} (it has {listed}, …); rename one")
        if missing := table[name].null_count:
            raise TableRefused(f"{missing} of {table.num_rows} rows have no {name}; fill it")


def _require_once_each(data: Dataset) -> None:
    seen = Counter(zip(data.customer_id.tolist(), data.cutoff.tolist(), strict=True))
    twice = [key for key, times in seen.items() if times > 1]
    if twice:
        customer, cutoff = twice[0]
        raise TableRefused(
            f"{len(twice)} customers are there more than once at a cutoff (first: {customer!r} at "
            f"{cutoff:%Y-%m-%d}); keep one row of each customer and cutoff"
        )


def _cutoffs(values: pa.ChunkedArray) -> "np.ndarray[Any, np.dtype[np.datetime64]]":
    """Instants as datetime64[us], UTC."""
    try:
        if pa.types.is_timestamp(values.type) and values.type.tz is not None:
            values = values.cast(pa.timestamp("us", "UTC"))
        return np.asarray(values.cast(pa.timestamp("us")).to_numpy(), dtype="datetime64[us]")
    except pa.ArrowInvalid as error:
        raise TableRefused(
            f"'cutoff' is not a date everywhere: {error}; write 2024-06-30"
        ) from None
    except pa.ArrowNotImplementedError:
        raise TableRefused(f"'cutoff' is {values.type}, not a date; write 2024-06-30") from None


def _column(name: str, values: pa.ChunkedArray) -> FeatureColumn:
    definition = hashlib.sha256(f"given {name}".encode()).hexdigest()[:16]
    if _is_number(values.type):
        return FeatureColumn(name=name, definition=definition)
    if not _is_text(values.type):
        raise TableRefused(
            f"{name.removeprefix('customers_')!r} is {values.type}, which no model takes; give a "
            "number (days before the cutoff for a date), or text"
        )
    seen = Counter(value for value in values.to_pylist() if value is not None)
    common = sorted(seen, key=lambda value: (-seen[value], value))[:MOST_CATEGORIES]
    return FeatureColumn(
        name=name, kind="category", categories=tuple(sorted(common)), definition=definition
    )


def _is_number(kind: pa.DataType) -> bool:
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
    return pa.types.is_null(kind) or any(test(kind) for test in tests)


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _plain(values: pa.ChunkedArray) -> Any:
    """A column as `FeatureContract.encode` takes it."""
    return values.to_pylist() if _is_text(values.type) else _numbers(values)


def _numbers(values: pa.ChunkedArray) -> Vector:
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    return np.asarray(values.cast(pa.float64()).to_numpy(), dtype=np.float64)


def _label(name: str, values: pa.ChunkedArray) -> Vector:
    """A label of every row.

    Raises TableRefused for a missing or infinite one, and where `churned` is not 0 or 1.
    """
    if not _is_number(values.type):
        raise TableRefused(f"{name!r} is {values.type}, not a number; write it as one")
    found = _numbers(values)
    odd = found[~np.isfinite(found)]
    if name == "churned":
        odd = found[~np.isin(found, (0.0, 1.0))]
    if odd.size:
        allowed = "0 or 1" if name == "churned" else "a number"
        raise TableRefused(
            f"{odd.size} of {len(found)} rows have {name} {odd[0]}, which is not {allowed}; "
            "leave out the rows whose outcome is not known"
        )
    return found


def _without_categories(contract: FeatureContract) -> FeatureContract:
    """The contract but for categories, of which a later table may have others."""
    plain = (column.model_copy(update={"categories": ()}) for column in contract.columns)
    return FeatureContract(columns=tuple(plain))


def _in_order(contract: FeatureContract, wanted: FeatureContract) -> FeatureContract:
    """The columns in the order of `wanted`, as a table's own order means nothing."""
    place = {name: at for at, name in enumerate(wanted.names)}
    columns = sorted(contract.columns, key=lambda column: place.get(column.name, len(place)))
    return FeatureContract(columns=tuple(columns))
