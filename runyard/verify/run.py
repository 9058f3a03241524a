"""Run of the checks against a live stack: on a terminal as pytest tells it, or silently, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from runyard.plan import Plan
from runyard.plan.history import Pasts
from runyard.verify.plugin import VerifyPlugin

SCHEMA_VERSION = 1
Outcome = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Check:
    """What came of one check, and why, if it did not pass."""

    name: str
    outcome: Outcome
    reason: str = ""


@dataclass(slots=True)
class Results:
    """A pytest plugin that keeps what came of each check; `complete` is false when pytest itself failed."""

    checks: list[Check] = field(default_factory=list)
    complete: bool = True

    @property
    def good(self) -> bool:
        """Whether the stack is what its manifests ask for."""
        return self.complete and bool(self.checks) and not any(each.outcome == "failed" for each in self.checks)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the call, and a fixture that failed or skipped before or after it."""
        if report.when == "call" or report.outcome != "passed":
            reason = "" if report.outcome == "passed" else _reason(report)
            self.checks.append(Check(report.nodeid.rpartition("::")[2], report.outcome, reason))

    def describe(self) -> dict[str, Any]:
        """Describe the results as plain data."""
        outcomes = [each.outcome for each in self.checks]
        return {
            "schemaVersion": SCHEMA_VERSION,
            "good": self.good,
            "summary": {outcome: outcomes.count(outcome) for outcome in ("passed", "failed", "skipped")},
            "checks": [{"name": each.name, "outcome": each.outcome, "reason": each.reason} for each in self.checks],
        }


def _reason(report: pytest.TestReport) -> str:
    # Of one that is skipped it is the last of three: file, line and reason.
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else report.longreprtext


def run_checks(planned: Plan, pasts: Pasts, arguments: list[str], *, deep: bool = False) -> Results:
    """Run every check of the plan, with more arguments for pytest; `deep` wakes the services that sleep."""
    checks = Path(__file__).resolve().parent
    fixed = ["--rootdir", str(checks), "-c", "/dev/null", "-p", "no:cacheprovider"]
    fixed += ["-o", "python_files=checks_*.py"]
    results = Results()
    code = pytest.main([*fixed, *arguments, str(checks)], plugins=[VerifyPlugin(planned, pasts, deep=deep), results])
    results.complete = code in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    return results
