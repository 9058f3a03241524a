"""Reruns: a test that fails once on CI's shared machine is tried again, told of, and few are forgiven."""

from __future__ import annotations

import pytest

# More than these in one run is no chance: something became unreliable.
FORGIVEN = 2


class Reruns:
    """Plugin that counts the tests which failed and were tried again (`--reruns`, by `make test AGAIN=1`)."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember what was tried again; with xdist each worker's reports come here, to the one that starts them."""
        # pytest-rerunfailures gives an outcome that pytest's own types do not know.
        if str(report.outcome) == "rerun":
            self.seen.append(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a run in which more than a few tests were tried again."""
        if len(self.seen) > FORGIVEN and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell each test that failed once, with what it said: it is a defect of the test or of the product."""
        for report in terminalreporter.stats.get("rerun", []):
            terminalreporter.section(f"failed once: {report.nodeid}")
            terminalreporter.write_line(report.longreprtext)
        if len(self.seen) > FORGIVEN:
            terminalreporter.write_line(f"{len(self.seen)} tests failed once, and at most {FORGIVEN} are forgiven")
