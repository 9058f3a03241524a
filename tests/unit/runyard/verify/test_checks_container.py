"""Checks of containers: they pass on what the documents make, and each fails on what it is there to find."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runyard import names
from runyard.contracts import (
    Holdings,
    ImageIdentity,
    OrchestratorStatus,
    RevisionDocument,
    RevisionStatus,
    VolumeDocument,
    VolumeMount,
)
from runyard.manifest.model import EnvVar, KeyReference, Scaling
from runyard.plan import PartPlan, Plan, RevisionPlan, ServicePlan, plan
from runyard.scaling.schedule import parse_schedule
from runyard.verify import checks_container
from tests.unit.runyard.plan.example import container, manifests, service, template

TOKEN = EnvVar("TOKEN", reference=KeyReference("secret", "api", "latest"))
SHAPE = template(containers=(container(env=(TOKEN, EnvVar("A", "b"))),), scaling=Scaling(1, 3), labels={"team": "a"})
Inspection = dict[str, Any]


class FakeSubject:
    """A stack of one service with one instance, and the parts of the platform."""

    def __init__(self) -> None:
        self.plan: Plan = plan(manifests(service(template=SHAPE, uses=("cart",))))
        (self.service,) = self.plan.services
        self.found = [self.instance(), part("gateway"), part("orchestrator")]
        self.strangers: tuple[str, ...] = ()
        self.images = {"hello": ImageIdentity("sha256:1")}
        self.going: frozenset[str] = frozenset()

    def instance(self, number: str = "a1") -> Inspection:
        document = self.service.revision.document
        (made,) = document.containers
        name = names.instance_container("dev", "default", document.name, "hello", number)
        return {
            "Name": f"/{name}",
            "Image": "sha256:1",
            "State": {"Running": True},
            "Created": datetime.now(UTC).isoformat(),
            "Config": {
                "Env": [
                    "A=b",
                    "PORT=8080",
                    "K_SERVICE=hello",
                    "K_CONFIGURATION=hello",
                    f"K_REVISION={document.name}",
                    "TOKEN=of the image",
                ],
                "User": "",
                "WorkingDir": "",
                "Labels": {
                    "team": "a",
                    names.ROLE: names.ROLE_INSTANCE,
                    names.CONTAINER: "hello",
                    names.INSTANCE: number,
                },
            },
            "HostConfig": {
                "Memory": made.memory_bytes,
                "MemorySwap": made.memory_bytes,
                "CpuQuota": 100_000,
                "CpuPeriod": 100_000,
                "PidsLimit": 256,
                "CapDrop": ["ALL"],
                "CapAdd": None,
                "Privileged": False,
                "ReadonlyRootfs": True,
                "SecurityOpt": ["no-new-privileges", "seccomp={}"],
                "PidMode": "",
                "UTSMode": "",
                "IpcMode": "private",
                "Tmpfs": {"/tmp": "rw,mode=1777,size=67108864"},
                "NetworkMode": document.network,
                "ExtraHosts": [f"cart.internal:{document.gateway_address}"],
            },
            "Mounts": [{"Type": "volume", "Name": "runyard.dev.launcher", "Destination": "/.runyard", "RW": False}],
            "NetworkSettings": {"Networks": {document.network: {"IPAddress": self.address(5)}}},
        }

    def address(self, host: int) -> str:
        subnet = next(each.subnet for each in self.plan.networks if each.tenant == "default")
        return f"{subnet.rpartition('.')[0]}.{host}"

    def inspect(self, name: str) -> Inspection:
        return next(each for each in self.found if each["Name"] == f"/{name}")

    def containers(self, role: str | None = None) -> list[Inspection]:
        return [each for each in self.found if role in (None, each["Config"]["Labels"].get(names.ROLE))]

    def signed(self, revision: RevisionPlan) -> RevisionDocument | None:
        return replace(revision.document, images=self.images) if self.images else None

    def leaving(self) -> frozenset[str]:
        return self.going

    def image_environment(self, _image: str) -> list[str]:
        return ["TOKEN=of the image"]

    def holdings(self) -> Holdings:
        return Holdings(strangers=self.strangers)

    def status(self) -> OrchestratorStatus:
        served = RevisionStatus("default", "hello", "hello-1", 1, 1, (f"{self.address(5)}:8080",))
        return OrchestratorStatus(1, True, revisions=(served,))


def part(name: str) -> Inspection:
    host = {"CapDrop": ["ALL"], "ReadonlyRootfs": True, "Privileged": False, "Memory": 640 * 1024**2}
    labels = {names.ROLE: name}
    return {
        "Name": f"/runyard.dev.{name}",
        "State": {"Running": True},
        "Config": {"Labels": labels},
        "HostConfig": host,
        "NetworkSettings": {"Networks": {}},
    }


CHECKS: dict[str, Callable[..., None]] = {
    name: check for name, check in vars(checks_container).items() if name.startswith("test_")
}


def failing(subject: FakeSubject) -> set[str]:
    """Run every check and name those that fail."""
    given: dict[str, FakeSubject | PartPlan | ServicePlan] = {
        "subject": subject,
        "service": subject.service,
        "part": subject.plan.parts[0],
    }
    found = set()
    for name, check in CHECKS.items():
        try:
            check(**{each: given[each] for each in inspect.signature(check).parameters})
        except AssertionError:
            found.add(name.removeprefix("test_service_instances_").removeprefix("test_"))
    return found


def changed(path: str, value: Any) -> FakeSubject:
    """Give a stack whose instance has another value at this path."""
    subject = FakeSubject()
    *parents, last = path.split("/")
    at = subject.found[0]
    for each in parents:
        at = at[each]
    at[last] = value
    return subject


def test_stack_that_is_as_planned_passes_every_check() -> None:
    assert failing(FakeSubject()) == set()


@pytest.mark.parametrize(
    ("path", "value", "check"),
    [
        ("Image", "sha256:2", "are_of_the_images_that_were_signed"),
        ("Config/Env", ["A=c"], "have_the_documents_environment_and_no_secret"),
        ("Config/Labels/team", "b", "run_as_the_document_says"),
        ("HostConfig/Memory", 1, "are_limited_as_documented"),
        ("HostConfig/CpuQuota", 1, "are_limited_as_documented"),
        ("HostConfig/PidsLimit", 0, "are_limited_as_documented"),
        ("HostConfig/CapDrop", None, "are_hardened"),
        ("HostConfig/CapAdd", ["SYS_ADMIN"], "are_hardened"),
        ("HostConfig/Privileged", True, "are_hardened"),
        ("HostConfig/ReadonlyRootfs", False, "are_hardened"),
        ("HostConfig/SecurityOpt", [], "are_hardened"),
        ("HostConfig/SecurityOpt", ["no-new-privileges"], "are_hardened"),
        ("HostConfig/PidMode", "host", "are_hardened"),
        ("HostConfig/Tmpfs", {"/tmp": "rw"}, "are_hardened"),
        ("Mounts", [{"Type": "bind", "Destination": "/x", "RW": True}], "mount_nothing_of_the_host"),
        (
            "Mounts",
            [{"Type": "volume", "Name": "runyard.dev.launcher", "Destination": "/.runyard", "RW": True}],
            "mount_the_volumes_of_the_document_and_no_others",
        ),
        (
            "Mounts",
            [{"Type": "volume", "Name": "v", "Destination": "/v", "RW": True}],
            "mount_the_volumes_of_the_document_and_no_others",
        ),
        ("NetworkSettings/Networks", {"bridge": {"IPAddress": "1.2.3.4"}}, "have_addresses_of_their_tenant"),
        ("HostConfig/ExtraHosts", None, "resolve_only_the_callees_that_are_declared"),
        ("State/Running", False, "service_has_its_instances"),
    ],
)
def test_instance_that_is_not_as_documented_fails_the_check_of_it(path: str, value: Any, check: str) -> None:
    assert failing(changed(path, value)) == {check}


@pytest.mark.parametrize(
    ("quota", "age_s", "passes"),
    [(200_000, 0, True), (200_000, 500, True), (200_000, 700, False), (100_000, 700, True), (150_000, 0, False)],
)
def test_boosted_instance_is_as_documented_for_as_long_as_it_may_start(quota: int, age_s: int, passes: bool) -> None:
    subject = FakeSubject()
    document = subject.service.revision.document
    containers = (replace(document.containers[0], startup_cpu_millis=2000),)
    subject.service = replace(subject.service, revision=RevisionPlan(replace(document, containers=containers)))
    subject.found[0]["HostConfig"]["CpuQuota"] = quota
    subject.found[0]["Created"] = (datetime.now(UTC) - timedelta(seconds=age_s)).isoformat()
    assert failing(subject) == (set() if passes else {"are_limited_as_documented"})


def test_services_own_counts_are_what_must_run() -> None:
    subject = FakeSubject()
    rollout = subject.service.rollout
    for counts, passes in (
        ({"min_instances": 2}, False),
        ({"manual_instances": 2}, False),
        ({"manual_instances": 0}, True),
    ):
        subject.service = replace(subject.service, rollout=replace(rollout, **counts))
        assert failing(subject) == (set() if passes else {"service_has_its_instances"})


@pytest.mark.parametrize(
    ("schedule", "passes"),
    [
        # The one instance that there is does for the first, whatever the hour; two are too many to ask of it.
        ("1 at 0 0 * * *", True),
        ("2 at 0 0 * * *", False),
        ("0 at 0 0 * * *", True),
        # What comes due every minute is as often as any: the last of the list counts.
        ("2 at * * * * *; 1 at * * * * *", True),
        ("1 at * * * * *; 2 at * * * * *", False),
    ],
)
def test_instances_that_the_schedule_asks_for_now_must_run(schedule: str, passes: bool) -> None:
    subject = FakeSubject()
    rollout = replace(subject.service.rollout, schedule=parse_schedule(schedule))
    subject.service = replace(subject.service, rollout=rollout)
    assert failing(subject) == (set() if passes else {"service_has_its_instances"})


def test_user_and_directory_that_the_document_names_are_held() -> None:
    subject = FakeSubject()
    document = subject.service.revision.document
    containers = (replace(document.containers[0], user="1000", working_dir="/srv"),)
    subject.service = replace(subject.service, revision=RevisionPlan(replace(document, containers=containers)))
    assert failing(subject) == {"run_as_the_document_says"}
    subject.found[0]["Config"] |= {"User": "1000", "WorkingDir": "/srv"}
    assert failing(subject) == set()


def test_container_that_shares_an_instances_network_has_no_address_of_its_own() -> None:
    subject = FakeSubject()
    subject.found[0]["HostConfig"] |= {"NetworkMode": "container:1", "ExtraHosts": None}
    subject.found[0]["NetworkSettings"]["Networks"] = {}
    assert failing(subject) == set()


def test_container_that_ran_before_the_others_is_held_to_its_limits_and_counts_as_no_instance() -> None:
    subject = FakeSubject()
    document = subject.service.revision.document
    initial = replace(document.containers[0], name="init")
    subject.service = replace(subject.service, revision=RevisionPlan(replace(document, init_containers=(initial,))))
    subject.images["init"] = subject.images["hello"]
    subject.plan = replace(subject.plan, services=(subject.service,))
    ran = copy.deepcopy(subject.found[0])
    ran["Name"] = ran["Name"].replace(".hello.a1", ".init.a1")
    ran["Config"]["Labels"][names.CONTAINER] = "init"
    ran["State"] = {"Running": False}
    subject.found.append(ran)
    assert failing(subject) == set()
    ran["HostConfig"]["Memory"] = 1
    assert failing(subject) == {"are_limited_as_documented"}


def test_secret_that_the_engine_was_told_is_found() -> None:
    subject = FakeSubject()
    subject.found[0]["Config"]["Env"].append("TOKEN=s3cret")
    assert failing(subject) == {"have_the_documents_environment_and_no_secret"}


def test_revision_without_a_signed_document_is_told() -> None:
    subject = FakeSubject()
    subject.images = {}
    assert failing(subject) == {"are_of_the_images_that_were_signed"}


def test_two_instances_at_one_address_are_told() -> None:
    subject = FakeSubject()
    subject.found.append(subject.instance("a2"))
    assert failing(subject) == {"have_addresses_of_their_tenant"}


def test_container_with_an_instances_labels_and_another_name_is_a_stranger_and_not_an_instance() -> None:
    subject = FakeSubject()
    forged = copy.deepcopy(subject.found[0])
    forged |= {"Name": "/forged", "Image": "sha256:9"}
    forged["NetworkSettings"]["Networks"] = {"n": {"IPAddress": subject.address(6)}}
    subject.found.append(forged)
    subject.strangers = ("forged",)
    assert failing(subject) == {"stack_has_no_container_that_nothing_planned"}
    forged["NetworkSettings"]["Networks"]["n"]["IPAddress"] = subject.address(5)
    assert failing(subject) == {"stack_has_no_container_that_nothing_planned", "stack_serves_no_stranger"}


def test_instance_of_an_earlier_revision_is_told_unless_it_is_on_its_way_out() -> None:
    subject = FakeSubject()
    earlier = subject.instance("a0")
    earlier["Name"] = "/runyard.dev.default.hello-0.hello.a0"
    earlier["Config"]["Labels"] |= {names.TENANT: "default", names.REVISION: "hello-0"}
    earlier["NetworkSettings"]["Networks"] = {}
    subject.found.append(earlier)
    assert failing(subject) == {"stack_has_no_container_that_nothing_planned"}
    subject.going = frozenset({"a0"})
    assert failing(subject) == set()
    earlier["Name"] = "/runyard.dev.default.hello-0.hello.b0"
    assert failing(subject) == {"stack_has_no_container_that_nothing_planned"}


def test_part_that_is_not_hardened_is_told() -> None:
    subject = FakeSubject()
    subject.inspect("runyard.dev.gateway")["HostConfig"]["Privileged"] = True
    assert failing(subject) == {"platform_part_runs_hardened"}


def test_claim_that_is_not_handed_over_is_no_stranger() -> None:
    subject = FakeSubject()
    subject.found.append(part("claim"))
    assert failing(subject) == set()


def with_volumes() -> FakeSubject:
    """Give a stack whose instance has volumes, and the helpers that these need."""
    subject = FakeSubject()
    document = subject.service.revision.document
    mounts = (VolumeMount("data", "/data"), VolumeMount("work", "/part", read_only=True, sub_path="a"))
    containers = (replace(document.containers[0], volume_mounts=mounts),)
    volumes = (VolumeDocument("data", "persistent", 1), VolumeDocument("work", "shared", 1))
    revision = RevisionPlan(replace(document, containers=containers, volumes=volumes))
    subject.service = replace(subject.service, revision=revision)
    subject.plan = replace(subject.plan, services=(subject.service,))
    part = names.part_volume("dev", "default", document.name, ("work", "a"), "a1")
    subject.found[0]["Mounts"] += [
        {"Type": "volume", "Name": "runyard.dev.volume.default.data", "Destination": "/data", "RW": True},
        {"Type": "volume", "Name": part, "Destination": "/part", "RW": False},
    ]
    for name, more in ((names.HOLDER, {}), (names.PREPARER, {"CapAdd": ["CAP_DAC_OVERRIDE"], "NetworkMode": "none"})):
        helper = copy.deepcopy(subject.found[0])
        helper["Name"] = helper["Name"].replace(".hello.a1", f".{name}.a1")
        helper["Config"]["Labels"][names.CONTAINER] = name
        helper["Config"]["Entrypoint"] = ["/.runyard/launch", "hold"]
        helper["HostConfig"] |= more
        subject.found.append(helper)
    return subject


def test_instance_with_volumes_and_helpers_passes_every_check() -> None:
    assert failing(with_volumes()) == set()


@pytest.mark.parametrize("change", [{"Name": "other"}, {"RW": False}, {"Destination": "/elsewhere"}])
def test_volume_that_is_not_the_documents_is_told(change: dict[str, Any]) -> None:
    subject = with_volumes()
    subject.found[0]["Mounts"][1] |= change
    assert failing(subject) == {"mount_the_volumes_of_the_document_and_no_others"}


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("HostConfig", {"CapAdd": ["SYS_ADMIN"]}),
        ("HostConfig", {"NetworkMode": "host"}),
        ("HostConfig", {"ReadonlyRootfs": False}),
        ("Config", {"Entrypoint": ["sh"]}),
    ],
)
def test_helper_that_does_or_may_something_else_is_told(part: str, change: dict[str, Any]) -> None:
    subject = with_volumes()
    subject.found[-1][part] |= change
    assert failing(subject) == {"helpers_run_the_launcher_alone"}
