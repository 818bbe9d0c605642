"""A log of ticket changes is folded into the states each ticket was in, as they became known."""

import random
from typing import Any

import duckdb
import pytest

from features.contracts import ContractError
from features.ingest.report import TableReport
from features.ingest.run import TooManyRejects
from tests.features.ingest.shop import Shop, reasons

EVENTS = "customer_id,occurred_at,event\nana,2024-03-01 08:00,login\n"
HEADER = "who,id,opened,at,n,state,group,moves\n"
COLUMNS = {
    "customer_id": "who",
    "ticket_id": "id",
    "opened_at": "opened",
    "category": "group",
    "transfers": "moves",
}
TRAIL = {
    "changed_at": "at",
    "sequence": "n",
    "status": "state",
    "waiting": ["New"],
    "resolved": ["Resolved", "Closed"],
    "escalated": ["Tier 2"],
}
STORY = """\
ana,t1,2024-03-01 08:50,2024-03-01 09:00,0,New,app,0
ana,t1,2024-03-01 08:50,2024-03-01 11:00,1,Active,app,0
ana,t1,2024-03-01 08:50,2024-03-02 10:00,2,Tier 2,app,1
ana,t1,2024-03-01 08:50,2024-03-03 15:00,3,Resolved,app,1
ana,t1,2024-03-01 08:50,2024-03-04 15:00,4,Closed,app,1
ana,t1,2024-03-01 08:50,2024-03-05 09:00,5,Active,app,1
ana,t1,2024-03-01 08:50,2024-03-06 09:00,6,Resolved,app,1
"""
STATE = (
    "strftime(known_from, '%d %H'), strftime(known_until, '%d %H'), "
    "strftime(first_response_at, '%d %H'), strftime(escalated_at, '%d %H'), "
    "strftime(resolved_at, '%d %H'), strftime(reopened_at, '%d %H'), CAST(transfers AS INTEGER)"
)


def log(
    shop: Shop,
    rows: str,
    header: str = HEADER,
    columns: dict[str, str] | None = None,
    trail: dict[str, Any] | None = None,
    **source: Any,
) -> TableReport:
    """Ingest a log of ticket changes beside one event."""
    tickets = {
        "columns": COLUMNS if columns is None else columns,
        "trail": {**TRAIL, **(trail or {})},
    }
    report = shop.ingest(
        {"events": EVENTS, "tickets": header + rows}, {"tickets": {**tickets, **source}}
    )
    return report.table("tickets")


def states(shop: Shop, columns: str = STATE) -> list[tuple[Any, ...]]:
    file = f"{shop.folder}/var/snapshots/tickets.parquet"
    return shop.read(f"SELECT {columns} FROM '{file}' ORDER BY ticket_id, known_from")


def test_each_change_that_matters_makes_a_state_known_until_the_next(shop: Shop) -> None:
    report = log(shop, STORY)
    assert states(shop) == [
        ("01 09", "01 11", None, None, None, None, 0),
        ("01 11", "02 10", "01 11", None, None, None, 0),
        ("02 10", "03 15", "01 11", "02 10", None, None, 1),
        ("03 15", "05 09", "01 11", "02 10", "03 15", None, 1),
        ("05 09", "06 09", "01 11", "02 10", None, "05 09", 1),
        ("06 09", None, "01 11", "02 10", "06 09", "05 09", 1),
    ]
    assert report.normalised == {"changes folded into states (tickets: 1, states: 6)": 7}
    entry = shop.manifest().tables["tickets"]
    assert (entry.rows, entry.is_versioned, report.rejected) == (6, True, 0)
    folded = {"first_response_at", "resolved_at", "reopened_at", "escalated_at"}
    assert folded | set(COLUMNS) == set(entry.columns)


def test_plain_tickets_have_no_versions(shop: Shop) -> None:
    tickets = "customer_id,ticket_id,opened_at\nana,t1,2024-03-01\n"
    shop.ingest({"events": EVENTS, "tickets": tickets})
    assert not shop.manifest().tables["tickets"].is_versioned
    with pytest.raises(duckdb.BinderException, match="known_from"):
        shop.rows("known_from", "tickets")


def test_neither_row_order_nor_file_splitting_changes_the_fold(shop: Shop) -> None:
    log(shop, STORY)
    fingerprint, expected = shop.manifest().fingerprint, states(shop)
    lines = STORY.splitlines(keepends=True)
    random.Random(5).shuffle(lines)
    log(shop, "".join(lines))
    assert (shop.manifest().fingerprint, states(shop)) == (fingerprint, expected)
    for part, some in enumerate((lines[:3], lines[3:])):
        (shop.folder / f"part-{part}.csv").write_text(HEADER + "".join(some))
    log(shop, "", path=str(shop.folder / "part-*.csv"))
    assert (shop.manifest().fingerprint, states(shop)) == (fingerprint, expected)


def test_changes_of_one_minute_are_one_state_in_the_order_of_their_numbers(shop: Shop) -> None:
    rows = (
        "ana,t1,2024-03-01 08:00,2024-03-01 09:00,3,Resolved,app,0\n"
        "ana,t1,2024-03-01 08:00,2024-03-01 08:00,0,New,app,0\n"
        "ana,t1,2024-03-01 08:00,2024-03-01 09:00,1,Resolved,app,0\n"
        "ana,t1,2024-03-01 08:00,2024-03-01 09:00,2,Active,app,0\n"
    )
    log(shop, rows)
    assert states(shop) == [
        ("01 08", "01 09", None, None, None, None, 0),
        ("01 09", None, "01 09", None, "01 09", "01 09", 0),
    ]


def test_without_numbers_changes_of_one_minute_keep_the_order_of_the_file(shop: Shop) -> None:
    rows = (
        "ana,t1,2024-03-01 08:00,2024-03-01 09:00,,New,app,0\n"
        "ana,t1,2024-03-01 08:00,2024-03-01 09:00,,Active,app,0\n"
    )
    log(shop, rows, trail={"sequence": None})
    assert states(shop) == [("01 09", None, "01 09", None, None, None, 0)]


def test_without_an_opening_the_first_change_is_it(shop: Shop) -> None:
    columns = {key: name for key, name in COLUMNS.items() if key != "opened_at"}
    log(shop, STORY, columns=columns)
    assert set(states(shop, "strftime(opened_at, '%d %H:%M')")) == {("01 09:00",)}


def test_without_waiting_statuses_no_first_response_is_claimed(shop: Shop) -> None:
    log(shop, STORY, trail={"waiting": [], "escalated": []})
    assert {"first_response_at", "escalated_at"}.isdisjoint(
        shop.manifest().tables["tickets"].columns
    )
    assert len(states(shop)) == 5


def test_times_that_the_log_filled_in_afterwards_are_not_read(shop: Shop) -> None:
    header = HEADER.replace("\n", ",resolved_at\n")
    rows = STORY.replace("\n", ",2024-03-06 09:00\n")
    log(shop, rows, header)
    resolved = [row[0] for row in states(shop, "strftime(resolved_at, '%d %H')")]
    assert resolved == [None, None, None, "03 15", None, "06 09"]


def test_a_ticket_handed_to_another_customer_leaves_the_first(shop: Shop) -> None:
    rows = (
        "ana,t1,2024-03-01 08:00,2024-03-01 08:00,0,New,app,0\n"
        "bob,t1,2024-03-01 08:00,2024-03-02 08:00,1,New,app,0\n"
    )
    log(shop, rows)
    assert states(shop, "customer_id, strftime(known_until, '%d')") == [
        ("ana", "02"),
        ("bob", None),
    ]


def test_a_bare_date_of_change_is_not_before_the_opening_of_that_day(shop: Shop) -> None:
    report = log(shop, "ana,t1,2024-03-01 08:50,2024-03-01,0,New,app,0\n")
    assert (report.rejected, states(shop, "strftime(known_from, '%d %H:%M')")) == (
        0,
        [("01 08:50",)],
    )


def test_bad_changes_are_rejected_each_with_its_reason(shop: Shop) -> None:
    bad = (
        "ana,t1,2024-03-01 08:50,2024-02-01 09:00,9,Closed,app,1\n"  # before its opening
        "ana,t1,2024-03-01 08:50,2024-03-03 16:00,1,Active,app,0\n"  # an old change that came late
        "ana,t1,2024-03-01 08:50,2024-03-03 15:00,3,Resolved,app,1\n"  # told twice
        ",t1,2024-03-01 08:50,2024-03-05 10:00,5,Active,app,1\n"
        "ana,t1,2024-03-01 08:50,2034-03-05 10:00,7,Closed,app,1\n"
        "ana,t1,2024-03-01 08:50,,7,Closed,app,1\n"
        "ana,t1,2024-03-01 08:50,2024-03-07 10:00,7,,app,1\n"
        "ana,t1,2024-03-01 08:50,2024-03-07 10:00,seven,Closed,app,1\n"
    )
    log(shop, STORY)
    expected = states(shop)
    report = log(shop, STORY + bad)
    assert reasons(report) == {
        ("out_of_order", "changed_at"): 1,
        ("stale_change", "sequence"): 1,
        ("duplicate_row", "ticket_id"): 1,
        ("missing_customer_id", "customer_id"): 1,
        ("future_time", "changed_at"): 1,
        ("missing_value", "changed_at"): 1,
        ("missing_value", "status"): 1,
        ("unreadable_number", "sequence"): 1,
    }
    assert (report.accepted, states(shop)) == (7, expected)
    (stale,) = [each for each in report.rejections if each.code == "stale_change"]
    assert stale.sentence.endswith(
        "come later than a change that follows them by their sequence (first: 't1 1')"
    )


def test_a_log_delivered_twice_stops_the_run(shop: Shop) -> None:
    with pytest.raises(
        TooManyRejects, match=r"repeat an earlier row in full .*; if a file was deli"
    ):
        log(shop, STORY + STORY, max_reject_rate=0.01)


def test_rows_alike_but_for_a_column_that_is_not_mapped_are_not_copies(shop: Shop) -> None:
    rows = STORY.replace("\n", ",a\n") + STORY.splitlines()[-1] + ",b\n"
    assert log(shop, rows, HEADER.replace("\n", ",note\n")).rejected == 0


def test_gaps_are_told(shop: Shop) -> None:
    rows = STORY + (
        "bob,t2,2024-03-01 09:30,2024-03-01 10:00,4,Active,app,0\n"
        "bob,t2,2024-03-01 09:30,2024-03-01 11:00,7,Resolved,app,0\n"
    )
    headless, skipped = log(shop, rows).warnings
    assert headless.startswith("tickets that begin with a change that is not their first: 1 of 2;")
    assert skipped.startswith("1 row (11.1 %) follow a change that is not in the log")


def test_answers_before_the_log_begins_are_told(shop: Shop) -> None:
    rows = STORY + "bob,t2,2024-02-01 09:30,2024-03-01 10:00,0,Active,app,0\n"
    (warning,) = log(shop, rows).warnings
    assert warning.startswith(
        "tickets opened before the log begins that its first row of them shows answered: 1;"
    )


def test_a_status_that_never_occurs_is_told(shop: Shop) -> None:
    (warning,) = log(shop, STORY, trail={"resolved": ["Resovled", "closed"]}).warnings
    assert warning == (
        "no row has the status 'Resovled' of trail.resolved; the log has "
        "'Active', 'Resolved', 'Closed', 'New', 'Tier 2'"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"columns": {**COLUMNS, "resolved_at": "at"}},
            r"tickets\.columns\.resolved_at: with a trail it follows from the statuses",
        ),
        ({"trail": {"changed_at": "att"}}, r"trail\.changed_at: .* no column 'att'; .* 'at'\?"),
        ({"trail": {"status": "stat"}}, r"trail\.status: .* no column 'stat'; .* 'state'\?"),
    ],
)
def test_a_trail_that_does_not_fit_is_refused(
    shop: Shop, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ContractError, match=message):
        log(shop, STORY, **settings)


def test_only_tickets_have_a_trail(shop: Shop) -> None:
    with pytest.raises(ContractError, match=r"events\.trail: only tickets can be given as a log"):
        shop.ingest({"events": EVENTS}, {"events": {"trail": TRAIL}})
