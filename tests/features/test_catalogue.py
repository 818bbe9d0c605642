"""The catalogue's declarations, their words, and the page written from them."""

import subprocess
import sys
from pathlib import Path

import pytest

from features.aggregates import Aggregate, DeclarationError, Fact, Source
from features.catalogue import ALL, CATALOGUE, feature_named
from features.catalogue_page import catalogue_page
from features.declare import Feature, Words
from features.orders import PURCHASE_DAYS

ROOT = Path(__file__).resolve().parents[2]
WORDS = Words("What it is", "It is {value}", "It is not known")


def test_names_are_unique_and_begin_with_their_table() -> None:
    assert len(CATALOGUE) == len(ALL)
    assert [f.name for f in ALL if not f.name.startswith(f"{f.source}_")] == []


def test_a_window_in_the_name_is_the_window_of_the_formula() -> None:
    windowed = [f for f in ALL if f.window_days is not None and "_of_" not in f.name]
    assert [f.name for f in windowed if not f.name.endswith(f"_{f.window_days}d")] == []


@pytest.mark.parametrize("feature", ALL, ids=lambda feature: feature.name)
def test_every_sentence_is_whole_in_both_languages(feature: Feature) -> None:
    sample = "basic" if feature.kind == "category" else 3.0
    for language in ("en", "id"):
        for value in (sample, 0.0, None, float("nan")):
            sentence = feature.sentence(value, language, "EUR")
            assert "{" not in sentence
            assert not sentence.endswith(".")
            assert sentence[0] == sentence[0].upper()
    assert feature.meaning != feature.meaning_id
    assert feature.sentence(None, "en", "EUR") != feature.sentence(None, "id", "EUR")


@pytest.mark.parametrize(
    ("name", "value", "english", "indonesian"),
    [
        (
            "orders_days_since_last",
            143.0,
            "Last order 143 days ago",
            "Pesanan terakhir 143 hari lalu",
        ),
        ("tickets_open", 2.0, "2 tickets still open", "2 tiket masih terbuka"),
        ("tickets_open", 0.0, "No tickets open", "Tidak ada tiket terbuka"),
        (
            "tickets_open_days_max",
            9.4,
            "Oldest open ticket is 9 days old",
            "Tiket terbuka tertua berumur 9 hari",
        ),
        (
            "orders_change_90d",
            -0.6,
            "Orders down 60% against the 90 days before",
            "Pesanan turun 60% dibanding 90 hari sebelumnya",
        ),
        (
            "orders_gap_mean",
            None,
            "No repeat order so far",
            "Belum ada pesanan ulang",
        ),
        (
            "orders_spend_365d",
            1234.5,
            "Spent 1,234 EUR in the last 365 days",
            "Belanja 1.234 EUR dalam 365 hari terakhir",
        ),
        (
            "surveys_nps_detractor",
            1.0,
            "Would not recommend us (last score 6 or less)",
            "Tidak akan merekomendasikan kami (nilai terakhir 6 atau kurang)",
        ),
        ("subscriptions_plan", "pro", "On the plan pro", "Memakai paket pro"),
        ("customers_Tech_Support", "No", "Tech Support: No", "Tech Support: No"),
    ],
)
def test_sentences_read_as_a_retention_manager_would_say_them(
    name: str, value: float | str | None, english: str, indonesian: str
) -> None:
    feature = feature_named(name)
    assert feature.sentence(value, "en", "EUR") == english
    assert feature.sentence(value, "id", "EUR") == indonesian


def test_an_unknown_feature_is_named() -> None:
    with pytest.raises(KeyError, match="no feature 'recency_days' in the catalogue"):
        feature_named("recency_days")


def test_the_definition_follows_the_computation_and_not_the_words() -> None:
    def declared(how: str, words: Words) -> Feature:
        return Feature(
            "x", Aggregate(PURCHASE_DAYS, how, "value"), "money", "spending", words, words
        )

    first = declared("mean", WORDS)
    assert first.definition == declared("mean", Words("Other", "{value}", "None")).definition
    assert first.definition != declared("median", WORDS).definition


def test_definitions_differ_between_features() -> None:
    assert len({feature.definition for feature in ALL}) == len(ALL)


def test_a_late_column_without_its_time_is_refused() -> None:
    with pytest.raises(DeclarationError, match="contacts becomes known at resolved_at"):
        Source(
            name="bad",
            table="tickets",
            time="opened_at",
            clock="second",
            facts="",
            columns={"contacts": Fact(("contacts",))},
        )


def test_an_unknown_unit_or_column_is_refused() -> None:
    mean = Aggregate(PURCHASE_DAYS, "mean", "value")
    with pytest.raises(DeclarationError, match="unit 'furlongs' has no wording"):
        Feature("x", mean, "furlongs", "spending", WORDS, WORDS)
    wrong = Aggregate(PURCHASE_DAYS, "mean", "price")
    with pytest.raises(DeclarationError, match="purchase_days has no column 'price'"):
        Feature("x", wrong, "money", "spending", WORDS, WORDS)


def test_the_catalogue_needs_no_engine() -> None:
    code = (
        "import sys, features.catalogue\n"
        "print(sorted({'duckdb', 'pandas', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_the_committed_page_is_current() -> None:
    page = (ROOT / "docs" / "feature-catalogue.md").read_text(encoding="utf-8")
    assert page == catalogue_page(), "write docs/feature-catalogue.md from catalogue_page()"
