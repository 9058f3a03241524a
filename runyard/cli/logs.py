"""Command `logs`: what the instances of a service write, straight from the engine."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import click

from runyard import names
from runyard.cli.live import Target, of_service
from runyard.cli.output import Output, reporting
from runyard.errors import HostError, NotFound, RunyardError, UsageError
from runyard.host import Engine
from runyard.host.engine import Found
from runyard.host.log import LogLine

# Soon enough for the first lines of an instance that has just started.
_LOOK_S = 1.0


class LogEngine(Protocol):
    """What logs need of an engine."""

    def labelled(self, label: str) -> list[Found]:
        """List the containers with a label."""
        ...

    def log(self, container: str, tail: int, *, follow: bool = ...) -> Iterator[LogLine]:
        """Give a container's last lines, and with `follow` each as it comes."""
        ...


@dataclass(frozen=True, slots=True)
class Written:
    """A line of an instance: when, by the engine's clock (RFC 3339), which container of which instance, and what."""

    time: str
    instance: str
    container: str
    text: str

    def line(self) -> str:
        """Render it for people."""
        return f"{self.instance}/{self.container} | {self.text}"


@click.command()
@of_service
@click.argument("instance", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on with each line as it comes, of new instances too.")
@click.option(
    "-n", "--tail", type=click.IntRange(0, 100_000), default=100, show_default=True,
    help="How many of the last lines of each container.",
)  # fmt: skip
@reporting()
def logs(target: Target, instance: str | None, follow: bool, tail: int, out: Output) -> None:
    """Show what the instances of SERVICE, or INSTANCE alone, have written, in the order of time.

    The engine keeps 30 MB of each container, and nothing of what has been removed. With --follow, -o json writes an
    object a line.
    """
    if follow and out.form not in ("text", "json"):
        raise UsageError(f"logs: --output must be text or json with --follow, got {out.form}")
    with Engine() as engine:
        if follow:
            for each in follow_lines(lambda: containers_of(engine, target, instance), engine, tail):
                out.add(asdict(each), each.line())
            return
        found = containers_of(engine, target, instance)
        if not found:
            whose = f"{target.name} {instance}" if instance else target.name
            raise NotFound(f"logs {whose}: it has no instance on the engine (runyard ps lists what there is)")
        lines = sorted((line for each in found for line in lines_of(engine, each, tail)), key=lambda each: each.time)
    out.show(lambda: describe(lines), lambda: "\n".join(each.line() for each in lines))


def containers_of(engine: LogEngine, target: Target, instance: str | None = None) -> list[Found]:
    """List the containers of a service's instances, or of one; what only carries their labels is nobody's.

    Those that hold a network namespace or prepare volumes write nothing and are left out.
    """
    found = []
    for each in engine.labelled(f"{names.SERVICE}={target.service}"):
        stack, tenant, revision, container, identity = (
            each.labels.get(key, "")
            for key in (names.STACK, names.TENANT, names.REVISION, names.CONTAINER, names.INSTANCE)
        )
        if (stack, tenant) != (target.stack, target.tenant) or container in names.HELPERS:
            continue
        genuine = each.name == names.instance_container(stack, tenant, revision, container, identity)
        if genuine and instance in (None, identity):
            found.append(each)
    return found


def lines_of(engine: LogEngine, container: Found, tail: int, *, follow: bool = False) -> Iterator[Written]:
    """Give the lines of a container; none of one that is gone."""
    try:
        for line in engine.log(container.id, tail, follow=follow):
            labels = container.labels
            yield Written(line.time, labels[names.INSTANCE], labels[names.CONTAINER], line.text)
    except NotFound:
        return


def follow_lines(
    look: Callable[[], Iterable[Found]], engine: LogEngine, tail: int, clock: Callable[[], float] = time.monotonic
) -> Iterator[Written]:
    """Give lines as they come, from a thread for each container, and look for new containers once a second, for ever.

    HostError as soon as the engine does not answer any more.
    """
    coming: queue.Queue[Written | RunyardError] = queue.Queue(maxsize=1000)
    begun: set[str] = set()

    def read(container: Found) -> None:
        try:
            for line in lines_of(engine, container, tail, follow=True):
                coming.put(line)
        except HostError as error:
            coming.put(error)

    while True:
        for each in look():
            if each.id not in begun:
                begun.add(each.id)
                # Ends with the program: it waits for the engine, which may say nothing for hours.
                threading.Thread(target=read, args=(each,), daemon=True).start()
        # A log that never pauses must not hide an instance that is new.
        look_at = clock() + _LOOK_S
        while (left := look_at - clock()) > 0:
            try:
                found = coming.get(timeout=left)
            except queue.Empty:
                break
            if isinstance(found, RunyardError):
                raise found
            yield found


def describe(lines: Iterable[Written]) -> list[dict[str, Any]]:
    """Describe lines as plain data."""
    return [asdict(each) for each in lines]
