"""A service that somebody wrote runs the sample, and the rest of it stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runyard.manifest import load
from runyard.secrets import check_references
from tests.harness.foreign import accepted
from tests.harness.substitution import ENDING, SAMPLE, substitute, values_of

CASES = Path(__file__).parents[2] / "cases" / "manifest"


def written() -> dict[str, Any]:
    probe = {"httpGet": {"path": "/up", "port": 9999}, "periodSeconds": 5}
    secret = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "api_key", "key": "latest"}}}
    main = {"name": "main", "image": "a:1", "args": ["x"], "ports": [{"containerPort": 80}], "startupProbe": probe}
    side = {"name": "side", "image": "b:1", "env": [secret], "livenessProbe": {"exec": {"command": ["check"]}}}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "shop", "annotations": {"run.googleapis.com/ingress": "internal", "a/b": "c"}},
        "spec": {
            "template": {"spec": {"containers": [main, side], "initContainers": [{"name": "i", "image": "c:1"}]}},
            "traffic": [{"revisionName": "shop-old", "percent": 100}],
        },
    }


def test_what_only_its_own_image_answers_is_the_sample_s_and_the_rest_stays(tmp_path: Path) -> None:
    made = substitute(written(), "team")
    assert written() == written()
    pod = made["spec"]["template"]["spec"]
    main, side = pod["containers"]
    assert (main["image"], side["image"], pod["initContainers"][0]["image"]) == (SAMPLE, SAMPLE, ENDING)
    assert main["startupProbe"] == {"httpGet": {"path": "/healthz"}, "periodSeconds": 5}
    assert main["ports"] == [{"containerPort": 80}]
    assert side["livenessProbe"]["tcpSocket"]["port"] == int(side["env"][-1]["value"])
    assert (made["metadata"]["namespace"], made["metadata"]["annotations"]) == ("team", {"a/b": "c"})
    assert "traffic" not in made["spec"]
    file = tmp_path / "a.yaml"
    file.write_text(json.dumps(made), encoding="utf-8")
    (service,) = load([file]).manifests.services
    (values,) = values_of(service)
    assert values["stringData"] == {"latest": "something"}
    file.write_text("\n---\n".join(map(json.dumps, (made, values))), encoding="utf-8")
    check_references(load([file]).manifests, {})


def test_files_that_are_refused_or_hold_no_service_are_not_accepted(tmp_path: Path) -> None:
    for name, text in (("good", json.dumps(written()["kind"])), ("map", '{"apiVersion":"v1","kind":"ConfigMap"}')):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert accepted([tmp_path / "good", tmp_path / "map"]) == []
    assert accepted([CASES / "generated-name-stays-the-same" / "given.yaml"]) == []
    assert len(accepted([CASES / "two-containers-without-names-get-some" / "given.yaml"])) == 1


@pytest.mark.parametrize("kind", ["httpGet", "grpc", "tcpSocket"])
def test_probe_keeps_its_kind(kind: str) -> None:
    given = written()
    given["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] = {kind: {"port": 1}}
    probe = substitute(given, "t")["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
    assert probe == {kind: {"path": "/healthz"} if kind == "httpGet" else {}}
