"""The bound for `benchmarks.features`: one scan and one group-by of each event file, no more.

Usage: python features_bound.py FOLDER; a file of its own so that it imports nothing else.
"""

import sys

import duckdb


def main(folder: str) -> None:
    connection = duckdb.connect()
    for table, column in (("orders", "amount"), ("events", "value")):
        connection.execute(
            f"COPY (SELECT customer_id, count(*), sum({column}), max(day) "
            f"FROM '{folder}/{table}.parquet' GROUP BY customer_id) "
            f"TO '{folder}/bound.{table}' (FORMAT parquet)"
        )


if __name__ == "__main__":
    main(sys.argv[1])
