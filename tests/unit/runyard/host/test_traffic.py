"""Traffic of a gateway: where it is asked, and the lines of its log between two moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from runyard.codec import encode
from runyard.errors import ContractError, HostError, NotFound
from runyard.host.traffic import Traffic
from tests.unit.runyard.workload.test_audit import line

IMAGE = "runyard/gateway:0123456789ab"


@dataclass
class FakeHost:
    """A host whose gateway answers each command as told, and remembers what it was asked."""

    code: int = 0
    output: str = ""
    running: bool = True
    asked: list[tuple[str, Sequence[str]]] = field(default_factory=list)

    def image(self, _: str) -> str | None:
        return IMAGE if self.running else None

    def execute(self, container: str, command: Sequence[str]) -> tuple[int, str]:
        self.asked.append((container, command))
        return self.code, self.output


@pytest.mark.parametrize(
    ("listener", "address"),
    [
        ("127.0.0.1:3000", "127.0.0.1:3000"),
        ("10.1.2.3:80", "10.1.2.3:80"),
        ("0.0.0.0:8080", "127.0.0.1:8080"),
        ("[::]:8080", "[::1]:8080"),
    ],
)
def test_address_is_that_of_the_first_server_of_the_gateways_configuration(listener: str, address: str) -> None:
    host = FakeHost(output=f'        listen "{listener}" default_server backlog=4096;\n')
    assert Traffic(host, "prod").address() == address
    ((container, command),) = host.asked
    assert container == "runyard.prod.gateway"
    assert command[-1] == "/var/lib/runyard/gateway/nginx-0123456789ab.conf"


def test_gateway_that_does_not_run_is_not_found() -> None:
    with pytest.raises(NotFound, match=r"find the gateway: no container runyard.prod.gateway runs"):
        Traffic(FakeHost(running=False), "prod").address()


def test_configuration_without_a_listener_is_told() -> None:
    host = FakeHost(code=2, output="grep: nginx-0123456789ab.conf: No such file or directory\n")
    with pytest.raises(HostError, match=r"got 'grep: nginx-0123456789ab.conf: No such file or directory'"):
        Traffic(host, "prod").address()


def test_lines_are_those_of_the_service_between_the_two_moments() -> None:
    ended = [1_800_000_010.0, 1_800_000_020.5, 1_800_000_031.0]
    lines = [replace(line(number), unix_s=at) for number, at in enumerate(ended)]
    host = FakeHost(output="".join(f"{encode(each)}\n" for each in lines))
    found = Traffic(host, "prod").requests("shop", "web", 1_800_000_011.0, 1_800_000_030.0)
    assert found == [lines[1]]
    ((container, command),) = host.asked
    assert (container, command[0], command[-1]) == ("runyard.prod.gateway", "grep", "/var/lib/runyard/requests")
    # What both moments begin with is sorted out where the log is.
    assert command[-2] == '"unix_s":18000000.*"tenant":"shop","service":"web"'


def test_log_without_a_line_of_the_service_is_empty() -> None:
    assert Traffic(FakeHost(code=1), "prod").requests("shop", "web", 1.0, 2.0) == []


def test_log_that_cannot_be_read_is_an_error() -> None:
    host = FakeHost(code=2, output="grep: requests.log: Permission denied\n")
    with pytest.raises(
        HostError, match=r"read the request log of runyard.prod.gateway: grep: requests.log: Permission"
    ):
        Traffic(host, "prod").requests("shop", "web", 1.0, 2.0)


def test_line_that_is_none_of_ours_is_an_error() -> None:
    with pytest.raises(ContractError, match="read the request log: decode RequestLine: field 'time' is missing"):
        Traffic(FakeHost(output="{}\n"), "prod").requests("shop", "web", 1.0, 2.0)
