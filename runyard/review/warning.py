"""Warnings that a change brings: what the new manifests ask for and the platform does not carry out, or not in full."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from runyard.manifest.model import Manifests, Service
from runyard.manifest.problems import Problem, render_path
from runyard.manifest.raw import SERVICE_ANNOTATIONS, TEMPLATE_ANNOTATIONS
from runyard.names import service_key

# The rule of fields that are taken along without any effect.
KEPT = "support.kept"
Side = tuple[Manifests, Sequence[Problem]]


def find_new_warnings(before: Side, after: Side) -> tuple[Problem, ...]:
    """Find the warnings that were not there before: the place in a file may move, an annotation's text may not."""
    known = {key for key, _ in _keyed(*before)}
    return tuple(problem for key, problem in _keyed(*after) if key not in known)


def _keyed(manifests: Manifests, warnings: Sequence[Problem]) -> list[tuple[tuple[str, ...], Problem]]:
    services = sorted(manifests.services, key=lambda each: each.location)
    places = [(each.location.file, each.location.line) for each in services]
    found: list[tuple[tuple[str, ...], Problem]] = []
    for problem in warnings:
        # The document that begins last above the warning is the one that it is about.
        at = bisect_right(places, (problem.location.file, problem.location.line)) - 1
        owner = services[at] if at >= 0 and places[at][0] == problem.location.file else None
        name = service_key(owner.tenant, owner.name) if owner else problem.location.file
        # What is kept has no effect whatever its text, which tools write anew each time.
        text = _annotations(owner).get(problem.path, "") if owner and problem.rule != KEPT else ""
        found.append(((name, problem.path, problem.rule, problem.message, text), problem))
    return found


def _annotations(service: Service) -> dict[str, str]:
    """Give the texts of annotations by the paths that problems have."""
    places = ((SERVICE_ANNOTATIONS, service.annotations), (TEMPLATE_ANNOTATIONS, service.template.annotations))
    return {render_path((*base, name)): text for base, texts in places for name, text in texts.items()}
