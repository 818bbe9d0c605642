"""The generated company keeps its promises: in time, in order, and the same again."""

from dataclasses import asdict
from pathlib import Path

import pytest

from features.company.generate import CompanyError, Effects, generate_company
from features.config import load_config
from features.contracts import TABLES
from features.ingest.run import ingest
from tests.features.planted_company import END, ask, opened, planted

DOCS = Path(__file__).parents[3] / "docs" / "generated-company.md"


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for folder, seed in zip(folders, (1, 1, 2), strict=True):
        generate_company(folder, 60, seed=seed, days=400)
    for file in sorted(folders[0].iterdir()):
        same = file.read_bytes() == (folders[1] / file.name).read_bytes()
        other = file.read_bytes() == (folders[2] / file.name).read_bytes()
        assert (file.name, same, other) == (file.name, True, file.name == "pipeline.yaml")


def test_ids_stay_unique_beyond_one_block(tmp_path: Path) -> None:
    tables = opened(generate_company(tmp_path, 10_200, days=400).folder)
    for name, key in (
        ("customers", "customer_id"),
        ("tickets", "ticket_id"),
        ("subscriptions", "subscription_id"),
        ("orders", "(order_id, product_id)"),
        ("events", "(session_id, occurred_at)"),
    ):
        rows, distinct = ask(tables, f"SELECT count(*), count(DISTINCT {key}) FROM {name}")
        assert (name, rows) == (name, distinct)
    owners, sessions = ask(
        tables,
        "SELECT count(DISTINCT (session_id, customer_id)), count(DISTINCT session_id) FROM events",
    )
    assert owners == sessions


def test_nothing_happens_after_the_end() -> None:
    for name, table in TABLES.items():
        for time in table.times:
            if time == "valid_from":
                continue
            (late,) = ask(planted(), f"SELECT count(*) FROM {name} WHERE {time} >= '{END} 00:00'")
            assert (name, time, late) == (name, time, 0)


def test_nothing_happens_before_signing_up() -> None:
    for name, table in TABLES.items():
        if name == "customers":
            continue
        (early,) = ask(
            planted(),
            f"SELECT count(*) FROM {name} JOIN customers USING (customer_id) "
            f"WHERE {table.time} < signed_up_at",
        )
        assert (name, early) == (name, 0)


def test_purchases_and_usage_stop_at_dropout() -> None:
    for name, time in (("orders", "ordered_at"), ("events", "occurred_at")):
        (late,) = ask(
            planted(),
            f"SELECT count(*) FROM {name} JOIN truth USING (customer_id) "
            f"WHERE {time} >= dropped_out_at",
        )
        assert (name, late) == (name, 0)


def test_levels_are_those_of_a_living_company() -> None:
    (churn,) = ask(
        planted(),
        """
        SELECT avg((later = 0)::INT) FROM (
            SELECT customer_id, count(*) FILTER (day(ordered_at) >= 800 AND
                   day(ordered_at) < 890) AS later,
                   count(*) FILTER (day(ordered_at) < 800 AND day(ordered_at) >= 435) AS before
            FROM orders WHERE amount > 0 GROUP BY 1) WHERE before > 0
        """,
    )
    (tickets,) = ask(planted(), "SELECT (SELECT count(*) FROM tickets) / count(*) FROM customers")
    assert 0.25 < churn < 0.40
    assert 1 < tickets < 4


def test_the_written_configuration_says_generated_and_maps_the_whole_contract(
    tmp_path: Path,
) -> None:
    company = generate_company(tmp_path, 5, days=400)
    config, tables = load_config(company.config), opened(tmp_path)
    assert config.generated
    assert set(config.sources) == set(TABLES)
    for name, source in config.sources.items():
        held = {row[0] for row in tables.execute(f"DESCRIBE {name}").fetchall()}
        assert set(source.columns) == set(TABLES[name].names) - {"valid_from"}
        assert set(source.columns.values()) | set(source.attributes) == held


def test_every_row_passes_ingest(tmp_path: Path) -> None:
    company = generate_company(tmp_path, 300)
    report = ingest(load_config(company.config))
    accepted = {table.table: table.accepted for table in report.tables}
    assert accepted == {name: company.rows[name] for name in TABLES}
    assert all(table.rejected == 0 and not table.warnings for table in report.tables)
    assert report.warnings == ()


def test_the_docs_and_the_notice_state_every_planted_strength(tmp_path: Path) -> None:
    generate_company(tmp_path, 5, days=400)
    docs, notice = DOCS.read_text("utf-8"), (tmp_path / "GENERATED.md").read_text("utf-8")
    assert "No customer, order, ticket or answer in this folder is real" in notice
    for name, strength in asdict(Effects()).items():
        assert f"| `{name}` | {strength} |" in docs
        assert f"| {name} | {strength} |" in notice


def test_a_company_of_one_customer_can_be_read(tmp_path: Path) -> None:
    company = generate_company(tmp_path, 1, days=400)
    assert ingest(load_config(company.config)).table("customers").accepted == 1


def test_a_company_without_history_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CompanyError, match="10 customers over 100 days; give at least 1 customer"):
        generate_company(tmp_path, 10, days=100)
