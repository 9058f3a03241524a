from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.orchestrator.succession.pulse import BEAT_S, HANGING_S, LISTENERS, STARTING_S, Pulse

from ..world import FakeClock


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.settimeout(20 * BEAT_S)
        listener.connect(str(path))
        yield listener


def test_pulse_beats_for_whoever_listens_and_ends_at_once(tmp_path: Path) -> None:
    with Pulse(tmp_path / "pulse") as pulse, listening(tmp_path / "pulse") as one, listening(tmp_path / "pulse") as two:
        pulse.show_life()
        assert (one.recv(1), two.recv(1), one.recv(1)) == (b".", b".", b".")
        pulse.__exit__()
        # What is still on its way, and then the end.
        assert one.recv(64).strip(b".") == b""


def test_pulse_is_for_its_own_user_alone_and_takes_the_place_of_a_dead_one(tmp_path: Path) -> None:
    (tmp_path / "pulse").touch()
    with Pulse(tmp_path / "pulse"):
        assert (tmp_path / "pulse").is_socket()
        assert (tmp_path / "pulse").stat().st_mode & 0o777 == 0o600


def test_pulse_stops_while_the_loop_hangs_and_goes_on_with_it(tmp_path: Path) -> None:
    clock = FakeClock()
    with Pulse(tmp_path / "pulse", clock) as pulse, listening(tmp_path / "pulse") as listener:
        clock.now += STARTING_S
        pulse.show_life()
        assert listener.recv(1) == b"."
        clock.now += HANGING_S
        listener.settimeout(4 * BEAT_S)
        with pytest.raises(TimeoutError):
            # One beat may have been on its way.
            assert listener.recv(1) + listener.recv(1) == b""
        pulse.show_life()
        assert listener.recv(1) == b"."


def test_pulse_keeps_so_many_listeners_and_no_more(tmp_path: Path) -> None:
    with Pulse(tmp_path / "pulse"), listening(tmp_path / "pulse") as first:
        assert first.recv(1) == b"."
        others = [socket.socket(socket.AF_UNIX) for _ in range(LISTENERS)]
        for each in others:
            each.settimeout(20 * BEAT_S)
            each.connect(str(tmp_path / "pulse"))
        assert others[-1].recv(1) == b"."
        while first.recv(64):
            pass
        for each in others:
            each.close()
