"""Checks of containers: templates were never started, instances are what their templates say, all hardened."""

from __future__ import annotations

import ipaddress
from typing import Any

from runyard import names
from runyard.host.recovery import planned_names
from runyard.plan import ServicePlan, TemplatePlan
from runyard.verify.plugin import Subject

_NEVER_STARTED = "0001-01-01T00:00:00Z"


def test_template_exists_and_was_never_started(subject: Subject, template: TemplatePlan) -> None:
    state = subject.inspect(template.name)["State"]
    assert (state["Status"], state["StartedAt"]) == ("created", _NEVER_STARTED)


def test_template_carries_the_planned_shape(subject: Subject, template: TemplatePlan) -> None:
    found = subject.inspect(template.name)
    assert found["Config"]["Image"] == template.image
    assert _planned_environment(template) - set(found["Config"]["Env"]) == set()
    assert {key: found["Config"]["Labels"].get(key) for key in template.labels} == dict(template.labels)
    assert found["HostConfig"]["Tmpfs"] == dict(template.tmpfs)
    assert sorted(found["HostConfig"]["ExtraHosts"] or []) == sorted(f"{k}:{v}" for k, v in template.hosts.items())


def test_service_has_its_instances(subject: Subject, service: ServicePlan) -> None:
    spec = service.revision.templates[0].spec.revision
    assert spec is not None
    # A revision without share and tag is idle: its templates wait, and nothing of it runs.
    active = service.revision.name in {share.revision for share in service.rollout.traffic}
    least, asked = max(1, spec.min_instances) if active else 0, service.rollout.manual_instances
    # After a rollout the capacity that was taken over is kept for a while, so there may be more.
    expected = least if asked is None else min(least, asked)
    running = [each for each in _instances(subject, service) if each["State"]["Running"]]
    assert len(running) >= expected * len(service.revision.templates)


def test_service_instances_are_limited_as_planned(subject: Subject, service: ServicePlan) -> None:
    templates = {template.spec.container: template for template in service.revision.templates}
    for instance in _instances(subject, service):
        template = templates[instance["Config"]["Labels"][names.CONTAINER]]
        limits = instance["HostConfig"]
        assert limits["Memory"] == template.memory_bytes
        assert limits["MemorySwap"] == template.memory_bytes
        assert limits["CpuQuota"] * 1000 == template.cpu_millis * limits["CpuPeriod"]
        assert limits["PidsLimit"] == template.spec.pids_limit


def test_service_instances_are_hardened(subject: Subject, service: ServicePlan) -> None:
    for instance in _instances(subject, service):
        limits = instance["HostConfig"]
        assert limits["CapDrop"] == ["ALL"]
        assert not limits["CapAdd"]
        assert limits["Privileged"] is False
        assert limits["ReadonlyRootfs"] is True
        assert "no-new-privileges" in limits["SecurityOpt"]
        assert not limits["Binds"]
        assert limits["PidMode"] == ""
        assert limits["UTSMode"] == ""
        assert limits["IpcMode"] in ("", "private", "shareable")


def test_service_instances_have_addresses_of_their_tenant(subject: Subject, service: ServicePlan) -> None:
    subnets = {network.name: ipaddress.ip_network(network.subnet) for network in subject.plan.networks}
    network = service.revision.templates[0].network
    addresses = [
        each["NetworkSettings"]["Networks"][network]["IPAddress"]
        for each in _instances(subject, service)
        if not each["HostConfig"]["NetworkMode"].startswith("container:")
    ]
    assert len(set(addresses)) == len(addresses)
    assert all(ipaddress.ip_address(address) in subnets[network] for address in addresses)


def test_platform_part_runs_hardened(subject: Subject, part: str) -> None:
    found = subject.inspect(part)
    assert found["State"]["Running"] is True
    assert found["HostConfig"]["CapDrop"] == ["ALL"]
    assert found["HostConfig"]["ReadonlyRootfs"] is True
    assert found["HostConfig"]["Privileged"] is False
    assert found["HostConfig"]["Memory"] > 0


def test_stack_has_no_container_that_nothing_planned(subject: Subject) -> None:
    planned = {name for kind, name in planned_names(subject.plan) if kind == "container"}
    found = {each["Name"].lstrip("/"): each["Config"]["Labels"] for each in subject.containers()}
    revisions = {
        (service.tenant, share.revision) for service in subject.plan.services for share in service.rollout.traffic
    }
    strangers = [
        name
        for name, labels in found.items()
        if name not in planned
        and labels.get(names.ROLE) != names.ROLE_CLAIM
        and (labels.get(names.TENANT), labels.get(names.REVISION)) not in revisions
    ]
    assert strangers == []


def _instances(subject: Subject, service: ServicePlan) -> list[dict[str, Any]]:
    wanted = (service.tenant, service.revision.name)
    return [
        each
        for each in subject.containers(names.ROLE_INSTANCE)
        if (each["Config"]["Labels"][names.TENANT], each["Config"]["Labels"][names.REVISION]) == wanted
    ]


def _planned_environment(template: TemplatePlan) -> set[str]:
    return {f"{each.name}={each.value}" for each in template.environment if each.reference is None}
