"""Joined: the parts of an orchestrator, as its entry joins them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from services.orchestrator.engine.port import Engine
from services.orchestrator.gateway.publisher import Publisher
from services.orchestrator.health.host import HostRoom
from services.orchestrator.health.prober import Prober
from services.orchestrator.health.upkeep import Upkeep
from services.orchestrator.instances.operations import Tools
from services.orchestrator.rollout.rollouts import Rollouts
from services.orchestrator.scaling.autoscaler import Autoscaler
from services.orchestrator.scaling.decisions import DecisionLog
from services.orchestrator.scaling.recorder import Recorder
from services.orchestrator.store.claim import ClaimStore
from services.orchestrator.store.desired import DesiredStore
from services.orchestrator.store.documents import DocumentStore
from services.orchestrator.store.interventions import Interventions
from services.orchestrator.store.run_book import RunBook
from services.orchestrator.store.secret_values import SecretValues
from services.orchestrator.timing import Timing


@dataclass(frozen=True, slots=True)
class Parts:
    """What the orchestrator is joined from; `wake` makes it look again, `boot_ms` is the wall clock in milliseconds.

    `run_engine` is the engine as it shows runs, which the other one does not.
    """

    tools: Tools
    store: DesiredStore
    rollouts: Rollouts
    documents: DocumentStore
    values: SecretValues
    interventions: Interventions
    run_book: RunBook
    run_engine: Engine
    claim: ClaimStore
    decisions: DecisionLog
    prober: Prober
    publisher: Publisher
    autoscaler: Autoscaler
    recorder: Recorder
    host: HostRoom
    upkeep: Upkeep
    timing: Timing
    wake: asyncio.Event
    boot_ms: int
