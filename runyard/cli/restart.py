"""Command `restart`: replace the instances of a service one after the other, or one of them, and wait for the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import click

from runyard.cli.live import Target, find_service, of_service, orchestrator_of
from runyard.cli.output import Output, reporting
from runyard.contracts import InstanceList, RestartRequest, RevisionList
from runyard.errors import DeadlineError, NotFound
from runyard.units import render_count

# An instance takes a good part of a second at best.
_LOOK_S = 0.25


class Watched(Protocol):
    """An orchestrator that tells of instances."""

    def instances(self, tenant: str = ..., service: str = ...) -> InstanceList:
        """Ask for the instances of a service."""
        ...

    def revisions(self, tenant: str, service: str) -> RevisionList:
        """Ask for the revisions of a service."""
        ...


@click.command()
@of_service
@click.argument("instance", required=False)
@click.option(
    "--timeout", "timeout_s", type=click.IntRange(1, 3600), default=300, show_default=True, metavar="SECONDS",
    help="How long to wait for the end; what was begun goes on.",
)  # fmt: skip
@reporting()
def restart(target: Target, instance: str | None, timeout_s: int, out: Output) -> None:
    """Replace the instances of SERVICE, or INSTANCE alone, as `runyard ps` names it.

    In each revision one after the other: another is ready before one is drained and goes, so nothing is lost. An
    instance with a persistent volume goes first, as nobody else may write to it.
    """
    with orchestrator_of(target.stack) as orchestrator:
        find_service("restart", orchestrator.services(), target)
        began = time.monotonic()
        asked = choose_instances("restart", orchestrator, target, () if instance is None else (instance,))
        # Named once: a request whose answer is lost is repeated, and must not replace what has just been made.
        gone = orchestrator.restart(RestartRequest(target.tenant, target.service, asked)).instances if asked else ()
        wait_for_end("restart", orchestrator, target, gone, timeout_s)
        took_s = time.monotonic() - began
    out.show(lambda: describe(target, gone, took_s), lambda: render_text(target, gone, took_s))


def choose_instances(doing: str, orchestrator: Watched, target: Target, named: Sequence[str]) -> tuple[str, ...]:
    """Give the named instances of a service, or all; NotFound for one that is not the service's."""
    listed = orchestrator.instances(target.tenant, target.service).instances
    there = tuple(each.instance for each in listed if each.state != "ending" and not each.run)
    for each in named:
        if each not in there:
            known = ", ".join(there) or "none"
            raise NotFound(f"{doing} {target.name}: {each} must be one of its instances ({known})")
    return tuple(named) or there


def wait_for_end(  # noqa: PLR0913 - the clock is there for tests
    doing: str,
    orchestrator: Watched,
    target: Target,
    gone: Sequence[str],
    timeout_s: float,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until these instances are gone and as many are ready as should be; DeadlineError when it takes longer."""
    give_up = clock() + timeout_s
    while not _done(orchestrator, target, gone):
        if clock() >= give_up:
            late = f"{doing} {target.name}: not done after {timeout_s:g} s"
            raise DeadlineError(f"{late}; it goes on, and runyard ps shows how")
        wait(_LOOK_S)


def render_text(target: Target, gone: Sequence[str], took_s: float, done: str = "restarted", replaced: str = "") -> str:
    """Say to how many it was `done`, and what came of it."""
    if not gone:
        return f"{target.name}: nothing runs, so nothing was {done}"
    return f"{target.name}: {render_count(len(gone), 'instance')} {done}{replaced} after {took_s:.1f} s"


def describe(target: Target, gone: Sequence[str], took_s: float, done: str = "restarted") -> dict[str, Any]:
    """Describe to which instances it was `done` as plain data, and after how many seconds."""
    return {
        "tenant": target.tenant,
        "service": target.service,
        done: list(gone),
        "tookSeconds": round(took_s, 3),
    }


def _done(orchestrator: Watched, target: Target, gone: Sequence[str]) -> bool:
    left = {each.instance for each in orchestrator.instances(target.tenant, target.service).instances}
    if not left.isdisjoint(gone):
        return False
    return all(each.ready >= each.desired for each in orchestrator.revisions(target.tenant, target.service).revisions)
