"""Executions: a probe's command in its own container, and nothing else anywhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runyard.contracts import Probe, SecretValue, Variable
from tests.unit.services.filter.program import Filter, described, id_of, made_by, part_of_the_platform
from tests.unit.services.orchestrator.world import container, document

INSTANCE, PART, STRANGER = map(id_of, range(3, 6))
# What an execution of the engine's is called.
EXECUTION = id_of(9)
PROBED = document(
    "probed-1",
    container(
        liveness_probe=Probe("exec", command=("alive", "now")),
        startup_probe=Probe("http", path="/", command=("never",)),
    ),
    container(
        "secret",
        environment=(Variable("P", secret=SecretValue("s", "k", "d")),),
        readiness_probe=Probe("exec", command=("ready",)),
    ),
)


def asked_as(command: list[str], **more: Any) -> dict[str, Any]:
    """Ask for an execution as the orchestrator's library does."""
    return {
        "Container": INSTANCE,
        "Privileged": False,
        "Tty": False,
        "AttachStdin": False,
        "AttachStdout": True,
        "AttachStderr": True,
        "Cmd": command,
        "Env": None,
        "WorkingDir": "",
        "detachKeys": "",
        "User": "",
        **more,
    }


@pytest.fixture
def probed(filter: Filter) -> Filter:
    """Give a filter before an engine with an instance that is probed by a command."""
    filter.hold(PROBED)
    filter.api.answers[f"GET /containers/{INSTANCE}/json"] = described(3, *made_by(PROBED, "app"))
    filter.api.answers[f"POST /containers/{INSTANCE}/exec"] = (201, {"Id": EXECUTION})
    filter.api.answers[f"GET /containers/{PART}/json"] = part_of_the_platform(4, "gateway")
    filter.api.answers[f"GET /containers/{STRANGER}/json"] = described(5, "db", {"Labels": {}})
    return filter


def test_command_of_a_probe_is_executed_as_the_container_is(probed: Filter) -> None:
    assert probed.ask("POST", f"/containers/{INSTANCE}/exec", asked_as(["alive", "now"])).status == 201
    assert probed.api.bodies[f"POST /containers/{INSTANCE}/exec"] == {
        "AttachStdin": False,
        "AttachStdout": True,
        "AttachStderr": True,
        "Cmd": ["alive", "now"],
    }
    secret = described(3, *made_by(PROBED, "secret"))
    probed.api.answers[f"GET /containers/{INSTANCE}/json"] = secret
    launched = asked_as(["/.runyard/launch", "--", "ready"], AttachStdin=True)
    assert probed.ask("POST", f"/containers/{INSTANCE}/exec", launched).status == 201
    assert probed.ask("POST", f"/containers/{INSTANCE}/exec", asked_as(["ready"])).status == 403


@pytest.mark.parametrize(
    "asked",
    [
        asked_as(["sh", "-c", "id"]),
        asked_as(["never"]),
        asked_as(["alive"]),
        asked_as(["alive", "now", "more"]),
        asked_as([]),
        asked_as(["alive", "now"], User="0"),
        asked_as(["alive", "now"], Privileged=True),
        asked_as(["alive", "now"], Env=["LD_PRELOAD=/x"]),
        asked_as(["alive", "now"], WorkingDir="/x"),
        asked_as(["alive", "now"], Tty=True),
        asked_as(["alive", "now"], privileged=True),
        asked_as(["alive", "now"], user="0"),
        asked_as(["alive", "now"], Container=PART),
        {**asked_as([]), "Cmd": "alive now"},
        {**asked_as([]), "Cmd": ["alive", 7]},
        [],
    ],
)
def test_other_commands_users_and_rights_are_refused(probed: Filter, asked: Any) -> None:
    assert probed.ask("POST", f"/containers/{INSTANCE}/exec", asked).status == 403
    assert probed.asked() == []


def execution(command: list[str], container_id: str = INSTANCE, **more: Any) -> dict[str, Any]:
    process = {"entrypoint": command[0], "arguments": command[1:], "privileged": False, "tty": False, "user": ""}
    return {"ContainerID": container_id, "ExitCode": 3, "ProcessConfig": process | more}


def test_execution_is_started_and_shown_when_it_is_a_probes(probed: Filter) -> None:
    probed.api.answers[f"GET /exec/{EXECUTION}/json"] = execution(["alive", "now"])
    shown = probed.ask("GET", f"/exec/{EXECUTION}/json")
    assert json.loads(shown.text)["ExitCode"] == 3
    for wrong in (
        execution(["sh"]),
        execution(["alive", "now"], user="0"),
        execution(["alive", "now"], privileged=True),
        execution(["alive", "now"], PART),
        execution(["alive", "now"], STRANGER),
    ):
        probed.api.answers[f"GET /exec/{EXECUTION}/json"] = wrong
        for method, verb in (("GET", "json"), ("POST", "start")):
            assert probed.ask(method, f"/exec/{EXECUTION}/{verb}", {}).status in (403, 404)
    assert probed.asked() == []
