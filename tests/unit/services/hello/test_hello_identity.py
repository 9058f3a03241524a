"""What the hello shows of itself, its environment and the requests it gets."""

from __future__ import annotations

import socket

import pytest

from tests.unit.services.hello.program import Hello, Start


def test_root_names_service_revision_and_instance(hello: Hello) -> None:
    answer = hello.get("/")
    assert answer.status == 200
    assert answer.json() == {"service": "hello", "revision": "hello-0a1b2c3d", "instance": socket.gethostname()}


def test_root_may_be_kept_by_caches_for_as_long_as_it_is_asked(hello: Hello) -> None:
    assert hello.get("/?max_age_s=60").headers["Cache-Control"] == "max-age=60"
    assert "Cache-Control" not in hello.get("/").headers
    refusal = hello.get("/?max_age_s=never")
    assert (refusal.status, "max_age_s: must be" in refusal.json()["error"]) == (400, True)


def test_unknown_path_is_not_found(hello: Hello) -> None:
    assert hello.get("/nowhere").status == 404


def test_headers_are_shown_as_they_arrived(hello: Hello) -> None:
    answer = hello.get("/headers?a=1", headers={"X-Request-Id": "r-1", "Host": "hello.localhost"}).json()
    assert (answer["method"], answer["path"], answer["host"]) == ("GET", "/headers?a=1", "hello.localhost")
    assert answer["headers"]["X-Request-Id"] == ["r-1"]


def test_environment_is_shown_with_names_and_values(start: Start) -> None:
    hello = start(GREETING="a=b & c")
    hello.log()
    shown = hello.get("/env").json()
    assert shown["GREETING"] == "a=b & c"
    assert shown["K_REVISION"] == "hello-0a1b2c3d"


def test_echo_sends_body_and_type_back(hello: Hello) -> None:
    body = bytes(range(256)) * 8192
    answer = hello.post("/echo", body, {"Content-Type": "x/y"})
    assert (answer.status, answer.headers["Content-Type"]) == (200, "x/y")
    assert answer.body == body


def test_root_shows_answers_of_the_services_it_calls(start: Start) -> None:
    stock = start(K_SERVICE="stock", K_REVISION="stock-1")
    stock.log()
    web = start(CALLS=f"stock={stock.url}/")
    web.log()
    answer = web.get("/")
    assert answer.status == 200
    called = answer.json()["calls"]["stock"]
    assert (called["status"], called["body"]["revision"]) == (200, "stock-1")


def test_root_is_bad_gateway_when_a_called_service_refuses(start: Start) -> None:
    stock = start()
    stock.log()
    web = start(CALLS=f"stock={stock.url}/fail?status=403")
    web.log()
    answer = web.get("/")
    assert answer.status == 502
    assert answer.json()["calls"]["stock"]["status"] == 403


def test_call_passes_trace_headers_on_and_no_others(start: Start) -> None:
    stock, web = start(), start()
    stock.log(), web.log()
    answer = web.get(
        "/call",
        query={"url": stock.url + "/headers"},
        headers={"Traceparent": "00-1", "X-Request-Id": "r", "Cookie": "c"},
    ).json()
    assert answer["status"] == 200
    headers = answer["body"]["headers"]
    assert (headers["Traceparent"], headers["X-Request-Id"]) == (["00-1"], ["r"])
    assert "Cookie" not in headers


def test_call_of_text_answer_quotes_it(start: Start) -> None:
    stock, web = start(), start()
    stock.log(), web.log()
    answer = web.get("/call", query={"url": stock.url + "/stream?chunks=1"}).json()
    assert answer == {"status": 200, "body": "chunk 1\n"}


def test_call_of_dead_address_is_bad_gateway_with_the_cause(hello: Hello) -> None:
    answer = hello.get("/call", query={"url": "http://127.0.0.1:1/"})
    assert answer.status == 502
    assert answer.json()["status"] == 0
    assert "connection refused" in answer.json()["error"]


def test_call_gives_up_after_the_time_it_was_given(hello: Hello) -> None:
    answer = hello.get("/call", query={"url": hello.url + "/sleep?ms=60000", "timeout_ms": "50"})
    assert answer.status == 502
    assert "context deadline exceeded" in answer.json()["error"]


@pytest.mark.parametrize("url", ["", "cart.internal", "file:///etc/passwd", "http://"])
def test_call_refuses_what_is_no_http_address(hello: Hello, url: str) -> None:
    answer = hello.get("/call", query={"url": url})
    assert answer.status == 400
    assert answer.json() == {"error": f'url: must be an http address, got "{url}"'}
