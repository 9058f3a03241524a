import os
import socket
import subprocess
import sys
import threading

import pytest

from runyard.relay import CONNECT_S, connect, relay
from tests.unit.checkout import ROOT


class FakeClock:
    def __init__(self, meanwhile=lambda: None):
        self.now = 0.0
        self.meanwhile = meanwhile

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.now += seconds
        self.meanwhile()


def listener(path):
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    made.listen()
    return made


def test_connect_waits_for_an_orchestrator_that_is_starting(tmp_path):
    opened = []
    clock = FakeClock(lambda: opened or opened.append(listener(tmp_path / "s")))
    with connect(str(tmp_path / "s"), clock, clock.wait):
        assert 0 < clock.now < CONNECT_S
    opened[0].close()


def test_connect_gives_up_on_one_that_never_starts(tmp_path):
    clock = FakeClock()
    with pytest.raises(OSError, match="No such file"):
        connect(str(tmp_path / "s"), clock, clock.wait)
    assert CONNECT_S <= clock.now < CONNECT_S + 1


@pytest.fixture
def ends():
    """A relay at work: the control's other end, the asker's way in and out, and the thread."""
    control, server = socket.socketpair()
    source, asking = os.pipe()
    answers, sink = os.pipe()
    thread = threading.Thread(target=relay, args=(control, source, sink))
    thread.start()
    yield server, asking, answers, thread
    server.close()
    thread.join()
    control.close()
    for each in (source, answers, sink):
        os.close(each)


def test_relay_carries_both_ways(ends):
    server, asking, answers, _ = ends
    os.write(asking, b"question")
    assert server.recv(100) == b"question"
    server.sendall(b"answer")
    assert os.read(answers, 100) == b"answer"
    os.close(asking)


def test_relay_ends_when_the_asker_is_gone(ends):
    _server, asking, _, thread = ends
    os.close(asking)
    thread.join(5)
    assert not thread.is_alive()


def test_relay_ends_when_the_orchestrator_is_gone(ends):
    server, asking, _, thread = ends
    server.close()
    thread.join(5)
    assert not thread.is_alive()
    os.close(asking)


def test_program_carries_a_question_and_its_answer(tmp_path):
    with listener(tmp_path / "s") as listening:
        program = subprocess.Popen(
            [sys.executable, "-m", "runyard.relay", str(tmp_path / "s")],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        accepted, _ = listening.accept()
        with accepted, program:
            program.stdin.write(b"ping")
            program.stdin.flush()
            assert accepted.recv(4) == b"ping"
            accepted.sendall(b"pong")
            assert program.stdout.read(4) == b"pong"
            program.stdin.close()
            assert program.wait(10) == 0
            assert accepted.recv(1) == b""
