"""The pack as a program: it says its port, and ends with the process that started it."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAM = ROOT / "policies" / "pulumi-analyzer-policy-runyard"
# Starting takes a part of a second; a program that says nothing for this long has failed.
PATIENCE_S = 30


def start(program: Path) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([program, "127.0.0.1:1", "."], stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def end(program: subprocess.Popen[str]) -> tuple[int, str, str]:
    said, errors = program.communicate(timeout=PATIENCE_S)
    return program.returncode, said, errors


def test_program_says_its_port_and_ends_silently_when_its_input_does() -> None:
    with start(PROGRAM) as program:
        assert program.stdout is not None
        assert int(program.stdout.readline()) > 0
        # What a Pulumi that was killed leaves: the other end of the pipe is closed.
        assert end(program) == (0, "", "")


def test_program_ends_silently_when_it_is_interrupted() -> None:
    with start(PROGRAM) as program:
        assert program.stdout is not None
        assert int(program.stdout.readline()) > 0
        program.send_signal(signal.SIGINT)
        assert program.wait(PATIENCE_S) == 0
        assert end(program) == (0, "", "")


def test_program_without_its_python_says_what_brings_it(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    copy = shutil.copy(PROGRAM, tmp_path / "policies")
    with start(Path(copy)) as program:
        code, said, errors = end(program)
    assert (code, said) == (1, "")
    assert errors == (
        f"policy pack: {tmp_path}/.venv/bin/python is missing: "
        f"`toolchain/bootstrap environment` in {tmp_path} brings it\n"
    )
