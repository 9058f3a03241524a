"""`runyard verify`: of a stack or of a host, and what it is given for which."""

from __future__ import annotations

import json

import pytest

from runyard.cli.main import main
from tests.unit.runyard.host.docker_api import DockerApi


def test_advice_on_the_host_never_fails(docker_api: DockerApi, capsys: pytest.CaptureFixture[str]) -> None:
    docker_api.answers |= {"GET /info": {}, "GET /version": {"Version": "20.10.0"}, "GET /networks/bridge": {}}
    assert main(["verify", "--host", "--output", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["summary"]["advice"] > 0
    assert report["schemaVersion"] == 1
    assert main(["verify", "--host"]) == 0
    assert capsys.readouterr().out.startswith("advice ")
    assert main(["verify", "--host", "--output", "markdown"]) == 0
    assert capsys.readouterr().out.startswith("| state | id |")


@pytest.mark.parametrize(
    ("arguments", "got"), [(["verify"], "neither"), (["verify", "--host", "manifests/hello.yaml"], "both")]
)
def test_verify_is_of_manifests_or_of_the_host(
    arguments: list[str], got: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err == f"error: must be given MANIFESTS or --host, got {got}\n"
