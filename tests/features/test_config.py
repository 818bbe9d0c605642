"""Configurations that are wrong are told so, with the nearest right one."""

from pathlib import Path

import pytest

from features.config import ConfigError, load_config

PLAIN = "name: shop\ncurrency: IDR\nsources:\n  orders:\n    path: orders.csv\n"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "pipeline.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_paths_start_at_the_folder_of_the_configuration(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, PLAIN))
    assert config.sources["orders"].path == str(tmp_path / "orders.csv")
    assert config.workspace == tmp_path / "var"


def test_an_unknown_key_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown key 'delimeter'; did you mean 'delimiter'"):
        load_config(write(tmp_path, PLAIN + "    delimeter: ';'\n"))


def test_an_unknown_section_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'trainin'; did you mean 'training'"):
        load_config(write(tmp_path, PLAIN + "trainin: {}\n"))


def test_an_unknown_table_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'order'; did you mean 'orders'"):
        load_config(write(tmp_path, PLAIN.replace("orders:", "order:")))


def test_an_unset_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SETIA_NO_SUCH", raising=False)
    text = PLAIN.replace("orders.csv", "${SETIA_NO_SUCH}/orders.csv")
    with pytest.raises(ConfigError, match=r"uses \$\{SETIA_NO_SUCH\}, which is not set"):
        load_config(write(tmp_path, text))


def test_a_set_variable_is_put_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SETIA_TEST_FILE", "from_env.csv")
    config = load_config(write(tmp_path, PLAIN.replace("orders.csv", "${SETIA_TEST_FILE}")))
    assert config.sources["orders"].path == str(tmp_path / "from_env.csv")


def test_an_unknown_time_zone_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown time zone 'Asia/Jakata'.*'Asia/Jakarta'"):
        load_config(write(tmp_path, PLAIN + "timezone: Asia/Jakata\n"))


def test_a_missing_file_says_which_command_writes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="setia init"):
        load_config(tmp_path / "pipeline.yaml")


def test_two_wrong_keys_are_both_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"(?s)2 setting.*horizons_days.*eligable_days"):
        load_config(write(tmp_path, PLAIN + "churn:\n  horizons_days: 1\n  eligable_days: 2\n"))


def test_an_absurd_horizon_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"churn\.horizon_days: .*greater than or equal to 1"):
        load_config(write(tmp_path, PLAIN + "churn:\n  horizon_days: 0\n"))


def test_an_unknown_key_of_a_trail_is_refused_with_the_nearest(tmp_path: Path) -> None:
    trail = "  tickets:\n    trail: {changed_at: at, status: state, resolvd: [Closed]}\n"
    with pytest.raises(ConfigError, match="unknown key 'resolvd'; did you mean 'resolved'"):
        load_config(write(tmp_path, PLAIN + trail))


def test_a_trail_without_a_resolved_status_is_refused(tmp_path: Path) -> None:
    trail = "  tickets:\n    trail: {changed_at: at, status: state, resolved: []}\n"
    with pytest.raises(ConfigError, match=r"tickets\.trail\.resolved: .* at least 1 item"):
        load_config(write(tmp_path, PLAIN + trail))


def test_a_population_rate_is_only_for_a_given_label(tmp_path: Path) -> None:
    given = "churn:\n  label: column\n  column: left\n  population_rate: 0.1\n"
    assert load_config(write(tmp_path, PLAIN + given)).churn.population_rate == 0.1
    with pytest.raises(ConfigError, match="population_rate corrects a given label, not 'inact"):
        load_config(write(tmp_path, PLAIN + "churn:\n  population_rate: 0.1\n"))
