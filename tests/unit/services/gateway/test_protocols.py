"""HTTP/2 without TLS on both sides, gRPC with a real client and server, and the gateway's own answers to calls."""

from __future__ import annotations

import queue
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from runyard.contracts import GatewayPath
from runyard.gateway import Listener
from tests.harness.ports import free_ports
from tests.harness.waiting import until
from tests.unit.services.gateway.calls import CallClient, CallServer
from tests.unit.services.gateway.conftest import MakeGateway
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import Gateway, assert_lasted, endpoints, service, settled


@pytest.fixture
def server() -> Iterator[CallServer]:
    server = CallServer()
    yield server
    server.stop()


@pytest.fixture
def calls(start_gateway: MakeGateway, server: CallServer) -> Gateway:
    """A gateway with listeners for HTTP/2, before an instance that speaks nothing else."""
    edge, internal, h2c, internal_h2c = free_ports(4)
    gateway = start_gateway(
        hold_timeout_ms=200,
        listeners=(
            Listener("edge", f"127.0.0.1:{edge}"),
            Listener("internal", f"127.0.0.1:{internal}"),
            Listener("edge", f"127.0.0.1:{h2c}", http2=True),
            Listener("internal", f"127.0.0.1:{internal_h2c}", http2=True),
        ),
    )
    gateway.push(
        services={"default/hello": service(("hello-1", 100))},
        hosts={"hello.localhost": "default/hello"},
        endpoints={"default/hello-1": endpoints(server.port, protocol="h2c")},
    )
    return gateway


@pytest.fixture
def client(calls: Gateway) -> Iterator[CallClient]:
    client = CallClient(calls.h2c_port)
    yield client
    client.channel.close()


def test_unary_call_passes_with_its_metadata_and_trailers(
    calls: Gateway, client: CallClient, server: CallServer
) -> None:
    answer, call = client.call("Unary", b"hello", metadata=(("tenant-hint", "a"),))
    assert answer == b"echo hello"
    assert dict(call.trailing_metadata())["cost"] == "7"
    seen = server.metadata[0]
    assert (seen["tenant-hint"], seen["x-forwarded-for"]) == ("a", "127.0.0.1")
    assert (seen["forwarded"], len(seen["x-request-id"])) == ('for="127.0.0.1";host="hello.localhost";proto=http', 32)
    assert "grpc-status" not in dict(call.initial_metadata())


def test_large_call_passes_whole(client: CallClient) -> None:
    request = bytes(range(256)) * 4000
    assert client.call("Unary", request)[0] == b"echo " + request


def test_status_of_a_failed_call_passes_with_its_message_and_trailers(client: CallClient) -> None:
    failure = client.failure("Fail")
    assert (failure.code(), failure.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "nothing left")
    assert dict(failure.trailing_metadata())["reason"] == "stock"
    assert client.failure("Nothing").code() == grpc.StatusCode.UNIMPLEMENTED


def test_streams_pass_in_either_direction(client: CallClient) -> None:
    assert list(client.stream("unary_stream", "Count", b"50")) == [str(number).encode() for number in range(50)]
    assert client.stream("stream_unary", "Sum", iter(str(number).encode() for number in range(101))) == b"5050"


def test_messages_pass_both_ways_while_both_sides_go_on(calls: Gateway, client: CallClient) -> None:
    asked: queue.Queue[bytes | None] = queue.Queue()
    answers = client.stream("stream_stream", "Chat", iter(asked.get, None))
    for text in (b"one", b"two", b"three"):
        asked.put(text)
        assert next(answers) == b"heard " + text
    assert list(calls.inflight().values()) == [1]
    asked.put(None)
    assert list(answers) == []
    settled(calls)


def test_call_for_a_path_reaches_the_service_that_has_it(calls: Gateway, client: CallClient) -> None:
    calls.push(hosts={}, paths={"hello.localhost": (GatewayPath("/shop.Orders", "default/hello"),)})
    assert client.call("Unary", b"x")[0] == b"echo x"
    calls.push(paths={"hello.localhost": (GatewayPath("/", "default/hello", "/none"),)})
    assert client.failure("Unary").code() == grpc.StatusCode.UNIMPLEMENTED
    calls.push(paths={"hello.localhost": (GatewayPath("/shop.Orders", "default/hello", "/shop.Orders"),)})
    assert client.call("Unary", b"x")[0] == b"echo x"


@pytest.mark.parametrize(
    ("host", "code", "kind"),
    [
        ("nobody.localhost", grpc.StatusCode.UNIMPLEMENTED, "unknown-host: "),
        ("waiting.localhost", grpc.StatusCode.UNAVAILABLE, "no-instance: "),
        ("dead.localhost", grpc.StatusCode.UNAVAILABLE, "instance-failed: "),
    ],
)
def test_gateways_own_answer_to_a_call_is_a_grpc_status(
    calls: Gateway, host: str, code: grpc.StatusCode, kind: str
) -> None:
    [gone] = free_ports(1)
    calls.push(
        services={f"default/{name}": service((f"{name}-1", 100)) for name in ("waiting", "dead")},
        hosts={f"{name}.localhost": f"default/{name}" for name in ("waiting", "dead")},
        endpoints={
            "default/waiting-1": endpoints(protocol="h2c"),
            "default/dead-1": endpoints(gone, protocol="h2c"),
        },
    )
    client = CallClient(calls.h2c_port, host)
    failure = client.failure("Unary", b"x")
    client.channel.close()
    assert failure.code() == code
    assert failure.details().startswith(kind), failure.details()


def test_call_that_takes_too_long_is_a_deadline_exceeded(
    calls: Gateway, client: CallClient, server: CallServer
) -> None:
    calls.push(services={"default/hello": service(("hello-1", 100), timeout_s=1)})
    failure = client.failure("Wait")
    assert failure.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert failure.details().startswith("instance-timeout: ")


def chat(client: CallClient) -> tuple[queue.Queue[bytes | None], Iterator[bytes]]:
    asked: queue.Queue[bytes | None] = queue.Queue()
    answers = client.stream("stream_stream", "Chat", iter(asked.get, None))
    asked.put(b"one")
    assert next(answers) == b"heard one"
    return asked, answers


CUT = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


def test_stream_that_takes_too_long_is_cut(calls: Gateway, client: CallClient) -> None:
    calls.push(services={"default/hello": service(("hello-1", 100), timeout_s=1)})
    began = time.monotonic()
    asked, answers = chat(client)
    with pytest.raises(grpc.RpcError) as caught:
        next(answers)
    assert caught.value.code() in CUT
    assert_lasted(time.monotonic() - began, 1)
    asked.put(None)


def test_stream_that_goes_on_outlives_another_of_its_connection_that_was_cut(
    calls: Gateway, client: CallClient
) -> None:
    asked_long, long = chat(client)
    calls.push(services={"default/hello": service(("hello-1", 100), timeout_s=1)})
    asked_short, short = chat(client)
    until(lambda: list(calls.inflight().values()) == [1], "one of the two is cut")
    # nginx 1.22 sends the news of it with the next frame of the connection, unless no other stream is left.
    asked_long.put(b"two")
    assert next(long) == b"heard two"
    with pytest.raises(grpc.RpcError) as caught:
        next(short)
    assert caught.value.code() in CUT
    asked_short.put(None)
    asked_long.put(None)
    assert list(long) == []
    settled(calls)


def test_call_waits_for_an_instance_and_takes_its_protocol(
    calls: Gateway, client: CallClient, server: CallServer
) -> None:
    # Nothing says yet that it speaks HTTP/2, so it waits where other requests do.
    calls.push(endpoints={"default/hello-1": endpoints(start_timeout_s=60)})
    future = client.channel.unary_unary("/shop.Orders/Unary")
    answer = future.future(b"held", timeout=20)
    until(lambda: '"waiting":1' in calls.admin("GET", "/v1/load").text, "it is held")
    calls.push(endpoints={"default/hello-1": endpoints(server.port, protocol="h2c")})
    assert answer.result() == b"echo held"
    settled(calls)


def test_instances_call_each_other_over_http2(calls: Gateway, server: CallServer) -> None:
    port = int(calls.config.listeners[3].address.rpartition(":")[2])
    services = {**calls.snapshot.services, "default/web": service(uses=("hello",))}
    calls.push(services=services, callers={"127.0.0.1": "default/web"})
    client = CallClient(port, "hello.internal")
    assert client.call("Unary", b"x")[0] == b"echo x"
    assert server.metadata[0]["x-runyard-caller"] == "web"
    client.channel.close()
    stranger = CallClient(port, "other.internal")
    assert stranger.failure("Unary").code() == grpc.StatusCode.PERMISSION_DENIED
    stranger.channel.close()


def test_http1_instance_answers_a_client_that_speaks_http2(calls: Gateway, instance: Instance, tmp_path: Path) -> None:
    calls.push(endpoints={"default/hello-1": endpoints(instance.port)})
    client = CallClient(calls.h2c_port)
    # Its answer is JSON with status 200, which is no gRPC: the client says so, and the instance has seen the call.
    assert client.failure("Unary", b"x").code() == grpc.StatusCode.UNKNOWN
    client.channel.close()
    assert instance.seen == [("POST", "/shop.Orders/Unary")]


H2C_INSTANCE = """
daemon off; worker_processes 1; pid {directory}/pid; error_log {directory}/error error;
load_module modules/ndk_http_module.so; load_module modules/ngx_http_lua_module.so;
events {{ worker_connections 64; }}
http {{
    access_log off; client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port} http2;
        location / {{
            content_by_lua_block {{
                ngx.req.read_body()
                ngx.say(ngx.var.server_protocol, " ", ngx.var.request_method, " ", ngx.var.request_uri, " ",
                        ngx.req.get_body_data())
            }}
        }}
    }}
}}
"""


@pytest.fixture
def h2c_port(tmp_path: Path) -> Iterator[int]:
    """Give the port of an instance that speaks HTTP/2 and no gRPC."""
    [port] = free_ports(1)
    directory = tmp_path / "h2c"
    directory.mkdir()
    (directory / "nginx.conf").write_text(H2C_INSTANCE.format(directory=directory, port=port))
    process = subprocess.Popen(["nginx", "-p", "/usr/share/nginx", "-c", str(directory / "nginx.conf")])
    until(lambda: (directory / "pid").exists(), "the instance has started")
    yield port
    process.terminate()
    process.wait()


@pytest.mark.parametrize(
    ("method", "body", "seen"),
    [
        ("GET", None, "HTTP/2.0 GET /a%20b?c=%2F nil\n"),
        ("POST", b"abc", "HTTP/2.0 POST /a%20b?c=%2F abc\n"),
        ("DELETE", None, "HTTP/2.0 DELETE /a%20b?c=%2F nil\n"),
    ],
)
def test_plain_http_reaches_an_instance_that_speaks_http2(
    calls: Gateway, h2c_port: int, method: str, body: bytes | None, seen: str
) -> None:
    calls.push(endpoints={"default/hello-1": endpoints(h2c_port, protocol="h2c")})
    with calls.connect() as connection:
        for _ in range(3):
            connection.request(method, "/a%20b?c=%2F", body, {"Host": "hello.localhost"})
            response = connection.getresponse()
            assert (response.status, response.read().decode()) == (200, seen)


def test_head_of_an_http2_instance_has_no_body(calls: Gateway, h2c_port: int) -> None:
    calls.push(endpoints={"default/hello-1": endpoints(h2c_port, protocol="h2c")})
    answer = calls.request("HEAD")
    assert (answer.status, answer.body) == (200, b"")


def test_request_without_a_body_is_sent_again_to_another_http2_instance(calls: Gateway, h2c_port: int) -> None:
    [gone] = free_ports(1)
    calls.push(endpoints={"default/hello-1": endpoints(gone, h2c_port, protocol="h2c")})
    assert [calls.request().status for _ in range(10)] == [200] * 10


def test_rewriting_for_http2_refuses_what_would_be_written_differently(calls: Gateway, h2c_port: int) -> None:
    calls.push(
        hosts={},
        paths={"hello.localhost": (GatewayPath("/api", "default/hello", "/v2"),)},
        endpoints={"default/hello-1": endpoints(h2c_port, protocol="h2c")},
    )
    assert calls.request(path="/api/a%20b?c=%2F").body == b"HTTP/2.0 GET /v2/a%20b?c=%2F nil\n"
    for path in ("/api/a%2Fb", "/api/a%5cb"):
        assert calls.request(path=path).kind == "unclear-path"
