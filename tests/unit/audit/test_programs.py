from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from tests.audit.programs import OLDEST, Database, Scanner, Unscanned, find_database
from tests.harness.programs import go, go_program

TODAY = datetime.date(2026, 11, 27)
MODULE = Path(__file__).resolve().parents[2] / "audit" / "govulncheck"


@pytest.fixture(scope="module")
def govulncheck() -> Path:
    return go_program("audit/govulncheck", MODULE, "golang.org/x/vuln/cmd/govulncheck")


@pytest.mark.slow
def test_locked_database_has_what_is_known_and_a_program_without_modules_is_not_scanned(
    govulncheck: Path, tmp_path: Path
) -> None:
    scanner = Scanner(govulncheck, find_database(go()))
    scanner.check(scanner.database.day)
    (tmp_path / "text").write_text("no program")
    with pytest.raises(Unscanned, match=r"^govulncheck: "):
        scanner.scan("text", tmp_path / "text")
    # Of its own code it finds what there is, if anything, and each is a finding of the program's name.
    assert {each.subject for each in scanner.scan("govulncheck", govulncheck)} <= {"govulncheck"}


@pytest.mark.slow
def test_database_that_knows_nothing_is_no_database(govulncheck: Path, tmp_path: Path) -> None:
    with pytest.raises(Unscanned, match=r"^govulncheck: "):
        Scanner(govulncheck, Database(tmp_path, TODAY)).check(TODAY)


def test_old_database_is_no_database(tmp_path: Path) -> None:
    database = Database(tmp_path, TODAY - OLDEST - datetime.timedelta(days=1))
    with pytest.raises(Unscanned, match=r"is of 2026-07-29: older than 120 days"):
        Scanner(Path("govulncheck"), database).check(TODAY)


@pytest.mark.slow
def test_database_whose_hash_was_changed_does_not_come(tmp_path: Path) -> None:
    module = MODULE.with_name("vulndb")
    (tmp_path / "go.mod").write_text((module / "go.mod").read_text())
    sums = (module / "go.sum").read_text()
    (tmp_path / "go.sum").write_text(sums.replace(" h1:m", " h1:n", 1))
    assert (tmp_path / "go.sum").read_text() != sums
    with pytest.raises(Unscanned, match=r"(?s)checksum mismatch"):
        find_database(go(), module=tmp_path)
