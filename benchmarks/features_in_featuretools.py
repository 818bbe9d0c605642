"""A few order features by featuretools, with a Python of its own that has it installed.

Usage: python features_in_featuretools.py SNAPSHOT CUSTOMERS (pandas < 3, setuptools < 81).
"""

import sys
import warnings
from typing import Any

import pandas as pd


def main(snapshot: str, customers: int) -> None:
    orders = _orders(snapshot, customers)
    people = pd.DataFrame({"customer_id": orders.customer_id.unique()})
    times = people.assign(time=orders.ordered_at.max().normalize() + pd.Timedelta(days=1))
    entities = _entities(orders, people)
    sizes = [_features(entities, times, window).shape[1] for window in ("90 days", "365 days")]
    print(f"{sum(sizes)} features of {len(people):,} customers' order lines")


def _orders(snapshot: str, customers: int) -> pd.DataFrame:
    columns = ["customer_id", "ordered_at", "amount", "quantity", "product_id"]
    orders = pd.read_parquet(f"{snapshot}/orders.parquet", columns=columns)
    people = orders.customer_id.unique()[:customers]
    orders = orders[orders.customer_id.isin(people)].reset_index(drop=True)
    times = orders.ordered_at.dt.tz_localize(None)
    return orders.assign(ordered_at=times, line=range(len(orders)))


def _entities(orders: pd.DataFrame, people: pd.DataFrame) -> Any:
    import featuretools  # type: ignore[import-not-found]

    entities = featuretools.EntitySet("company")
    entities.add_dataframe(people, "customers", index="customer_id")
    kinds = {"product_id": "Categorical"}
    entities.add_dataframe(orders, "orders", "line", time_index="ordered_at", logical_types=kinds)
    entities.add_relationship("customers", "customer_id", "orders", "customer_id")
    # Without these a training window silently drops customers: see its documentation of both.
    entities.add_last_time_indexes()
    return entities


def _features(entities: Any, times: pd.DataFrame, window: str) -> pd.DataFrame:
    import featuretools

    table, _ = featuretools.dfs(
        entityset=entities,
        target_dataframe_name="customers",
        agg_primitives=["count", "sum", "mean", "std", "max", "num_unique"],
        trans_primitives=[],
        cutoff_time=times,
        training_window=window,
        max_depth=1,
        n_jobs=1,
    )
    return pd.DataFrame(table)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(sys.argv[1], int(sys.argv[2]))
