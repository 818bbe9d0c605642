"""The at-risk list: its order, its summary and its file."""

import csv
from dataclasses import replace
from pathlib import Path

from serving.at_risk import LIST_COLUMNS, rank_scores, summarise, write_at_risk
from serving.scoring import Score


def score(customer_id: str, value_at_risk: float, tier: str = "low") -> Score:
    return Score(customer_id, None, 0.5, 10.0, 5.0, 20.0, 1.0, value_at_risk, tier)


def test_the_highest_value_at_risk_comes_first_and_ties_go_by_customer_id() -> None:
    scores = [score("b", 5.0), score("c", 9.0), score("a", 5.0), score("d", 1.0)]
    assert [scores[place].customer_id for place in rank_scores(scores)] == ["c", "a", "b", "d"]


def test_the_top_decile_of_eleven_customers_is_two() -> None:
    ranked = [score(str(place), 100.0 - place, "high") for place in range(11)]
    summary = summarise(ranked, "IDR", generated=True)
    assert summary.value_at_risk == 100 * 11 - 55
    assert summary.top_decile_value_at_risk == 100 + 99
    assert summary.tiers == {"high": 11, "medium": 0, "low": 0}
    assert (summary.currency, summary.generated) == ("IDR", True)


def test_without_clv_there_is_no_money_to_add_up() -> None:
    ranked = [replace(score("a", 0.5), clv=None)]
    summary = summarise(ranked, "IDR", generated=False)
    assert (summary.value_at_risk, summary.top_decile_value_at_risk) == (None, None)


def test_the_list_file_has_ranks_next_steps_and_the_currency(tmp_path: Path) -> None:
    ranked = [replace(score("b", 9.0), next_step="Call"), score("a", 5.0)]
    write_at_risk(tmp_path, ranked, "EUR")
    with (tmp_path / "at_risk.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == LIST_COLUMNS
    assert [(row["rank"], row["customer_id"]) for row in rows] == [("1", "b"), ("2", "a")]
    assert (rows[0]["next_step"], rows[1]["next_step"]) == ("Call", "")
    assert {row["currency"] for row in rows} == {"EUR"}
