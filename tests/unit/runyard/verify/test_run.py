"""Results of a run of checks as data: what passed, what failed and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from runyard.cli.verify import render_markdown
from runyard.verify.run import Check, Results

CHECKS = """
import pytest

def test_good(): pass
def test_bad(): assert 1 == 2, "port differs"
def test_left(): pytest.skip("not here")

@pytest.fixture
def broken(): raise OSError("no engine")
def test_unmade(broken): pass
"""


def run(tmp_path: Path, text: str) -> Results:
    (tmp_path / "test_it.py").write_text(text)
    results = Results()
    arguments = ["-c", "/dev/null", "--rootdir", str(tmp_path), "-p", "no:cacheprovider", "-p", "no:terminal"]
    code = pytest.main([*arguments, str(tmp_path)], plugins=[results])
    results.complete = code in (0, 1)
    return results


def test_results_have_every_check_and_why_it_did_not_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = run(tmp_path, CHECKS)
    assert capsys.readouterr().out == ""
    assert [(each.name, each.outcome) for each in results.checks] == [
        *(("test_good", "passed"), ("test_bad", "failed"), ("test_left", "skipped"), ("test_unmade", "failed")),
    ]
    assert "port differs" in results.checks[1].reason
    assert results.checks[2].reason == "Skipped: not here"
    assert "no engine" in results.checks[3].reason
    assert results.describe()["summary"] == {"passed": 1, "failed": 2, "skipped": 1}
    assert not results.good


def test_run_that_checked_nothing_or_broke_is_not_good() -> None:
    assert not Results().good
    assert not Results([Check("a", "passed")], complete=False).good
    assert Results([Check("a", "passed")]).good


def test_markdown_is_a_row_for_each_check() -> None:
    lines = render_markdown(Results([Check("a", "failed", "x\ny")])).splitlines()
    assert lines[-1] == "| a | failed | x y |"
