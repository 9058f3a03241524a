from __future__ import annotations

import io
import os
from pathlib import Path

from toolchain.command import Command
from toolchain.step import Steps


def offer(steps: Steps, tmp_path: Path, name: str, path: str = "/bin") -> Path:
    program = tmp_path / name / "runyard"
    program.parent.mkdir(exist_ok=True)
    program.touch()
    Command(steps, program, {"HOME": str(tmp_path), "PATH": path}).offer()
    return program


def test_command_is_linked_once_and_says_what_path_lacks(steps: Steps, words: io.StringIO, tmp_path: Path) -> None:
    link = tmp_path / ".local" / "bin" / "runyard"
    program = offer(steps, tmp_path, "one")
    offer(steps, tmp_path, "one")
    assert os.readlink(link) == str(program)
    assert words.getvalue() == (
        f'runyard: is now a command, at {link}, which is not on PATH: export PATH="{link.parent}:$PATH"\n'
    )


def test_command_that_is_on_path_is_only_named(steps: Steps, words: io.StringIO, tmp_path: Path) -> None:
    offer(steps, tmp_path, "one", f"/bin:{tmp_path}/.local/bin")
    assert words.getvalue() == f"runyard: is now a command, at {tmp_path}/.local/bin/runyard\n"


def test_command_of_another_checkout_stays_until_that_is_gone(steps: Steps, tmp_path: Path) -> None:
    link = tmp_path / ".local" / "bin" / "runyard"
    first = offer(steps, tmp_path, "one")
    second = offer(steps, tmp_path, "two")
    assert os.readlink(link) == str(first)
    first.unlink()
    offer(steps, tmp_path, "two")
    assert os.readlink(link) == str(second)


def test_command_that_cannot_be_linked_is_told_and_no_error(steps: Steps, words: io.StringIO, tmp_path: Path) -> None:
    (tmp_path / ".local").touch()
    program = offer(steps, tmp_path, "one")
    assert words.getvalue() == (
        f"runyard: could not be linked at {tmp_path}/.local/bin/runyard: Not a directory: {program} is the command\n"
    )


def test_without_a_home_there_is_no_place_for_it(steps: Steps, words: io.StringIO, tmp_path: Path) -> None:
    Command(steps, tmp_path, {}).offer()
    assert words.getvalue() == ""
