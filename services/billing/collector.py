"""Collector: pulls batches from the meter and writes each in one transaction with how far it has come.

So whoever is killed at whichever write, the meter, this, or the database: a batch is there as a whole or not at all,
and is asked for again until it is. The meter keeps what was not asked for; nothing waits here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import Engine

from runyard.contracts import UsageBatch, UsageWindow
from runyard.errors import RunyardError
from runyard.journal import Journal
from runyard.pricing.metering import Basis
from services.billing.adapters.database import reading, writing
from services.billing.adapters.revisions import Bases, known_bases
from services.billing.adapters.usage import (
    Taken,
    end_containers,
    feed_sequence,
    note_sequence,
    refuse_window,
    take_windows,
)
from services.billing.domain.window import check_window

# A meter closes windows once a minute.
IDLE_S = 5.0
# Between two tries where the meter or the database does not answer: twice as long each time.
FIRST_RETRY_S, LAST_RETRY_S = 0.5, 30.0
# So many refused windows of a batch are kept to be looked at; the rest is as wrong.
REFUSED_KEPT = 10


class Feed(Protocol):
    """As much of a meter as this needs."""

    def windows_after(self, sequence: int) -> UsageBatch:
        """Give the oldest batch after a sequence; one without windows when there is none."""
        ...


@dataclass
class Counts:
    """What became of windows since this process began, for its metrics."""

    new: int = 0
    known: int = 0
    refused: int = 0
    contradicted: int = 0
    stolen: int = 0
    failures: int = 0
    # When the meter last said that there is nothing newer, in seconds of `time.time`; 0 is never.
    caught_up_s: float = 0.0


@dataclass
class Collector:
    """One meter's windows on their way into the ledger."""

    engine: Engine
    meter: Feed
    journal: Journal
    name: str = "meter"
    clock: Callable[[], float] = time.time
    first_retry_s: float = FIRST_RETRY_S
    last_retry_s: float = LAST_RETRY_S
    counts: Counts = field(default_factory=Counts)

    def step(self) -> bool:
        """Take one batch; False when there is none. Whoever calls again after an error loses and doubles nothing."""
        with reading(self.engine) as connection:
            after = feed_sequence(connection, self.name)
        batch = self.meter.windows_after(after)
        if not batch.windows and batch.sequence <= after:
            self.counts.caught_up_s = self.clock()
            return False
        now_ms = int(self.clock() * 1000)
        verdicts = [(window, check_window(window, now_ms)) for window in batch.windows]
        refused = [(window, reason) for window, reason in verdicts if reason]
        with writing(self.engine) as connection:
            bases = known_bases(connection)
            sound = [(window, _basis(bases, window)) for window, reason in verdicts if not reason]
            taken = take_windows(connection, sound)
            for window, reason in refused[:REFUSED_KEPT]:
                refuse_window(connection, window, reason)
            end_containers(connection)
            note_sequence(connection, self.name, batch.sequence)
        self._count(taken, len(refused))
        return True

    def run(self, ending: threading.Event) -> None:
        """Take batches until told to end; what fails is tried again, later each time, and said once."""
        retry_s = 0.0
        while not ending.is_set():
            try:
                more = self.step()
            except RunyardError as error:
                self.counts.failures += 1
                if not retry_s:
                    self.journal.write("collecting failed", level="error", error=str(error))
                retry_s = min(self.last_retry_s, max(self.first_retry_s, retry_s * 2))
                ending.wait(retry_s)
                continue
            if retry_s:
                self.journal.write("collecting again")
            retry_s = 0.0
            if not more:
                ending.wait(IDLE_S)

    def _count(self, taken: Taken, refused: int) -> None:
        self.counts.new += taken.new
        self.counts.known += taken.known
        self.counts.contradicted += taken.contradicted
        self.counts.stolen += taken.stolen
        self.counts.refused += refused
        if refused or taken.contradicted or taken.stolen:
            about = {"refused": refused, "contradicted": taken.contradicted, "stolen": taken.stolen}
            self.journal.write("windows not taken", level="warning", **about)


def _basis(bases: Bases, window: UsageWindow) -> Basis:
    return bases.get((window.tenant, window.service, window.revision), "request")
