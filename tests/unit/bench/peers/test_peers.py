"""Peers that need nothing but nginx: they serve, change their instances and end, on their own core."""

from __future__ import annotations

import os
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.bench.peers import process
from tests.bench.peers.instances import Instance, answers, start_all
from tests.bench.peers.lineup import SuiteTimeout, suite
from tests.bench.peers.nginx import LoggingNginx, Nginx
from tests.bench.peers.ours import ManyServices, OurGateway
from tests.bench.peers.peer import Peer
from tests.harness.ports import free_ports
from tests.harness.waiting import until


@pytest.fixture
def instances(tmp_path: Path) -> Iterator[list[Instance]]:
    started = start_all(tmp_path, [[port] for port in free_ports(2)])
    yield started
    for instance in started:
        instance.stop()


@pytest.mark.parametrize("kind", [Nginx, LoggingNginx, OurGateway])
def test_peer_serves_the_instances_it_is_routed_to(kind: type[Peer], tmp_path: Path, instances: list[Instance]) -> None:
    first, second = (instance.ports[0] for instance in instances)
    peer = kind(tmp_path / "peer", [first], Path("nginx"))
    peer.start()
    try:
        assert os.sched_getaffinity(peer.pid) == {process.SYSTEM_CORE}
        peer.roll([second])
        instances[0].stop()
        until(lambda: answers(peer.port), "the other instance answers")
        assert peer.processor_s() > 0
    finally:
        peer.stop()
    assert not answers(peer.port)


def test_many_services_have_instances_of_their_own(tmp_path: Path) -> None:
    instance = Instance(tmp_path / "instances", *free_ports(ManyServices.services))
    peer = ManyServices(tmp_path / "peer", instance.ports, Path("nginx"))
    instance.start()
    try:
        peer.start()
        assert answers(peer.port, peer.host_names()[-1])
        addresses = [each.addresses for each in peer.gateway.snapshot.endpoints.values()]
        assert len(set(addresses)) == ManyServices.services
    finally:
        peer.stop()
        instance.stop()


def test_instance_fails_and_heals(instances: list[Instance]) -> None:
    port = instances[0].ports[0]
    instances[0].fail()
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/")
    assert connection.getresponse().status == 500
    connection.close()
    instances[0].heal()
    assert answers(port)


def test_instance_hangs_until_it_heals(instances: list[Instance]) -> None:
    port = instances[0].ports[0]
    instances[0].hang()
    assert not answers(port)
    instances[0].heal()
    until(lambda: answers(port), "it answers again")


def test_instance_starts_again_after_a_kill(instances: list[Instance]) -> None:
    instances[0].kill()
    instances[0].stop()
    instances[0].start()
    assert answers(instances[0].ports[0])


def test_suite_is_ended_in_time() -> None:
    seen: list[Path] = []

    def hang() -> None:
        with suite(limit_s=1) as directory:
            seen.append(directory)
            until(lambda: not directory.exists(), "the suite is ended")

    with pytest.raises(SuiteTimeout, match="may take 1 s"):
        hang()
    assert not seen[0].exists()
