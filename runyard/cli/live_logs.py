"""Live logs: what the instances that there are have written, straight from the engine."""

from __future__ import annotations

import queue
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from runyard import names
from runyard.cli.live import Target
from runyard.errors import HostError, NotFound, RunyardError
from runyard.host.log import LogLine
from runyard.host.thing import Found

# Soon enough for the first lines of an instance that has just started.
_LOOK_S = 1.0


class LogEngine(Protocol):
    """What logs need of an engine."""

    def labelled(self, label: str) -> list[Found]:
        """List the containers with a label."""
        ...

    def log(self, container: str, tail: int | None, *, follow: bool = ..., since: str = ...) -> Iterator[LogLine]:
        """Give a container's last lines, or all from a time on, and with `follow` each as it comes."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines: of an instance or revision, from a time on (RFC 3339), that a pattern is in, and the last so many.

    What is empty asks for everything; the last are of each container.
    """

    tail: int
    instance: str = ""
    revision: str = ""
    since: str = ""
    patterns: tuple[re.Pattern[str], ...] = ()

    def fits(self, text: str) -> bool:
        """Tell whether a line is one of them."""
        return all(each.search(text) for each in self.patterns)


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


def containers_of(engine: LogEngine, target: Target, instance: str = "", of_revision: str = "") -> list[Found]:
    """List the containers of a service's instances, of one or of a revision's; mere labels make nobody one of them.

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
        if genuine and instance in ("", identity) and of_revision in ("", revision):
            found.append(each)
    return found


def lines_of(engine: LogEngine, container: Found, wanted: Wanted, *, follow: bool = False) -> Iterator[Written]:
    """Give the lines of a container; none of one that is gone."""
    # Which of them are the last shows only when all were looked at; whoever follows sees from the last ones on.
    tail = None if wanted.patterns and not follow else wanted.tail
    labels = container.labels
    try:
        found = (
            Written(line.time, labels[names.INSTANCE], labels[names.CONTAINER], line.text)
            for line in engine.log(container.id, tail, follow=follow, since=wanted.since)
            if wanted.fits(line.text)
        )
        yield from found if follow else deque(found, maxlen=wanted.tail)
    except NotFound:
        return


def follow_lines(
    look: Callable[[], Iterable[Found]],
    engine: LogEngine,
    wanted: Wanted,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Written]:
    """Give lines as they come, from a thread for each container, and look for new containers once a second, for ever.

    HostError as soon as the engine does not answer any more.
    """
    coming: queue.Queue[Written | RunyardError] = queue.Queue(maxsize=1000)
    begun: set[str] = set()

    def read(container: Found) -> None:
        try:
            for line in lines_of(engine, container, wanted, follow=True):
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
