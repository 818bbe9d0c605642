"""What the programmes decided at random, as a table for training to learn from."""

import pyarrow as pa
from sqlalchemy import Connection, select

from features.trials import CONTACTS_SCHEMA
from serving.outreach.records import DECISIONS


def randomised_decisions(connection: Connection) -> pa.Table:
    """Every decision with an arm as a row of `contacts`: when, in which programme, in which arm.

    A customer counts as contacted (`treatment`) once that was decided, delivered or not: arms
    compare by what was meant for them. `contacted_at` is the time of the decision.
    """
    query = select(
        DECISIONS.c.customer_id, DECISIONS.c.decided_at, DECISIONS.c.programme, DECISIONS.c.arm
    ).where(DECISIONS.c.arm.is_not(None))
    rows = [
        (customer_id, at, programme, "treatment" if arm == "contact" else "holdout")
        for customer_id, at, programme, arm in connection.execute(query)
    ]
    columns = list(zip(*rows, strict=True)) or [()] * len(CONTACTS_SCHEMA)
    return pa.table(
        [
            pa.array(values, field.type)
            for values, field in zip(columns, CONTACTS_SCHEMA, strict=True)
        ],
        schema=CONTACTS_SCHEMA,
    )
