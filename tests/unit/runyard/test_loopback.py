"""What every aiohttp server of the platform refuses, over a real connection."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from runyard.loopback import only_local, problem


def asked(host: str, path: str = "/known") -> tuple[int, str, str]:
    """Ask a server that answers `known` for a path by a name of its host."""

    async def known(_: web.Request) -> web.StreamResponse:
        return web.Response(text="known")

    async def whole() -> tuple[int, str, str]:
        app = web.Application(middlewares=[only_local])
        app.router.add_get("/known", known)
        async with TestClient(TestServer(app)) as client:
            answer = await client.get(path, headers={"Host": host})
            return answer.status, answer.content_type, await answer.text()

    return asyncio.run(whole())


@pytest.mark.parametrize("host", ["localhost", "LocalHost:3005", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:3005"])
def test_host_that_asks_itself_is_answered(host: str) -> None:
    assert asked(host) == (200, "text/plain", "known")


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("evil.example:3005", "evil.example"),
        ("localhost.evil.example", "localhost.evil.example"),
        ("127.0.0.1.evil.example:80", "127.0.0.1.evil.example"),
        ("evil.example:127.0.0.1", "evil.example:127.0.0.1"),
        ("", ""),
    ],
)
def test_name_that_was_bound_to_the_loopback_elsewhere_is_refused(host: str, name: str) -> None:
    status, kind, text = asked(host)
    assert (status, kind) == (403, "application/problem+json")
    assert json.loads(text)["detail"] == f"GET /known: Host must be of the loopback, got {name}"


def test_stranger_does_not_learn_which_paths_there_are() -> None:
    assert asked("evil.example", "/none")[0] == 403
    assert asked("localhost", "/none")[0] == 404


def test_problem_has_the_members_of_the_standard_and_its_text_stays_a_text() -> None:
    found = problem(502, "store failed", 'it said "no\nroom"')
    assert (found.status, found.content_type) == (502, "application/problem+json")
    assert json.loads(found.text or "") == {
        **{"type": "about:blank", "title": "store failed", "status": 502},
        "detail": 'it said "no\nroom"',
    }
