"""Generator: requests begin at their times whatever became of others, and each is recorded, on real sockets."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web

from runyard.workload.analysis import judge_generator
from runyard.workload.generator import cause_of, generate
from runyard.workload.model import Checks, Generator, Job, Scenario, Target
from runyard.workload.recording import UNSENT, Recording, Row
from tests.harness.ports import free_port
from tests.unit.runyard.workload.made import PATIENT, scenario
from tests.unit.runyard.workload.server import one_in_three_slow, serving


def sent(made: Scenario, worker: int = 0, workers: int = 1) -> Recording:
    return asyncio.run(generate(Job(made, worker, workers), time.monotonic() + 0.01))


def rows(made: Scenario) -> list[Row]:
    return sent(made).rows()


def test_every_request_is_sent_once_at_its_time_and_recorded() -> None:
    with serving() as served:
        found = rows(scenario(served.url, rate=100, seconds=0.5))
    assert len(found) == len(served.requests) == 50
    assert {(row.status, row.cause, row.sends, row.received) for row in found} == {(200, "", 1, 5)}
    assert all(row.due <= row.begun <= row.sent <= row.ended for row in found)
    assert [row.due for row in found] == pytest.approx([(number + 0.5) / 100 for number in range(50)])
    assert {int(row.request_id, 16) for row in found} == set(range(50))


def test_slow_answers_keep_no_other_request_waiting() -> None:
    # In a closed loop of one connection these would take nine seconds.
    with serving(one_in_three_slow(1.0)) as served:
        found = rows(scenario(served.url, rate=60, seconds=0.5))
    slow = [row for row in found if row.ended - row.sent >= 1.0]
    assert (len(found), len(slow)) == (30, 10)
    assert max(row.begun for row in found) < min(row.ended for row in slow)


def test_method_body_headers_and_host_are_those_of_the_target() -> None:
    seen: list[str] = []

    async def answer(_: int, request: web.Request) -> web.StreamResponse:
        seen.append(request.headers["X-Colour"])
        return web.Response(status=201)

    with serving(answer) as served:
        target = Target(
            "t",
            url=f"http://shop.localhost:{served.port}/a?b=%20c",
            method="PUT",
            headers=(("X-Colour", "blue"),),
            body="grün",
        )
        (row,) = rows(scenario(rate=1, targets=(target,)))
    assert row.status == 201
    assert (served.requests, seen) == (
        [("PUT", f"shop.localhost:{served.port}", "/a?b=%20c", "grün".encode())],
        ["blue"],
    )


def test_host_of_a_service_is_sent_to_the_gateways_address() -> None:
    with serving() as served:
        target = Target("t", url=served.url, headers=(("Host", "hello.localhost"),))
        rows(scenario(rate=1, targets=(target,)))
    assert served.requests[0][1] == "hello.localhost"


def test_redirect_is_an_answer_and_not_followed() -> None:
    async def answer(_: int, __: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "http://192.0.2.1/"})

    with serving(answer) as served:
        (row,) = rows(scenario(served.url, rate=1))
    assert (row.status, row.cause, len(served.requests)) == (302, "", 1)


@pytest.mark.parametrize(
    ("checks", "cause"),
    [
        (Checks(), ""),
        (Checks(statuses=(200, 404)), ""),
        (Checks(statuses=(204,)), "status 200"),
        (Checks(body_contains="ell"), ""),
        (Checks(body_contains="world"), "check: the body does not hold its text"),
        (Checks(max_ms=60_000), ""),
        (Checks(max_ms=0.001), "check: slower than 0.001 ms"),
    ],
)
def test_answer_is_held_to_its_checks(checks: Checks, cause: str) -> None:
    with serving() as served:
        (row,) = rows(scenario(rate=1, targets=(Target("t", url=served.url, checks=checks),)))
    assert row.cause == cause


def test_text_of_a_body_is_found_where_two_pieces_meet() -> None:
    async def answer(_: int, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in (b"a needle in a hay", b"stack"):
            await response.write(piece)
            await asyncio.sleep(0)
        await response.write_eof()
        return response

    with serving(answer) as served:
        checks = Checks(body_contains="haystack")
        (row,) = rows(scenario(rate=1, targets=(Target("t", url=served.url, checks=checks),)))
    assert (row.cause, row.received) == ("", 22)


def test_answer_that_does_not_come_in_time_is_given_up() -> None:
    never = threading.Event()

    async def answer(_: int, __: web.Request) -> web.StreamResponse:
        await asyncio.get_running_loop().run_in_executor(None, never.wait, 20)
        return web.Response()

    with serving(answer) as served:
        (row,) = rows(scenario(served.url, rate=1, timeout_s=0.2))
        never.set()
    assert (row.cause, row.status, row.sends) == ("no answer in time", 0, 1)
    assert row.ended - row.begun >= 0.2


def test_port_on_which_nobody_listens_refuses_and_nothing_counts_as_sent() -> None:
    found = rows(scenario(f"http://127.0.0.1:{free_port()}/", rate=20, seconds=0.2))
    assert {(row.cause, row.status, row.sends) for row in found} == {("connection refused", 0, 0)}


@contextmanager
def hanging_up(answer: bytes = b"") -> Iterator[int]:
    """Listen on a port, and close each connection after its request, with these bytes for an answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65_536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize(
    ("answer", "cause", "status"),
    [
        (b"", "connection closed before the answer", 0),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "connection closed within the answer", 200),
    ],
)
def test_connection_that_closes_is_told_by_when(answer: bytes, cause: str, status: int) -> None:
    with hanging_up(answer) as port:
        (row,) = rows(scenario(f"http://127.0.0.1:{port}/", rate=1))
    assert (row.cause, row.status, row.sends >= 1) == (cause, status, True)


def test_what_is_no_http_is_told() -> None:
    with hanging_up(b"SSH-2.0-OpenSSH_9.2\r\n") as port:
        (row,) = rows(scenario(f"http://127.0.0.1:{port}/", rate=1))
    assert row.status == 0
    assert row.cause.startswith(("BadStatusLine", "BadHttpMessage", "ClientResponseError")), row.cause


def test_more_than_may_be_in_flight_is_not_sent_and_says_so() -> None:
    never = threading.Event()

    async def answer(_: int, __: web.Request) -> web.StreamResponse:
        await asyncio.get_running_loop().run_in_executor(None, never.wait, 20)
        return web.Response()

    made = scenario(rate=100, seconds=0.2, timeout_s=2.0, generator=replace(PATIENT, most_in_flight=5))
    with serving(answer) as served:
        found = rows(replace(made, targets=(Target("t", url=served.url),)))
        never.set()
    assert Counter(row.cause for row in found) == {UNSENT: 15, "no answer in time": 5}
    problems = judge_generator(made, found, []).problems
    assert problems == ("15 requests were not sent, because 5 in a worker had no answer yet",)


def test_starved_generator_knows_that_it_was_late() -> None:
    """A loop that is kept from its work for half a second, as by a machine without a free core."""

    async def starved(job: Job) -> Recording:
        def burn() -> None:
            until = time.monotonic() + 0.5
            while time.monotonic() < until:
                hashlib.pbkdf2_hmac("sha256", b"a", b"b", 1000)

        asyncio.get_running_loop().call_later(0.25, burn)
        return await generate(job, time.monotonic())

    made = scenario(rate=40, seconds=1.0, generator=Generator(late_ms=100.0, late_percent=1.0))
    with serving() as served:
        recording = asyncio.run(starved(Job(replace(made, targets=(Target("t", url=served.url),)))))
    found = judge_generator(made, recording.rows(), [recording.usage])
    # What was due in the first 0.4 of that half second.
    assert found.late >= 14
    assert found.worst_late_ms >= 400
    assert found.cpu_percent > 0
    assert f"{found.late} of 40 requests began more than 100 ms late, at most 1 % may" in found.problems[0]
    # And yet all were sent, and to the target they were as quick as ever.
    assert {row.cause for row in recording.rows()} == {""}


def test_workers_share_the_requests_of_one_scenario() -> None:
    with serving() as served:
        made = scenario(served.url, rate=50, seconds=0.5)
        parts = [sent(made, number, 3).rows() for number in range(3)]
    assert [len(part) for part in parts] == [9, 8, 8]
    due = sorted(row.due for part in parts for row in part)
    assert due == pytest.approx([(number + 0.5) / 50 for number in range(25)])


def test_scenario_without_a_request_ends_at_once() -> None:
    assert rows(scenario(rate=0, seconds=0.05)) == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "no answer in time"),
        (ConnectionResetError(104, "Connection reset by peer"), "connection closed before the answer"),
        (aiohttp.ServerDisconnectedError(), "connection closed before the answer"),
        (ssl.SSLError(1, "wrong version number"), "TLS failed"),
        (OSError(24, "Too many open files"), "OSError: Too many open files"),
        (aiohttp.InvalidURL("x y"), "InvalidUrlClientError: x y"),
    ],
)
def test_equal_errors_have_equal_words(error: BaseException, words: str) -> None:
    assert cause_of(error).replace("InvalidURL:", "InvalidUrlClientError:") == words
