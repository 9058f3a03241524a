"""Rules of the start order of containers: a JSON mapping of known containers, without cycles."""

from __future__ import annotations

import json
import re

from runyard.manifest.problems import Findings, render_value
from runyard.manifest.raw import CONTAINERS, TEMPLATE_ANNOTATIONS, Raw, mapping_at, mappings_at, text_at
from runyard.manifest.schema import closest

ANNOTATION = "run.googleapis.com/container-dependencies"
_RULE = "dependencies"
# Ten containers that each name all others fit twice; what is longer is not worth parsing.
TEXT_LIMIT = 8 * 1024
# Google's own samples leave the quotes out: {app:[collector]}.
_BARE_NAME = re.compile(r'(?<!["a-z0-9-])([a-z][a-z0-9-]*)(?!["a-z0-9-])')

Dependencies = dict[str, tuple[str, ...]]


def parse_dependencies(text: str) -> Dependencies:
    """Parse the annotation; ValueError says what it must be."""
    try:
        value = json.loads(_BARE_NAME.sub(r'"\1"', text))
    except (ValueError, RecursionError):
        raise ValueError("must be a JSON mapping of a container to a list of containers") from None
    if not isinstance(value, dict) or not all(
        isinstance(names, list) and all(isinstance(name, str) for name in names) for names in value.values()
    ):
        raise ValueError("must be a JSON mapping of a container to a list of containers")
    return {name: tuple(dict.fromkeys(names)) for name, names in value.items()}


def find_cycle(dependencies: Dependencies) -> tuple[str, ...]:
    """Find a cycle, first name repeated at its end; empty if there is none. Linear, and without recursion."""
    done: set[str] = set()
    for start in dependencies:
        trail: dict[str, int] = {}
        stack: list[tuple[str, int]] = [(start, 0)]
        while stack:
            name, position = stack.pop()
            if position == 0:
                if name in trail:
                    names = list(trail)
                    return (*names[trail[name] :], name)
                if name in done:
                    continue
                trail[name] = len(trail)
            below = dependencies.get(name, ())
            if position < len(below):
                stack.append((name, position + 1))
                stack.append((below[position], 0))
            else:
                del trail[name]
                done.add(name)
    return ()


def check_dependencies(service: Raw, findings: Findings) -> None:
    """Check that the annotation names containers of this revision and can be carried out."""
    text = text_at(mapping_at(service, *TEMPLATE_ANNOTATIONS), ANNOTATION)
    if not text:
        return
    path = (*TEMPLATE_ANNOTATIONS, ANNOTATION)
    if len(text) > TEXT_LIMIT:
        findings.error(path, _RULE, f"must have at most {TEXT_LIMIT} characters, got {len(text)}")
        return
    try:
        dependencies = parse_dependencies(text)
    except ValueError as error:
        findings.error(path, _RULE, f"{error}, got {render_value(text)}")
        return
    names = [text_at(container, "name") for _, container in mappings_at(service, *CONTAINERS)]
    mentioned = dict.fromkeys(name for each, needs in dependencies.items() for name in (each, *needs))
    for name in mentioned:
        if name not in names:
            message = f"must name containers of this revision, got {render_value(name)}"
            findings.error(path, _RULE, message, closest(name, [each for each in names if each]))
    if cycle := find_cycle(dependencies):
        findings.error(path, _RULE, f"must not form a cycle, got {' -> '.join(cycle)}")
