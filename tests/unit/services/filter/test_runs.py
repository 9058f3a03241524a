"""Runs: a command that nobody signed, in a container that is otherwise what a signed document says."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from runyard import names
from runyard.contracts import (
    FilesMount,
    Probe,
    RunRequest,
    SecretFile,
    SecretValue,
    Variable,
    VolumeDocument,
    VolumeMount,
)
from services.orchestrator.model.revision import Revision
from services.orchestrator.model.run import revision_of_run
from tests.unit.services.filter.program import Filter, described, id_of, made_by
from tests.unit.services.orchestrator.world import container, document

SECRET = SecretValue("store", "key", "digest")
MOUNTS = (
    VolumeMount("shared", "/shared"),
    VolumeMount("kept", "/kept"),
    VolumeMount("kept", "/logs", sub_path="var/logs"),
)
# Everything that an instance can have of which a run leaves something away.
SUBJECT = document(
    "hello-1",
    container(
        command=("serve",),
        environment=(Variable("A", "mine"), Variable("B", "x")),
        liveness_probe=Probe("exec", command=("alive",)),
        volume_mounts=MOUNTS,
    ),
    container(
        "secret",
        environment=(Variable("A", secret=SECRET), Variable("PASSWORD", secret=SECRET), Variable("B", "plain")),
        depends_on=("app",),
        user="7:7",
    ),
    container("files", file_mounts=(FilesMount("/secrets", (SecretFile("key", SECRET),)),)),
    init_containers=(container("setup"),),
    volumes=(VolumeDocument("shared", "shared", 2**20), VolumeDocument("kept", "persistent", 2**30)),
)
RUNS = {
    "of the first": RunRequest("default", "hello", "1a", ("rake", "db:migrate")),
    "of a word alone": RunRequest("default", "hello", "1a", ("true",)),
    "with variables": RunRequest(
        "default", "hello", "1a", ("rake", "a b", "<é>"), environment={"A": "other", "NEW": "x=y", "K_REVISION": "no"}
    ),
    "with secrets": RunRequest("default", "hello", "1a", ("sh", "-c", "id"), container="secret"),
    "with a secret of somebody's own": RunRequest(
        "default", "hello", "1a", ("id",), container="secret", environment={"PASSWORD": "plain"}
    ),
    "with all secrets of somebody's own": RunRequest(
        "default", "hello", "1a", ("id",), container="secret", environment={"PASSWORD": "plain", "A": "image"}
    ),
    "with files of secrets": RunRequest("default", "hello", "1a", ("cat", "--", "/secrets/key"), container="files"),
}
CASES = [
    pytest.param(run, part.document.name, id=f"{name}: {part.document.name}")
    for name, each in RUNS.items()
    for run in [revision_of_run(Revision(SUBJECT), each)]
    for part in run.parts
]
CONTAINER, OWNER = id_of(3), id_of(2)


@pytest.fixture
def running(filter: Filter) -> Filter:
    """Give a filter that has the document, before an engine that does what it is asked."""
    filter.hold(SUBJECT)
    filter.api.answers |= {f"POST /containers/{CONTAINER}/{verb}": (204, b"") for verb in ("start", "stop", "wait")}
    return filter


@pytest.mark.parametrize(("run", "name"), CASES)
def test_what_the_orchestrator_makes_for_a_run_is_what_the_filter_makes_of_it(
    running: Filter, run: Revision, name: str
) -> None:
    called, config = made_by(run, name)
    running.api.answers[f"GET /containers/{OWNER}/json"] = described(2, *made_by(run, run.owner))
    answer = running.ask("POST", f"/containers/create?name={called}", config)
    assert answer.status == 201, answer.text
    assert running.api.bodies["POST /containers/create"] == config
    running.api.answers[f"GET /containers/{CONTAINER}/json"] = described(3, called, config)
    for verb in ("start", "wait", "stop"):
        assert running.ask("POST", f"/containers/{CONTAINER}/{verb}").status == 204


@pytest.mark.parametrize(
    ("where", "value", "told"),
    [
        (("HostConfig", "Privileged"), True, "HostConfig.Privileged: must be false, got true"),
        (("HostConfig", "CapAdd"), ["SYS_ADMIN"], "HostConfig.CapAdd: must not be said"),
        (("HostConfig", "Binds"), ["/:/host"], "HostConfig.Binds: must not be said"),
        (("HostConfig", "Mounts"), [], "HostConfig.Mounts: must be"),
        (("HostConfig", "NetworkMode"), "host", "HostConfig.NetworkMode: must be container:"),
        (("Image",), "other", "Image: must be"),
        (("User",), "0", 'User: must be "", got "0"'),
        (("Entrypoint",), [], "Cmd: must be"),
        (("Env",), ["A=mine"], "Env: must be"),
        (("Env",), ["LD_PRELOAD"], "Env: must be"),
        (("Cmd",), [7], "Cmd: must be"),
        (("Labels", names.ROLE), "instance", "must be of the same instance"),
        (("Labels", names.SERVICE), "other", "Labels.runyard.dev/service: must be"),
        (("Labels", names.CONTAINER), "setup", 'revision default/hello-1 must have a container "setup"'),
        (("Labels", names.CONTAINER), "none", 'revision default/hello-1 must have a container "none"'),
    ],
)
def test_all_but_command_and_variables_of_a_run_is_the_documents(
    running: Filter, where: tuple[str, ...], value: object, told: str
) -> None:
    run = revision_of_run(Revision(SUBJECT), RUNS["of the first"])
    running.api.answers[f"GET /containers/{OWNER}/json"] = described(2, *made_by(run, run.owner))
    name, config = made_by(run, "app")
    changed: Any = copy.deepcopy(config)
    inside = changed
    for key in where[:-1]:
        inside = inside[key]
    inside[where[-1]] = value
    answer = running.ask("POST", f"/containers/create?name={name}", changed)
    assert (answer.status, told in answer.message) == (403, True), answer.text
    assert running.asked() == []


def test_secrets_of_a_run_are_brought_by_the_launcher_alone(running: Filter) -> None:
    run = revision_of_run(Revision(SUBJECT), RUNS["with secrets"])
    running.api.answers[f"GET /containers/{OWNER}/json"] = described(2, *made_by(run, run.owner))
    name, config = made_by(run, "secret")
    launcher = config["Entrypoint"]
    for entrypoint, command in ((["sh"], ["-c", "id"]), (launcher, ["sh", "-c", "id"]), (launcher, ["--"])):
        changed = config | {"Entrypoint": entrypoint, "Cmd": command}
        answer = running.ask("POST", f"/containers/create?name={name}", changed)
        assert (answer.status, ": must be" in answer.message) == (403, True), answer.text
    assert running.asked() == []


def test_run_joins_no_instance_and_no_instance_a_run(running: Filter) -> None:
    run, instance = revision_of_run(Revision(SUBJECT), RUNS["of the first"]), Revision(SUBJECT)
    for asks, owns in ((run, instance), (instance, run)):
        running.api.answers[f"GET /containers/{OWNER}/json"] = described(2, *made_by(owns, owns.owner))
        name, config = made_by(asks, "app")
        answer = running.ask("POST", f"/containers/create?name={name}", config)
        assert (answer.status, "must be of the same instance" in answer.message) == (403, True), answer.text
    assert running.asked() == []


def test_container_under_a_runs_labels_that_is_less_confined_is_not_started(running: Filter) -> None:
    run = revision_of_run(Revision(SUBJECT), RUNS["with secrets"])
    name, config = made_by(run, "secret")
    for host in ({"Privileged": True}, {"Binds": ["/:/host"]}, {"CapAdd": ["SYS_ADMIN"]}):
        running.api.answers[f"GET /containers/{CONTAINER}/json"] = described(3, name, config, **host)
        answer = running.ask("POST", f"/containers/{CONTAINER}/start")
        assert (answer.status, "must be as its document says" in answer.message) == (403, True), answer.text
    assert running.asked() == []


def test_nothing_is_executed_in_a_run(running: Filter) -> None:
    run = revision_of_run(Revision(SUBJECT), RUNS["of the first"])
    running.api.answers[f"GET /containers/{CONTAINER}/json"] = described(3, *made_by(run, "app"))
    for command in (["alive"], ["rake", "db:migrate"], ["sh"]):
        answer = running.ask("POST", f"/containers/{CONTAINER}/exec", {"Cmd": command, "AttachStdout": True})
        assert (answer.status, "Cmd must be a probe's" in answer.message) == (403, True), answer.text
