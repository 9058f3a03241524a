"""A configuration on its way to the gateway: tested, swapped, confirmed, and taken back when it is not served."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from runyard.errors import HostError, NotFound, RefusedConfiguration
from runyard.host.engine import Task
from runyard.host.gateway import GatewayHost
from runyard.host.thing import Thing

IMAGE = "runyard/gateway:abc"


class FakeHost:
    """Answers from a script and keeps the order of what was asked."""

    def __init__(self, *, test: tuple[int, str] = (0, ""), confirm: int = 0, image: str | None = IMAGE) -> None:
        self.asked: list[str] = []
        self.tasks: list[Task] = []
        self.test = test
        self.confirm = confirm
        self.running = image
        self.files: set[str] | None = set()
        self.volumes: list[Thing] = []
        self.down = False

    def run(self, task: Task) -> tuple[int, str]:
        self.tasks.append(task)
        self.asked.append(f"run {' '.join(task.command)}")
        return self.test

    def execute(self, container: str, command: Sequence[str]) -> tuple[int, str]:
        if self.down:
            raise HostError(f"{container} is restarting")
        self.asked.append(f"{container}: {' '.join(command)}")
        return (self.confirm, "not served") if "confirm" in command else (0, "")

    def signal(self, container: str, signal: str) -> None:
        self.asked.append(f"{container}: {signal}")

    def restart(self, container: str) -> None:
        self.asked.append(f"restart {container}")

    def image(self, container: str) -> str | None:
        return self.running

    def has_file(self, container: str, path: str) -> bool:
        if self.files is None:
            raise NotFound(container)
        return path in self.files

    def things(self) -> list[Thing]:
        return self.volumes

    def discard(self, container: str) -> None:
        self.asked.append(f"discard {container}")

    def last_lines(self, container: str, count: int) -> list[str]:
        return ["[emerg] 1#1: bind() to 127.0.0.1:1 failed"]


def test_configuration_is_tested_then_loaded_then_confirmed() -> None:
    host = FakeHost()
    GatewayHost(host, "dev").configure(IMAGE, "worker_processes 1;", "d1")
    assert host.asked == [
        "discard runyard.dev.gateway.test",
        "run configure",
        "runyard.dev.gateway: HUP",
        "runyard.dev.gateway: runyard-gateway confirm d1 10",
    ]
    [task] = host.tasks
    assert (task.image, task.environment["RUNYARD_NGINX_CONF"]) == (IMAGE, "worker_processes 1;")
    assert task.environment["RUNYARD_CONFIGURATION"] == "nginx-abc.conf"
    assert task.volumes == {
        "runyard.dev.gateway": "/var/lib/runyard/gateway",
        "runyard.dev.requests": "/var/lib/runyard/requests",
    }
    assert task.labels["runyard.dev/stack"] == "dev"


def test_configuration_that_nginx_refuses_never_reaches_the_gateway() -> None:
    host = FakeHost(test=(1, "nginx: [emerg] no"))
    with pytest.raises(RefusedConfiguration, match=r"^nginx: \[emerg\] no$"):
        GatewayHost(host, "dev").configure(IMAGE, "", "d1")
    assert host.asked == ["discard runyard.dev.gateway.test", "run configure"]


def test_configuration_that_is_not_served_is_taken_back() -> None:
    host = FakeHost(confirm=1)
    with pytest.raises(RefusedConfiguration, match="bind") as caught:
        GatewayHost(host, "dev").configure(IMAGE, "", "d1")
    assert "not served" in str(caught.value)
    assert host.asked[2:] == [
        "runyard.dev.gateway: HUP",
        "runyard.dev.gateway: runyard-gateway confirm d1 10",
        "run restore",
        "runyard.dev.gateway: HUP",
    ]


def test_gateway_is_restarted_where_a_port_moves_to_another_address() -> None:
    host = FakeHost()
    GatewayHost(host, "dev").configure(IMAGE, "", "d1", rebinds=True)
    assert host.asked[2:] == ["restart runyard.dev.gateway", "runyard.dev.gateway: runyard-gateway confirm d1 10"]


def test_gateway_that_does_not_come_up_again_gets_its_old_configuration() -> None:
    host = FakeHost()
    host.down = True
    with pytest.raises(RefusedConfiguration, match="is restarting"):
        GatewayHost(host, "dev").configure(IMAGE, "", "d1", rebinds=True)
    assert host.asked[2:] == ["restart runyard.dev.gateway", "run restore", "restart runyard.dev.gateway"]


@pytest.mark.parametrize("image", [None, "runyard/gateway:old"])
def test_gateway_that_does_not_run_or_is_to_be_replaced_is_left_alone(image: str | None) -> None:
    host = FakeHost(image=image)
    GatewayHost(host, "dev").configure(IMAGE, "", "d1")
    assert host.asked == ["discard runyard.dev.gateway.test", "run configure"]


def test_purge_is_asked_inside_the_gateway() -> None:
    host = FakeHost()
    GatewayHost(host, "dev").purge('{"service": "shop/web"}')
    assert host.asked == ['runyard.dev.gateway: runyard-gateway purge {"service": "shop/web"}']


def test_lost_file_is_noticed() -> None:
    host = FakeHost()
    gateway = GatewayHost(host, "dev")
    assert not gateway.has_configuration(IMAGE)
    host.files = {"/var/lib/runyard/gateway/nginx-abc.conf"}
    assert gateway.has_configuration(IMAGE)
    # Without a gateway nobody can look into its volume.
    host.files, host.volumes = None, [Thing("volume", "runyard.dev.gateway", "runyard.dev.gateway")]
    assert gateway.has_configuration(IMAGE)
    host.volumes = []
    assert not gateway.has_configuration(IMAGE)
