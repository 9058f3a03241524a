from __future__ import annotations

import pytest

from tests.harness.skips import check_skip


def skipped(reason: str) -> pytest.TestReport:
    where = ("test_a.py", 3, f"Skipped: {reason}")
    return pytest.TestReport("test_a.py::test_a", ("test_a.py", 3, "test_a"), {}, "skipped", where, "call")


def test_skip_for_what_the_toolchain_brings_is_a_failure() -> None:
    report = skipped("nginx is not installed")
    check_skip(report)
    assert report.failed
    assert report.longrepr == "skipped, and tests/harness/skips.py does not allow that: nginx is not installed"


@pytest.mark.parametrize("reason", ["root may read everything", "only root can mount"])
def test_skip_on_the_list_stays_one(reason: str) -> None:
    report = skipped(reason)
    check_skip(report)
    assert report.skipped


def test_expected_failure_is_no_skip() -> None:
    report = skipped("nginx is not installed")
    report.wasxfail = "known"  # type: ignore[attr-defined]
    check_skip(report)
    assert report.skipped


def test_module_that_skips_itself_is_a_failure() -> None:
    report = pytest.CollectReport("test_a.py", "skipped", ("test_a.py", 3, "Skipped: no docker"), [])
    check_skip(report)
    assert report.failed
