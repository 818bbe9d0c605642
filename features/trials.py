"""Contacts made or withheld at random: the table in which outreach tells training of them."""

import pyarrow as pa

CONTACTS_SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("contacted_at", pa.timestamp("us", tz="UTC")),
        ("campaign", pa.string()),
        ("arm", pa.string()),
    ]
)
"""The columns of `contacts` that tell a trial; `arm` is treatment or holdout."""
