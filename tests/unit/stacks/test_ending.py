"""Ending: the exit code of the program's error reaches what started Pulumi."""

from __future__ import annotations

from pathlib import Path

from runyard.errors import HostError, PolicyError
from stacks.ending import VARIABLE, tell_ending
from toolchain.update import ENDING_VARIABLE


def test_code_of_the_error_is_told_where_it_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "ending"
    tell_ending({VARIABLE: str(file)}, PolicyError("no"))
    assert file.read_text() == "5"
    tell_ending({VARIABLE: str(file)}, HostError("no"))
    assert file.read_text() == "1"


def test_program_that_nobody_asks_tells_nothing(tmp_path: Path) -> None:
    tell_ending({}, PolicyError("no"))
    assert list(tmp_path.iterdir()) == []


def test_both_sides_mean_one_variable() -> None:
    assert VARIABLE == ENDING_VARIABLE
