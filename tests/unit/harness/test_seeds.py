from __future__ import annotations

import pytest

from tests.harness.seeds import given_seed


def test_seed_that_was_printed_can_be_given_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("RUNYARD_SEED", raising=False)
    seed = given_seed()
    setting = capsys.readouterr().out.split()[-1]
    assert setting == f"RUNYARD_SEED={seed}"
    monkeypatch.setenv(*setting.split("="))
    assert given_seed() == seed
