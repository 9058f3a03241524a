"""Containers: instances are the orchestrator's, of the platform what keeps it going, and others do not exist."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runyard import names
from runyard.contracts import SecretValue, Variable, VolumeDocument, VolumeMount
from tests.unit.services.filter.program import (
    PARTS,
    Filter,
    described,
    id_of,
    made_by,
    part_of_the_platform,
)
from tests.unit.services.orchestrator.world import container, document

SUBJECT = document()
INSTANCE, PART, STRANGER, FOREIGN, CLAIM = map(id_of, range(3, 8))
VERBS = ("start", "stop", "kill", "pause", "unpause", "wait")


@pytest.fixture
def host(filter: Filter) -> Filter:
    """Give a filter before an engine with a container of each kind."""
    filter.hold(SUBJECT)
    seen = {
        INSTANCE: described(3, *made_by(SUBJECT, "app")),
        PART: part_of_the_platform(4, "gateway"),
        STRANGER: described(5, "db", {"Labels": {}}),
        FOREIGN: part_of_the_platform(6, "orchestrator", "other"),
        CLAIM: described(7, "runyard.test.claim", {"Labels": {names.STACK: "test", names.ROLE: "claim"}}),
    }
    for each, description in seen.items():
        filter.api.answers[f"GET /containers/{each}/json"] = description
        filter.api.answers |= {f"POST /containers/{each}/{verb}": (204, b"") for verb in VERBS}
        filter.api.answers |= {f"GET /containers/{each}/logs": b"a line", f"DELETE /containers/{each}": (204, b"")}
    return filter


def test_instances_are_the_orchestrators_to_run_and_to_remove(host: Filter) -> None:
    for verb in VERBS:
        assert host.ask("POST", f"/containers/{INSTANCE}/{verb}").status == 204
    assert host.ask("DELETE", f"/containers/{INSTANCE}?force=True&v=True").status == 204
    assert host.ask("GET", f"/containers/{INSTANCE}/logs?stdout=True&stderr=True&follow=False&tail=9").text == "a line"
    assert host.asked() == [
        *(f"POST /containers/{INSTANCE}/{verb}" for verb in VERBS),
        f"DELETE /containers/{INSTANCE}",
    ]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"CpuQuota": 125_000}, "CpuQuota: must be 25000, got 125000"),
        ({"CpuQuota": 0}, "CpuQuota: must be 25000, got 0"),
        ({"CpuQuota": 25_000, "Memory": 0}, "Memory: must not be said, got 0"),
        ({"CpuQuota": 25_000, "Devices": []}, "Devices: must not be said, got []"),
        ({}, "CpuQuota: must be 25000, got nothing"),
        ([], 'must be {"CpuQuota":25000}, got []'),
    ],
)
def test_instance_is_held_to_its_documents_cpu_and_nothing_else_of_it_is_changed(
    filter: Filter, body: object, told: str
) -> None:
    subject = document("hello-1", container(cpu_millis=250, startup_cpu_millis=1250))
    filter.hold(subject)
    name, config = made_by(subject, "app")
    filter.api.answers[f"GET /containers/{INSTANCE}/json"] = described(3, name, config)
    filter.api.answers[f"POST /containers/{INSTANCE}/update"] = {"Warnings": []}
    answer = filter.ask("POST", f"/containers/{INSTANCE}/update", body)
    assert (answer.status, told in answer.message) == (403, True), answer.text
    assert filter.ask("POST", f"/containers/{INSTANCE}/update", {"CpuQuota": 25_000}).status == 200
    assert filter.asked() == [f"POST /containers/{INSTANCE}/update"]


def test_cpu_is_the_documents_of_which_the_container_was_made(filter: Filter) -> None:
    # Of one that the manifest named there may be several; the other one's limit is not this one's.
    small = document("hello-1", container(cpu_millis=250, startup_cpu_millis=1250), identity="hello-1.a")
    large = document("hello-1", container(cpu_millis=4000, memory_bytes=2**30), identity="hello-1.b")
    filter.hold(small, large)
    filter.api.answers[f"POST /containers/{INSTANCE}/update"] = {"Warnings": []}
    for subject, other, own in ((small, 400_000, 25_000), (large, 25_000, 400_000)):
        filter.api.answers[f"GET /containers/{INSTANCE}/json"] = described(3, *made_by(subject, "app"))
        answers = [filter.ask("POST", f"/containers/{INSTANCE}/update", {"CpuQuota": each}) for each in (other, own)]
        assert [each.status for each in answers] == [403, 200], answers
        assert filter.api.bodies[f"POST /containers/{INSTANCE}/update"] == {"CpuQuota": own}


def test_what_is_no_instance_by_a_document_keeps_its_cpu(host: Filter) -> None:
    name, config = made_by(SUBJECT, "app")
    host.api.answers[f"GET /containers/{INSTANCE}/json"] = described(3, name, config, Privileged=True)
    for each, status in ((INSTANCE, 403), (PART, 403), (CLAIM, 403), (STRANGER, 404), (FOREIGN, 404)):
        assert host.ask("POST", f"/containers/{each}/update", {"CpuQuota": 100_000}).status == status
    assert host.asked() == []


@pytest.mark.parametrize("quota", [125_000, 25_000])
def test_instance_is_started_with_the_cpu_of_its_start_or_when_that_is_over(filter: Filter, quota: int) -> None:
    subject = document("hello-1", container(cpu_millis=250, startup_cpu_millis=1250))
    filter.hold(subject)
    name, config = made_by(subject, "app")
    filter.api.answers[f"POST /containers/{INSTANCE}/start"] = (204, b"")
    for seen, status in ((quota, 204), (quota + 1, 403)):
        filter.api.answers[f"GET /containers/{INSTANCE}/json"] = described(3, name, config, CpuQuota=seen)
        assert filter.ask("POST", f"/containers/{INSTANCE}/start").status == status


def test_others_containers_do_not_exist(host: Filter) -> None:
    for each in (STRANGER, FOREIGN):
        told = f'No such container: "{each}" is none of this stack\'s'
        for method, path in [("GET", "/json"), ("DELETE", ""), ("GET", "/logs"), *(("POST", f"/{v}") for v in VERBS)]:
            answer = host.ask(method, f"/containers/{each}{path}")
            assert (answer.status, answer.message) == (404, told)
        for path, body in (("exec", {"Cmd": ["id"]}), ("attach?stdin=1&stream=1", None)):
            assert host.ask("POST", f"/containers/{each}/{path}", body).status == 404
    assert host.asked() == []


def test_engines_own_answer_is_handed_on(host: Filter) -> None:
    answer = host.ask("GET", f"/containers/{id_of(99)}/json")
    assert (answer.status, answer.message) == (404, f"no such thing: GET /containers/{id_of(99)}/json")
    host.api.answers[f"POST /containers/{INSTANCE}/pause"] = (409, {"message": "already paused"})
    assert host.ask("POST", f"/containers/{INSTANCE}/pause").message == "already paused"


def test_container_is_asked_for_once_and_shown_as_the_engine_shows_it(host: Filter) -> None:
    host.api.asked.clear()
    answer = host.ask("GET", f"/containers/{INSTANCE}/json")
    assert json.loads(answer.text) == host.api.answers[f"GET /containers/{INSTANCE}/json"]
    assert host.api.asked == [f"GET /containers/{INSTANCE}/json"]


def test_what_is_done_is_done_to_the_container_that_was_looked_at(host: Filter) -> None:
    host.api.answers["GET /containers/by-name/json"] = host.api.answers[f"GET /containers/{INSTANCE}/json"]
    assert host.ask("POST", "/containers/by-name/stop?t=3").status == 204
    assert host.api.targets[-1] == f"POST /containers/{INSTANCE}/stop?t=3"


def test_parts_of_the_platform_are_started_again_and_an_orchestrator_alone_is_killed(host: Filter) -> None:
    for number, part in enumerate(PARTS, 20):
        id_ = id_of(number)
        host.api.answers[f"GET /containers/{id_}/json"] = part_of_the_platform(number, part)
        host.api.answers |= {f"POST /containers/{id_}/{verb}": (204, b"") for verb in VERBS}
        allowed = {verb for verb in VERBS if host.ask("POST", f"/containers/{id_}/{verb}").status == 204}
        killed = {"kill"} if part in ("orchestrator", "standby") else set()
        assert allowed == {"start", "unpause"} | killed
        assert host.ask("DELETE", f"/containers/{id_}").status == 403
        assert host.ask("GET", f"/containers/{id_}/logs?stdout=1").status == 403
        assert host.ask("POST", f"/containers/{id_}/exec", {"Cmd": ["id"]}).status == 403
        assert host.ask("POST", f"/containers/{id_}/attach?stdin=1&stream=1").status == 403


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("gateway", "gateway"),
        ("runyard.test.gateway.test", "gateway"),
        ("runyard.test.gateway.test", "gateway-test"),
        ("runyard.test.firewall.task", "firewall-task"),
        ("runyard.test.orchestrator", "gateway"),
        ("runyard.test.claim", "claim"),
        ("runyard.test.postgres", "postgres"),
    ],
)
def test_container_that_is_called_a_part_or_labelled_as_one_is_none(host: Filter, name: str, role: str) -> None:
    # A part of which this platform has none, a task of it, or whoever took a name and a label.
    labels = {names.STACK: "test", names.ROLE: role}
    host.api.answers[f"GET /containers/{CLAIM}/json"] = described(7, name, {"Labels": labels})
    for verb in VERBS:
        answer = host.ask("POST", f"/containers/{CLAIM}/{verb}")
        assert (answer.status, "container must be one of an instance" in answer.message) == (403, True), verb
    assert host.asked() == []


@pytest.mark.parametrize(
    ("host_config", "told"),
    [
        ({"Privileged": True}, "HostConfig.Privileged: must be null, got true"),
        ({"Binds": ["/:/host"]}, 'HostConfig.Binds: must be null, got ["/:/host"]'),
        ({"PidMode": "host"}, 'HostConfig.PidMode: must be null, got "host"'),
        ({"NetworkMode": "host"}, 'HostConfig.NetworkMode: must be "runyard.test.tenant.default", got "host"'),
        ({"CapAdd": ["SYS_ADMIN"]}, 'HostConfig.CapAdd: must be null, got ["SYS_ADMIN"]'),
        ({"SecurityOpt": ["seccomp=unconfined"]}, "HostConfig.SecurityOpt: must be"),
        ({"Devices": [{"PathOnHost": "/dev/kmsg"}]}, "HostConfig.Devices: must be null"),
        ({"MaskedPaths": []}, "MaskedPaths: must hide what the engine hides, got nothing"),
        ({"RestartPolicy": {"Name": "always"}}, "RestartPolicy: must be no"),
        ({"Memory": 2**30}, "HostConfig.Memory: must be 67108864, got 1073741824"),
        ({"Ulimits": [{"Name": "core", "Soft": 1, "Hard": 1}]}, "HostConfig.Ulimits: must be"),
        ({"CpuShares": 2048}, "HostConfig.CpuShares: must be null, got 2048"),
        ({"ReadonlyRootfs": False}, "HostConfig.ReadonlyRootfs: must be true, got null"),
        ({"SomethingNew": "on"}, 'HostConfig.SomethingNew: must be null, got "on"'),
    ],
)
def test_container_under_an_instances_labels_that_is_less_confined_is_not_started(
    host: Filter, host_config: dict[str, Any], told: str
) -> None:
    name, config = made_by(SUBJECT, "app")
    host.api.answers[f"GET /containers/{INSTANCE}/json"] = described(3, name, config, **host_config)
    answer = host.ask("POST", f"/containers/{INSTANCE}/start")
    assert answer.status == 403
    assert answer.message.startswith(f'filter: container "/{name}" must be as its document says: {told}')
    assert host.asked() == []
    # It may be cleared away.
    assert host.ask("DELETE", f"/containers/{INSTANCE}?force=1").status == 204


@pytest.mark.parametrize(
    ("key", "value"),
    [("Image", "sha256:other"), ("Cmd", ["other"]), ("Entrypoint", ["/bin/sh"]), ("Env", ["A=b"]), ("User", "0")],
)
def test_container_under_an_instances_labels_that_runs_something_else_is_not_started(
    host: Filter, key: str, value: object
) -> None:
    name, config = made_by(SUBJECT, "app")
    host.api.answers[f"GET /containers/{INSTANCE}/json"] = described(3, name, config | {key: value})
    answer = host.ask("POST", f"/containers/{INSTANCE}/start")
    assert (answer.status, f" {key}: must be " in answer.message) == (403, True)


def test_container_with_a_mount_that_is_not_its_documents_is_not_started(host: Filter) -> None:
    name, config = made_by(SUBJECT, "app")
    for kind, source, named in (("bind", "/", ""), ("volume", "/x", "runyard.test.orchestrator")):
        seen = described(3, name, config)
        seen["Mounts"] = [{"Type": kind, "Name": named, "Source": source, "Destination": "/host", "RW": True}]
        host.api.answers[f"GET /containers/{INSTANCE}/json"] = seen
        answer = host.ask("POST", f"/containers/{INSTANCE}/start")
        assert (answer.status, "mounts: must be its document's, got" in answer.message) == (403, True)


@pytest.mark.parametrize("network", ["runyard.test.tenant.other", "runyard.test.tenant.default.internal", "host"])
def test_container_that_somebody_connected_to_another_network_is_not_started(host: Filter, network: str) -> None:
    seen = described(3, *made_by(SUBJECT, "app"))
    seen["NetworkSettings"]["Networks"] = {**seen["NetworkSettings"]["Networks"], network: {}}
    host.api.answers[f"GET /containers/{INSTANCE}/json"] = seen
    answer = host.ask("POST", f"/containers/{INSTANCE}/start")
    told = f'networks: must be "runyard.test.tenant.default" alone, got "{network}"'
    assert (answer.status, told in answer.message) == (403, True), answer.text
    assert host.asked() == []


def test_container_in_the_network_of_what_is_not_its_instance_is_not_started(host: Filter) -> None:
    subject = document("hello-2", container(), container("side"))
    host.hold(SUBJECT, subject)
    host.api.answers[f"GET /containers/{INSTANCE}/json"] = described(3, *made_by(subject, "side"))
    owners = {
        "a part of the platform": (part_of_the_platform(2, "gateway"), 403),
        "another revision": (described(2, *made_by(SUBJECT, "app")), 403),
        "another instance": (described(2, *made_by(subject, "app", "7f")), 403),
        "no owner": (described(2, *made_by(subject, "side")), 403),
        "a stranger": (described(2, "db", {"Labels": {}}), 404),
        "its own": (described(2, *made_by(subject, "app")), 204),
    }
    for whose, (owner, status) in owners.items():
        host.api.answers[f"GET /containers/{id_of(2)}/json"] = owner
        assert host.ask("POST", f"/containers/{INSTANCE}/start").status == status, whose
    assert host.asked() == [f"POST /containers/{INSTANCE}/start"]


def test_every_container_of_an_instance_is_started_as_the_engine_describes_it(host: Filter) -> None:
    secret = Variable("PASSWORD", secret=SecretValue("store", "key", "digest"))
    mounts = (VolumeMount("kept", "/kept", read_only=True), VolumeMount("kept", "/x", sub_path="x"))
    subject = document(
        "hello-2",
        container(environment=(secret,), volume_mounts=mounts),
        container("side"),
        init_containers=(container("setup"),),
        volumes=(VolumeDocument("kept", "persistent", 2**20),),
    )
    host.hold(subject)
    host.api.answers[f"GET /containers/{id_of(2)}/json"] = described(2, *made_by(subject, "_holder"))
    for name in ("_holder", "_preparer", "_parts", "setup", "app", "side"):
        seen = described(3, *made_by(subject, name))
        # As an engine has it: it orders limits by itself, and drops the one of swap where the kernel has none.
        seen["HostConfig"]["Ulimits"].reverse()
        seen["HostConfig"]["MemorySwap"] = -1
        host.api.answers[f"GET /containers/{INSTANCE}/json"] = seen
        answer = host.ask("POST", f"/containers/{INSTANCE}/start")
        assert answer.status == 204, answer.text


def test_runtime_must_be_the_documents_where_it_names_one(host: Filter) -> None:
    subject = document("hello-3", runtime="runsc")
    host.hold(subject)
    name, config = made_by(subject, "app")
    for runtime, status in (("runsc", 204), ("runc", 403)):
        seen = described(3, name, config)
        seen["HostConfig"]["Runtime"] = runtime
        host.api.answers[f"GET /containers/{INSTANCE}/json"] = seen
        assert host.ask("POST", f"/containers/{INSTANCE}/start").status == status


def test_container_whose_document_is_gone_is_not_started(host: Filter) -> None:
    host.api.answers[f"GET /containers/{INSTANCE}/json"] = described(3, *made_by(document("gone-1"), "app"))
    answer = host.ask("POST", f"/containers/{INSTANCE}/start")
    told = "filter: revision default/gone-1 must have a signed document here, and has none"
    assert (answer.status, answer.message) == (403, told)
