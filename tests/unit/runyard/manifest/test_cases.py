"""Cases of tests/cases/manifest: given files, and the whole text of what is told about them."""

from __future__ import annotations

from pathlib import Path

import pytest

from runyard.errors import ManifestError
from runyard.manifest import load
from runyard.manifest.report import render_text

CASES = Path(__file__).parents[3].parent / "tests" / "cases" / "manifest"


def test_cases_are_at_least_sixty() -> None:
    assert len(list(CASES.iterdir())) >= 60


@pytest.mark.parametrize("case", sorted(CASES.iterdir()), ids=lambda case: case.name)
def test_manifest_case_tells_exactly_what_is_expected(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(case)
    given = "given" if Path("given").is_dir() else "given.yaml"
    expected = Path("expect.txt").read_text(encoding="utf-8")
    fails = any(": warning: " not in line for line in expected.splitlines())
    if fails:
        with pytest.raises(ManifestError) as raised:
            load([given])
        assert f"{raised.value}\n" == expected
    else:
        assert render_text(load([given]).warnings) == expected
