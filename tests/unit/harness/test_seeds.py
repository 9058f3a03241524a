from __future__ import annotations

import pytest

from tests.harness.seeds import draw_seed, given_seed


def test_seed_that_was_printed_can_be_given_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("RUNYARD_SEED", raising=False)
    seed = given_seed()
    setting = capsys.readouterr().out.split()[-1]
    assert setting == f"RUNYARD_SEED={seed}"
    monkeypatch.setenv(*setting.split("="))
    assert given_seed() == seed


def test_seed_is_that_of_what_is_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNYARD_SEED", raising=False)
    assert draw_seed("RUNYARD_SEED") == draw_seed("RUNYARD_SEED") < 2**32
