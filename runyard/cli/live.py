"""What commands that look at a live service share: how it is named, found and told about."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import click

from runyard.contracts import Override, Restriction, ScheduleStatus, ServiceList, ServiceStatus
from runyard.errors import NotFound, UsageError
from runyard.host import Engine, Orchestrator
from runyard.names import DEFAULT_TENANT, DNS_LABEL, service_key
from runyard.units import parse_duration_s, render_count, render_time


@dataclass(frozen=True, slots=True)
class Target:
    """The service that a command is about, and where it runs."""

    tenant: str
    service: str
    stack: str

    @property
    def name(self) -> str:
        """Name it across tenants."""
        return service_key(self.tenant, self.service)


def of_service(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the argument and options that name a service, and its function a Target as `target`."""

    @click.argument("service")
    @click.option("-t", "--tenant", default=DEFAULT_TENANT, show_default=True, help="The tenant whose service it is.")
    @click.option("-s", "--stack", default="dev", show_default=True, help="The stack that it runs in.")
    @functools.wraps(function)
    def command(*, service: str, tenant: str, stack: str, **arguments: Any) -> Any:
        return function(target=Target(tenant, service, stack), **arguments)

    return command


@contextmanager
def orchestrator_of(stack: str) -> Iterator[Orchestrator]:
    """Give the orchestrator of a stack, and close what was opened for it."""
    with Engine() as engine, closing(Orchestrator(engine, stack)) as orchestrator:
        yield orchestrator


def find_service(doing: str, listed: ServiceList, target: Target) -> ServiceStatus:
    """Give the service; NotFound names those that there are, UsageError says what can be no service's name."""
    for kind, name in (("tenant", target.tenant), ("service", target.service)):
        # It becomes part of a path.
        if not DNS_LABEL.fullmatch(name):
            raise UsageError(f"{doing}: {kind} must be a DNS label, got {name!r}")
    for each in listed.services:
        if (each.tenant, each.service) == (target.tenant, target.service):
            return each
    known = ", ".join(service_key(each.tenant, each.service) for each in listed.services) or "none"
    raise NotFound(f"{doing} {target.name}: must be a service of the stack ({known})")


def override_of(listed: ServiceList, service: ServiceStatus) -> Override | None:
    """Give the count of a service that was set by hand and is not over."""
    mine = (service.tenant, service.service)
    return next((each for each in listed.overrides if (each.tenant, each.service) == mine), None)


def render_override(override: Override) -> str:
    """Say a count by hand in a few words."""
    return f"{render_count(override.count, 'instance')} by hand until {render_time(override.until_unix_s)}"


def render_standing(service: ServiceStatus) -> list[str]:
    """Give a line for each thing beside traffic and load that holds for a service now: pause, budget, schedule."""
    paused = service.paused_until_unix_s
    lines = [f"paused until {render_time(paused)}: its requests are held, and get 503"] if paused else []
    lines += [render_restriction(service.restriction)] if service.restriction else []
    return lines + ([render_schedule(service.schedule)] if service.schedule else [])


def render_restriction(restriction: Restriction) -> str:
    """Say in a few words what a tenant's budget lets its service have."""
    most, until = render_count(restriction.most, "instance"), render_time(restriction.until_unix_s)
    return f"at most {most} by budget until {until}: {restriction.reason}"


def render_schedule(schedule: ScheduleStatus) -> str:
    """Say in a few words what a service's schedule asks for now, and next."""
    since = f" since {render_time(schedule.since_unix_s)}" if schedule.since_unix_s else ""
    until = (
        f", at least {schedule.following} from {render_time(schedule.until_unix_s)}" if schedule.until_unix_s else ""
    )
    return f"at least {render_count(schedule.instances, 'instance')} by schedule{since}{until}"


class Duration(click.ParamType[int]):
    """Whole seconds, minutes or hours: `90s`, `30m`, `1h`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Give the seconds; a number is seconds already."""
        try:
            return value if isinstance(value, int) else parse_duration_s(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
