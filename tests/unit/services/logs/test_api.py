from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry, Gauge

from runyard.contracts import LogPage, decode
from runyard.errors import ContractError, UsageError
from runyard.loopback import METRICS_TYPE
from services.logs.api import make_reading, make_status
from services.logs.store import StoreAway

RECORD = {
    **{"_time": "2026-11-28T02:26:00Z", "_msg": "hello", "revision": "web-1", "instance": "a1", "container": "app"},
    **{"output": "stdout", "id": "c" * 64, "file": "f" * 16, "offset": "0", "service": "web", "_stream": "{}"},
}


class FakeStore:
    """A store that has one record, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[Any] = []

    async def ask(
        self, tenant: str, query: str, limit: int = 0, *, start: str = "", end: str = ""
    ) -> list[dict[str, Any]]:
        self.asked.append((tenant, query, limit, start, end))
        if self.error:
            raise self.error
        return [RECORD]


def asked(app: web.Application, path: str, host: str = "127.0.0.1:3006") -> tuple[int, str, str]:
    async def whole() -> tuple[int, str, str]:
        async with TestClient(TestServer(app)) as client:
            answer = await client.get(path, headers={"Host": host})
            return answer.status, answer.headers["Content-Type"], await answer.text()

    return asyncio.run(whole())


def test_entries_are_the_tenants_and_as_many_as_were_asked_for() -> None:
    store = FakeStore()
    path = "/v1/tenants/shop/services/web/log?since=2026-11-28T00:00:00Z&limit=7&grep=a%22b"
    status, _, text = asked(make_reading(store), path)
    (entry,) = decode(LogPage, text).entries
    assert (status, entry.text, entry.id, entry.fields) == (200, "hello", "cccccccccccc-ffffffff-0", {})
    assert store.asked == [("shop", '{service="web"} _msg:~"a\\"b"', 7, "2026-11-28T00:00:00Z", "")]


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (UsageError("log query: missing )"), 400, "log query: missing )"),
        (StoreAway("store: away"), 502, "store: away"),
        (ContractError("odd"), 500, "odd"),
    ],
)
def test_what_the_store_says_is_told_as_a_problem(error: Exception, status: int, told: str) -> None:
    found = asked(make_reading(FakeStore(error)), "/v1/tenants/shop/services/web/log")
    assert found[:2] == (status, "application/problem+json; charset=utf-8")
    assert told in found[2]


def test_what_is_no_tenant_is_refused_before_the_store_is_asked() -> None:
    store = FakeStore()
    assert asked(make_reading(store), "/v1/tenants/Shop/services/web/log")[0] == 400
    assert store.asked == []


def test_status_has_health_and_metrics_for_the_loopback_and_no_log() -> None:
    metrics = CollectorRegistry()
    Gauge("known", "A gauge of the test's own.", registry=metrics).set(7)
    app = make_status(metrics)
    assert asked(app, "/healthz")[0] == 200
    assert asked(make_status(metrics), "/metrics")[1:] == (METRICS_TYPE, asked(make_status(metrics), "/metrics")[2])
    assert asked(make_status(metrics), "/healthz", "evil.example")[0] == 403
    assert asked(make_status(metrics), "/v1/tenants/shop/services/web/log")[0] == 404
