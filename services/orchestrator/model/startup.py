"""Startup: how long an instance may take until it can take requests. Pure."""

from __future__ import annotations

from runyard.contracts import ContainerDocument, Probe
from services.orchestrator.model.revision import Revision

# Cloud Run's default start-up probe: TCP on the port, 240 s in all.
DEFAULT_STARTUP = Probe(kind="tcp", period_s=1, timeout_s=1, failure_threshold=240)
# Kubernetes' own, for probes of period 0.
DEFAULT_PERIOD_S = 10


def startup_probe(revision: Revision, container: ContainerDocument) -> Probe | None:
    """Give a container's start-up probe; the one that takes requests has Cloud Run's if it names none."""
    first = revision.spec.containers[0]
    return container.startup_probe or (DEFAULT_STARTUP if container == first else None)


def allowed_s(probe: Probe) -> int:
    """Give the time within which a start-up probe must have passed, as in Kubernetes that of all its failures."""
    return probe.failure_threshold * period_s(probe)


def start_allowed_s(revision: Revision) -> int:
    """Give the time that a start of an instance may take: that of its containers together, at most a day."""
    probes = [probe for each in revision.containers if (probe := startup_probe(revision, each))]
    return min(86_400, sum(each.initial_delay_s + allowed_s(each) for each in probes))


def period_s(probe: Probe) -> int:
    """Give the time between two tries of one that has passed.

    Knative's period of 0 says that nobody waits for readiness; it must not say that a core polls for ever.
    """
    return probe.period_s or DEFAULT_PERIOD_S
