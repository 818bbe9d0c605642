"""Bad tickets, subscriptions and surveys through `setia check`: each is told, with a count."""

from collections.abc import Mapping
from pathlib import Path

from tests.command import HEADER, Answer, setia, shop

GOOD = HEADER + "".join(f"c{n},2024-0{1 + n % 9}-05,{n}.5\n" for n in range(20))
TRAIL = """\
    trail:
      changed_at: at
      status: state
      sequence: n
      waiting: [new]
      resolved: [closed]
"""


def checked(folder: Path, files: Mapping[str, str], settings: str = "") -> Answer:
    """What `setia check` says when nothing is too many rejects; `settings` end the last source."""
    sources = "".join(
        f"  {name}:\n    path: {name}.csv\n    max_reject_rate: 1\n" for name in files
    )
    config = shop(folder, GOOD, settings=sources + settings)
    for name, content in files.items():
        (folder / f"{name}.csv").write_text(content, encoding="utf-8")
    return setia("check", "-c", config).done()


def said(answer: Answer, *sentences: str) -> None:
    plain = " ".join(answer.out.split())
    for sentence in sentences:
        assert sentence in plain, plain


def test_bad_tickets_are_told_each_with_its_count(tmp_path: Path) -> None:
    rows = (
        "customer_id,ticket_id,opened_at,resolved_at,channel,text\n"
        "c1,t1,2024-03-02 10:00,2024-03-01 10:00,email,Where is my parcel?\n"
        "c1,t2,2024-03-02 10:00,,carrier pigeon,The parcel is still not here\n"
        "c2,t3,2024-03-02 10:00,,email,Mijn pakketje werd gisteren nergens afgeleverd\n"
        "c2,t4,2024-03-02 10:00,,email,荷物がまだ届きません\n"
        "c3,t5,2024-03-02 10:00,,email,Pesanan saya belum sampai\n"
    )
    said(
        checked(tmp_path, {"tickets": rows}),
        "1 row (20.0 %) have a resolved_at before the time it must follow "
        "(first: '2024-03-01 10:00 before 2024-03-02 10:00')",
        "tickets: 1 row: channel outside the list read as 'other'",
        "tickets: 2 rows: text not known as Indonesian or English, so without a sentiment",
    )


def test_bad_surveys_and_subscriptions_are_told_each_with_its_count(tmp_path: Path) -> None:
    surveys = "customer_id,kind,answered_at,score\nc1,nps,2024-03-02,10\nc1,csat,2024-03-02,9\n"
    subscriptions = (
        "customer_id,subscription_id,started_at,ended_at,plan\n"
        "c1,s1,2024-01-01,2024-04-01,basic\nc1,s2,2024-02-01,,basic\nc2,s3,2024-02-01,,basic\n"
    )
    said(
        checked(tmp_path, {"surveys": surveys, "subscriptions": subscriptions}),
        "1 row (50.0 %) have a score off its scale (first: 'csat 9')",
        "1 row (33.3 %) start while another of the same customer and plan is running",
    )


def test_a_bad_audit_trail_is_told_with_its_counts(tmp_path: Path) -> None:
    rows = (
        "customer_id,ticket_id,at,n,state\n"
        "c1,t1,2024-03-01 09:00,0,new\nc1,t1,2024-03-02 09:00,3,open\n"  # 1 and 2 are missing
        "c1,t1,2024-03-03 09:00,2,new\n"  # 2 comes after 3
        "c1,t1,2024-03-04 09:00,4,closed\n"
        "c2,t2,2024-03-01 09:00,5,closed\n"  # its first change is missing
    )
    said(
        checked(tmp_path, {"tickets": rows}, TRAIL),
        "1 row (20.0 %) come later than a change that follows them by their sequence",
        "1 row (25.0 %) follow a change that is not in the log",
        "tickets that begin with a change that is not their first: 1 of 2",
    )
