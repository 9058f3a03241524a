"""Checks of containers: instances are what their signed documents say and hardened, and nobody else's is among them."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Collection, Iterator
from datetime import datetime

from runyard import names
from runyard.contracts import ContainerDocument, VolumeMount
from runyard.host.recovery import planned_names
from runyard.plan import PartPlan, RevisionPlan, ServicePlan
from runyard.scaling.counts import desired_count, settings_of, with_scheduled
from runyard.scaling.schedule import minimum_at
from runyard.verify.plugin import Inspection, Subject

# Within this, in seconds, the instances of a schedule's entry are ready where the host has room.
_START_S = 60


def test_service_has_its_instances(subject: Subject, service: ServicePlan) -> None:
    # What has come due in the last minute may still be starting, and what ended in it be ending.
    scheduled = min(minimum_at(service.rollout.schedule, moment) for moment in (time.time() - _START_S, time.time()))
    rollout = with_scheduled(service.rollout, scheduled)
    # A revision without share and tag is idle: its document is kept, and nothing of it runs.
    for revision in service.active:
        document = revision.document
        share = sum(each.percent for each in rollout.traffic if each.revision == revision.name)
        least = desired_count(settings_of(document, rollout), share)
        # After a rollout the capacity that was taken over is kept for a while, so there may be more.
        running = [each for each in _running_parts(subject, revision) if each["State"]["Running"]]
        assert len(running) >= least * len(document.containers)


def test_service_instances_are_of_the_images_that_were_signed(subject: Subject, service: ServicePlan) -> None:
    for revision, container, instance in _contained(subject, service):
        signed = subject.signed(revision)
        assert signed is not None, f"the stack's state has no document of {revision.identity}"
        assert instance["Image"] == signed.images[container.name].id


def test_service_instances_have_the_documents_environment_and_no_secret(subject: Subject, service: ServicePlan) -> None:
    for revision, container, instance in _contained(subject, service):
        plain = {f"{each.name}={each.value}" for each in container.environment if each.secret is None}
        found = set(instance["Config"]["Env"])
        assert plain | {f"K_REVISION={revision.name}"} <= found
        # The launcher brings secrets, and the engine is told none; an image may have a default of its own.
        secret = {each.name for each in container.environment if each.secret is not None}
        told = {each for each in found if each.partition("=")[0] in secret}
        assert told <= set(subject.image_environment(instance["Image"]))


def test_service_instances_run_as_the_document_says(subject: Subject, service: ServicePlan) -> None:
    for revision, container, instance in _contained(subject, service):
        found = instance["Config"]
        if container.user:
            assert found["User"] == container.user
        if container.working_dir:
            assert found["WorkingDir"] == container.working_dir
        assert revision.document.labels.items() <= found["Labels"].items()


def test_service_instances_are_limited_as_documented(subject: Subject, service: ServicePlan) -> None:
    for revision, container, instance in _contained(subject, service):
        limits = instance["HostConfig"]
        assert limits["Memory"] == container.memory_bytes
        assert limits["MemorySwap"] == container.memory_bytes
        assert _cpu_millis(instance) in _may_take(instance, revision, container)
        assert limits["PidsLimit"] == container.pids_limit


def test_service_instances_are_hardened(subject: Subject, service: ServicePlan) -> None:
    for _, container, instance in _contained(subject, service):
        limits = instance["HostConfig"]
        assert limits["CapDrop"] == ["ALL"]
        assert not limits["CapAdd"]
        assert limits["Privileged"] is False
        assert limits["ReadonlyRootfs"] is not container.writable_root
        assert "no-new-privileges" in limits["SecurityOpt"]
        assert _has_own_seccomp(limits)
        assert limits["PidMode"] == ""
        assert limits["UTSMode"] == ""
        assert limits["IpcMode"] in ("", "private", "shareable")
        tmpfs = limits["Tmpfs"] or {}
        for mount in container.memory_mounts:
            assert f"size={mount.size_bytes}" in tmpfs[mount.path].split(",")


def test_service_instances_mount_nothing_of_the_host(subject: Subject, service: ServicePlan) -> None:
    for _, _, instance in _contained(subject, service):
        assert [each for each in instance["Mounts"] if each["Type"] == "bind"] == []


def test_service_instances_mount_the_volumes_of_the_document_and_no_others(
    subject: Subject, service: ServicePlan
) -> None:
    for revision, container, instance in _contained(subject, service):
        found = {each["Destination"]: each for each in instance["Mounts"] if each["Type"] == "volume"}
        launcher = found.pop(names.LAUNCHER_MOUNT, None)
        if launcher is not None:
            assert (launcher["Name"], launcher["RW"]) == (names.platform_volume(subject.plan.stack, "launcher"), False)
        number = instance["Config"]["Labels"][names.INSTANCE]
        wanted = {
            each.path: (_volume_name(revision, each, number), not each.read_only) for each in container.volume_mounts
        }
        assert {path: (each["Name"], each["RW"]) for path, each in found.items()} == wanted


def test_service_instances_helpers_run_the_launcher_alone(subject: Subject, service: ServicePlan) -> None:
    for revision in service.active:
        for helper in _helpers(subject, revision):
            limits, name = helper["HostConfig"], helper["Config"]["Labels"][names.CONTAINER]
            assert helper["Config"]["Entrypoint"][0] == f"{names.LAUNCHER_MOUNT}/launch"
            assert limits["CapDrop"] == ["ALL"]
            # It gets into directories that their users have closed, without a network.
            assert (limits["CapAdd"] or []) == (["CAP_DAC_OVERRIDE"] if name == names.PREPARER else [])
            assert (limits["NetworkMode"] == "none") == (name != names.HOLDER)
            assert limits["Privileged"] is False
            assert limits["ReadonlyRootfs"] is True
            assert "no-new-privileges" in limits["SecurityOpt"]
            assert _has_own_seccomp(limits)
            assert limits["Memory"] > 0
            assert [each for each in helper["Mounts"] if each["Type"] == "bind"] == []


def test_service_instances_have_addresses_of_their_tenant(subject: Subject, service: ServicePlan) -> None:
    subnets = {network.name: ipaddress.ip_network(network.subnet) for network in subject.plan.networks}
    addresses = []
    for revision in service.active:
        network = revision.document.network
        for instance in _running_parts(subject, revision):
            # The others of an instance are in the network namespace of its first container.
            if not instance["HostConfig"]["NetworkMode"].startswith("container:"):
                assert list(instance["NetworkSettings"]["Networks"]) == [network]
                addresses.append(instance["NetworkSettings"]["Networks"][network]["IPAddress"])
                assert ipaddress.ip_address(addresses[-1]) in subnets[network]
    assert len(set(addresses)) == len(addresses)


def test_service_instances_resolve_only_the_callees_that_are_declared(subject: Subject, service: ServicePlan) -> None:
    for revision in service.active:
        document = revision.document
        hosts = [f"{each}:{document.gateway_address}" for each in document.known_hosts]
        for instance in _running_parts(subject, revision):
            if not instance["HostConfig"]["NetworkMode"].startswith("container:"):
                assert sorted(instance["HostConfig"]["ExtraHosts"] or []) == hosts


def test_platform_part_runs_hardened(subject: Subject, part: PartPlan) -> None:
    found = subject.inspect(part.container)
    assert found["State"]["Running"] is True
    assert found["HostConfig"]["CapDrop"] == ["ALL"]
    assert found["HostConfig"]["ReadonlyRootfs"] is True
    assert found["HostConfig"]["Privileged"] is False
    assert found["HostConfig"]["Memory"] == part.part.memory_bytes


def test_stack_has_no_container_that_nothing_planned(subject: Subject) -> None:
    planned = {name for kind, name in planned_names(subject.plan) if kind == "container"}
    planned |= {names.claim_container(subject.plan.stack), names.CLAIM_TURN}
    active = [revision for service in subject.plan.services for revision in service.active]
    planned |= {
        _name(each) for revision in active for each in (*_instances(subject, revision), *_helpers(subject, revision))
    }
    planned |= set(_leaving(subject))
    assert sorted({_name(each) for each in subject.containers()} - planned) == []


def test_stack_serves_no_stranger(subject: Subject) -> None:
    strangers = subject.holdings().strangers
    served = {each.partition(":")[0] for revision in subject.status().revisions for each in revision.addresses}
    theirs = {
        network["IPAddress"]
        for each in subject.containers()
        if _name(each) in strangers
        for network in each["NetworkSettings"]["Networks"].values()
    }
    assert served & theirs == set()


def _contained(subject: Subject, service: ServicePlan) -> Iterator[tuple[RevisionPlan, ContainerDocument, Inspection]]:
    """Give each container of the service's instances with its revision and its part of the document."""
    for revision in service.active:
        containers = _parts(revision)
        for instance in _instances(subject, revision):
            yield revision, containers[instance["Config"]["Labels"][names.CONTAINER]], instance


def _instances(subject: Subject, revision: RevisionPlan) -> list[Inspection]:
    """Give the containers of a revision's instances; labels alone make nobody one of them, so their names count too."""
    return _named(subject, revision, _parts(revision))


def _helpers(subject: Subject, revision: RevisionPlan) -> list[Inspection]:
    """Give the containers of a revision's instances that stand in no document."""
    return _named(subject, revision, names.HELPERS)


def _leaving(subject: Subject) -> Iterator[str]:
    """Name the containers of runs, and of instances on their way out: of an earlier revision or a removed service."""
    for each in (*subject.containers(names.ROLE_INSTANCE), *subject.containers(names.ROLE_RUN)):
        labels = each["Config"]["Labels"]
        tenant, revision, container, instance = (
            labels.get(key, "") for key in (names.TENANT, names.REVISION, names.CONTAINER, names.INSTANCE)
        )
        name = names.instance_container(subject.plan.stack, tenant, revision, container, instance)
        if instance in subject.leaving() and _name(each) == name:
            yield name


def _named(subject: Subject, revision: RevisionPlan, containers: Collection[str]) -> list[Inspection]:
    document, found = revision.document, []
    for each in subject.containers(names.ROLE_INSTANCE):
        labels = each["Config"]["Labels"]
        container, instance = labels.get(names.CONTAINER, ""), labels.get(names.INSTANCE, "")
        name = names.instance_container(document.stack, document.tenant, document.name, container, instance)
        if container in containers and _name(each) == name:
            found.append(each)
    return found


def _volume_name(revision: RevisionPlan, mount: VolumeMount, instance: str) -> str:
    """Name the engine's volume that a mount stands for."""
    document = revision.document
    place = (document.stack, document.tenant, document.name)
    if mount.sub_path:
        return names.part_volume(*place, (mount.volume, mount.sub_path), instance)
    if any((each.name, each.kind) == (mount.volume, "persistent") for each in document.volumes):
        return names.persistent_volume(document.stack, document.tenant, mount.volume)
    return names.instance_volume(*place, mount.volume, instance)


def _running_parts(subject: Subject, revision: RevisionPlan) -> list[Inspection]:
    """Leave out the containers that run to their end before the others start."""
    initial = {each.name for each in revision.document.init_containers}
    return [each for each in _instances(subject, revision) if each["Config"]["Labels"][names.CONTAINER] not in initial]


def _parts(revision: RevisionPlan) -> dict[str, ContainerDocument]:
    return {each.name: each for each in (*revision.document.init_containers, *revision.document.containers)}


def _name(inspection: Inspection) -> str:
    name: str = inspection["Name"]
    return name.lstrip("/")


def _cpu_millis(instance: Inspection) -> int:
    """Give the CPU limit in thousandths of a core, however it was asked for."""
    limits = instance["HostConfig"]
    nano = int(limits.get("NanoCpus") or 0)
    return nano // 1_000_000 or int(limits["CpuQuota"]) * 1000 // int(limits["CpuPeriod"])


def _may_take(instance: Inspection, revision: RevisionPlan, container: ContainerDocument) -> set[int]:
    """Give the CPU limits that a container may have: also that of its start, until that must have been long ago."""
    age_s = time.time() - datetime.fromisoformat(instance["Created"]).timestamp()
    starts = container.startup_cpu_millis and age_s < revision.document.progress_deadline_s + _START_S
    return {container.cpu_millis, container.startup_cpu_millis if starts else container.cpu_millis}


def _has_own_seccomp(limits: Inspection) -> bool:
    """Whether a container has a profile of its own; the engine's default, which lets more through, is not told."""
    return any(each.startswith("seccomp={") for each in limits["SecurityOpt"])
