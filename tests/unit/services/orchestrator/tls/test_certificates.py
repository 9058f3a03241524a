"""Certificates: who gets one, when it is renewed, and what the gateway has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runyard.contracts import (
    CertificateRequest,
    CertificateStatus,
    PathRoute,
    RolloutRequest,
    RouteRequest,
    TrafficShare,
)
from runyard.errors import HostError, UsageError
from services.orchestrator.model.pair import Pair
from services.orchestrator.timing import Timing
from services.orchestrator.tls.authority import LEAF_LIFE_S, create_authority
from services.orchestrator.tls.certificate import describe
from services.orchestrator.tls.certificates import CHECK_S, Certificates, Source, Sources, public_hosts
from services.orchestrator.tls.local_issuer import LocalIssuer, open_authority
from services.orchestrator.tls.vault import Vault

from ..world import NOW, FakeAdmin, FakeClock, ListJournal, quiet

DAY = 86_400.0
CA = create_authority("localhost", "test", NOW)
HOST = "hello.localhost"


class FakeIssuer:
    """An ACME server that is told what to answer."""

    source: Source = "acme"
    shelf = "acme-test"
    at_once = False

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.asked: list[tuple[float, str]] = []
        self.error: Exception | None = None

    async def issue(self, host: str) -> Pair:
        self.asked.append((self.desk.now, host))
        if self.error is not None:
            raise self.error
        return CA.issue(host, self.desk.now)


class Desk:
    """Certificates with a clock that tests move; the wall clock goes with it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock, self.admin, self.journal = FakeClock(), FakeAdmin(), ListJournal()
        self.hosts = {HOST}
        self.jumped = 0.0
        self.issuer: Any = LocalIssuer(CA, lambda: self.now)
        self.certificates = self.open()

    @property
    def now(self) -> float:
        return NOW + self.jumped + self.clock.now - 1000.0

    async def pass_days(self, days: int) -> None:
        """Set the wall clock forward, and let timers find out, which takes them an hour."""
        self.jumped += days * DAY
        await self.clock.advance(3600)

    def open(self, issuer: Any = "same") -> Certificates:
        self.issuer = self.issuer if issuer == "same" else issuer
        sources = Sources(Vault(self.directory), self.issuer, self.admin, lambda: self.now)
        timing = Timing(self.clock, self.clock.sleep)
        self.certificates = Certificates(sources, lambda: frozenset(self.hosts), timing, self.journal)
        return self.certificates

    def until(self, name: str = HOST) -> float:
        return describe(self.admin.pairs[name]).not_after


def at_desk(test: Callable[[Desk], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    def run(tmp_path: Path) -> None:
        asyncio.run(test(Desk(tmp_path)))

    run.__name__ = test.__name__
    return run


class Running:
    """The loop, for as long as a test looks at it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    async def __aenter__(self) -> None:
        self.task = asyncio.create_task(self.desk.certificates.run())
        await quiet()

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@at_desk
async def test_new_host_is_covered_when_cover_returns(desk: Desk) -> None:
    await desk.certificates.cover()
    assert set(desk.admin.pairs) == {HOST}
    assert desk.certificates.status() == (CertificateStatus(HOST, "local", int(NOW + LEAF_LIFE_S)),)
    desk.hosts.add("web.localhost")
    await desk.certificates.cover()
    # Nobody else's is sent for it.
    assert desk.admin.sent == [HOST, "web.localhost"]


@at_desk
async def test_certificate_is_renewed_on_its_own_at_two_thirds(desk: Desk) -> None:
    async with Running(desk):
        first = desk.until()
        await desk.pass_days(58)
        assert desk.until() == first
        await desk.pass_days(3)
        assert desk.until() > first + 57 * DAY
    assert [event for event in desk.journal.events() if event == "certificate issued"] == ["certificate issued"] * 2


@at_desk
async def test_restart_uses_what_was_kept(desk: Desk) -> None:
    await desk.certificates.cover()
    before = desk.admin.pairs[HOST]
    await desk.open().cover()
    assert desk.admin.pairs[HOST] == before
    assert desk.admin.sent == [HOST]


@at_desk
async def test_certificates_of_another_issuer_are_not_used(desk: Desk) -> None:
    await desk.certificates.cover()
    other = create_authority("localhost", "test", NOW)
    await desk.open(LocalIssuer(other, lambda: desk.now)).cover()
    assert desk.admin.sent == [HOST, HOST]


@at_desk
async def test_gateway_that_forgot_is_sent_everything_again(desk: Desk) -> None:
    async with Running(desk):
        desk.admin.pairs.clear()
        await desk.clock.advance(CHECK_S)
        assert set(desk.admin.pairs) == {HOST}


@at_desk
async def test_gateway_that_is_away_is_told_of_once_and_catches_up(desk: Desk) -> None:
    desk.admin.away = True
    async with Running(desk):
        await desk.clock.advance(3 * CHECK_S)
        assert desk.journal.events().count("certificates not sent") == 1
        desk.admin.away = False
        await desk.clock.advance(CHECK_S)
        assert set(desk.admin.pairs) == {HOST}


@at_desk
async def test_host_that_is_gone_is_withdrawn(desk: Desk) -> None:
    async with Running(desk):
        desk.hosts.clear()
        await desk.clock.advance(CHECK_S)
        assert desk.admin.pairs == {}


@at_desk
async def test_given_certificate_goes_before_an_issued_one(desk: Desk) -> None:
    await desk.certificates.cover()
    pair = CA.issue(HOST, NOW + 5 * DAY)
    await desk.certificates.give(CertificateRequest("mine", pair.chain, pair.key))
    assert desk.admin.pairs == {HOST: pair}
    assert desk.certificates.status()[0].source == "file"
    await desk.open().cover()
    assert desk.certificates.status()[0].source == "file"
    await desk.certificates.take_back("mine")
    await desk.certificates.take_back("mine")
    assert desk.admin.pairs != {HOST: pair}
    assert desk.certificates.status()[0].source == "local"


@at_desk
async def test_given_wildcard_spares_the_order(desk: Desk) -> None:
    desk.hosts = {"a.team.localhost", "b.team.localhost"}
    pair = CA.issue("*.team.localhost", NOW)
    await desk.certificates.give(CertificateRequest("team", pair.chain, pair.key))
    await desk.certificates.cover()
    assert desk.admin.pairs == {"*.team.localhost": pair}


@at_desk
async def test_broken_certificate_is_refused_and_the_one_before_stays(desk: Desk) -> None:
    good = CA.issue(HOST, NOW)
    await desk.certificates.give(CertificateRequest("mine", good.chain, good.key))
    ended = CA.issue(HOST, NOW - 2 * LEAF_LIFE_S)
    for broken, told in (
        (Pair("x", good.key), "certificate: must be PEM"),
        (ended, "certificate mine: must not have ended already"),
    ):
        with pytest.raises(UsageError, match=f"^{told}"):
            await desk.certificates.give(CertificateRequest("mine", broken.chain, broken.key))
    assert desk.admin.pairs == {HOST: good}
    await desk.open().cover()
    assert desk.admin.pairs == {HOST: good}


@at_desk
async def test_certificate_that_the_gateway_refuses_is_reported_until_it_takes_it(desk: Desk) -> None:
    desk.admin.broken.add(HOST)
    async with Running(desk):
        await desk.clock.advance(3 * CHECK_S)
        assert desk.certificates.status()[0].problem.endswith("refused by the gateway: broken")
        assert desk.journal.events().count("certificate refused") == 1
        desk.admin.broken.clear()
        await desk.clock.advance(CHECK_S)
        assert desk.certificates.status()[0].problem == ""


@at_desk
async def test_failed_order_backs_off_and_is_reported(desk: Desk) -> None:
    issuer = FakeIssuer(desk)
    issuer.error = HostError("order certificate: the server could not prove it")
    desk.open(issuer)
    async with Running(desk):
        await desk.clock.advance(3600)
        assert [at - NOW for at, _ in issuer.asked] == [0, 300, 900, 2100]
        assert desk.certificates.status() == (
            CertificateStatus(HOST, "acme", 0, "order certificate: the server could not prove it"),
        )
        # A new route is no reason to ask again for an old one.
        await desk.certificates.cover()
        assert len(issuer.asked) == 4
        issuer.error = None
        await desk.clock.advance(2 * 3600)
        assert desk.certificates.status()[0].problem == ""
        assert set(desk.admin.pairs) == {HOST}


@at_desk
async def test_failed_renewal_keeps_the_old_one_and_is_reported(desk: Desk) -> None:
    issuer = FakeIssuer(desk)
    desk.open(issuer)
    async with Running(desk):
        before = desk.admin.pairs[HOST]
        issuer.error = HostError("away")
        await desk.pass_days(61)
        assert desk.admin.pairs[HOST] == before
        assert desk.certificates.status()[0].problem == "not renewed: away"
        await desk.pass_days(30)
        assert desk.certificates.status()[0].problem == "not renewed: away"


@at_desk
async def test_without_an_issuer_uncovered_hosts_are_reported(desk: Desk) -> None:
    desk.open(None)
    await desk.certificates.cover()
    assert desk.certificates.status() == (CertificateStatus(HOST, "none", 0, "none covers it"),)


@at_desk
async def test_given_certificate_that_ended_is_reported(desk: Desk) -> None:
    pair = CA.issue(HOST, NOW)
    desk.open(None)
    await desk.certificates.give(CertificateRequest("mine", pair.chain, pair.key))
    await desk.pass_days(91)
    assert desk.certificates.status() == (CertificateStatus(HOST, "file", int(NOW + LEAF_LIFE_S), "it has ended"),)


@at_desk
async def test_file_that_cannot_be_read_is_told_and_made_anew(desk: Desk) -> None:
    await desk.certificates.cover()
    (file,) = desk.directory.glob("local-*/*")
    file.write_text('{"chain": "x", "key": "y"}')
    await desk.open().cover()
    assert "certificate corrupt" in desk.journal.events()
    assert desk.certificates.status()[0].not_after > NOW


@at_desk
async def test_keys_are_never_written_down(desk: Desk) -> None:
    desk.admin.broken.add("web.localhost")
    desk.hosts.add("web.localhost")
    pair = CA.issue(HOST, NOW)
    await desk.certificates.give(CertificateRequest("mine", pair.chain, pair.key))
    await desk.certificates.cover()
    assert "PRIVATE" not in repr((desk.journal.entries, desk.certificates.status(), CertificateRequest("a", "b", "P")))


def test_local_authority_is_kept_for_its_domain_and_made_anew_when_it_ended(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    first = open_authority(vault, "localhost", "dev", NOW)
    assert open_authority(vault, "localhost", "dev", NOW + DAY) == first
    assert open_authority(vault, "example.test", "dev", NOW) != first
    assert open_authority(vault, "localhost", "dev", NOW + 4000 * DAY) != first
    (tmp_path / "authority" / "localhost.json").write_text("{}")
    assert open_authority(vault, "localhost", "dev", NOW) != first


ROUTE = RouteRequest("default", "hello", (HOST, "*", "*.hello.localhost"))


@pytest.mark.parametrize(
    ("route", "hosts"),
    [
        (ROUTE, {HOST, "*.hello.localhost", f"blue---{HOST}"}),
        (replace(ROUTE, ingress="internal"), set()),
        (replace(ROUTE, paths=(PathRoute("shop.localhost", "/cart"),), hosts=()), {"shop.localhost"}),
    ],
)
def test_public_hosts_are_those_of_routes_and_tags(route: RouteRequest, hosts: set[str]) -> None:
    rollout = RolloutRequest("default", "hello", (TrafficShare("hello-1", 100, "blue"), TrafficShare("hello-2", 0)))
    found = public_hosts({"default/hello": route}, {"default/hello": rollout})
    assert {host for host in found if not host.startswith("blue---shop")} == hosts
