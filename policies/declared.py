"""Declared stack: what its configuration says, judged before anything registers."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from policies.environment import environment_of
from policies.rule import Context
from policies.verdict import Verdict, judge
from runyard.errors import HostUnreachable, UsageError
from runyard.forecast import Usages, parse_usages
from runyard.manifest import load
from runyard.manifest.model import Manifests, Platform, Tenant
from runyard.manifest.sources import load_text
from runyard.names import DEFAULT_TENANT, service_key
from runyard.plan import Plan, keep_revisions, plan
from runyard.plan.history import Pasts
from runyard.plan.quota import Capacity
from runyard.pulumi.project import split_paths
from runyard.secrets import digest_secrets, flatten_secrets

# Of the configuration's keys, and of the project whose state is ours.
PROJECT = "runyard"


@dataclass(frozen=True, slots=True)
class Settings:
    """What Pulumi tells of the stack; structured values of `config` are JSON, its paths are from `root` on."""

    stack: str
    project: str
    config: Mapping[str, str]
    dry_run: bool
    root: str = ""

    def get(self, key: str) -> str:
        """Give a value of ours; empty if there is none."""
        return self.config.get(f"{PROJECT}:{key}", "")


@dataclass(frozen=True, slots=True)
class KeptServices:
    """What the stack's state keeps of services: earlier revisions, and the keys of those that had traffic."""

    pasts: Pasts
    services: frozenset[str] = frozenset()


def observe_state(settings: Settings) -> KeptServices:
    """Read the stack's state; UsageError for a project that is not Runyard's."""
    if settings.project != PROJECT:
        raise UsageError(f"state of project {settings.project}: earlier revisions are kept in that of {PROJECT} alone")
    # Here, as few stacks need it: it takes a part of what a pack takes to start.
    from runyard.pulumi.deployment import parse_deployment
    from runyard.pulumi.export import Export

    with Export(settings.stack) as export:
        deployment = parse_deployment(export.read())
    return KeptServices(deployment.pasts, frozenset(deployment.traffic))


def judge_declared(
    settings: Settings,
    state: Callable[[], KeptServices],
    capacity: Callable[[], Capacity | None],
    day: str,
) -> tuple[Context, Verdict]:
    """Load the manifests, plan the stack and ask every rule, on an ISO date.

    The state is read only for what manifests do not tell: earlier revisions that traffic names, and usages of services
    that are gone. Without manifests there is nothing to judge yet. Raises what reading and planning raise.
    """
    paths = settings.get("manifests")
    manifests = load(split_paths(paths, settings.root)).manifests if paths else _NOTHING
    planned = _plan(manifests, settings, state)
    usage = settings.get("usage")
    context = Context(
        manifests,
        day,
        environment_of(settings.stack),
        capacity(),
        _usages(Path(settings.root, usage), manifests, state()) if usage else None,
        plan=planned,
    )
    return context, judge(context)


def _plan(manifests: Manifests, settings: Settings, state: Callable[[], KeptServices]) -> Plan:
    secrets = flatten_secrets(json.loads(settings.get("secrets") or "{}"))
    if not any(target.revision for service in manifests.services for target in service.traffic):
        # Which secrets there are shapes documents; their digests, which take long, shape names that nobody asks for.
        return plan(manifests, settings.stack, {tenant: dict.fromkeys(named, "") for tenant, named in secrets.items()})
    planned = plan(manifests, settings.stack, digest_secrets(secrets))
    return keep_revisions(planned, manifests, state().pasts)


def _usages(file: Path, manifests: Manifests, state: KeptServices) -> Usages:
    """Load the usage file; it may name services that the update removes."""
    known = {service_key(each.tenant, each.name) for each in manifests.services} | state.services
    return parse_usages(str(file), load_text(str(file)), known)


def observe_host() -> Capacity | None:
    """Ask the host what it has; None without one, which the program refuses in an update."""
    # Here, after the server has begun to listen.
    from runyard.host.capacity import observe_capacity

    try:
        return observe_capacity()
    except HostUnreachable:
        return None


def today() -> str:
    """Give the ISO date of now (UTC)."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


_NOTHING = Manifests(Platform(), (Tenant(DEFAULT_TENANT),), ())
