"""ACME: certificates from Pebble, proved through a real gateway and served by it."""

from __future__ import annotations

import asyncio
import http.server
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runyard.contracts import TlsSettings
from runyard.errors import HostError, UsageError
from runyard.gateway import Listener
from services.orchestrator.gateway.client import GatewayClient
from services.orchestrator.model.pair import Pair
from services.orchestrator.timing import Timing
from services.orchestrator.tls.acme_issuer import LIMITED_S, AcmeIssuer, in_thread
from services.orchestrator.tls.authority import Authority
from services.orchestrator.tls.certificate import describe
from services.orchestrator.tls.certificates import Certificates, Sources
from services.orchestrator.tls.vault import Vault
from tests.harness.waiting import until_async
from tests.unit.services.gateway.conftest import instance, make_instance, start_gateway
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import Gateway, free_ports
from tests.unit.services.gateway.test_tls import Client
from tests.unit.services.orchestrator.pebble.server import Pebble, running

from ..world import FakeAdmin, ListJournal

__all__ = ["instance", "make_instance", "start_gateway"]

HOST, OTHER = "hello.example.com", "other.example.com"


@dataclass
class Site:
    """A gateway with TLS, and an ACME server that asks it."""

    gateway: Gateway
    pebble: Pebble
    directory: Path

    def settings(self, **changes: Any) -> TlsSettings:
        fields = {"acme_directory": self.pebble.directory, "acme_ca": self.pebble.ca}
        return TlsSettings("acme", "example.com", acme_contacts=("ops@example.com",), **{**fields, **changes})

    def issuer(self, admin: Any, now: Callable[[], float] = time.time, **changes: Any) -> AcmeIssuer:
        return AcmeIssuer(self.settings(**changes), Vault(self.directory / "vault"), admin, now)


@pytest.fixture
def site(tmp_path: Path, start_gateway: Any, instance: Instance) -> Iterator[Site]:
    edge, tls, internal = free_ports(3)
    listeners = (
        Listener("edge", f"127.0.0.1:{edge}"),
        Listener("internal", f"127.0.0.1:{internal}"),
        Listener("edge", f"127.0.0.1:{tls}", tls=True),
    )
    gateway = start_gateway(listeners=listeners, https_port=tls, acme=True)
    gateway.serve(instance.port)
    gateway.push(hosts={HOST: "default/hello"})
    (tmp_path / "pebble").mkdir()
    with running(tmp_path / "pebble", edge) as pebble:
        yield Site(gateway, pebble, tmp_path)


def with_client(site: Site, test: Callable[[GatewayClient], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        client = GatewayClient(Path(site.gateway.config.admin_socket), ListJournal())
        try:
            await test(client)
        finally:
            await client.close()

    asyncio.run(whole())


@pytest.mark.slow
def test_ordered_certificate_is_proved_served_and_renewed(site: Site) -> None:
    journal = ListJournal()
    served: list[str] = []

    async def whole(client: GatewayClient) -> None:
        clock = [time.time()]
        issuer = site.issuer(client, lambda: clock[0])
        sources = Sources(Vault(site.directory / "vault"), issuer, client, lambda: clock[0])
        timing = Timing(time.monotonic, asyncio.sleep)
        certificates = Certificates(sources, lambda: frozenset({HOST}), timing, journal)
        task = asyncio.create_task(certificates.run())
        pebble_ca = await in_thread(site.pebble.root)
        trusting = Client(site.gateway, Authority(Pair(pebble_ca, ""), "example.com"))

        async def settled(count: int) -> None:
            def issued() -> bool:
                assert "certificate not issued" not in journal.events(), journal.entries
                return journal.events().count("certificate issued") >= count

            async def kept() -> bool:
                return (await client.certificates()).get(HOST) is not None

            await until_async(issued, "the certificate is issued")
            await until_async(kept, "the gateway has it")

        await settled(1)
        served.append(await in_thread(lambda: trusting.serial(HOST)))
        assert (await in_thread(lambda: trusting.get("/", HOST))).status == 200
        # Two thirds and more of ninety days later.
        clock[0] += 61 * 86_400
        await certificates.cover()
        await settled(2)

        async def renewed() -> bool:
            served.append(await in_thread(lambda: trusting.serial(HOST)))
            return served[-1] != served[0]

        await until_async(renewed, "the new one is served")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with_client(site, whole)
    assert len(set(served)) == 2
    # The tokens are gone with their orders, and one account made both.
    assert b"acme-challenge" in site.pebble.log.read_bytes()
    assert site.pebble.log.read_text().count("There are now 1 accounts in memory") == 1


@pytest.mark.slow
def test_restarted_orchestrator_keeps_its_account(site: Site) -> None:
    async def whole(client: GatewayClient) -> None:
        for _ in range(2):
            assert describe(await site.issuer(client).issue(HOST)).names == (HOST,)

    with_client(site, whole)
    assert "There are now 2 accounts" not in site.pebble.log.read_text()


@pytest.mark.slow
def test_host_that_cannot_be_proved_says_why_and_leaves_no_token(site: Site) -> None:
    # A gateway that never hears of the token, so that Pebble finds nothing there.
    admin = FakeAdmin()
    with pytest.raises(HostError, match=rf"^order certificate for {OTHER}: the server could not prove it: "):
        asyncio.run(site.issuer(admin).issue(OTHER))
    assert admin.challenges == {}


@pytest.mark.slow
def test_refusals_of_the_server_and_of_its_certificate_are_told(site: Site) -> None:
    admin = FakeAdmin()
    with pytest.raises(HostError, match="the server refused: rejectedIdentifier: "):
        asyncio.run(site.issuer(admin).issue("blocked.example"))
    with pytest.raises(HostError, match="CERTIFICATE_VERIFY_FAILED"):
        asyncio.run(site.issuer(admin, acme_ca="").issue(HOST))


def test_wildcard_is_refused_before_anybody_is_asked(tmp_path: Path) -> None:
    issuer = AcmeIssuer(TlsSettings("acme"), Vault(tmp_path), FakeAdmin(), lambda: 0.0)
    with pytest.raises(UsageError, match=r"^host \*\.example\.com: an ACME server proves wildcards by DNS alone"):
        asyncio.run(issuer.issue("*.example.com"))


def test_server_that_is_away_is_told_with_its_address(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    settings = TlsSettings("acme", acme_directory=f"https://127.0.0.1:{port}/dir")
    issuer = AcmeIssuer(settings, Vault(tmp_path), FakeAdmin(), lambda: 0.0)
    with pytest.raises(HostError, match=rf"^order certificate for a\.b: ask https://127\.0\.0\.1:{port}/dir: "):
        asyncio.run(issuer.issue("a.b"))


def test_two_servers_share_neither_account_nor_certificates(tmp_path: Path) -> None:
    shelves = {
        AcmeIssuer(TlsSettings("acme", acme_directory=url), Vault(tmp_path), FakeAdmin(), lambda: 0.0).shelf
        for url in ("https://a.example/dir", "https://staging.a.example/dir")
    }
    assert len(shelves) == 2


def test_thread_gives_its_result_its_error_and_nothing_when_nobody_waits() -> None:
    async def whole() -> None:
        assert await in_thread(lambda: 1) == 1
        with pytest.raises(ZeroDivisionError):
            await in_thread(lambda: 1 // 0)
        before = threading.active_count()
        task = asyncio.create_task(in_thread(lambda: time.monotonic()))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        await until_async(lambda: threading.active_count() <= before, "the thread has ended")
        # One turn for what it has left to the loop.
        await asyncio.sleep(0)

    asyncio.run(whole())


class Limiting(http.server.BaseHTTPRequestHandler):
    """An ACME server whose rate limit is used up."""

    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        body = b'{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many"}'
        self.send_response(429)
        self.send_header("Content-Type", "application/problem+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_server_whose_limit_is_used_up_is_left_alone_for_an_hour(tmp_path: Path) -> None:
    clock = [0.0]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Limiting) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        settings = TlsSettings("acme", acme_directory=f"http://127.0.0.1:{server.server_port}/dir")
        issuer = AcmeIssuer(settings, Vault(tmp_path), FakeAdmin(), lambda: clock[0])
        for now, asked, told in (
            (0.0, 1, "the server refused: rateLimited: too many"),
            (LIMITED_S - 1, 1, "the ACME server's rate limit is used up"),
            (LIMITED_S, 2, "the server refused: rateLimited: too many"),
        ):
            clock[0] = now
            with pytest.raises(HostError, match=told):
                asyncio.run(issuer.issue("a.b"))
            assert Limiting.asked == asked
        server.shutdown()
