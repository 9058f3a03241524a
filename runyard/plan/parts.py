"""Parts of the platform: one entry for each container that a stack runs for itself, and what a stack makes of it; pure.

Whatever lists parts derives its list from PARTS: names on the host, policies, capacity, recovery, checks, effects and
components. A new part is an entry here, and an image in `images/catalog.yaml`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from runyard import names
from runyard.contracts import Budgets
from runyard.manifest.model import Platform
from runyard.plan.effect import Effect
from runyard.plan.environment import (
    Environment,
    Subject,
    tell_alertmanager,
    tell_billing,
    tell_console,
    tell_filter,
    tell_firewall,
    tell_logs,
    tell_meter,
    tell_nothing,
    tell_orchestrator,
    tell_prometheus,
)
from runyard.plan.listeners import (
    ListenerPlan,
    check_apart,
    plan_alertmanager_listeners,
    plan_billing_listeners,
    plan_console_listeners,
    plan_gateway_listeners,
    plan_logs_listeners,
    plan_meter_listeners,
    plan_orchestrator_listeners,
    plan_prometheus_listeners,
)
from runyard.plan.part import ENGINE_SOCKET, Part, PartPlan, PartVolume
from runyard.pricing.settings import BillingSettings

Listeners = Callable[[Platform, str], tuple[ListenerPlan, ...]]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A part, and what decides in each stack where it listens, what it is told, and whether it is there at all."""

    part: Part
    listeners: Listeners
    environment: Environment
    wanted: Callable[[Platform], bool] = lambda _platform: True


def _listen_nowhere(platform: Platform, inner_address: str) -> tuple[ListenerPlan, ...]:
    return ()


def _is_observed(platform: Platform) -> bool:
    return platform.observability.on


def _has_logs(platform: Platform) -> bool:
    return platform.observability.has_logs


def _is_billed(platform: Platform) -> bool:
    return platform.billing == "on"


def _has_console(platform: Platform) -> bool:
    return platform.console == "on"


def _is_metered(platform: Platform) -> bool:
    return _is_observed(platform) or _is_billed(platform)


_ORCHESTRATOR = Part(
    names.ROLE_ORCHESTRATOR,
    Effect("none", "the gateway and the instances go on without the orchestrator until the stand-by takes over"),
    memory_mib=512,
    volumes=(
        PartVolume("orchestrator", names.ORCHESTRATOR_DIRECTORY, saved="files"),
        # From which its instances' secrets are launched.
        PartVolume("launcher", names.LAUNCHER_DIRECTORY),
        PartVolume("registry", names.REGISTRY_DIRECTORY),
        # In which it reaches the engine, as far as the filter lets it.
        PartVolume("engine", names.ENGINE_DIRECTORY, read_only=True),
        # In which it reaches the gateway's admin socket.
        PartVolume("gateway", names.GATEWAY_DIRECTORY, own=False),
    ),
    # What instances use of CPU and memory, which the number of them goes by.
    host_reads=(names.CGROUP_DIRECTORY,),
    beside=("key", "sweep"),
    health="/healthz",
)

_FILTER = Part(
    names.ROLE_FILTER,
    Effect("none", "the spare answers the orchestrator meanwhile, and what runs needs neither"),
    # A few connections and documents; it uses 6 MiB.
    memory_mib=32,
    tmp_mib=1,
    volumes=(
        PartVolume("engine", names.ENGINE_DIRECTORY, own=False),
        # The documents, whose signatures it checks itself.
        PartVolume("orchestrator", names.ORCHESTRATOR_DIRECTORY, own=False, read_only=True),
    ),
    binds={ENGINE_SOCKET: ENGINE_SOCKET},
    beside=("verifier",),
)

# In the order in which they are made: a part comes after those whose volumes it has, and whom it stands in for.
_ENTRIES = (
    _Entry(
        Part(
            names.ROLE_GATEWAY,
            # 0.46 s from the old container's last answer to the new one's first, measured at 1,000 requests a second.
            Effect("restart", "Docker makes the gateway's container anew for it: about half a second without answers"),
            # Enough for a snapshot of some thousand services, its shared memory and a worker for each of eight cores.
            memory_mib=640,
            # Bodies that wait for an instance, and little else.
            tmp_mib=257,
            # What is kept, and half as much again until nginx looks, every ten seconds; what finds no room is not kept.
            memory_mounts={names.GATEWAY_CACHE_DIRECTORY: 96},
            capabilities=names.GATEWAY_CAPABILITIES,
            volumes=(
                PartVolume("gateway", names.GATEWAY_DIRECTORY, saved="files"),
                # What others may read, and no more.
                PartVolume("requests", names.REQUESTS_DIRECTORY),
            ),
            beside=("configuration",),
        ),
        plan_gateway_listeners,
        tell_nothing,
    ),
    _Entry(_ORCHESTRATOR, plan_orchestrator_listeners, tell_orchestrator(names.ROLE_ORCHESTRATOR)),
    _Entry(
        # When it leads, it needs what the other one needs. It is the other's turn again as soon as this one ends.
        replace(
            _ORCHESTRATOR,
            name=names.ROLE_STANDBY,
            effect=Effect("none", "nothing asks the stand-by while the orchestrator leads"),
            # 52 MiB while it stands by and some more while it leads; the host has no use for much that nobody takes.
            memory_mib=256,
            stands_in_for=names.ROLE_ORCHESTRATOR,
            volumes=tuple(replace(each, own=False) for each in _ORCHESTRATOR.volumes),
            beside=(),
            health="",
        ),
        _listen_nowhere,
        tell_orchestrator(names.ROLE_STANDBY),
    ),
    # The engine's socket, and with it the host, is of what hears nobody but the orchestrators and knows few words.
    _Entry(_FILTER, _listen_nowhere, tell_filter),
    _Entry(
        # The engine leaves alone what was stopped through it, and without a filter nobody could start one again.
        replace(
            _FILTER,
            name=names.ROLE_SPARE,
            effect=Effect("none", "nobody asks the spare while the filter answers"),
            stands_in_for=names.ROLE_FILTER,
            beside=(),
        ),
        _listen_nowhere,
        tell_filter,
    ),
    # The one right to the host's packet filter is apart from the engine's socket, and hears nobody.
    _Entry(
        Part(
            names.ROLE_FIREWALL,
            Effect("none", "the rules are the kernel's and hold without it, until one that keeps them is back"),
            # The keeper, and nft beside it while it reads or writes.
            memory_mib=64,
            capabilities=names.FIREWALL_CAPABILITIES,
            beside=("rules",),
        ),
        _listen_nowhere,
        tell_firewall,
        lambda platform: platform.firewall.enabled,
    ),
    _Entry(
        Part(
            names.ROLE_METER,
            Effect("none", "requests go on without the meter, and what it did not see it reads in the log"),
            # Measured with a hundred containers: docs/benchmarks.md.
            memory_mib=160,
            volumes=(
                PartVolume("meter", names.METER_DIRECTORY, saved="files"),
                PartVolume("requests", names.REQUESTS_DIRECTORY, own=False, read_only=True),
                PartVolume("registry", names.REGISTRY_DIRECTORY, own=False, read_only=True),
            ),
            host_reads=(names.CGROUP_DIRECTORY,),
            metrics=True,
            health="/healthz",
        ),
        plan_meter_listeners,
        tell_meter,
        _is_metered,
    ),
    _Entry(
        Part(
            names.ROLE_LOGS,
            Effect(
                "none", "services go on without the logs' part, and what it did not see it reads in the engine's files"
            ),
            # Python takes 50 MiB, the store 30 at rest and 165 after 280,000 records, of which 96 may be caches.
            memory_mib=384,
            volumes=(
                PartVolume("logs", names.LOGS_DIRECTORY),
                PartVolume("registry", names.REGISTRY_DIRECTORY, own=False, read_only=True),
            ),
            host_reads=(names.CONTAINERS_DIRECTORY,),
            metrics=True,
            health="/healthz",
        ),
        plan_logs_listeners,
        tell_logs,
        _has_logs,
    ),
    _Entry(
        Part(
            names.ROLE_ALERTMANAGER,
            Effect("none", "nothing that runs depends on Alertmanager; alerts wait at Prometheus until it is back"),
            # 16 MiB with its guard while it has nothing to tell, and some for each alert that lasts.
            memory_mib=128,
            volumes=(PartVolume("alertmanager", names.ALERTMANAGER_DIRECTORY, saved="files"),),
            metrics=True,
            health="/-/ready",
        ),
        plan_alertmanager_listeners,
        tell_alertmanager,
        _is_observed,
    ),
    _Entry(
        Part(
            names.ROLE_PROMETHEUS,
            Effect("none", "nothing that runs depends on Prometheus; metrics have a gap until it is back"),
            # 5,000 series every five seconds take 81 MiB; ten times as many still fit.
            memory_mib=512,
            volumes=(PartVolume("prometheus", names.PROMETHEUS_DIRECTORY),),
            beside=("scrapes",),
            metrics=True,
            health="/-/ready",
        ),
        plan_prometheus_listeners,
        tell_prometheus,
        _is_observed,
    ),
    _Entry(
        Part(
            names.ROLE_POSTGRES,
            Effect("none", "usage waits at the meter, and invoices until the database is back"),
            # 48 MiB that all of its processes share, and some for each of twenty connections.
            memory_mib=256,
            volumes=(PartVolume("postgres", names.POSTGRES_DIRECTORY, saved="dump"),),
        ),
        _listen_nowhere,
        tell_nothing,
        _is_billed,
    ),
    _Entry(
        Part(
            names.ROLE_BILLING,
            Effect("none", "usage waits at the meter until the ledger is back"),
            memory_mib=256,
            volumes=(
                PartVolume("billing", names.BILLING_DIRECTORY),
                # In which it tells what tenants pay, to whom the volume is given.
                PartVolume("statements", names.STATEMENTS_DIRECTORY),
                # In which it reaches the database's socket; the files there are closed to it.
                PartVolume("postgres", names.POSTGRES_DIRECTORY, own=False),
                # In which it tells the orchestrator what budgets restrict; what else is there is closed to it.
                PartVolume("registry", names.REGISTRY_DIRECTORY, own=False, read_only=True),
            ),
            metrics=True,
            health="/healthz",
        ),
        plan_billing_listeners,
        tell_billing,
        _is_billed,
    ),
    _Entry(
        Part(
            names.ROLE_CONSOLE,
            Effect("none", "nothing that runs depends on the console; who is signed in stays so"),
            # Some 90 MiB at rest, and 64 for each of two passwords that are compared at once.
            memory_mib=320,
            volumes=(
                PartVolume("console", names.CONSOLE_DIRECTORY),
                PartVolume("postgres", names.POSTGRES_DIRECTORY, own=False),
                PartVolume("statements", names.STATEMENTS_DIRECTORY, own=False, read_only=True),
            ),
            health="/healthz",
        ),
        plan_console_listeners,
        tell_console,
        _has_console,
    ),
)


PARTS: tuple[Part, ...] = tuple(entry.part for entry in _ENTRIES)


def parts_of(platform: Platform) -> tuple[Part, ...]:
    """List the parts that a stack of this platform has."""
    return tuple(entry.part for entry in _ENTRIES if entry.wanted(platform))


def plan_parts(
    platform: Platform,
    stack: str,
    inner_address: str,
    billing: BillingSettings | None = None,
    budgets: Budgets | None = None,
) -> tuple[PartPlan, ...]:
    """Plan the parts of a stack; `inner_address` is the host's address on the platform's bridge.

    `billing` and `budgets` are what its ledger must know of the manifests.

    Raises ManifestError where two of them would listen at one address.
    """
    told, planned = (
        Subject(stack, platform, tuple(each.name for each in parts_of(platform)), billing, budgets or Budgets()),
        [],
    )
    for entry in (each for each in _ENTRIES if each.wanted(platform)):
        listeners = entry.listeners(platform, inner_address)
        planned.append(PartPlan(stack, entry.part, entry.environment(told, listeners), listeners))
    check_apart(platform, (listener for each in planned for listener in each.listeners))
    return tuple(planned)
