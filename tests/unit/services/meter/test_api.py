from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry, Gauge

from runyard.contracts import UsageBatch, decode
from services.meter.api import METRICS_TYPE, Api
from services.meter.spool import Spool

Ask = Callable[[str], Awaitable[tuple[int, str, str]]]


def asked(directory: Path, path: str, gateway: bytes = b"", host: str = "127.0.0.1:3005") -> tuple[int, str, str]:
    """Ask for a path and give status, media type and text."""
    metrics, spool = CollectorRegistry(), Spool(directory)
    Gauge("known", "A gauge of the test's own.", registry=metrics).set(7)
    spool.put(UsageBatch(5))

    async def read() -> bytes:
        return gateway

    async def whole() -> tuple[int, str, str]:
        async with TestClient(TestServer(Api(metrics, read, spool).app())) as client:
            answer = await client.get(path, headers={"Host": host})
            return answer.status, answer.headers["Content-Type"], await answer.text()

    return asyncio.run(whole())


def test_metrics_are_the_meters_and_after_them_the_gateways(tmp_path: Path) -> None:
    status, media_type, text = asked(tmp_path, "/metrics", b"runyard_gateway_x 1\n")
    assert (status, media_type) == (200, METRICS_TYPE)
    assert "known 7.0\n" in text
    assert "runyard_meter_gateway_up 1.0\n" in text
    assert text.endswith("\nrunyard_gateway_x 1\n")


def test_gateway_that_does_not_answer_is_told(tmp_path: Path) -> None:
    assert "runyard_meter_gateway_up 0.0\n" in asked(tmp_path, "/metrics")[2]


def test_windows_come_after_a_sequence(tmp_path: Path) -> None:
    for path, sequence in (("/v1/windows", 5), ("/v1/windows?after=4", 5), ("/v1/windows?after=5", 5)):
        status, media_type, text = asked(tmp_path, path)
        assert (status, media_type) == (200, "application/json; charset=utf-8")
        assert decode(UsageBatch, text).sequence == sequence


@pytest.mark.parametrize("after", ["", "-1", "x", "1.5", "9" * 19])
def test_what_is_no_sequence_is_refused(tmp_path: Path, after: str) -> None:
    status, media_type, text = asked(tmp_path, f"/v1/windows?after={after}")
    assert (status, media_type) == (400, "application/problem+json; charset=utf-8")
    assert "after must be a sequence, got" in text


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:3005"])
def test_names_of_the_loopback_are_answered(tmp_path: Path, host: str) -> None:
    assert asked(tmp_path, "/healthz", host=host)[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "10.0.0.1:3005", "localhost.evil.example"])
def test_other_names_of_the_host_are_not(tmp_path: Path, host: str) -> None:
    for path in ("/healthz", "/metrics", "/v1/windows"):
        assert asked(tmp_path, path, host=host)[0] == 403
