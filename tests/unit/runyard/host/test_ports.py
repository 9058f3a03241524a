"""Ports that are held, by real sockets, and what a plan that wants one is told."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runyard.errors import Conflict
from runyard.host.ports import Holder, Look, Ports, check_ports
from runyard.host.thing import Thing
from runyard.plan import plan
from tests.harness.ports import free_port
from tests.unit.runyard.host.conftest import Place
from tests.unit.runyard.plan.example import manifests

PLAN = plan(manifests())
PORTS = {each.address: part.part.name for part in PLAN.parts for each in part.listeners}
EDGE, STATUS = "127.0.0.1:3000", "127.0.0.1:3001"
FOREIGN = Thing("container", "runyard.prod.gateway", "f" * 64, "prod", "gateway")
OWN = Thing("container", "runyard.dev.gateway", "a" * 64, "dev", "gateway")


@pytest.fixture
def held() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0))) as made:
        yield made


def at(address: str, holder: Holder) -> Look:
    return lambda host, port: holder if f"{host}:{port}" == address else None


def refusal(look: Look, *things: Thing, present: tuple[Thing, ...] = ()) -> str:
    with pytest.raises(Conflict) as refused:
        check_ports(PLAN, things, [(each.kind, each.name) for each in present], look)
    first, *lines, hint = str(refused.value).splitlines()
    assert first == "listen on the host: already in use:"
    assert hint == "  (stop that, or give the part another port in the Platform (docs/manifest.md))"
    return "\n".join(lines)


def test_plan_of_this_test_has_the_ports_that_it_speaks_of() -> None:
    assert (PORTS[EDGE], PORTS[STATUS]) == ("gateway", "orchestrator")


def test_ports_that_nobody_has_are_nothing_to_tell() -> None:
    check_ports(PLAN, [OWN, FOREIGN], [], lambda _host, _port: None)


def test_program_is_named_with_its_port_and_the_part_that_wants_it() -> None:
    told = refusal(at(STATUS, Holder("", "nginx (process 12)")))
    assert told == f"  {STATUS} for orchestrator: nginx (process 12) listens there"


def test_container_is_named_with_its_stack() -> None:
    told = refusal(at(EDGE, Holder(FOREIGN.id, "perl (process 12)")), OWN, FOREIGN)
    assert told == f"  {EDGE} for gateway: container runyard.prod.gateway of stack prod has it"


@pytest.mark.parametrize("address", [EDGE, "0.0.0.0:3000", ":::3000"])
def test_port_that_the_engine_publishes_is_its_containers_wherever_that_is(address: str) -> None:
    web = Thing("container", "web", "w" * 64, published=(address, "127.0.0.2:3001"))
    assert refusal(lambda _host, _port: None, web) == f"  {EDGE} for gateway: container web has it"


def test_ports_of_the_stack_itself_are_its_own() -> None:
    check_ports(PLAN, [OWN], [], at(EDGE, Holder(OWN.id, "perl (process 12)")))


def test_port_of_nobody_knows_whom_is_the_parts_own_where_that_is_there() -> None:
    unknown = at(EDGE, Holder("", ""))
    check_ports(PLAN, [OWN], [("container", OWN.name)], unknown)
    assert refusal(unknown) == f"  {EDGE} for gateway: another program listens there"


def test_socket_that_listens_is_found_with_its_program(held: socket.socket) -> None:
    found = Ports().look("127.0.0.1", held.getsockname()[1])
    assert found is not None
    assert found.said.endswith(f" (process {os.getpid()})")
    assert Ports().look("127.0.0.1", free_port()) is None


def test_listener_everywhere_is_found_at_an_address_that_is_not_there_yet(held: socket.socket) -> None:
    # Of the block for documentation (RFC 5737), which no host has.
    assert Ports().look("192.0.2.1", held.getsockname()[1]) is None
    with socket.create_server(("", 0)) as everywhere:
        found = Ports().look("192.0.2.1", everywhere.getsockname()[1])
        assert found is not None
        assert str(os.getpid()) in found.said


def test_who_may_not_look_is_told_that_somebody_listens(held: socket.socket, tmp_path: Path) -> None:
    (tmp_path / "12").mkdir()
    assert Ports(tmp_path).look("127.0.0.1", held.getsockname()[1]) == Holder("", "")


def write_process(proc: Path, number: int, inode: int, container: str = "") -> None:
    process = proc / str(number)
    (process / "fd").mkdir(parents=True)
    (process / "fd" / "3").symlink_to(f"socket:[{inode}]")
    (process / "comm").write_text("perl\n")
    (process / "cgroup").write_text(f"0::/system.slice/docker-{container}.scope\n" if container else "0::/\n")


def write_sockets(proc: Path, port: int, **inodes: int) -> None:
    """Write the kernel's table of what listens at a port, by address as the kernel of a small machine writes it."""
    (proc / "net").mkdir()
    rows = [
        f"   {row}: {address.removeprefix('at_')}:{port:04X} 00000000:0000 0A 0:0 00:0 0     0        0 {inode} 1"
        for row, (address, inode) in enumerate(inodes.items())
    ]
    (proc / "net" / "tcp").write_text("\n".join(["  sl  local_address", *rows, ""]))


def test_process_of_a_container_is_told_by_its_control_group(held: socket.socket, tmp_path: Path) -> None:
    port = held.getsockname()[1]
    write_sockets(tmp_path, port, at_0100007F=4711)
    write_process(tmp_path, 12, 4711, FOREIGN.id)
    assert Ports(tmp_path).look("127.0.0.1", port) == Holder(FOREIGN.id, "perl (process 12)")


def test_who_listens_at_another_address_of_the_same_port_is_not_meant(held: socket.socket, tmp_path: Path) -> None:
    port = held.getsockname()[1]
    # Of 127.0.0.2 first, as another stack's gateway listens at the same port of its own network.
    write_sockets(tmp_path, port, at_0200007F=1, at_0100007F=2)
    write_process(tmp_path, 12, 1, FOREIGN.id)
    write_process(tmp_path, 13, 2, OWN.id)
    assert Ports(tmp_path).look("127.0.0.1", port) == Holder(OWN.id, "perl (process 13)")


def test_engine_of_another_machine_says_nothing_of_this_ones_ports(
    place: Place, held: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", place.address)
    place.api.answers["GET /info"] = {"Name": socket.gethostname()}
    here = Ports().look_where_the_engine_is("127.0.0.1", held.getsockname()[1])
    assert (here is not None) == place.address.startswith("unix://")
    place.api.answers["GET /info"] = {"Name": "docker-desktop"}
    assert Ports().look_where_the_engine_is("127.0.0.1", held.getsockname()[1]) is None


def test_program_that_listens_for_ipv4_through_a_socket_of_ipv6_is_named() -> None:
    with closing(socket.socket(socket.AF_INET6)) as mapped:
        mapped.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        mapped.bind(("::ffff:127.0.0.1", 0))
        mapped.listen()
        found = Ports().look("127.0.0.1", mapped.getsockname()[1])
    assert found is not None
    assert found.said.endswith(f" (process {os.getpid()})")


def test_socket_that_only_speaks_is_no_listener(held: socket.socket, tmp_path: Path) -> None:
    port = held.getsockname()[1]
    write_sockets(tmp_path, port, at_0100007F=1)
    table = tmp_path / "net" / "tcp"
    # Established (include/net/tcp_states.h).
    table.write_text(table.read_text().replace(" 0A ", " 01 "))
    write_process(tmp_path, 12, 1, FOREIGN.id)
    assert Ports(tmp_path).look("127.0.0.1", port) == Holder("", "")


def test_every_port_that_is_in_use_is_told_at_once() -> None:
    told = refusal(lambda _host, _port: Holder("", "nginx (process 12)"))
    assert len(told.splitlines()) == len(PORTS) > 1


def test_container_of_another_engine_that_only_its_process_shows_is_told_by_that() -> None:
    found = Holder("e" * 64, "perl (process 12)")
    assert refusal(at(EDGE, found), FOREIGN) == f"  {EDGE} for gateway: perl (process 12) listens there"


@pytest.mark.parametrize("address", ["127.0.0.2:3000", "127.0.0.1:3999"])
def test_port_that_is_published_elsewhere_is_in_nobodys_way(address: str) -> None:
    check_ports(PLAN, [Thing("container", "web", "w" * 64, published=(address,))], [], lambda _host, _port: None)
