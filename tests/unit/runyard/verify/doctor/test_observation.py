"""What the doctor sees of a machine and of where the state is, each of the test's own."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from runyard.manifest.model import Gateway, Platform
from runyard.plan.parts import plan_parts
from runyard.pulumi.backend import stack_file
from runyard.verify.doctor.observation import Private, Sight, observe
from tests.unit.runyard.host.docker_api import DockerApi


def seen(tmp_path: Path, port: int = 1, **environment: str) -> Sight:
    """Look with an engine's address at which nobody listens."""
    parts = plan_parts(Platform(gateway=Gateway(port=port)), "dev", "127.0.0.1")
    given = {
        "DOCKER_HOST": f"unix://{tmp_path}/docker.sock",
        "PATH": str(tmp_path),
        "RUNYARD_DATA": str(tmp_path / "data"),
    }
    given |= environment
    return observe("dev", parts, given, tmp_path / "root")


@pytest.fixture(autouse=True)
def no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")


def test_engine_that_does_not_answer_is_told_and_all_else_is_seen(tmp_path: Path) -> None:
    (tmp_path / "root/proc").mkdir(parents=True)
    (tmp_path / "root/proc/meminfo").write_text("MemTotal: 9 kB\nMemAvailable:   2048 kB\n")
    found = seen(tmp_path)
    assert found.survey is None
    assert "docker.sock" in found.unreachable
    assert (found.memory_free_bytes, found.packet_filter, found.seccomp) == (2 * 1024**2, None, False)
    assert (found.pulumi, found.denied, found.stacks) == ("", False, ())


def test_stacks_are_those_of_the_labels_of_what_runs(tmp_path: Path, docker_api: DockerApi) -> None:
    def container(name: str, stack: str, state: str = "running") -> dict[str, Any]:
        return {
            "Names": [f"/{name}"],
            "Id": name,
            "Created": 0,
            "State": state,
            "Labels": {"runyard.dev/stack": stack},
        }

    docker_api.answers |= {
        "GET /info": {"SystemTime": "2026-11-28T00:00:00Z"},
        "GET /version": {"Components": []},
        "GET /networks/bridge": {"Options": {}},
        "GET /containers/json": [
            container("runyard.dev.gateway", "dev"),
            container("named.by.hand", "prod"),
            container("runyard.gone.gateway", "gone", "exited"),
        ],
    }
    assert seen(tmp_path).stacks == ("dev", "prod")


def test_packet_filter_is_a_module_or_built_in(tmp_path: Path) -> None:
    symbols = tmp_path / "root/proc/kallsyms"
    symbols.parent.mkdir(parents=True)
    symbols.write_text("0000 T printk\n")
    assert seen(tmp_path).packet_filter is False
    symbols.write_text("0000 T printk\n0000 t nf_tables_newtable\n")
    assert seen(tmp_path).packet_filter is True
    symbols.unlink()
    (tmp_path / "root/sys/module/nf_tables").mkdir(parents=True)
    assert seen(tmp_path).packet_filter is True


def test_port_that_somebody_has_is_not_free(tmp_path: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (gateway,) = (each for each in seen(tmp_path, port).ports if each.part == "gateway")
        assert (gateway.address, gateway.free, gateway.ours) == (f"127.0.0.1:{port}", False, False)
    (gateway,) = (each for each in seen(tmp_path, port).ports if each.part == "gateway")
    assert gateway.free


def test_pulumi_is_asked_for_its_version(tmp_path: Path) -> None:
    program = tmp_path / "pulumi"
    program.write_text("#!/bin/sh\necho v3.259.0\n")
    program.chmod(0o755)
    assert seen(tmp_path).pulumi == "3.259.0"


def test_passphrase_and_state_are_the_user_s_or_the_environment_s(tmp_path: Path) -> None:
    private = tmp_path / "data"
    private.mkdir(parents=True)
    (private / "passphrase").write_text("x")
    (private / "passphrase").chmod(0o600)
    found = seen(tmp_path)
    assert found.passphrase == Private(str(private / "passphrase"), True, True, True, 0o600)
    assert (found.state.there, found.has_stack) == (False, False)
    stack = Path(stack_file(str(private / "state"), "dev"))
    stack.parent.mkdir(parents=True)
    stack.write_text("{}")
    assert (seen(tmp_path).state.there, seen(tmp_path).has_stack) == (True, True)
    assert seen(tmp_path, PULUMI_CONFIG_PASSPHRASE="").passphrase.place == ""
    assert seen(tmp_path, PULUMI_BACKEND_URL="s3://bucket").state.place == "s3://bucket"


@contextmanager
def without_rights() -> Iterator[None]:
    """Be a user whom permissions hold back, as root is not."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_what_is_where_this_user_may_not_enter_is_told_as_closed(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    with without_rights():
        given = {"DOCKER_HOST": f"unix://{closed}/docker.sock", "RUNYARD_DATA": str(closed), "PATH": ""}
        found = observe("dev", (), given)
    assert found.denied
    assert found.passphrase == Private(str(closed / "passphrase"), there=True, readable=False, writable=False)
    assert (found.state.there, found.state.readable, found.has_stack) == (True, False, False)
