"""Connections to the orchestrators: few, used again, and for one operation at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from runyard.contracts import CertificateRequest, Holdings, RolloutAccepted, RolloutOutcomes, ServiceRequest
from runyard.errors import HostError

# Each is a command inside the orchestrator's container. A request takes it milliseconds, as rollouts are accepted at
# once and watched by one; more would only wait for the same process.
CONNECTIONS = 4
# An orchestrator that this update has made anew answers within a second; a preview should not wait much longer.
_PATIENCE_S = 5.0


class Orchestrator(Protocol):
    """What the provider asks of an orchestrator; `runyard.host.Orchestrator` has it."""

    def put_service(self, request: ServiceRequest) -> RolloutAccepted:
        """Have a service's documents kept and its rollout begun."""
        ...

    def outcomes(self, after: int, wait_s: float) -> RolloutOutcomes:
        """Tell which rollouts have ended after a number, waiting for one that long."""
        ...

    def remove_service(self, tenant: str, service: str) -> None:
        """Withdraw a service's traffic; its instances go by themselves."""
        ...

    def holdings(self, patience_s: float = ...) -> Holdings:
        """Tell what updates have put."""
        ...

    def claim(self, patience_s: float = ...) -> str | None:
        """Tell what the stack claims of its host, None without a claim."""
        ...

    def put_claim(self, text: str) -> None:
        """Keep what the stack claims of its host."""
        ...

    def apply_certificate(self, request: CertificateRequest) -> None:
        """Put a certificate in force."""
        ...

    def remove_certificate(self, name: str) -> None:
        """Take a certificate out of force."""
        ...

    def running(self) -> bool:
        """Say whether the orchestrator runs at all."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


Connect = Callable[[str], AbstractContextManager[Orchestrator]]


class Connections:
    """Connections that are used again: each costs the engine's handshake and a `docker exec`.

    One is lent to one operation at a time, and `limit` of a stack's at most; who comes later waits. They end with the
    process.
    """

    def __init__(self, connect: Connect, limit: int = CONNECTIONS, check: Callable[[], None] = lambda: None) -> None:
        """Connect to a stack's orchestrator with `connect`; `check` refuses by an error what nobody wants any more."""
        self._connect = connect
        self._limit = limit
        self._check = check
        self._idle: dict[str, list[tuple[AbstractContextManager[Orchestrator], Orchestrator]]] = {}
        self._places: dict[str, threading.Semaphore] = {}
        self._turn = threading.Lock()

    @contextmanager
    def lend(self, stack: str) -> Iterator[Orchestrator]:
        """Lend a connection for one operation; one whose operation fails is closed."""
        with self._turn:
            place = self._places.setdefault(stack, threading.Semaphore(self._limit))
        with place:
            # Here, as an operation may have waited for its place while its update was killed.
            self._check()
            with self._lend(stack) as subject:
                yield subject

    @contextmanager
    def _lend(self, stack: str) -> Iterator[Orchestrator]:
        with self._turn:
            waiting = self._idle.setdefault(stack, [])
            kept = waiting.pop() if waiting else None
        if kept is None:
            opened = self._connect(stack)
            kept = opened, opened.__enter__()
        try:
            yield kept[1]
        except BaseException:
            kept[0].__exit__(None, None, None)
            raise
        with self._turn:
            waiting.append(kept)


class Observation:
    """What orchestrators hold, asked for once and then known for a while: a preview has a question per service."""

    # Long enough for most previews to ask once, short enough to see a rollback that was made meanwhile.
    KNOWN_S = 5.0

    def __init__(
        self,
        lend: Callable[[str], AbstractContextManager[Orchestrator]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask the orchestrators that `lend` gives."""
        self._lend = lend
        self._clock = clock
        self._known: dict[str, tuple[float, Holdings | None]] = {}
        self._turn = threading.Lock()

    def holdings(self, stack: str) -> Holdings | None:
        """Give what a stack's orchestrator holds; None where none answers."""
        with self._turn:
            at, found = self._known.get(stack, (float("-inf"), None))
            if self._clock() - at >= self.KNOWN_S:
                found = self._observe(stack)
                self._known[stack] = self._clock(), found
        return found

    def _observe(self, stack: str) -> Holdings | None:
        try:
            with self._lend(stack) as subject:
                return subject.holdings(patience_s=_PATIENCE_S) if subject.running() else None
        except HostError:
            # A preview goes on without: the program has said that the host, or its orchestrator, does not answer.
            return None
