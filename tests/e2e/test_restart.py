"""The engine restarted under a stack."""

import subprocess
import sys

import pytest

from tests.harness.stack import ROOT, Stack, service
from tests.harness.waiting import until


def test_stack_is_in_step_after_the_engine_was_restarted(stack: Stack):
    restart = [sys.executable, "-m", "toolchain", "restart-engine"]
    probe = subprocess.run([*restart, "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"this engine is not the toolchain's to restart: {probe.stderr.strip()}")
    stack.write("hello", service("hello"))
    stack.up()
    subprocess.run(restart, cwd=ROOT, check=True, timeout=120)
    until(lambda: stack.get("hello.localhost").status == 200, within_s=60)
    stack.expect_no_changes()
