"""The hello's long answers, and what becomes of them at SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from http.client import HTTPResponse

import aiohttp
import pytest

from tests.unit.services.hello.program import Hello, Start


def lines_of(answer: HTTPResponse) -> Iterator[str]:
    return (line.decode().rstrip("\n") for line in answer)


def test_stream_sends_each_chunk_when_it_is_made(hello: Hello) -> None:
    arrivals: list[float] = []
    with hello.open("/stream?chunks=3&interval_ms=40") as answer:
        assert answer.getheader("Transfer-Encoding") == "chunked"
        lines = []
        for line in lines_of(answer):
            lines.append(line)
            arrivals.append(time.monotonic())
    assert lines == ["chunk 1", "chunk 2", "chunk 3"]
    assert arrivals[-1] - arrivals[0] >= 0.06


def test_events_are_numbered_and_carry_the_revision(hello: Hello) -> None:
    answer = hello.get("/events?count=2&interval_ms=1")
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.body.decode() == "".join(
        f'id: {number}\ndata: {{"revision":"hello-0a1b2c3d"}}\n\n' for number in (1, 2)
    )


def test_sigterm_lets_a_request_in_flight_finish_and_exits_clean(hello: Hello) -> None:
    answers: list[int] = []
    with hello.open("/stream?chunks=4&interval_ms=50") as answer:
        lines = lines_of(answer)
        first = next(lines)
        hello.process.send_signal(signal.SIGTERM)
        assert [first, *lines] == [f"chunk {number}" for number in (1, 2, 3, 4)]
        answers.append(answer.status)
    assert answers == [200]
    assert hello.exit_code() == 0
    assert hello.log()["reason"] == "terminated"


def test_sigterm_stops_taking_new_connections(hello: Hello) -> None:
    with hello.open("/stream?chunks=100&interval_ms=50") as answer:
        next(lines_of(answer))
        hello.process.send_signal(signal.SIGTERM)
        until = time.monotonic() + 5
        refused = threading.Event()
        while not refused.is_set() and time.monotonic() < until:
            try:
                hello.get("/")
            except ConnectionError:
                # Refused, or reset where it was still waiting to be taken when the listener closed.
                refused.set()
        assert refused.is_set()
        assert hello.process.poll() is None


def test_sigterm_ends_an_endless_stream_of_events_with_goodbye(hello: Hello) -> None:
    with hello.open("/events?interval_ms=5") as answer:
        lines = lines_of(answer)
        assert next(lines) == "id: 1"
        hello.process.send_signal(signal.SIGTERM)
        assert list(lines)[-3:] == ["event: goodbye", "data: {}", ""]
    assert hello.exit_code() == 0


def test_sigterm_before_the_start_delay_is_over_exits_clean(start: Start) -> None:
    hello = start(START_DELAY_MS="60000")
    hello.process.send_signal(signal.SIGTERM)
    # A signal can come before the handler is set; then the kernel's own end counts.
    assert hello.exit_code() in {0, -signal.SIGTERM}


@pytest.mark.parametrize("size", [5, 200, 70_000])
def test_socket_sends_messages_of_every_length_form_back(hello: Hello, size: int) -> None:
    async def talk() -> str:
        async with aiohttp.ClientSession() as session, session.ws_connect(hello.url + "/socket") as socket:
            await socket.send_str("x" * size)
            return str(await socket.receive_str(timeout=20))

    assert asyncio.run(talk()) == "x" * size


def test_socket_is_told_goodbye_at_sigterm(hello: Hello) -> None:
    async def talk() -> int | None:
        async with aiohttp.ClientSession() as session, session.ws_connect(hello.url + "/socket") as socket:
            await socket.send_bytes(b"a")
            assert await socket.receive_bytes(timeout=20) == b"a"
            hello.process.send_signal(signal.SIGTERM)
            await socket.receive(timeout=20)
            return socket.close_code

    assert asyncio.run(talk()) == 1001
    assert hello.exit_code() == 0


def test_socket_path_without_upgrade_says_what_it_wants(hello: Hello) -> None:
    answer = hello.get("/socket")
    assert (answer.status, answer.headers["Upgrade"]) == (426, "websocket")
