"""Skips: the few reasons for which a test may be skipped. Any other is a failure: a skipped test proves nothing."""

from __future__ import annotations

import pytest

# By how the reason begins. Nothing stands here that the toolchain can bring.
ALLOWED = (
    # Permissions do not bind root, and much is root's alone; either half of these runs for either user.
    "root may read everything",
    "only root ",
    "the image's commands run as root",
    # Compiling Pulumi's hosts anew takes minutes; it is tried where the toolchain had to.
    "this machine has the official one",
    # Somebody else's engine, with somebody else's containers on it, is not ours to restart.
    "this engine is not the toolchain's",
)


def check_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Make a failure of a skip whose reason is not allowed; an expected failure is no skip."""
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = reason.removeprefix("Skipped: ")
    if not reason.startswith(ALLOWED):
        report.outcome = "failed"
        report.longrepr = f"skipped, and tests/harness/skips.py does not allow that: {reason}"
