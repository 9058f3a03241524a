from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest

from runyard.errors import ToolchainError
from toolchain.step import Steps


class Clock:
    """Tells the next of the given times at every look."""

    def __init__(self, *times: float) -> None:
        self._times = list(times)

    def __call__(self) -> float:
        return self._times.pop(0) if len(self._times) > 1 else self._times[0]


def test_step_says_what_it_does_and_how_long_it_took(tmp_path: Path, words: io.StringIO) -> None:
    steps = Steps(tmp_path, words, clock=Clock(100.0, 103.25))
    with steps.step("pulumi", "build it"):
        pass
    assert words.getvalue() == "pulumi: build it\npulumi: done in 3.2 s\n"


def test_step_that_fails_says_so_and_lets_the_error_through(tmp_path: Path, words: io.StringIO) -> None:
    steps = Steps(tmp_path, words, clock=Clock(0.0, 1.0))
    with pytest.raises(KeyError), steps.step("pulumi", "build it"):
        raise KeyError("gone")
    assert words.getvalue().endswith("pulumi: gave up after 1.0 s\n")


def test_step_that_lasts_shows_the_elapsed_seconds(tmp_path: Path) -> None:
    beaten = threading.Event()

    class Listener(io.StringIO):
        def write(self, text: str) -> int:
            if "so far" in text:
                beaten.set()
            return super().write(text)

    words = Listener()
    steps = Steps(tmp_path, words, clock=Clock(0.0, 42.0), heartbeat_s=0.001)
    with steps.step("pulumi", "build it"):
        assert beaten.wait(10)
    assert "pulumi: ... build it: 42 s so far\n" in words.getvalue()


def test_run_keeps_output_in_the_log_of_its_subject(steps: Steps, words: io.StringIO) -> None:
    steps.run("docker plugin", ["sh", "-c", "echo one; echo two >&2"])
    log = steps.log_directory / "docker-plugin.log"
    assert log.read_text() == "$ sh -c echo one; echo two >&2\none\ntwo\n"
    assert words.getvalue() == ""


def test_run_that_fails_shows_its_last_lines_and_not_those_of_earlier_runs(steps: Steps) -> None:
    steps.run("engine", ["sh", "-c", "echo earlier"])
    with pytest.raises(ToolchainError) as caught:
        steps.run("engine", ["sh", "-c", "seq 1 20; exit 3"])
    lines = str(caught.value).splitlines()
    assert lines[0] == "engine: run sh: ended with code 3"
    assert [line.strip() for line in lines[1:-1]] == [str(number) for number in range(6, 21)]
    assert lines[-1] == f"  the whole log: {steps.log_directory / 'engine.log'}"


def test_run_of_a_missing_program_names_it(steps: Steps) -> None:
    with pytest.raises(ToolchainError) as caught:
        steps.run("engine", ["/nowhere/dockerd"])
    assert str(caught.value) == "engine: run /nowhere/dockerd: No such file or directory"


def test_run_gives_the_command_no_input_to_wait_for(steps: Steps) -> None:
    steps.run("engine", ["sh", "-c", "cat"])
    assert (steps.log_directory / "engine.log").read_text() == "$ sh -c cat\n"


def test_what_is_there_already_is_told_unless_all_is_to_be_calm(tmp_path: Path) -> None:
    out = io.StringIO()
    for calm in (False, True):
        steps = Steps(tmp_path, out, calm=calm)
        steps.found("engine", "answers")
        steps.say("engine", "started")
    assert out.getvalue() == "engine: answers\nengine: started\nengine: started\n"
