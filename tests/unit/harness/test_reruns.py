"""What becomes of a run in which tests were tried again: told always, forgiven seldom."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.reruns import FORGIVEN

CHECKOUT = Path(__file__).resolve().parents[3]
CONFTEST = """
from tests.harness.reruns import Reruns

def pytest_configure(config):
    config.pluginmanager.register(Reruns())
"""
FAILS_ONCE = """
from pathlib import Path
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_fails_once(number):
    mark = Path(__file__).with_name(f"tried-{{number}}")
    if not mark.exists():
        mark.touch()
        raise AssertionError("the first try of all")
"""


def run(directory: Path, count: int, *options: str) -> subprocess.CompletedProcess[str]:
    (directory / "conftest.py").write_text(CONFTEST)
    (directory / "test_chance.py").write_text(FAILS_ONCE.format(count=count))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "pytest_rerunfailures",
        "-p",
        "xdist",
        *options,
        str(directory),
    ]
    # No other plugin, whose start takes longer than the tests.
    found = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(CHECKOUT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(command, cwd=directory, env=found, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one", "two workers"])
def test_reruns_are_told_with_what_the_first_try_said(tmp_path: Path, workers: tuple[str, ...]) -> None:
    done = run(tmp_path, FORGIVEN, "--reruns", "1", *workers)
    assert done.returncode == 0, done.stdout
    assert "failed once: test_chance.py::test_fails_once[0]" in done.stdout
    assert "AssertionError: the first try of all" in done.stdout


def test_more_reruns_than_are_forgiven_fail_the_run(tmp_path: Path) -> None:
    done = run(tmp_path, FORGIVEN + 1, "--reruns", "1", "-n", "2")
    assert done.returncode == 1, done.stdout
    assert f"{FORGIVEN + 1} tests failed once, and at most {FORGIVEN} are forgiven" in done.stdout


def test_run_without_reruns_forgives_none(tmp_path: Path) -> None:
    assert run(tmp_path, 1).returncode == 1
