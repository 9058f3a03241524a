"""Checks of networks: the bridges stand as planned, and nothing is published beyond the gateway."""

from __future__ import annotations

import http.client
import json
from http import HTTPStatus

import pytest

from runyard.plan import NetworkPlan, PartPlan
from runyard.verify.plugin import Subject

# The orchestrator asks the engine before it says so.
_ANSWER_TIMEOUT_S = 10
_EVERYWHERE = "0.0.0.0"  # noqa: S104 - to compare with


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


def test_only_the_filter_and_its_spare_have_the_engine_socket(subject: Subject) -> None:
    holders = {
        each["Name"].rsplit(".", 1)[-1]
        for each in subject.containers()
        if any(mount["Source"].endswith("docker.sock") for mount in each["Mounts"])
    }
    assert holders == {each.part.name for each in subject.plan.parts if each.part.has_engine_socket}


def test_platform_part_is_well(subject: Subject, part: PartPlan) -> None:
    if not part.part.health:
        pytest.skip("it tells nothing of its health over HTTP")
    where = part.listeners[0]
    connection = http.client.HTTPConnection(where.host, where.port, timeout=_ANSWER_TIMEOUT_S)
    try:
        connection.request("GET", part.part.health)
        answer = connection.getresponse()
        assert (answer.status, answer.read(1000) if answer.status != HTTPStatus.OK else b"") == (HTTPStatus.OK, b"")
    finally:
        connection.close()


def test_parts_listen_only_where_the_platform_says(subject: Subject) -> None:
    for listener in (listener for part in subject.plan.parts for listener in part.listeners):
        assert subject.host.socket(f"tcp://{listener.address}").is_listening
        # Where instances ask, another stack of the host may answer everybody.
        if listener.kind != "internal" and listener.host != _EVERYWHERE:
            assert not subject.host.socket(f"tcp://{_EVERYWHERE}:{listener.port}").is_listening
