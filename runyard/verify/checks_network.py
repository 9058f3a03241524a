"""Checks of networks: the bridges stand as planned, and nothing is published beyond the gateway."""

from __future__ import annotations

import json

from runyard.plan import NetworkPlan
from runyard.verify.plugin import Subject


def test_network_is_a_bridge_with_the_planned_subnet(subject: Subject, network: NetworkPlan) -> None:
    found = json.loads(subject.host.check_output("docker network inspect %s", network.name))[0]
    assert found["Driver"] == "bridge"
    assert found["Internal"] is network.internal
    assert [each["Subnet"] for each in found["IPAM"]["Config"]] == [network.subnet]


def test_network_lets_no_container_reach_another(subject: Subject, network: NetworkPlan) -> None:
    found = json.loads(subject.host.check_output("docker network inspect %s", network.name))[0]
    assert found["Options"]["com.docker.network.bridge.enable_icc"] == ("false" if network.isolated else "true")


def test_no_container_of_the_stack_publishes_a_port(subject: Subject) -> None:
    published = {each["Name"]: each["HostConfig"]["PortBindings"] for each in subject.containers()}
    assert {name: ports for name, ports in published.items() if ports} == {}


def test_only_the_orchestrator_has_the_engine_socket(subject: Subject) -> None:
    holders = {
        each["Name"].rsplit(".", 1)[-1]
        for each in subject.containers()
        if any(mount["Source"].endswith("docker.sock") for mount in each["Mounts"])
    }
    assert holders == {"orchestrator"}


def test_gateway_listens_only_where_the_platform_says(subject: Subject) -> None:
    gateway = subject.plan.platform.gateway
    assert subject.host.socket(f"tcp://{gateway.address}:{gateway.port}").is_listening
    inner = subject.plan.platform_network.host_address
    assert subject.host.socket(f"tcp://{inner}:80").is_listening
    if gateway.address != "0.0.0.0":  # noqa: S104 - the one address that means all of them
        assert not subject.host.socket(f"tcp://0.0.0.0:{gateway.port}").is_listening
