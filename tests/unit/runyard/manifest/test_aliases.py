"""Aliases of secrets: what names one means the secret."""

from __future__ import annotations

from typing import Any

import pytest

from runyard.manifest.aliases import ANNOTATION, resolve_aliases
from runyard.manifest.model import Location
from runyard.manifest.problems import Findings


def resolved(text: object, pod: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    findings = Findings(lambda _path, _at_key: Location("a.yaml", 1, 1))
    service = {"spec": {"template": {"metadata": {"annotations": {ANNOTATION: text}}, "spec": pod}}}
    resolve_aliases(service, findings)
    return pod, [problem.message for problem in findings.problems]


def everywhere(name: str) -> dict[str, Any]:
    env = [{"name": "A", "valueFrom": {"secretKeyRef": {"name": name, "key": "latest"}}}]
    return {
        "initContainers": [{"env": env}],
        "containers": [{"env": env, "envFrom": [{"secretRef": {"name": name}}, {"configMapRef": {"name": "db"}}]}],
        "volumes": [
            {"name": "a", "secret": {"secretName": name}},
            {"name": "b", "projected": {"sources": [{"secret": {"name": name}}, {"configMap": {"name": "db"}}]}},
        ],
    }


def test_alias_is_read_as_its_secret_wherever_a_secret_is_named_and_nowhere_else() -> None:
    text = "db:projects/123/secrets/shop-db, other:projects/my-project/secrets/x"
    assert resolved(text, everywhere("db")) == (everywhere("shop-db"), [])
    assert resolved(text, everywhere("plain")) == (everywhere("plain"), [])


@pytest.mark.parametrize("text", ["db", "db:secrets/x", "db:projects/1/secrets/", "a b:projects/1/secrets/x"])
def test_what_is_no_alias_is_told(text: str) -> None:
    pod, told = resolved(f"{text},db:projects/1/secrets/x", everywhere("db"))
    assert pod == everywhere("x")
    assert told == [f'must be ALIAS:projects/PROJECT/secrets/SECRET, separated by commas, got "{text}"']


@pytest.mark.parametrize("pod", [{}, {"containers": 1, "volumes": [{"secret": []}]}, {"containers": [{"env": [1]}]}])
def test_what_is_of_the_wrong_shape_is_left_to_the_schema(pod: dict[str, Any]) -> None:
    assert resolved("db:projects/1/secrets/x", pod) == (pod, [])
    assert resolved(5, pod) == (pod, [])
