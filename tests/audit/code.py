"""Code: what bandit says of our own Python."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.audit.waivers import OWN_CODE, Finding

# What bandit must find (B602, a shell), or it does not look.
_PLANTED = "import subprocess\nsubprocess.run(input(), shell=True)\n"
_PLANTED_RULE = "B602"


class Unread(Exception):
    """Bandit could not be run, or did not read what it was given."""


def check_code(root: Path, directories: Sequence[str], python: str = sys.executable) -> tuple[int, list[Finding]]:
    """Run bandit over directories; gives how many files it read, and what it found. Unread when it did not look."""
    with tempfile.TemporaryDirectory() as directory:
        planted = Path(directory, "planted.py")
        planted.write_text(_PLANTED, encoding="utf-8")
        report = _report(root, [*directories, str(planted)], python)
        found = [_finding(each) for each in report["results"]]
        read = {each for each in report["metrics"] if each != "_totals"}
    if report["errors"]:
        raise Unread(f"bandit: {report['errors'][0]['filename']}: {report['errors'][0]['reason']}")
    if (_PLANTED_RULE, str(planted)) not in {(each.rule, each.subject) for each in found}:
        raise Unread(f"bandit: must find {_PLANTED_RULE} in a file that has it, and did not")
    missed = {path for each in directories for path in map(str, (root / each).rglob("*.py"))} - {
        str(root / each) for each in read
    }
    if missed:
        raise Unread(f"bandit: did not read {min(missed)}")
    return len(read) - 1, [each for each in found if each.subject != str(planted)]


def _report(root: Path, paths: Sequence[str], python: str) -> Any:
    # Without comments that silence it (--ignore-nosec): waivers stand in one file.
    command = [python, "-m", "bandit", "--quiet", "--ignore-nosec", "--format", "json", "--recursive", *paths]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    # 0 for nothing found, 1 for something.
    if done.returncode not in (0, 1):
        raise Unread(f"bandit: ended with {done.returncode}: {done.stderr.strip()[-200:]}")
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise Unread(f"bandit: must report in JSON: {(done.stderr or done.stdout).strip()[-200:]}") from None


def _finding(result: Any) -> Finding:
    path = result["filename"].removeprefix("./")
    text = f"{path}:{result['line_number']}: {result['test_id']}: {result['issue_text']}"
    return Finding(OWN_CODE, result["test_id"], path, text)
