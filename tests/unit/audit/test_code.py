from __future__ import annotations

from pathlib import Path

import pytest

from tests.audit.code import Unread, check_code


@pytest.mark.slow
def test_bandit_reads_every_file_and_no_comment_silences_it(tmp_path: Path) -> None:
    (tmp_path / "ours" / "deep").mkdir(parents=True)
    (tmp_path / "ours" / "a.py").write_text("import subprocess\nsubprocess.run('ls', shell=True)  # nosec\n")
    (tmp_path / "ours" / "deep" / "b.py").write_text("A = 1\n")
    count, found = check_code(tmp_path, ["ours"])
    assert count == 2
    assert {(each.rule, each.subject) for each in found} >= {("B602", "ours/a.py")}
    assert {each.subject for each in found} == {"ours/a.py"}


@pytest.mark.slow
def test_file_that_bandit_cannot_read_is_not_checked(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "a.py").write_text("def f(:\n")
    with pytest.raises(Unread, match=r"ours/a\.py: syntax error"):
        check_code(tmp_path, ["ours"])


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo no module named bandit >&2; exit 2", "ended with 2: no module named bandit"),
        ("exit 0", "must report in JSON"),
        ("""echo '{"results": [], "errors": [], "metrics": {"_totals": {}}}'""", "must find B602"),
    ],
)
def test_bandit_that_does_not_look_is_not_taken_for_clean(tmp_path: Path, script: str, said: str) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    with pytest.raises(Unread, match=said):
        check_code(tmp_path, ["ours"], python=str(program))
