"""The filter's program: static, in Go's own form, two of them in turn, and streams that pass as they come."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.programs import go
from tests.harness.waiting import PATIENCE_S, until
from tests.unit.runyard.host.docker_api import DockerApi
from tests.unit.services.filter.program import SOURCE, Filter, described, id_of, made_by
from tests.unit.services.orchestrator.world import document

INSTANCE = id_of(3)
UPGRADED = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
ATTACH = f"POST /v1.41/containers/{INSTANCE}/attach?stdin=1&stdout=0&stderr=0&logs=0&stream=1 HTTP/1.1"


def test_program_is_static(binary: Path) -> None:
    # A dynamic program names its loader, which an image from nothing has not.
    assert b"/lib64/ld-linux" not in binary.read_bytes()


def test_module_needs_nothing_but_the_standard_library() -> None:
    assert "require" not in (SOURCE / "go.mod").read_text()


def test_sources_pass_vet_and_are_formatted() -> None:
    vetted = subprocess.run([go(), "vet", "./..."], cwd=SOURCE, capture_output=True, text=True, check=False)
    assert (vetted.returncode, vetted.stderr) == (0, "")
    unformatted = subprocess.run([f"{go()}fmt", "-l", "."], cwd=SOURCE, capture_output=True, text=True, check=False)
    assert (unformatted.returncode, unformatted.stdout) == (0, "")


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("RUNYARD_STACK", "", "RUNYARD_STACK: must name the stack, got nothing"),
        ("RUNYARD_PUBLIC_KEY", "AAAA", 'RUNYARD_PUBLIC_KEY: must be the base64 of 32 bytes, got "AAAA"'),
        ("RUNYARD_SECCOMP", "/nowhere", "open /nowhere: no such file or directory"),
    ],
)
def test_environment_that_does_not_fit_ends_it_with_a_sentence(
    filter: Filter, binary: Path, variable: str, value: str, message: str
) -> None:
    process = filter.start(binary, **{variable: value})
    assert process.wait(PATIENCE_S) == 1
    assert (filter.directory / "log-1").read_text().strip() == message


@pytest.mark.parametrize("harm", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
def test_other_filter_takes_the_place_of_one_that_does_not_answer(
    filter: Filter, binary: Path, harm: signal.Signals
) -> None:
    first, _ = filter.processes[0], filter.start(binary)
    first.send_signal(harm)
    until(lambda: told(filter, 1), "the other one has the place")
    assert filter.ask("GET", "/version").status == 200
    # Nobody but their owner may connect, and nothing is left beside it.
    assert filter.socket.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in filter.socket.parent.iterdir()] == ["engine.sock"]


def told(filter: Filter, number: int) -> list[str]:
    return [each["event"] for each in filter.log(number) if each["event"] == "listening"]


def test_filter_that_comes_back_leaves_the_place_to_the_other_and_takes_it_after_it(
    filter: Filter, binary: Path
) -> None:
    first, second = filter.processes[0], filter.start(binary)
    first.send_signal(signal.SIGSTOP)
    until(lambda: told(filter, 1), "the second one has the place")
    first.send_signal(signal.SIGCONT)
    second.kill()
    until(lambda: len(told(filter, 0)) == 2, "the first one has it again")
    assert filter.ask("GET", "/version").status == 200


def test_stop_signal_ends_it_at_once(filter: Filter) -> None:
    (process,) = filter.processes
    process.terminate()
    assert process.wait(PATIENCE_S) == 0


@pytest.fixture
def alone(tmp_path: Path, binary: Path) -> Iterator[Filter]:
    """Give a filter whose engine is away until a test plays it."""
    made = Filter(tmp_path, DockerApi())
    for each in ("engine", "documents"):
        (tmp_path / each).mkdir()
    process = made.start(binary)
    try:
        until(made.socket.is_socket, "the filter listens")
        yield made
    finally:
        process.kill()
        process.wait(PATIENCE_S)


@contextlib.contextmanager
def engine(filter: Filter, *answers: bytes) -> Iterator[list[socket.socket]]:
    """Take the place of the engine and give each connection an answer as raw bytes, once its head was read."""
    connections: list[socket.socket] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(filter.engine))
        listener.listen()

        def accept() -> None:
            for answer in answers:
                connection, _ = listener.accept()
                head = b""
                while b"\r\n\r\n" not in head:
                    head += connection.recv(1)
                # Known before the asker sees its answer.
                connections.append(connection)
                connection.sendall(answer)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield connections
        finally:
            for each in connections:
                each.close()


def http(body: str, more: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\n{more}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()


def connected(filter: Filter, first_line: str) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(PATIENCE_S)
    client.connect(str(filter.socket))
    client.sendall(f"{first_line}\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n".encode())
    return client


def read_until(client: socket.socket, end: bytes) -> bytes:
    found = b""
    while not found.endswith(end):
        piece = client.recv(1)
        assert piece, found
        found += piece
    return found


def inspected() -> bytes:
    import json

    return http(json.dumps(described(3, *made_by(document(), "app"))))


def test_attached_connection_passes_bytes_as_they_come_and_the_end_of_each_direction(alone: Filter) -> None:
    with engine(alone, inspected(), UPGRADED) as connections, connected(alone, ATTACH) as client:
        assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
        there = connections[1]
        there.settimeout(PATIENCE_S)
        client.sendall(b"a secret")
        assert there.recv(100) == b"a secret"
        there.sendall(b"said")
        assert client.recv(100) == b"said"
        client.shutdown(socket.SHUT_WR)
        assert there.recv(100) == b""
        # The engine's own direction outlives the client's.
        there.sendall(b"and more")
        assert client.recv(100) == b"and more"
        there.close()
        assert client.recv(100) == b""


def test_connection_that_the_engine_does_not_hand_over_stays_http_and_takes_no_bytes_on(alone: Filter) -> None:
    refused = (
        b"HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n" + b'{"message":"x"}'
    )
    with engine(alone, inspected(), refused) as connections, connected(alone, ATTACH) as client:
        client.sendall(b"POST /v1.41/containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        assert read_until(client, b'{"message":"x"}').startswith(b"HTTP/1.1 409 ")
        there = connections[1]
        there.settimeout(PATIENCE_S)
        assert there.recv(100) == b""
        # It was read as a request, and judged.
        assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 403 ")


def test_events_come_one_by_one_and_end_with_the_client(alone: Filter) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    line = 'GET /v1.41/events?filters={"type":["network"],"event":["connect"]} HTTP/1.1'.replace('"', "%22")
    with engine(alone, chunked) as connections, connected(alone, line) as client:
        assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        (there,) = connections
        there.settimeout(PATIENCE_S)
        for number in range(3):
            event = b'{"n":%d}\n' % number
            there.sendall(b"%x\r\n%s\r\n" % (len(event), event))
            # It is here before the next one is there.
            assert event in read_until(client, event + b"\r\n")
        client.close()
        assert there.recv(100) == b""


def test_engine_that_is_away_is_as_if_the_connection_were_its_own(alone: Filter) -> None:
    for target in ("/version", f"/v1.41/containers/{INSTANCE}/json", f"/v1.41/containers/{INSTANCE}/start"):
        with pytest.raises((ConnectionError, OSError)):
            alone.raw("POST" if target.endswith("start") else "GET", target)
    (process,) = alone.processes
    assert process.poll() is None
