"""Creation: the engine makes what a signed document says, to the last field, and nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runyard import names
from runyard.contracts import (
    FilesMount,
    ImageIdentity,
    MemoryMount,
    RevisionDocument,
    SecretFile,
    SecretValue,
    Variable,
    VolumeDocument,
    VolumeMount,
)
from services.orchestrator.model.revision import Revision
from tests.unit.services.filter.program import (
    ADDRESS,
    IMAGE_SEEN,
    INSTANCE,
    Filter,
    described,
    filtering,
    id_of,
    made_by,
)
from tests.unit.services.orchestrator.world import FOREIGN_KEY, IMAGE, NETWORK, container, document

SECRET = SecretValue("store", "key", "digest")
SHARED, KEPT = VolumeDocument("shared", "shared", 2**20), VolumeDocument("kept", "persistent", 2**30)
DOCUMENTS = {
    "plain": document(),
    "of the document's own words": document(
        "hello-1",
        container(
            entrypoint=("/entry",),
            command=("a", "b c", "<é\u2028>"),
            environment=(Variable("A", "mine"), Variable("Ä", "x=y")),
            working_dir="/srv",
            user="1000:1000",
            cpu_millis=250,
            memory_mounts=(MemoryMount("/tmp", 2**20),),
        ),
        labels={"team": "a&b"},
    ),
    "command alone": document("hello-1", container(command=("other",))),
    "with secrets": document(
        "hello-1",
        container(
            environment=(Variable("PASSWORD", secret=SECRET), Variable("B", "plain")),
            file_mounts=(FilesMount("/secrets", (SecretFile("key", SECRET), SecretFile("more", SECRET))),),
        ),
    ),
    "with the CA of those that it calls": document(
        "hello-1", container(file_mounts=(FilesMount("/run/runyard", authority=True),))
    ),
    "whose root can be written": document("hello-1", container(writable_root=True)),
    "with more CPU at its start": document("hello-1", container(cpu_millis=250, startup_cpu_millis=1250)),
    "with little weight": document("hello-1", container(cpu_weight_millis=1)),
    "with some weight": document("hello-1", container(cpu_weight_millis=250), container("side", cpu_weight_millis=7)),
    "with more weight than there is": document("hello-1", container(cpu_weight_millis=1_000_000)),
    "under another runtime": document(runtime="runsc"),
    "who is told of itself": document(metadata=True, callees=("zoo", "cart"), network=f"{NETWORK}.internal"),
    "who calls": document(callees=("cart", "billing"), network=f"{NETWORK}.internal"),
    "with a hash behind its name": document(identity="hello-1.0a1b2c3d"),
    "several that wait for each other": document(
        "hello-1", container("first", depends_on=("second",)), container("second"), container("third")
    ),
    "with volumes and what prepares them": document(
        "hello-1",
        container(
            volume_mounts=(
                VolumeMount("shared", "/shared"),
                VolumeMount("kept", "/kept", read_only=True),
                VolumeMount("kept", "/logs", sub_path="var/logs"),
                VolumeMount("kept", "/cache", sub_path="a"),
            ),
        ),
        container("side", volume_mounts=(VolumeMount("shared", "/in"),)),
        init_containers=(container("setup", command=("init",)),),
        volumes=(SHARED, KEPT),
    ),
}
CASES = [
    pytest.param(each, part.document.name, id=f"{name}: {part.document.name}")
    for name, each in DOCUMENTS.items()
    for part in Revision(each).parts
]


def with_owner(filter: Filter, subject: RevisionDocument) -> None:
    owner = Revision(subject).owner
    filter.api.answers[f"GET /containers/{id_of(2)}/json"] = described(2, *made_by(subject, owner))


@pytest.mark.parametrize(("subject", "name"), CASES)
def test_what_the_orchestrator_makes_of_a_document_is_what_the_filter_makes_of_it(
    filter: Filter, subject: RevisionDocument, name: str
) -> None:
    filter.hold(subject)
    with_owner(filter, subject)
    called, config = made_by(subject, name)
    answer = filter.ask("POST", f"/containers/create?name={called}", config)
    assert (answer.status, json.loads(answer.text)["Id"]) == (201, id_of(1)), answer.text
    assert filter.api.bodies["POST /containers/create"] == config
    assert filter.api.targets[-1] == f"POST /containers/create?name={called}"


def put(*path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(config: dict[str, Any]) -> None:
        for key in path[:-1]:
            config = config.setdefault(key, {})
        config[path[-1]] = value

    return change


HOST = {
    "Privileged": True,
    "Binds": ["/:/host"],
    "PidMode": "host",
    "IpcMode": "host",
    "UTSMode": "host",
    "UsernsMode": "host",
    "CgroupnsMode": "host",
    "CgroupParent": "/",
    "CapAdd": ["SYS_ADMIN"],
    "CapDrop": [],
    "SecurityOpt": ["seccomp=unconfined"],
    "Devices": [{"PathOnHost": "/dev/sda", "PathInContainer": "/dev/sda", "CgroupPermissions": "rwm"}],
    "DeviceCgroupRules": ["a *:* rwm"],
    "DeviceRequests": [{"Count": -1}],
    "VolumesFrom": ["runyard.test.gateway"],
    "VolumeDriver": "other",
    "Runtime": "other",
    "Sysctls": {"net.ipv4.ip_forward": "1"},
    "GroupAdd": ["0"],
    "Links": ["a:b"],
    "PortBindings": {"80/tcp": [{"HostPort": "80"}]},
    "PublishAllPorts": True,
    "Dns": ["10.0.0.1"],
    "ExtraHosts": ["gateway:127.0.0.1"],
    "MaskedPaths": [],
    "ReadonlyPaths": [],
    "ReadonlyRootfs": False,
    "Memory": 0,
    "MemorySwap": -1,
    "CpuQuota": 0,
    "CpuShares": 262_144,
    "PidsLimit": 0,
    "OomKillDisable": True,
    "OomScoreAdj": -1000,
    "Ulimits": [],
    "ShmSize": 2**40,
    "Tmpfs": {"/x": "exec"},
    "StorageOpt": {"size": "1T"},
    "LogConfig": {"Type": "syslog", "Config": {}},
    "RestartPolicy": {"Name": "always"},
    "AutoRemove": True,
    "NetworkMode": "host",
    "Mounts": [{"Type": "bind", "Source": "/", "Target": "/host"}],
    "Init": True,
    "Isolation": "hyperv",
    "privileged": True,
    "PRIVILEGED": True,
}
TOP = {
    "Image": "sha256:other",
    "Entrypoint": ["/bin/sh"],
    "Cmd": ["-c", "id"],
    "Env": ["PATH=/evil"],
    "User": "0",
    "WorkingDir": "/x",
    "Tty": True,
    "OpenStdin": True,
    "Hostname": "other",
    "Domainname": "other",
    "ExposedPorts": {"80/tcp": {}},
    "Volumes": {"/x": {}},
    "MacAddress": "02:42:ac:11:00:02",
    "NetworkDisabled": True,
    "OnBuild": ["RUN x"],
    "StopSignal": "SIGKILL",
    "StopTimeout": 1000,
    "Shell": ["/bin/sh"],
    "Healthcheck": {"Test": ["CMD", "id"]},
    "hostConfig": {"Privileged": True},
    "hostconfig": {"Privileged": True},
    "HostConfig": {},
    "NetworkingConfig": {"EndpointsConfig": {"host": {}}},
}
CHANGES = [pytest.param(("HostConfig", key), value, id=f"HostConfig.{key}") for key, value in HOST.items()]
CHANGES += [pytest.param((key,), value, id=key) for key, value in TOP.items()]
CHANGES += [
    pytest.param(("Labels", names.SERVICE), "other", id="service"),
    pytest.param(("Labels", names.STACK), "other", id="stack"),
    pytest.param(("Labels", names.ROLE), "gateway", id="role"),
    pytest.param(("Labels", "more"), "label", id="label"),
    pytest.param(("NetworkingConfig", "EndpointsConfig", NETWORK, "Aliases"), ["db"], id="aliases"),
    pytest.param(("NetworkingConfig", "EndpointsConfig", "runyard.test.platform"), {}, id="second network"),
    pytest.param(("NetworkingConfig", "EndpointsConfig", NETWORK, "MacAddress"), "02:00:00:00:00:01", id="mac"),
]


@pytest.fixture(scope="module")
def long_lived(tmp_path_factory: pytest.TempPathFactory, binary: Path) -> Iterator[Filter]:
    """Give one filter for all that is refused, and so changes nothing."""
    with filtering(tmp_path_factory.mktemp("refusing"), binary) as made:
        made.hold(document())
        yield made


@pytest.mark.parametrize(("path", "value"), CHANGES)
def test_each_field_that_is_not_the_documents_is_refused(
    long_lived: Filter, path: tuple[str, ...], value: object
) -> None:
    name, config = made_by(document(), "app")
    changed = copy.deepcopy(config)
    put(*path, value=value)(changed)
    assert changed != config
    answer = long_lived.ask("POST", f"/containers/create?name={name}", changed)
    assert answer.status == 403
    assert answer.message.startswith("filter: ")
    assert " must " in answer.message
    assert long_lived.asked() == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            put("HostConfig", "Privileged", value=True),
            "container app of revision default/hello-1: HostConfig.Privileged: must be false, got true",
        ),
        (
            put("HostConfig", "PidMode", value="host"),
            'container app of revision default/hello-1: HostConfig.PidMode: must not be said, got "host"',
        ),
        (
            put("Labels", names.REVISION, value="hello-2"),
            "revision default/hello-2 must have a signed document here, and has none",
        ),
        (
            put("Labels", names.REVISION, value="../x"),
            'a container\'s revision must be two DNS labels, got "default/../x"',
        ),
        (put("Labels", names.CONTAINER, value="_holder"), 'revision default/hello-1 must have a container "_holder"'),
        (
            put("Labels", names.INSTANCE, value="a.b"),
            'Labels.runyard.dev/instance: must be an instance\'s id, got "a.b"',
        ),
        (
            put("NetworkingConfig", "EndpointsConfig", NETWORK, "IPAMConfig", "IPv4Address", value="::1"),
            f'container app of revision default/hello-1 must have an IPv4 address in {NETWORK}, got "::1"',
        ),
    ],
)
def test_refusal_says_what_must_be_and_what_was_seen(
    filter: Filter, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    filter.hold(document())
    name, config = made_by(document(), "app")
    change(config)
    answer = filter.ask("POST", f"/containers/create?name={name}", config)
    assert (answer.status, answer.message) == (403, f"filter: {message}")
    assert filter.asked() == []


def test_name_is_the_documents(filter: Filter) -> None:
    filter.hold(document())
    name, config = made_by(document(), "app")
    for other in (f"{name}x", "runyard.test.gateway", ""):
        answer = filter.ask("POST", f"/containers/create?name={other}", config)
        assert (answer.status, answer.message) == (403, f'filter: name must be {name}, got "{other}"')


@pytest.mark.parametrize("body", [b"", b"[]", b"{} {}", b"{", b'"x"', b"null"])
def test_body_that_is_no_configuration_is_refused(filter: Filter, body: bytes) -> None:
    assert filter.raw("POST", "/v1.41/containers/create?name=x", body).status == 403
    assert filter.asked() == []


def test_what_is_said_twice_is_not_what_the_engine_hears(filter: Filter) -> None:
    filter.hold(document())
    name, config = made_by(document(), "app")
    text = json.dumps(config)
    twice = '{"HostConfig": {"Privileged": true}, ' + text[1:]
    answer = filter.raw("POST", f"/v1.41/containers/create?name={name}", twice.encode())
    assert answer.status == 201
    assert filter.api.bodies["POST /containers/create"] == config
    answer = filter.raw("POST", f"/v1.41/containers/create?name={name}", (text[:-1] + ', "HostConfig": {}}').encode())
    assert answer.status == 403


def test_document_must_be_signed_by_the_stacks_key(filter: Filter) -> None:
    name, config = made_by(document(), "app")
    filter.hold(document(), key=FOREIGN_KEY)
    answer = filter.ask("POST", f"/containers/create?name={name}", config)
    assert answer.message == (
        "filter: revision default/hello-1 must have a signed document here, and has none (default.hello-1.json: must "
        "be signed by this stack's key, and its signature does not fit)"
    )
    filter.hold(document())
    path = filter.directory / "documents" / "default.hello-1.json"
    genuine = path.read_text()
    for tampered in (
        genuine.replace("hello:1", "other:1"),
        genuine.replace("67108864", "97108864"),
        genuine[:-9],
        "",
        "{}",
        "[" * 100_000,
    ):
        assert tampered != genuine
        path.write_text(tampered)
        assert filter.ask("POST", f"/containers/create?name={name}", config).status == 403
    path.unlink()
    path.symlink_to(filter.directory / "elsewhere")
    (filter.directory / "elsewhere").write_text(genuine)
    assert filter.ask("POST", f"/containers/create?name={name}", config).status == 403
    path.unlink()
    path.write_text(genuine)
    assert filter.ask("POST", f"/containers/create?name={name}", config).status == 201


@pytest.mark.parametrize(
    "fields",
    [
        {"stack": "other"},
        {"network": "runyard.test.tenant.other"},
        {"network": "host"},
        {"callees": ("a.b",)},
        {"metadata": True, "gateway_address": "gateway"},
        {"volumes": (VolumeDocument("../x", "persistent", 1),)},
        {"volumes": (VolumeDocument("x", "shared", 0),)},
        {"containers": (container(memory_bytes=0),)},
        {"containers": (container(cpu_millis=0),)},
        {"containers": (container(startup_cpu_millis=-1),)},
        {"containers": (container(pids_limit=0),)},
        {
            "containers": (container(volume_mounts=(VolumeMount("kept", "/x", sub_path="../../etc"),)),),
            "volumes": (KEPT,),
        },
    ],
)
def test_signed_document_that_asks_for_more_than_its_tenants_own_is_refused(
    filter: Filter, fields: dict[str, Any]
) -> None:
    # As the orchestrator would make it that takes anything.
    name, config = made_by(document(), "app")
    filter.hold(document(**fields))
    answer = filter.ask("POST", f"/containers/create?name={name}", config)
    assert (answer.status, "has none (default.hello-1.json: " in answer.message) == (403, True), answer.text
    assert filter.asked() == []


def test_container_joins_its_own_instance_and_no_other(filter: Filter) -> None:
    subject = document("hello-1", container(), container("side"))
    filter.hold(subject)
    name, config = made_by(subject, "side")
    owner = f"GET /containers/{id_of(2)}/json"
    strangers = (
        described(2, *made_by(subject, "app", "2b")),
        described(2, *made_by(subject, "side")),
        described(2, *made_by(document("other-1"), "app")),
        described(2, "db", {"Labels": {}}),
        described(2, "db", {"Labels": {names.STACK: "other", names.ROLE: "instance"}}),
    )
    for stranger in strangers:
        filter.api.answers[owner] = stranger
        assert filter.ask("POST", f"/containers/create?name={name}", config).status in (403, 404)
    for mode in ("host", "bridge", "none", "container:db", "container:", f"container:{id_of(2)[:12]}"):
        config["HostConfig"]["NetworkMode"] = mode
        assert filter.ask("POST", f"/containers/create?name={name}", config).status == 403
    assert filter.asked() == []


def test_image_is_the_signed_one_whatever_its_name_stands_for_meanwhile(filter: Filter) -> None:
    filter.hold(document(images={"app": ImageIdentity("sha256:gone")}))
    name, config = made_by(document(), "app")
    answer = filter.ask("POST", f"/containers/create?name={name}", config)
    # The engine's own words, by which the orchestrator knows that it must be pulled.
    assert (answer.status, answer.message) == (404, "no such thing: GET /images/sha256:gone/json")
    filter.api.answers["GET /images/sha256:gone/json"] = {**IMAGE_SEEN, "Id": "sha256:gone"}
    answer = filter.ask("POST", f"/containers/create?name={name}", config)
    assert answer.message.endswith(f'Image: must be "sha256:gone", got "{IMAGE}"')


def test_older_of_two_documents_of_a_name_counts_as_well(filter: Filter) -> None:
    old, new = (document(identity=f"hello-1.{each}", labels={"n": each}) for each in ("old", "new"))
    filter.hold(old, new)
    for each in (old, new):
        name, config = made_by(each, "app")
        assert filter.ask("POST", f"/containers/create?name={name}", config).status == 201
    mixed = made_by(document(labels={"n": "none"}), "app")
    assert filter.ask("POST", f"/containers/create?name={mixed[0]}", mixed[1]).status == 403


def test_instance_may_be_any_and_have_any_address(filter: Filter) -> None:
    filter.hold(document())
    for instance in ("1", INSTANCE, "ff"):
        name, config = made_by(document(), "app", instance)
        endpoint = config["NetworkingConfig"]["EndpointsConfig"][NETWORK]
        assert endpoint["IPAMConfig"]["IPv4Address"] == ADDRESS
        endpoint["IPAMConfig"]["IPv4Address"] = "10.130.0.77"
        assert filter.ask("POST", f"/containers/create?name={name}", config).status == 201
