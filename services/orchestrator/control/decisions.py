"""Decisions: what the autoscaler decided on each revision, and why, as one message."""

from __future__ import annotations

import dataclasses

from runyard.contracts import DecisionInputs, Decisions, RevisionDecisions, ScalingDecision
from services.orchestrator.control.status import Scene
from services.orchestrator.rollout.joined import Parts
from services.orchestrator.scaling.autoscaler import Followed, Noted


def describe_decisions(parts: Parts, scene: Scene) -> Decisions:
    """Describe all revisions in force, ordered by tenant and revision."""
    found = []
    for key, each in sorted(parts.autoscaler.followed.items()):
        revision = scene.revisions.get(key)
        if revision is not None:
            ready = scene.ready.get(key, 0)
            found.append(_describe((revision.tenant, revision.service, revision.name), each, ready))
    return Decisions(tuple(found))


def _describe(name: tuple[str, str, str], each: Followed, ready: int) -> RevisionDecisions:
    return RevisionDecisions(
        *name,
        count=each.count,
        ready=ready,
        least=each.subject.span.least,
        most=each.subject.span.most,
        asleep=each.subject.sleeps and each.count == 0,
        latest=_decision(each.latest) if each.latest else None,
        changed=tuple(map(_decision, each.changes)),
    )


def _decision(noted: Noted) -> ScalingDecision:
    made = noted.decision
    inputs = {field.name: getattr(made.inputs, field.name) for field in dataclasses.fields(DecisionInputs)}
    return ScalingDecision(
        at_unix_s=noted.at_unix_s,
        before=made.before,
        count=made.count,
        why=made.why.value,
        reason=made.reason,
        hold=made.hold,
        inputs=DecisionInputs(**inputs),
    )
