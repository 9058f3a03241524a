"""Base: what a gateway had of services that its orchestrator has lost, and keeps until somebody says otherwise.

An update puts its services one by one; what it has not come to, and what no update will ever name, stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from runyard import files
from runyard.contracts import GatewayEndpoints, GatewayService, GatewaySnapshot, decode, encode
from runyard.errors import ContractError
from runyard.journal import Journal

Value = TypeVar("Value")


class Base:
    """The entries of services that are lost and that nobody has put or deleted since.

    `snapshot` is the gateway's own file; `lost` tells of a service in it whether what should be known of it is not. A
    copy is kept, because the gateway's file follows what it is sent.
    """

    def __init__(
        self, directory: Path, snapshot: Path, journal: Journal, lost: Callable[[str, GatewayService], bool]
    ) -> None:
        self._file = directory / "base.json"
        self._journal = journal
        self._base = self._load(self._file)
        found = self._load(snapshot)
        if found is None:
            return
        gone = {key for key, each in found.services.items() if lost(key, each)} - set(self.services)
        for key in found.services.keys() - gone:
            found = _without(found, key)
        if gone:
            journal.write("services lost", level="warning", services=sorted(gone))
            self._base = _joined(self._base, found) if self._base else found
            files.write(self._file, encode(self._base))

    @property
    def services(self) -> tuple[str, ...]:
        """The services that stay as they were, as `tenant/service`."""
        return tuple(self._base.services) if self._base else ()

    @property
    def revisions(self) -> frozenset[str]:
        """The revisions with traffic of these services, as `tenant/revision`: what is taken over of them stays too."""
        found = self._base.services.items() if self._base else ()
        return frozenset(f"{key.partition('/')[0]}/{share.revision}" for key, each in found for share in each.traffic)

    @property
    def addresses(self) -> frozenset[str]:
        """The addresses that the gateway still knows from then; nobody else may get one of them."""
        if self._base is None:
            return frozenset()
        places = (place for each in self._base.endpoints.values() for place in each.addresses)
        return frozenset({*self._base.callers, *(place.rpartition(":")[0] for place in places)})

    def settle(self, service: str) -> None:
        """Let a service go, because it was put in force or deleted."""
        if self._base is None or service not in self._base.services:
            return
        left = _without(self._base, service)
        if left.services:
            files.write(self._file, encode(left))
        else:
            files.remove(self._file)
        self._base = left if left.services else None

    def overlay(self, snapshot: GatewaySnapshot) -> GatewaySnapshot:
        """Give the snapshot with the entries that stay; what is known now goes before what was known then."""
        if self._base is None:
            return snapshot
        base = self._base
        return replace(
            snapshot,
            services=_ordered({**snapshot.services, **self._services(snapshot)}),
            hosts=_ordered({**base.hosts, **snapshot.hosts}),
            endpoints=_ordered({**snapshot.endpoints, **self._endpoints(snapshot)}),
            callers=_ordered({**base.callers, **snapshot.callers}),
            paths=_ordered({**base.paths, **snapshot.paths}),
        )

    def _services(self, snapshot: GatewaySnapshot) -> dict[str, GatewayService]:
        """Join services: what a revision calls that is just starting comes to what was called before."""
        assert self._base is not None  # noqa: S101 - asked by the caller
        joined = {}
        for key, before in self._base.services.items():
            now = snapshot.services.get(key, before)
            joined[key] = replace(before, uses=tuple(sorted({*before.uses, *now.uses})))
        return joined

    def _endpoints(self, snapshot: GatewaySnapshot) -> dict[str, GatewayEndpoints]:
        """Join endpoints: one that is taken over serves on while it is probed for the first time."""
        assert self._base is not None  # noqa: S101 - asked by the caller
        joined = {}
        for key, before in self._base.endpoints.items():
            now = snapshot.endpoints.get(key)
            addresses = tuple(sorted({*before.addresses, *(now.addresses if now else ())}))
            joined[key] = replace(now or before, addresses=addresses)
        return joined

    def _load(self, path: Path) -> GatewaySnapshot | None:
        try:
            return decode(GatewaySnapshot, path.read_bytes())
        except FileNotFoundError:
            return None
        except (ContractError, OSError, ValueError) as error:
            self._journal.write("base unreadable", level="error", file=str(path), error=str(error))
            return None


def _joined(one: GatewaySnapshot, other: GatewaySnapshot) -> GatewaySnapshot:
    return replace(
        one,
        services={**one.services, **other.services},
        hosts={**one.hosts, **other.hosts},
        endpoints={**one.endpoints, **other.endpoints},
        callers={**one.callers, **other.callers},
        paths={**one.paths, **other.paths},
    )


def _without(base: GatewaySnapshot, service: str) -> GatewaySnapshot:
    tenant = service.partition("/")[0]
    mine = {f"{tenant}/{share.revision}" for share in base.services[service].traffic}
    others = {
        f"{key.partition('/')[0]}/{share.revision}"
        for key, each in base.services.items()
        if key != service
        for share in each.traffic
    }
    parts = {host: tuple(each for each in found if each.service != service) for host, found in base.paths.items()}
    return replace(
        base,
        services={key: each for key, each in base.services.items() if key != service},
        hosts={host: key for host, key in base.hosts.items() if key != service},
        # An idle revision of nobody's traffic has endpoints too, and goes with the first that is let go.
        endpoints={key: each for key, each in base.endpoints.items() if key in others and key not in mine},
        callers={address: key for address, key in base.callers.items() if key != service},
        paths={host: found for host, found in parts.items() if found},
    )


def _ordered(found: Mapping[str, Value]) -> dict[str, Value]:
    return dict(sorted(found.items()))
