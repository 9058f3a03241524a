"""Route message: the hosts that a service answers, and how the gateway handles its requests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from runyard.codec import VERSION
from runyard.contracts.objective import Objective

Ingress = Literal["all", "internal", "internal-and-cloud-load-balancing"]


@dataclass(frozen=True, slots=True)
class PathRoute:
    """A part of a public host: `path` and what lies below it.

    `rewrite` takes the place of `path` in what the instance sees; empty leaves the path as it is.
    """

    host: str
    path: str
    rewrite: str = ""


@dataclass(frozen=True, slots=True)
class Handling:
    """How the gateway handles the requests of a service; a number that is 0 sets no limit of the service's own.

    `response_start_s` is the time to the first byte, `idle_s` the longest silence after it. Without
    `request_buffering`, bodies pass both ways as they come. With `cache`, answers that say so are kept for others.
    """

    response_start_s: int = 0
    idle_s: int = 0
    max_request_bytes: int = 0
    max_response_bytes: int = 0
    request_buffering: bool = True
    cache: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What the gateway lets a service be asked for; 0 is no limit.

    `client_requests_per_second` is for each client, told by `client_header` or, without, by its address; a burst of 0
    is the gateway's default. `tenant_requests_per_second` is for all services of the tenant together.
    """

    requests_per_second: int = 0
    tenant_requests_per_second: int = 0
    client_requests_per_second: int = 0
    client_burst: int = 0
    client_header: str = ""
    concurrent_requests: int = 0
    # How many requests wait for a free instance, and how long; 0 s is the platform's time to hold a request.
    queue_size: int = 1000
    queue_timeout_s: int = 0


@dataclass(frozen=True, slots=True)
class Fallback:
    """What answers when no instance of a service can: another service of its tenant, or a page; both empty is none."""

    service: str = ""
    page: str = ""


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a request that failed before its answer began is sent again at most, where that is safe and affordable.

    Before each time it waits as long as chance says, up to `backoff_ms` and twice as much each time, `backoff_most_ms`
    at the longest; 0 sends it again at once.
    """

    attempts: int = 8
    backoff_ms: int = 0
    backoff_most_ms: int = 0


@dataclass(frozen=True, slots=True)
class Breaker:
    """When a revision that gives no answer is asked no more: after so many `failures`, 0 being never, and nothing else.

    They must have lasted for `patience_s`. It is left alone for `open_s`, twice as long each time, `open_most_s` at the
    longest.
    """

    failures: int = 5
    patience_s: int = 3
    open_s: int = 1
    open_most_s: int = 30


@dataclass(frozen=True, slots=True)
class RouteRequest:
    """Asks the orchestrator to answer these hosts with this service, and says how.

    A host may begin with `*.`, which stands for one label, and `*` alone is every host that nobody else answers.
    """

    tenant: str
    service: str
    hosts: tuple[str, ...]
    ingress: Ingress = "all"
    timeout_s: int = 300
    session_affinity: bool = False
    paths: tuple[PathRoute, ...] = ()
    handling: Handling = field(default_factory=Handling)
    limits: Limits = field(default_factory=Limits)
    fallback: Fallback = field(default_factory=Fallback)
    retries: Retries = field(default_factory=Retries)
    breaker: Breaker = field(default_factory=Breaker)
    # What it is judged by; nothing of it is for the gateway.
    objective: Objective = field(default_factory=Objective)
    version: int = VERSION
