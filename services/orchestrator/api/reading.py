"""Reading: the API's answers to what changes nothing, whole for the unix socket and without addresses for the port."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from aiohttp import web

from runyard.contracts import (
    ContainerOwner,
    DecisionList,
    EndpointList,
    InstanceList,
    OrchestratorStatus,
    RevisionList,
    ServiceList,
    encode,
)
from runyard.errors import UsageError
from runyard.names import service_key
from services.orchestrator.api.listener import Handler
from services.orchestrator.api.public import public_endpoints, public_instances, public_revisions, public_status
from services.orchestrator.api.watch import Feed, Watch
from services.orchestrator.control.orchestrator import Orchestrator
from services.orchestrator.timing import Timing
from services.orchestrator.tls.tls import Tls

_SERVICE = re.compile(r"[a-z0-9-]{1,63}/[a-z0-9-]{1,63}")
Listing = TypeVar("Listing", ServiceList, RevisionList, InstanceList, EndpointList, DecisionList)


class _Item(Protocol):
    """What every listed thing says of itself."""

    @property
    def tenant(self) -> str:
        """Whose it is."""
        ...

    @property
    def service(self) -> str:
        """Which service it belongs to."""
        ...


class Readings:
    """The reading operations by name; `public` ones tell no address and no log line."""

    def __init__(self, orchestrator: Orchestrator, tls: Tls, timing: Timing, *, public: bool) -> None:
        self._orchestrator = orchestrator
        self._tls = tls
        self._public = public
        self._watch = Watch(Feed(self._things, orchestrator.epoch), timing)

    def handlers(self) -> Mapping[str, Handler]:
        """Give what answers each operation."""
        return {
            "getHealth": self._get_health,
            "getStatus": self._get_status,
            "listServices": self._listed(self._services),
            "listRevisions": self._listed(self._revisions),
            "listInstances": self._listed(self._instances),
            "listEndpoints": self._listed(self._endpoints),
            "listDecisions": self._listed(self._orchestrator.decisions),
            "getRecordedLoad": self._get_recorded_load,
            "watch": self._watch.handle,
        }

    def _listed(self, read: Callable[[], Listing]) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            return answer(encode(_of_service(read(), request)))

        return handle

    def _services(self) -> ServiceList:
        return self._orchestrator.services()

    def _revisions(self) -> RevisionList:
        listed = self._orchestrator.revisions()
        return public_revisions(listed) if self._public else listed

    def _instances(self) -> InstanceList:
        listed = self._orchestrator.instances()
        return public_instances(listed) if self._public else listed

    def _endpoints(self) -> EndpointList:
        listed = self._orchestrator.endpoints()
        return public_endpoints(listed) if self._public else listed

    def _status(self) -> OrchestratorStatus:
        status = replace(self._orchestrator.status(), certificates=self._tls.certificates.status())
        return public_status(status) if self._public else status

    async def _get_status(self, _: web.Request) -> web.StreamResponse:
        return answer(encode(self._status()))

    async def _get_health(self, _: web.Request) -> web.StreamResponse:
        healthy = self._orchestrator.healthy
        return web.json_response({"status": "ok" if healthy else "degraded"}, status=200 if healthy else 503)

    async def _get_recorded_load(self, request: web.Request) -> web.StreamResponse:
        tenant, _, service = _named_service(request, request.query.get("service", "")).partition("/")
        return answer(encode(await self._orchestrator.recorded_load(tenant, service)))

    def _things(self) -> dict[str, str]:
        """Give everything that is watched as JSON, by its kind and key."""
        services, found = self._services(), dict[str, str]()
        _enter(found, "service", ((service_key(each.tenant, each.service), each) for each in services.services))
        _enter(found, "override", ((service_key(each.tenant, each.service), each) for each in services.overrides))
        _enter(
            found, "revision", ((service_key(each.tenant, each.revision), each) for each in self._revisions().revisions)
        )
        _enter(found, "instance", ((each.instance, each) for each in self._instances().instances))
        _enter(
            found, "endpoint", ((service_key(each.tenant, each.revision), each) for each in self._endpoints().endpoints)
        )
        if not self._public:
            found |= {f"owner {container}": _owner(owner) for container, owner in self._orchestrator.owners().items()}
        _enter(found, "part", ((each.name, each) for each in self._orchestrator.parts()))
        _enter(found, "certificate", ((each.host, each) for each in self._tls.certificates.status()))
        _enter(found, "decision", ((str(each.number), each) for each in self._orchestrator.decisions().decisions))
        return found


@lru_cache(maxsize=4096)
def _owner(owner: ContainerOwner) -> str:
    """Encode whose a container is, which never changes."""
    return encode(owner)


def answer(text: str, status: int = 200) -> web.Response:
    """Build an answer of JSON."""
    return web.Response(text=text, status=status, content_type="application/json")


def _enter(found: dict[str, str], kind: str, things: Iterable[tuple[str, Any]]) -> None:
    found |= {f"{kind} {key}": encode(thing) for key, thing in things}


def _named_service(request: web.Request, wanted: str) -> str:
    """Give the name of a service as it was given; UsageError if it can be none."""
    if not _SERVICE.fullmatch(wanted):
        raise UsageError(f"{request.method} {request.path}: service must be TENANT/SERVICE, got {json.dumps(wanted)}")
    return wanted


def _of_service(listed: Listing, request: web.Request) -> Listing:
    """Leave what is of the service that a request names, if it names one."""
    wanted = request.query.get("service")
    if wanted is None:
        return listed
    _named_service(request, wanted)

    def is_wanted(item: _Item) -> bool:
        return service_key(item.tenant, item.service) == wanted

    tuples = {each.name: getattr(listed, each.name) for each in fields(listed) if each.name != "version"}
    chosen: dict[str, Any] = {name: tuple(filter(is_wanted, items)) for name, items in tuples.items()}
    return replace(listed, **chosen)
