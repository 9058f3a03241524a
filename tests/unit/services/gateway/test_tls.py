"""TLS: which certificate answers which host, what is refused, and what changes while connections are open."""

from __future__ import annotations

import socket
import ssl
import stat
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any

import pytest

from runyard.gateway import Listener
from services.orchestrator.model.pair import Pair
from services.orchestrator.tls.authority import Authority, create_authority
from tests.harness.client import Answer, answer_of
from tests.harness.ports import free_ports
from tests.harness.waiting import PATIENCE_S, until
from tests.unit.services.gateway.conftest import MakeGateway
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import Gateway, endpoints, service

HOST = "hello.localhost"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return create_authority("localhost", "test", time.time())


@dataclass
class Client:
    """Speaks TLS to a gateway, trusting one CA."""

    gateway: Gateway
    authority: Authority

    def context(self, **settings: Any) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.authority.pair.chain)
        for name, value in settings.items():
            setattr(context, name, value)
        return context

    @contextmanager
    def handshake(self, host: str | None = HOST, context: ssl.SSLContext | None = None) -> Iterator[ssl.SSLSocket]:
        context = context or self.context(check_hostname=host is not None)
        with (
            socket.create_connection(("127.0.0.1", self.gateway.tls_port), PATIENCE_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as wrapped,
        ):
            yield wrapped

    @contextmanager
    def connect(self, host: str = HOST) -> Iterator[HTTPConnection]:
        with self.handshake(host) as wrapped:
            connection = HTTPSConnection(host, self.gateway.tls_port)
            connection.sock = wrapped
            yield connection

    def get(self, path: str = "/", host: str = HOST) -> Answer:
        with self.connect(host) as connection:
            connection.request("GET", path, headers={"Host": host})
            return answer_of(connection.getresponse())

    def serial(self, host: str = HOST) -> str:
        with self.handshake(host) as wrapped:
            return str((wrapped.getpeercert() or {})["serialNumber"])


def put(gateway: Gateway, pair: Pair, name: str = HOST) -> Answer:
    return gateway.admin("PUT", f"/v1/certificates/{name}", pair.message())


@pytest.fixture
def start(start_gateway: MakeGateway) -> Callable[..., Gateway]:
    def make(**settings: Any) -> Gateway:
        edge, tls, internal = (f"127.0.0.1:{port}" for port in free_ports(3))
        listeners = (Listener("edge", edge), Listener("internal", internal), Listener("edge", tls, tls=True))
        return start_gateway(listeners=listeners, **settings)

    return make


@pytest.fixture
def gateway(start: Callable[..., Gateway], instance: Instance, authority: Authority) -> Gateway:
    made = start()
    made.serve(instance.port)
    assert put(made, authority.issue(HOST, time.time())).status == 200
    return made


@pytest.fixture
def client(gateway: Gateway, authority: Authority) -> Client:
    return Client(gateway, authority)


def test_request_over_tls_reaches_the_instance_and_says_so(client: Client) -> None:
    headers = dict(client.get().json()["headers"])
    assert headers["X-Forwarded-Proto"] == "https"
    assert headers["Forwarded"].endswith(";proto=https")


def test_each_host_gets_its_own_certificate(client: Client, authority: Authority) -> None:
    assert put(client.gateway, authority.issue("web.localhost", time.time()), "web.localhost").status == 200
    with client.handshake("web.localhost") as wrapped:
        assert (wrapped.getpeercert() or {})["subjectAltName"] == (("DNS", "web.localhost"),)
    with client.handshake() as wrapped:
        assert (wrapped.getpeercert() or {})["subjectAltName"] == (("DNS", HOST),)


def other(client: Client, named: str, host: str) -> Answer:
    """Ask for a host over a connection that was made for another one."""
    with client.connect(named) as connection:
        connection.request("GET", "/", headers={"Host": host})
        return answer_of(connection.getresponse())


def test_connection_for_one_tenant_is_not_for_another(client: Client, authority: Authority, instance: Instance) -> None:
    services = {f"{tenant}/{name}": service((f"{name}-1", 100)) for tenant, name in (("acme", "a"), ("acme", "b"))}
    client.gateway.push(
        services={**client.gateway.snapshot.services, **services},
        hosts={HOST: "default/hello", "a.acme.localhost": "acme/a", "b.acme.localhost": "acme/b"},
        endpoints={
            **client.gateway.snapshot.endpoints,
            **{f"acme/{name}-1": endpoints(instance.port) for name in ("a", "b")},
        },
    )
    assert put(client.gateway, authority.issue("*.acme.localhost", time.time()), "*.acme.localhost").status == 200
    assert other(client, "a.acme.localhost", "a.acme.localhost").status == 200
    # A browser may use the connection for what else its certificate covers.
    assert other(client, "a.acme.localhost", "b.acme.localhost:3443").status == 200
    for named, host in ((HOST, "a.acme.localhost"), ("a.acme.localhost", HOST), ("nobody.acme.localhost", HOST)):
        seen = len(instance.seen)
        answer = other(client, named, host)
        assert (answer.status, answer.kind) == (421, "misdirected")
        assert len(instance.seen) == seen
    # Nobody's host is nobody's.
    assert other(client, HOST, "nobody.localhost").status == 404


def test_wildcard_covers_one_level_and_a_host_s_own_goes_first(client: Client, authority: Authority) -> None:
    assert put(client.gateway, authority.issue("*.acme.localhost", time.time()), "*.acme.localhost").status == 200
    assert put(client.gateway, authority.issue("own.acme.localhost", time.time()), "own.acme.localhost").status == 200
    with client.handshake("any.acme.localhost") as wrapped:
        assert (wrapped.getpeercert() or {})["subjectAltName"] == (("DNS", "*.acme.localhost"),)
    with client.handshake("own.acme.localhost") as wrapped:
        assert (wrapped.getpeercert() or {})["subjectAltName"] == (("DNS", "own.acme.localhost"),)
    refused(client, "two.levels.acme.localhost")


def refused(client: Client, host: str | None) -> None:
    with pytest.raises(ssl.SSLError) as caught, client.handshake(host):
        pass
    assert "ALERT" in str(caught.value)


@pytest.mark.parametrize("host", ["nobody.localhost", "..", "a..b", "../state/snapshot", None])
def test_handshake_without_a_certificate_for_its_host_is_refused(client: Client, host: str | None) -> None:
    if host is None or host == "nobody.localhost":
        refused(client, host)
        return
    # Python does not send such a name, so OpenSSL's own client does.
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{client.gateway.tls_port}", "-servername", host]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S)
    assert "no peer certificate available" in done.stdout
    assert client.get().status == 200


def test_hosts_of_inner_calls_are_none_for_strangers(client: Client) -> None:
    inner = create_authority("internal", "test", time.time()).issue("cart.internal", time.time())
    assert put(client.gateway, inner, "cart.internal").status == 200
    refused(client, "cart.internal")
    refused(client, "CART.internal")


def offered(client: Client, *arguments: str) -> str:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{client.gateway.tls_port}", "-servername", HOST]
    done = subprocess.run(
        [*command, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S
    )
    return done.stdout


@pytest.mark.parametrize(
    ("arguments", "cipher"),
    [
        (["-tls1_3"], "TLS_AES_256_GCM_SHA384"),
        (["-tls1_2"], "ECDHE-ECDSA-AES256-GCM-SHA384"),
        (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], "ECDHE-ECDSA-AES128-GCM-SHA256"),
        # Too old, without forward secrecy, without authenticated encryption.
        (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], "(NONE)"),
        (["-tls1", "-cipher", "ALL:@SECLEVEL=0"], "(NONE)"),
        (["-tls1_2", "-cipher", "AES128-GCM-SHA256"], "(NONE)"),
        (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"], "(NONE)"),
        (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA384"], "(NONE)"),
        (["-tls1_2", "-curves", "secp521r1"], "(NONE)"),
    ],
)
def test_versions_and_ciphers_are_those_of_the_intermediate_list(
    client: Client, arguments: list[str], cipher: str
) -> None:
    assert f"Cipher is {cipher}\n" in offered(client, *arguments)


@pytest.mark.parametrize(("offer", "chosen"), [(["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1")])
def test_http2_is_spoken_to_who_asks_for_it(client: Client, offer: list[str], chosen: str) -> None:
    context = client.context()
    context.set_alpn_protocols(offer)
    with client.handshake(context=context) as wrapped:
        assert wrapped.selected_alpn_protocol() == chosen


def test_http2_request_reaches_the_instance(client: Client, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(client.authority.pair.chain)
    port = client.gateway.tls_port
    command = ["curl", "--silent", "--show-error", "--http2", "--cacert", str(tmp_path / "ca.pem")]
    command += ["--resolve", f"{HOST}:{port}:127.0.0.1", "--write-out", "\n%{http_version} %{http_code}"]
    done = subprocess.run(
        [*command, f"https://{HOST}:{port}/"], capture_output=True, text=True, timeout=PATIENCE_S, check=True
    )
    assert '"X-Forwarded-Proto", "https"' in done.stdout
    assert done.stdout.endswith("\n2 200")


def test_plain_http_on_the_tls_port_is_a_400(client: Client) -> None:
    with socket.create_connection(("127.0.0.1", client.gateway.tls_port), PATIENCE_S) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n")
        answer = b"".join(iter(lambda: plain.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"urn:runyard:problem:http-400" in answer


def test_new_certificate_is_used_while_old_connections_go_on(
    client: Client, authority: Authority, in_background: Any
) -> None:
    stop = threading.Event()

    def load(method: str) -> Counter[int]:
        statuses: Counter[int] = Counter()
        with client.connect() as connection:
            while not stop.is_set():
                connection.request(method, "/", b"x" * 1000 if method == "POST" else None, {"Host": HOST})
                response = connection.getresponse()
                response.read()
                statuses[response.status] += 1
        return statuses

    loads = [in_background(load, method) for method in ("GET", "POST") * 2]
    serials = {client.serial()}
    for _ in range(10):
        assert put(client.gateway, authority.issue(HOST, time.time())).status == 200
        # Whichever worker answers: nobody is given the old one once the new one is confirmed.
        serials |= {seen for seen in (client.serial(), client.serial(), client.serial())}
    stop.set()
    total: Counter[int] = sum((each.result() for each in loads), Counter())
    assert set(total) == {200}
    assert total[200] > 100
    assert len(serials) == 11


def test_broken_certificate_is_refused_reported_and_changes_nothing(client: Client, authority: Authority) -> None:
    before = client.serial()
    good, other = authority.issue(HOST, time.time()), authority.issue("web.localhost", time.time())
    for broken, reason in (
        (Pair("nonsense", good.key), "certificate: "),
        (Pair(good.chain, "nonsense"), "private key: "),
        (Pair(good.chain, other.key), "the private key is not that of the certificate"),
        (other, "the certificate is not for hello.localhost"),
    ):
        answer = put(client.gateway, broken)
        assert (answer.status, answer.kind) == (422, "certificate")
        assert reason in answer.json()["detail"]
        health = client.gateway.admin("GET", "/healthz").json()
        assert health["status"] == "degraded"
        assert reason in health["certificates"][HOST]
    assert client.serial() == before
    assert put(client.gateway, good).status == 200
    assert client.gateway.admin("GET", "/healthz").json()["status"] == "ok"
    assert client.serial() != before


def test_certificates_outlive_a_restart_in_files_of_the_workers_alone(client: Client) -> None:
    before = client.serial()
    client.gateway.stop(kill=True)
    client.gateway.start()
    assert client.serial() == before
    (kept,) = (client.gateway.state.parent / "certificates").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


def test_removed_certificate_answers_no_more_and_leaves_no_file(client: Client) -> None:
    assert client.gateway.admin("DELETE", f"/v1/certificates/{HOST}").status == 200
    refused(client, HOST)
    assert list((client.gateway.state.parent / "certificates").iterdir()) == []
    assert client.gateway.admin("GET", "/v1/certificates").json() == {"certificates": {}}


def test_admin_tells_digests_and_never_keys(client: Client, authority: Authority) -> None:
    pair = authority.issue("web.localhost", time.time())
    assert put(client.gateway, pair, "web.localhost").status == 200
    answer = client.gateway.admin("GET", "/v1/certificates")
    assert answer.json()["certificates"]["web.localhost"] == pair.digest()
    assert b"PRIVATE" not in answer.body
    assert "PRIVATE" not in client.gateway.errors()


@pytest.mark.parametrize("name", ["..%2f..%2fpasswd", "UPPER.localhost", "*.", ".", "a..b", "*.*.localhost", "a" * 260])
def test_certificate_is_named_by_a_host_only(client: Client, authority: Authority, name: str) -> None:
    answer = put(client.gateway, authority.issue(HOST, time.time()), name)
    assert answer.status in (400, 404)


# Redirect, HSTS and challenges.


@pytest.fixture
def redirecting(start: Callable[..., Gateway], instance: Instance, authority: Authority) -> Client:
    made = start(https_port=3443, hsts_s=63_072_000, acme=True)
    made.serve(instance.port)
    assert put(made, authority.issue(HOST, time.time())).status == 200
    return Client(made, authority)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_plain_request_is_sent_to_tls_with_its_method_and_query(redirecting: Client, method: str) -> None:
    answer = redirecting.gateway.request(method, "/a%20b?c=d&e", host="Hello.localhost:3000")
    assert (answer.status, answer.body) == (308, b"")
    assert answer.headers["Location"] == "https://hello.localhost:3443/a%20b?c=d&e"
    assert "Strict-Transport-Security" not in answer.headers


def test_default_port_is_left_out_of_the_redirect(start: Callable[..., Gateway], instance: Instance) -> None:
    gateway = start(https_port=443)
    gateway.serve(instance.port)
    assert gateway.request(path="/x").headers["Location"] == "https://hello.localhost/x"


def test_unknown_host_is_not_redirected_and_health_is_answered(redirecting: Client) -> None:
    assert redirecting.gateway.request(host="evil.example").kind == "unknown-host"
    assert redirecting.gateway.request(path="/healthz", host="127.0.0.1").json()["status"] == "ok"


def test_hsts_is_said_over_tls_only(redirecting: Client, client: Client) -> None:
    assert redirecting.get().headers["Strict-Transport-Security"] == "max-age=63072000"
    assert "Strict-Transport-Security" not in client.get().headers


def test_challenge_is_answered_in_plain_http_whatever_its_host(redirecting: Client) -> None:
    token, path = "tok-en_1", "/.well-known/acme-challenge/tok-en_1"
    gateway = redirecting.gateway
    assert gateway.admin("PUT", f"/v1/challenges/{token}", "tok-en_1.thumb_print").status == 200
    for host in (HOST, "not.yet.routed"):
        answer = gateway.request(path=path, host=host)
        assert (answer.status, answer.body) == (200, b"tok-en_1.thumb_print")
    assert gateway.admin("DELETE", f"/v1/challenges/{token}").status == 200
    assert gateway.request(path=path).kind == "unknown-challenge"


@pytest.mark.parametrize("text", ["", "no-dot", "<script>.x", "a.b\r\nSet-Cookie: c", "a." + "b" * 600])
def test_challenge_holds_no_more_than_its_grammar(redirecting: Client, text: str) -> None:
    answer = redirecting.gateway.admin("PUT", "/v1/challenges/token", text)
    assert (answer.status, answer.kind) == (400, "challenge")


def test_internal_listener_neither_redirects_nor_answers_challenges(redirecting: Client) -> None:
    gateway = redirecting.gateway
    assert gateway.admin("PUT", "/v1/challenges/token", "token.x").status == 200
    answer = gateway.request(path="/.well-known/acme-challenge/token", source="127.0.0.2")
    assert answer.kind == "unknown-caller"


def test_lost_file_system_keeps_the_certificate_in_force_and_is_reported(client: Client, authority: Authority) -> None:
    directory = client.gateway.state.parent / "certificates"
    for each in directory.iterdir():
        each.unlink()
    directory.rmdir()
    # A file where the directory should be, which holds for root too.
    directory.write_text("")
    before = client.serial()
    assert put(client.gateway, authority.issue(HOST, time.time())).status == 200
    assert client.serial() != before
    until(lambda: client.gateway.admin("GET", "/healthz").json()["status"] == "degraded", "it is reported")
