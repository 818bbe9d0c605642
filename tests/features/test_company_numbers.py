"""What a feature takes from the whole company: shrunk rates, levels, and that no other does."""

import math
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from features.catalogue import ALL, CATALOGUE
from features.compile import company_numbers_of, company_query
from features.snapshot import Snapshot
from features.spine import SPINE_SCHEMA
from features.table import feature_table
from tests.features.plain_loops import (
    before,
    by_opening,
    change,
    difference,
    hours,
    is_close,
    is_late,
    mean,
    ratio,
    repeated,
)

MakeSnapshot = Callable[..., Snapshot]
Rows = list[dict[str, Any]]
RandomCompany = Callable[[int, int], dict[str, Rows]]
Counts = dict[str, tuple[int, int]]

CUTOFF = datetime(2024, 7, 1, tzinfo=UTC)
FEW = [f"c{number}" for number in range(10)]
SHRUNK = "tickets_reopened_rate_shrunk_365d"


def likeness(counts: list[tuple[int, int]]) -> float:
    """Kleinman's moment estimate of the intraclass correlation, from (hits, trials)."""
    tried = [(x, n) for x, n in counts if n]
    total, hits = sum(n for _, n in tried), sum(x for x, _ in tried)
    if not 0 < hits < total:
        return 0.0
    p, k = hits / total, len(tried)
    spread = math.fsum(n * (x / n - p) ** 2 for x, n in tried) / (p * (1 - p)) - (k - 1)
    room = total - math.fsum(n * n for _, n in tried) / total - (k - 1)
    return min(1.0, max(0.0, spread / room)) if room > 0 else 0.0


def shrunk(counts: list[tuple[int, int]], mine: tuple[int, int]) -> float | None:
    hits, trials = mine
    if not trials:
        return None
    p = sum(x for x, _ in counts) / sum(n for _, n in counts)
    r = likeness(counts)
    return p + trials * r / (1 + (trials - 1) * r) * (hits / trials - p)


def spine_of(customers: list[str]) -> pa.Table:
    return pa.table([customers, [CUTOFF] * len(customers)], schema=SPINE_SCHEMA)


def counts_of(tables: dict[str, Rows], customer: str) -> Counts:
    """(hits, trials) of one customer for each shrunk rate, counted row by row."""
    mine = {
        name: [row for row in rows if row["customer_id"] == customer]
        for name, rows in tables.items()
    }
    tickets = by_opening(mine, CUTOFF)
    year = before(tickets, "opened_at", CUTOFF, 365)
    solved = [row for row in year if row["resolved_at"]]
    answered = [row for row in year if row["first_response_at"]]
    named = [row for row in year if row["category"]]
    sent = before(mine["surveys"], "sent_at", CUTOFF, 365)
    scores = [
        row["score"]
        for row in before(mine["surveys"], "answered_at", CUTOFF, 365)
        if row["kind"] == "csat"
    ]
    used = before(mine["events"], "occurred_at", CUTOFF, 90)
    trouble = [row for row in used if row["event"] not in ("visit", "export")]
    touched = [row for row in solved if row["contacts"] <= 1 and row["reopened_at"] is None]
    return {
        "tickets_late_answer": (sum(map(is_late, answered)), len(answered)),
        "tickets_reopened": (sum(r["reopened_at"] is not None for r in year), len(year)),
        "tickets_escalated": (sum(r["escalated_at"] is not None for r in year), len(year)),
        "tickets_resolution": (len(solved), len(year)),
        "tickets_transferred": (sum(row["transfers"] > 0 for row in solved), len(solved)),
        "tickets_first_contact_resolution": (len(touched), len(solved)),
        "tickets_repeated_in_30_days": (
            sum(repeated(tickets, row, 30) for row in named),
            len(named),
        ),
        "surveys_unanswered": (len(sent) - len(before(sent, "answered_at", CUTOFF)), len(sent)),
        "surveys_low_csat": (sum(score <= 2 for score in scores), len(scores)),
        "events_friction": (len(trouble), len(used)),
    }


def test_every_shrunk_rate_equals_the_rule_worked_out_row_by_row(
    make_snapshot: MakeSnapshot, tmp_path: Path, random_company: RandomCompany
) -> None:
    tables = random_company(40, 21)
    customers = [row["customer_id"] for row in tables["customers"]]
    counts = {customer: counts_of(tables, customer) for customer in customers}
    found = feature_table(make_snapshot(tmp_path, tables), spine_of(customers)).to_pylist()
    declared = {name for name in CATALOGUE if "_shrunk_" in name}
    checked = set()
    for rate in counts["c0"]:
        name = next(n for n in declared if n.startswith(f"{rate}_rate_shrunk"))
        everyone = [each[rate] for each in counts.values()]
        for row in found:
            expected = shrunk(everyone, counts[row["customer_id"]][rate])
            # The quotients x²/n are kept as whole millionths, so the likeness is a little off.
            assert row[name] == (
                expected if expected is None else pytest.approx(expected, abs=1e-5)
            )
        checked.add(name)
    assert checked == declared


def levels(tables: dict[str, Rows], customer: str) -> dict[str, float | None]:
    """Company-relative features that are not shrunk rates, over the rows of everybody."""
    tickets = by_opening(tables, CUTOFF)
    bought = [row for row in tables["orders"] if not row["is_return"]]
    found: dict[str, float | None] = {}
    for name, end in (("first_response", "first_response_at"), ("resolution", "resolved_at")):
        ended = [row for row in tickets if row[end]]
        for days in (30, 90, 365):
            window = before(ended, "opened_at", CUTOFF, days)
            level = mean(hours(row, end) for row in window)
            own = mean(hours(row, end) for row in window if row["customer_id"] == customer)
            found[f"tickets_company_{name}_hours_mean_{days}d"] = level
            found[f"tickets_{name}_hours_over_company_{days}d"] = ratio(own, level)
    for kind in ("nps", "csat", "ces"):
        rows = [row for row in tables["surveys"] if row["kind"] == kind]

        def score(days: int, until: int = 0, whose: str = "", asked: Rows = rows) -> float | None:
            window = before(asked, "answered_at", CUTOFF, days, until)
            return mean(row["score"] for row in window if whose in ("", row["customer_id"]))

        found |= {
            f"surveys_{kind}_over_company_365d": difference(score(365, 0, customer), score(365)),
            f"surveys_company_{kind}_mean_90d": score(90),
            f"surveys_company_{kind}_change_90d": difference(score(90), score(180, 90)),
        }

    def orders(days: int, until: int = 0) -> int:
        window = before(bought, "ordered_at", CUTOFF, days, until)
        return len({(r["customer_id"], r["order_id"], r["ordered_at"].date()) for r in window})

    def spent(days: int, until: int = 0) -> float:
        return math.fsum(r["amount"] for r in before(bought, "ordered_at", CUTOFF, days, until))

    def count(table: str, column: str, days: int, until: int = 0) -> int:
        return len(before(tables[table], column, CUTOFF, days, until))

    return found | {
        "orders_company_count_change_30d": change(orders(30), orders(60, 30)),
        "orders_company_spend_change_30d": change(spent(30), spent(60, 30)),
        "events_company_count_change_30d": change(
            count("events", "occurred_at", 30), count("events", "occurred_at", 60, 30)
        ),
        "tickets_company_count_change_30d": change(
            count("tickets", "opened_at", 30), count("tickets", "opened_at", 60, 30)
        ),
    }


def test_every_other_company_relative_feature_equals_a_loop_over_everybodys_rows(
    make_snapshot: MakeSnapshot, tmp_path: Path, random_company: RandomCompany
) -> None:
    tables = random_company(12, 22)
    customers = [row["customer_id"] for row in tables["customers"]]
    relative = {f.name for f in ALL if f.company_relative and "_shrunk_" not in f.name}
    for row in feature_table(make_snapshot(tmp_path, tables), spine_of(customers)).to_pylist():
        expected = levels(tables, row["customer_id"])
        assert relative <= expected.keys()
        wrong = {
            name: (row[name], expected[name])
            for name in relative
            if not is_close(row[name], expected[name])
        }
        assert wrong == {}, f"{row['customer_id']}: found, expected"


def test_the_likeness_of_a_beta_binomial_company_is_recovered(
    make_snapshot: MakeSnapshot, tmp_path: Path
) -> None:
    # Rates from Beta(2, 6): level 0.25, likeness 1 / (2 + 6 + 1) = 0.111.
    dice = random.Random(4)
    tickets = [
        {
            "customer_id": f"c{customer}",
            "ticket_id": f"{customer}.{number}",
            "opened_at": CUTOFF - timedelta(days=number + 2),
            "reopened_at": CUTOFF - timedelta(days=1) if dice.random() < rate else None,
        }
        for customer in range(3_000)
        for rate in [dice.betavariate(2, 6)]
        for number in range(dice.randint(1, 8))
    ]
    snapshot = make_snapshot(tmp_path, {"tickets": tickets})
    counts: dict[str, tuple[int, int]] = {}
    for ticket in tickets:
        hits, trials = counts.get(ticket["customer_id"], (0, 0))
        counts[ticket["customer_id"]] = (hits + (ticket["reopened_at"] is not None), trials + 1)
    found = feature_table(snapshot, spine_of(list(counts))).to_pylist()
    for row in found:
        hits, trials = counts[row["customer_id"]]
        posterior = (2 + hits) / (8 + trials)
        assert row[SHRUNK] == pytest.approx(posterior, abs=0.03)


@pytest.mark.parametrize(
    ("tickets", "expected"),
    [
        # One ticket each tells nothing of how customers differ: everybody gets the level.
        ({"ana": [1], "bob": [0], "cy": [0], "di": [0]}, {"ana": 0.25, "bob": 0.25}),
        # Customers all alike inside and different from each other: their own rates stand.
        ({"ana": [1, 1, 1], "bob": [0, 0, 0]}, {"ana": 1.0, "bob": 0.0}),
        # Nobody was reopened: the level is 0 and so is everybody.
        ({"ana": [0, 0], "bob": [0]}, {"ana": 0.0, "bob": 0.0}),
    ],
)
def test_shrinking_at_its_limits_by_hand(
    tickets: dict[str, list[int]],
    expected: dict[str, float],
    make_snapshot: MakeSnapshot,
    tmp_path: Path,
) -> None:
    rows = [
        {
            "customer_id": customer,
            "ticket_id": f"{customer}{number}",
            "opened_at": CUTOFF - timedelta(days=5 + number),
            "reopened_at": CUTOFF - timedelta(days=1) if reopened else None,
        }
        for customer, outcomes in tickets.items()
        for number, reopened in enumerate(outcomes)
    ]
    found = feature_table(make_snapshot(tmp_path, {"tickets": rows}), spine_of(list(expected)))
    assert found[SHRUNK].to_pylist() == pytest.approx(list(expected.values()), abs=1e-12)


def test_a_customer_never_in_contact_has_no_rate_and_no_wait(
    make_snapshot: MakeSnapshot, tmp_path: Path, random_company: RandomCompany
) -> None:
    snapshot = make_snapshot(tmp_path, random_company(10, 5))
    row = feature_table(snapshot, spine_of(["nobody"])).to_pylist()[0]
    told = [
        feature.name
        for feature in ALL
        if feature.source in ("tickets", "surveys")
        and feature.group != "company"
        and feature.unit in ("share", "hours", "times", "score", "points", "flag", "days", "change")
    ]
    assert len(told) > 60
    assert [name for name in told if row[name] is not None] == []


def test_only_company_relative_features_depend_on_other_customers(
    make_snapshot: MakeSnapshot, tmp_path: Path, random_company: RandomCompany
) -> None:
    tables = random_company(30, 6)
    few = {
        name: [row for row in rows if row["customer_id"] in FEW] for name, rows in tables.items()
    }
    asked = spine_of(FEW)
    among_all = feature_table(make_snapshot(tmp_path / "all", tables), asked)
    alone = feature_table(make_snapshot(tmp_path / "few", few), asked)
    changed = {name for name in alone.column_names if not alone[name].equals(among_all[name])}
    relative = {feature.name for feature in ALL if feature.company_relative}
    assert changed == relative


def test_company_relative_features_do_not_depend_on_who_is_asked_about(
    make_snapshot: MakeSnapshot, tmp_path: Path, random_company: RandomCompany
) -> None:
    snapshot = make_snapshot(tmp_path, random_company(20, 7))
    everybody = feature_table(snapshot, spine_of([f"c{n}" for n in range(20)]))
    assert feature_table(snapshot, spine_of(["c4"])).equals(everybody.slice(4, 1))


def test_the_companys_numbers_come_in_the_order_in_which_they_are_named(
    make_snapshot: MakeSnapshot, tmp_path: Path, random_company: RandomCompany
) -> None:
    chosen = [feature for feature in ALL if feature.company_relative]
    numbers = company_numbers_of(chosen)
    snapshot = make_snapshot(tmp_path, random_company(20, 8))
    table = feature_table(snapshot, spine_of(["c0"]))
    connection = snapshot.connection.cursor()
    connection.execute("CREATE MACRO epoch_seconds(t) AS CAST(floor(epoch(t)) AS BIGINT)")
    for source in {part.source for f in chosen for part in _aggregates(f)}:
        connection.execute(f"CREATE TEMP TABLE facts_{source.name} AS {source.facts}")
    row = connection.execute(company_query(chosen, CUTOFF, ZoneInfo("UTC"))).fetchone()
    assert row is not None
    assert len(row) == len(numbers)
    wanted = CATALOGUE["tickets_company_resolution_hours_mean_90d"]
    place = numbers.index(wanted.formula)
    assert row[place] == table[wanted.name][0].as_py()


def _aggregates(feature: Any) -> list[Any]:
    from features.aggregates import aggregates

    return list(aggregates(feature.formula))
