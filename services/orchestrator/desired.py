"""Desired documents: what was asked for, a file for each route and rollout; a kill leaves the old one or the new."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from runyard.contracts import RouteRequest, decode, encode
from runyard.errors import ContractError, UsageError
from runyard.names import DNS_LABEL, service_key
from services.orchestrator.commitment import Commitment
from services.orchestrator.journal import Journal

Document = RouteRequest | Commitment
Kind = TypeVar("Kind", RouteRequest, Commitment)


class DesiredStore:
    """Routes and committed rollouts by `tenant/service`, in memory and on disk."""

    def __init__(self, directory: Path, journal: Journal) -> None:
        self._directory = directory
        self._journal = journal
        self._corrupt: list[str] = []
        self._routes: dict[str, RouteRequest] = {}
        self._rollouts: dict[str, Commitment] = {}
        for kind in ("routes", "rollouts"):
            (directory / kind).mkdir(parents=True, exist_ok=True)
        for route in self._load("routes", RouteRequest):
            self._routes[service_key(route.tenant, route.service)] = route
        for rollout in self._load("rollouts", Commitment):
            self._rollouts[service_key(rollout.tenant, rollout.service)] = rollout

    @property
    def routes(self) -> Mapping[str, RouteRequest]:
        """The routes in force."""
        return dict(self._routes)

    @property
    def rollouts(self) -> Mapping[str, Commitment]:
        """The rollouts in force."""
        return dict(self._rollouts)

    @property
    def corrupt(self) -> tuple[str, ...]:
        """The files that could not be read at the start."""
        return tuple(self._corrupt)

    def put_route(self, request: RouteRequest) -> None:
        """Keep a route; a host, or a part of one, that another service had moves to this one."""
        key = service_key(request.tenant, request.service)
        claimed = {(part.host, part.path) for part in request.paths}
        for other, route in sorted(self._routes.items()):
            left = replace(
                route,
                hosts=tuple(host for host in route.hosts if host not in request.hosts),
                paths=tuple(part for part in route.paths if (part.host, part.path) not in claimed),
            )
            if other != key and left != route:
                self._journal.write("host moved", before=other, after=key)
                self._save("routes", left)
                self._routes[other] = left
        self._save("routes", request)
        self._routes[key] = request

    def put_rollout(self, commitment: Commitment) -> None:
        """Keep a service's traffic."""
        self._save("rollouts", commitment)
        self._rollouts[service_key(commitment.tenant, commitment.service)] = commitment

    def delete_route(self, tenant: str, service: str) -> None:
        """Forget a route; one that is not there is no error."""
        self._delete("routes", tenant, service)
        self._routes.pop(service_key(tenant, service), None)

    def delete_rollout(self, tenant: str, service: str) -> None:
        """Forget a service's traffic; one that is not there is no error."""
        self._delete("rollouts", tenant, service)
        self._rollouts.pop(service_key(tenant, service), None)

    def _path(self, kind: str, tenant: str, service: str) -> Path:
        for part in (tenant, service):
            if not DNS_LABEL.fullmatch(part):
                raise UsageError(f"{kind}: tenant and service must be DNS labels, got {part!r}")
        return self._directory / kind / f"{tenant}.{service}.json"

    def _save(self, kind: str, document: Document) -> None:
        path = self._path(kind, document.tenant, document.service)
        temporary = path.with_suffix(".tmp")
        with temporary.open("w") as file:
            file.write(encode(document))
            file.flush()
            # Synced before the rename, or a power cut could leave the new name on an empty file.
            os.fsync(file.fileno())
        temporary.replace(path)
        self._sync_directory(path.parent)

    def _delete(self, kind: str, tenant: str, service: str) -> None:
        path = self._path(kind, tenant, service)
        path.unlink(missing_ok=True)
        self._sync_directory(path.parent)

    @staticmethod
    def _sync_directory(directory: Path) -> None:
        # The rename and the removal are themselves data of the directory.
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _load(self, kind: str, shape: type[Kind]) -> list[Kind]:
        found: list[Kind] = []
        for path in sorted((self._directory / kind).iterdir()):
            if path.suffix == ".tmp":
                # A temporary file of a write that was cut short: its document was never in force.
                path.unlink()
                continue
            try:
                document = decode(shape, path.read_bytes())
                if path != self._path(kind, document.tenant, document.service):
                    raise ContractError(f"holds {document.tenant}/{document.service}")
                found.append(document)
            except (ContractError, UsageError, OSError) as error:
                self._corrupt.append(f"{kind}/{path.name}")
                self._journal.write("document corrupt", level="error", file=f"{kind}/{path.name}", error=str(error))
        return found
