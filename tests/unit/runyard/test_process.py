"""How a program of the platform ends: by a signal, by an error of ours, and by itself."""

from __future__ import annotations

import asyncio
import json
import os
import signal

import pytest

from runyard.errors import HostError, PolicyError
from runyard.journal import Journal
from runyard.process import run_until_told


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_cancels_the_work_and_ends_the_process_well(number: int) -> None:
    ended = []

    async def work(_: Journal) -> None:
        os.kill(os.getpid(), number)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("in good order")

    with pytest.raises(SystemExit) as raised:
        run_until_told(work)
    assert (raised.value.code, ended) == (0, ["in good order"])


@pytest.mark.parametrize("error", [HostError("no engine"), PolicyError("no room")])
def test_error_of_ours_is_the_journals_last_line_and_gives_the_exit_code(
    error: HostError | PolicyError, capsys: pytest.CaptureFixture[str]
) -> None:
    async def work(journal: Journal) -> None:
        journal.write("begun")
        raise error

    with pytest.raises(SystemExit) as raised:
        run_until_told(work)
    assert raised.value.code == error.exit_code
    first, last = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first["event"] == "begun"
    assert (last["event"], last["level"], last["error"]) == ("stopped", "error", str(error))


def test_work_that_is_over_ends_nothing() -> None:
    async def work(_: Journal) -> None:
        return

    run_until_told(work)
