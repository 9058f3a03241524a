"""Compression: which responses are, and which are left as they are."""

from __future__ import annotations

import gzip
import json
import re
import subprocess

import pytest

from tests.harness.client import Answer
from tests.unit.services.gateway.conftest import MakeGateway
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import Gateway, service


@pytest.fixture
def hello(gateway: Gateway, instance: Instance) -> Gateway:
    gateway.serve(instance.port)
    return gateway


def ask(gateway: Gateway, answer: str, path: str = "/pad=2000", accepts: str = "gzip, zstd") -> Answer:
    return gateway.request(path=path, headers={"X-Answer": answer, "Accept-Encoding": accepts})


@pytest.mark.parametrize("kind", ["text/html", "application/json; charset=utf-8", "image/svg+xml", "text/css"])
def test_text_is_compressed_and_says_so(hello: Gateway, kind: str) -> None:
    answer = ask(hello, f'Content-Type: {kind} | ETag: "a"')
    assert (answer.headers["Content-Encoding"], answer.headers["Vary"]) == ("gzip", "Accept-Encoding")
    # Not the same bytes any more, so no strong validator.
    assert answer.headers["ETag"] == 'W/"a"'
    assert json.loads(gzip.decompress(answer.body))["name"] == "one"


@pytest.mark.parametrize("accepts", ["br", "gzip, deflate, br, zstd"])
def test_client_that_takes_brotli_gets_it(hello: Gateway, accepts: str) -> None:
    answer = ask(hello, 'Content-Type: text/html | ETag: "a"', accepts=accepts)
    shown = {name: answer.headers[name] for name in ("Content-Encoding", "Vary", "ETag")}
    assert shown == {"Content-Encoding": "br", "Vary": "Accept-Encoding", "ETag": 'W/"a"'}
    url = f"http://hello.localhost:{hello.edge_port}/pad=2000"
    headers = ["-H", "X-Answer: Content-Type: text/html", "-H", f"Accept-Encoding: {accepts}"]
    # curl reads it with the reference decoder.
    read = subprocess.run(["curl", "-s", "--compressed", *headers, url], capture_output=True, check=True, timeout=10)
    assert json.loads(read.stdout)["name"] == "one"


@pytest.mark.parametrize(
    ("answer", "path", "accepts"),
    [
        ("Content-Type: image/png", "/pad=2000", "gzip"),
        ("Content-Type: text/event-stream", "/pad=2000", "gzip"),
        ("Content-Type: text/html | Content-Encoding: br", "/pad=2000", "gzip, br"),
        ("Content-Type: text/html | Content-Encoding: identity", "/pad=2000", "gzip"),
        ("Content-Type: text/html", "/small", "gzip"),
        ("Content-Type: text/html", "/pad=2000", "zstd"),
        ("Content-Type: text/html", "/pad=2000", "gzip;q=0, br;q=0"),
    ],
    ids=["image", "events", "encoded", "opted out", "small", "other coding", "refused"],
)
def test_response_that_gains_nothing_is_left_as_it_is(hello: Gateway, answer: str, path: str, accepts: str) -> None:
    got = ask(hello, answer, path, accepts)
    said = re.search("Content-Encoding: (.*)", answer)
    assert got.headers.get("Content-Encoding") == (said[1] if said else None)
    assert json.loads(got.body)["name"] == "one"


def test_calls_between_services_are_not_compressed(hello: Gateway) -> None:
    hello.push(
        services={**hello.snapshot.services, "default/web": service(uses=("hello",))},
        callers={"127.0.0.2": "default/web"},
    )
    headers = {"X-Answer": "Content-Type: text/html", "Accept-Encoding": "gzip"}
    answer = hello.request(path="/pad=2000", host="hello.internal", source="127.0.0.2", headers=headers)
    assert "Content-Encoding" not in answer.headers


def test_compression_can_be_turned_off(start_gateway: MakeGateway, instance: Instance) -> None:
    gateway = start_gateway(compression=False)
    gateway.serve(instance.port)
    assert "Content-Encoding" not in ask(gateway, "Content-Type: text/html").headers
