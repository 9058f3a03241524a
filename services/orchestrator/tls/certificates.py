"""Certificates: keeps every public host in one that counts, and the gateway in step with them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from runyard import names
from runyard.contracts import CertificateRequest, CertificateStatus, RolloutRequest, RouteRequest
from runyard.errors import HostError, RunyardError, UsageError
from runyard.journal import Journal
from services.orchestrator.model.pair import Pair
from services.orchestrator.timing import Timing
from services.orchestrator.tls.certificate import Facts, covering, describe
from services.orchestrator.tls.renewal import Failures, Life, due, next_due
from services.orchestrator.tls.vault import Vault

Source = Literal["local", "file", "acme", "none"]

GIVEN = "given"
# How often the gateway is asked what it has. A restarted one has its own files, so nobody waits for this.
CHECK_S = 10.0


class Issuer(Protocol):
    """Something that gives certificates for hosts; RunyardError says why it does not."""

    source: Source
    # Where in the vault its certificates are: another one's are not taken for its own.
    shelf: str
    # Whether it answers at once, so that a route can wait for its certificate.
    at_once: bool

    async def issue(self, host: str) -> Pair:
        """Get a new certificate for a host."""
        ...


class Admin(Protocol):
    """The gateway's side; every method raises HostError."""

    async def certificates(self) -> Mapping[str, str]:
        """Give the digest of each certificate in force, by name."""
        ...

    async def put_certificate(self, name: str, pair: Pair) -> None:
        """Put a certificate in force; UsageError if the gateway finds it broken."""
        ...

    async def delete_certificate(self, name: str) -> None:
        """Take a certificate out of force."""
        ...


@dataclass(frozen=True, slots=True)
class Sources:
    """What certificates are made of: those kept, who issues, the gateway, and the wall clock in seconds."""

    vault: Vault
    issuer: Issuer | None
    admin: Admin
    now: Callable[[], float]


class Certificates:
    """The certificates of a stack; `hosts` gives those that need one now."""

    def __init__(self, sources: Sources, hosts: Callable[[], frozenset[str]], timing: Timing, journal: Journal) -> None:
        self._vault, self._issuer, self._admin = sources.vault, sources.issuer, sources.admin
        self._now, self._hosts, self._timing, self._journal = sources.now, hosts, timing, journal
        self._given = self._load(GIVEN)
        self._issued = self._load(self._issuer.shelf) if self._issuer else {}
        self._failures: dict[str, Failures] = {}
        self._refused: dict[str, str] = {}
        self._wake = asyncio.Event()
        self._issuing = asyncio.Lock()
        self._sending = asyncio.Lock()
        self._reachable = True

    # What others ask of it.

    async def give(self, request: CertificateRequest) -> None:
        """Answer the hosts of a certificate with it; UsageError if it is broken, and the one before stays."""
        pair = Pair(request.chain, request.key)
        facts = describe(pair)
        if facts.not_after <= self._now():
            raise UsageError(f"certificate {request.name}: must not have ended already")
        self._vault.put(GIVEN, request.name, pair)
        self._given[request.name] = pair, facts
        await self._to_gateway(self._sync)

    async def take_back(self, name: str) -> None:
        """Forget a certificate that was given; one that is not there is no error."""
        self._vault.delete(GIVEN, name)
        self._given.pop(name, None)
        await self._to_gateway(self._sync)

    async def cover(self) -> None:
        """Look at the hosts now; where certificates are made at once, return when the gateway has them."""
        self._wake.set()
        if self._issuer is not None and self._issuer.at_once:
            issued = await self._issue_due()
            # Only these, for in an update with many services each has its turn here.
            await self._to_gateway(lambda: self._put_all(issued))

    def given(self) -> dict[str, str]:
        """Give the digest of each given certificate's chain, by name."""
        return {name: names.digest(pair.chain) for name, (pair, _) in sorted(self._given.items())}

    def status(self) -> tuple[CertificateStatus, ...]:
        """Describe the certificate of every host that needs one."""
        return tuple(self._describe(host) for host in sorted(self._hosts()))

    # The loop.

    async def run(self) -> None:
        """Keep certificates in order until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._run_issuing())
            group.create_task(self._run_sync())

    async def _run_issuing(self) -> None:
        # Apart from the other loop: an order can take a minute.
        while True:
            self._wake.clear()
            await self._issue_due()
            await self._to_gateway(self._sync)
            left = next_due(self._uncovered(), self._lives(), self._failures) - self._now()
            # At least a second, and at most an hour: the wall clock may be set, and timers do not see that.
            await self._timing.within(min(max(left, 1.0), 3600.0), self._wake.wait())

    async def _run_sync(self) -> None:
        while True:
            await self._to_gateway(self._sync)
            await self._timing.sleep(CHECK_S)

    async def _issue_due(self) -> list[str]:
        """Issue what is due, and give the hosts for which that succeeded."""
        done: list[str] = []
        if self._issuer is None:
            return done
        async with self._issuing:
            for host in due(self._uncovered(), self._lives(), self._failures, self._now()):
                if await self._issue(host, self._issuer):
                    done.append(host)
        return done

    async def _issue(self, host: str, issuer: Issuer) -> bool:
        try:
            pair = await issuer.issue(host)
            facts = describe(pair)
            self._vault.put(issuer.shelf, host, pair)
        except (RunyardError, OSError) as error:
            count = self._failures[host].count + 1 if host in self._failures else 1
            self._failures[host] = Failures(count, self._now(), str(error))
            self._journal.write("certificate not issued", level="error", host=host, error=str(error))
            return False
        self._failures.pop(host, None)
        self._issued[host] = pair, facts
        self._journal.write("certificate issued", host=host, source=issuer.source)
        if not issuer.at_once:
            # The next order may take a minute.
            await self._to_gateway(lambda: self._put_all([host]))
        return True

    async def _to_gateway(self, work: Callable[[], Awaitable[None]]) -> None:
        async with self._sending:
            try:
                await work()
            except HostError as error:
                # It is tried again within CHECK_S; meanwhile the gateway goes on with what it has.
                if self._reachable:
                    self._journal.write("certificates not sent", level="warning", error=str(error))
                self._reachable = False
            else:
                self._reachable = True

    async def _sync(self) -> None:
        target = self._target()
        there = await self._admin.certificates()
        await self._put_all([name for name, pair in target.items() if there.get(name) != pair.digest()])
        for name in sorted(there.keys() - target.keys()):
            await self._admin.delete_certificate(name)

    async def _put_all(self, wanted: Iterable[str]) -> None:
        target = self._target()
        for name in wanted:
            if name not in target:
                continue
            try:
                await self._admin.put_certificate(name, target[name])
                self._refused.pop(name, None)
            except UsageError as error:
                if self._refused.get(name) != str(error):
                    self._journal.write("certificate refused", level="error", name=name, error=str(error))
                self._refused[name] = str(error)

    # What follows from what is known.

    def _load(self, shelf: str) -> dict[str, tuple[Pair, Facts]]:
        found = {}
        for name, pair in self._vault.all(shelf):
            try:
                found[name] = pair, describe(pair)
            except UsageError as error:
                # Made or sent anew, as if it had never been.
                self._journal.write("certificate corrupt", level="error", name=name, error=str(error))
        return found

    def _target(self) -> dict[str, Pair]:
        """Give what the gateway should have: those issued for hosts of now, and over them those that were given."""
        target = {host: self._issued[host][0] for host in sorted(self._uncovered()) if host in self._issued}
        for pair, name in self._given_names():
            target[name] = pair
        return target

    def _given_names(self) -> Iterable[tuple[Pair, str]]:
        # Of two for one name the one that ends later counts.
        for _, (pair, facts) in sorted(self._given.items(), key=lambda each: each[1][1].not_after):
            for name in facts.names:
                yield pair, name

    def _uncovered(self) -> frozenset[str]:
        """Name the hosts that no given certificate covers."""
        given = {name for _, facts in self._given.values() for name in facts.names}
        return frozenset(host for host in self._hosts() if covering(host, given) is None)

    def _lives(self) -> dict[str, Life]:
        return {host: Life(facts.not_before, facts.not_after) for host, (_, facts) in self._issued.items()}

    def _describe(self, host: str) -> CertificateStatus:
        given: dict[str, Facts] = {}
        for _, facts in sorted(self._given.values(), key=lambda each: each[1].not_after):
            given |= dict.fromkeys(facts.names, facts)
        name = covering(host, given) or host
        source: Source = "file" if name in given else self._issuer.source if self._issuer else "none"
        issued = self._issued[host][1] if host in self._issued else None
        found = given.get(name, issued)
        problem = self._refused.get(name, "")
        if found is None:
            failed = self._failures.get(host)
            problem = failed.reason if failed else "no certificate covers it yet" if self._issuer else "none covers it"
            return CertificateStatus(host, source if self._issuer else "none", 0, problem)
        if host in self._failures and name not in given:
            problem = problem or f"not renewed: {self._failures[host].reason}"
        if found.not_after <= self._now():
            problem = problem or "it has ended"
        return CertificateStatus(host, source, int(found.not_after), problem)


def public_hosts(routes: Mapping[str, RouteRequest], rollouts: Mapping[str, RolloutRequest]) -> frozenset[str]:
    """Name the hosts that clients may call: those of public routes, and of their tags.

    `*`, any host at all, is left out: no certificate is for that.
    """
    found: set[str] = set()
    for key, route in routes.items():
        if route.ingress == "internal":
            continue
        hosts = {host for host in (*route.hosts, *(each.host for each in route.paths)) if host != "*"}
        tags = {share.tag for share in rollouts[key].traffic if share.tag} if key in rollouts else set()
        tagged = {names.tagged_host(tag, host) for tag in tags for host in hosts if not host.startswith("*.")}
        found |= hosts | tagged
    return frozenset(found)
