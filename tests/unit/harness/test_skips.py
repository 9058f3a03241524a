from __future__ import annotations

import pytest

from tests.harness.skips import judge


def skipped(reason: str) -> pytest.TestReport:
    where = ("test_a.py", 3, f"Skipped: {reason}")
    return pytest.TestReport("test_a.py::test_a", ("test_a.py", 3, "test_a"), {}, "skipped", where, "call")


def test_skip_for_what_the_toolchain_brings_is_a_failure() -> None:
    report = skipped("nginx is not installed")
    judge(report)
    assert report.failed
    assert report.longrepr == "skipped, and tests/harness/skips.py does not allow that: nginx is not installed"


@pytest.mark.parametrize("reason", ["root may read everything", "only root can mount"])
def test_skip_on_the_list_stays_one(reason: str) -> None:
    report = skipped(reason)
    judge(report)
    assert report.skipped


def test_expected_failure_is_no_skip() -> None:
    report = skipped("nginx is not installed")
    report.wasxfail = "known"  # type: ignore[attr-defined]
    judge(report)
    assert report.skipped


def test_module_that_skips_itself_is_a_failure() -> None:
    report = pytest.CollectReport("test_a.py", "skipped", ("test_a.py", 3, "Skipped: no docker"), [])
    judge(report)
    assert report.failed
