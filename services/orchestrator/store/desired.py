"""Desired services: the route and the rollout in force of each, in one file; a kill leaves the old or the new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from runyard import files
from runyard.codec import VERSION
from runyard.contracts import RouteRequest, decode, encode
from runyard.errors import ContractError, UsageError
from runyard.journal import Journal
from runyard.names import DNS_LABEL, service_key
from services.orchestrator.traffic.commitment import Commitment


@dataclass(frozen=True, slots=True)
class DesiredService:
    """What is in force of a service: in one file, so that never one half of an update is."""

    route: RouteRequest
    rollout: Commitment
    version: int = VERSION


class DesiredStore:
    """Services by `tenant/service`, in memory and on disk."""

    def __init__(self, directory: Path, journal: Journal) -> None:
        self._directory = directory / "services"
        self._journal = journal
        self._corrupt: list[str] = []
        self._services: dict[str, DesiredService] = {}
        self._directory.mkdir(parents=True, exist_ok=True)
        files.clear(self._directory)
        self._load()
        self._share()

    @property
    def routes(self) -> Mapping[str, RouteRequest]:
        """The routes in force."""
        return self._routes

    @property
    def rollouts(self) -> Mapping[str, Commitment]:
        """The rollouts in force."""
        return self._rollouts

    @property
    def corrupt(self) -> tuple[str, ...]:
        """The files that could not be read at the start."""
        return tuple(self._corrupt)

    @property
    def damaged(self) -> frozenset[str]:
        """The services whose files could not be read, by the names of the files."""
        parted = (Path(name).stem.partition(".") for name in self._corrupt)
        return frozenset(service_key(tenant, service) for tenant, _, service in parted)

    def put(self, route: RouteRequest, rollout: Commitment) -> None:
        """Put a service in force; a host, or a part of one, that another service had moves to this one."""
        key = service_key(route.tenant, route.service)
        self._save(key, DesiredService(route, rollout))
        claimed = {(part.host, part.path) for part in route.paths}
        for other, service in sorted(self._services.items()):
            left = replace(
                service.route,
                hosts=tuple(host for host in service.route.hosts if host not in route.hosts),
                paths=tuple(part for part in service.route.paths if (part.host, part.path) not in claimed),
            )
            if other != key and left != service.route:
                self._journal.write("host moved", before=other, after=key)
                self._save(other, replace(service, route=left))
        self._share()

    def put_rollout(self, rollout: Commitment) -> None:
        """Keep the traffic of a service that is in force already."""
        key = service_key(rollout.tenant, rollout.service)
        self._save(key, replace(self._services[key], rollout=rollout))
        self._share()

    def delete(self, tenant: str, service: str) -> None:
        """Forget a service; one that is not there is no error."""
        key = service_key(tenant, service)
        files.remove(self._path(key))
        self._services.pop(key, None)
        self._share()

    def _share(self) -> None:
        # Made anew at each change and never changed, so that whoever reads needs no copy.
        self._routes = MappingProxyType({key: each.route for key, each in self._services.items()})
        self._rollouts = MappingProxyType({key: each.rollout for key, each in self._services.items()})

    def _path(self, key: str) -> Path:
        tenant, _, service = key.partition("/")
        for part in (tenant, service):
            if not DNS_LABEL.fullmatch(part):
                raise UsageError(f"service: tenant and service must be DNS labels, got {part!r}")
        return self._directory / f"{tenant}.{service}.json"

    def _save(self, key: str, service: DesiredService) -> None:
        files.write(self._path(key), encode(service))
        self._services[key] = service
        name = f"services/{self._path(key).name}"
        self._corrupt = [each for each in self._corrupt if each != name]

    def _load(self) -> None:
        for path in sorted(self._directory.iterdir()):
            try:
                service = decode(DesiredService, path.read_bytes())
                key = service_key(service.route.tenant, service.route.service)
                if path != self._path(key) or key != service_key(service.rollout.tenant, service.rollout.service):
                    raise ContractError(f"holds {key}")
                self._services[key] = service
            except (ContractError, UsageError, OSError, ValueError) as error:
                self._corrupt.append(f"services/{path.name}")
                self._journal.write("service corrupt", level="error", file=f"services/{path.name}", error=str(error))
