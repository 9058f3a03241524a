"""The provider as a program: how Pulumi finds it, starts it, speaks with it and ends it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from google.protobuf import empty_pb2

from provider.log import Log
from provider.parent import Parent
from runyard.errors import LockError
from runyard.pulumi.protocol import engine_pb2_grpc, provider_pb2, provider_pb2_grpc

ROOT = Path(__file__).parents[3]
PROGRAM = [sys.executable, "-m", "provider"]
# What it must do at once may take some seconds on a busy machine.
PATIENCE_S = 20


@contextmanager
def start(command: list[str], **more: Any) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more
    ) as process:
        try:
            yield process
        finally:
            # Popen itself would wait for one that does not end.
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_program_gives_its_port_serves_and_ends_in_silence_when_it_is_interrupted(number: signal.Signals) -> None:
    with start([*PROGRAM, "127.0.0.1:1"]) as process:
        assert process.stdout is not None
        with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
            stub = provider_pb2_grpc.ResourceProviderStub(channel)
            assert stub.Handshake(provider_pb2.ProviderHandshakeRequest(), timeout=PATIENCE_S).accept_secrets
        process.send_signal(number)
        assert process.communicate(timeout=PATIENCE_S) == ("", "")
    assert process.returncode == 0


def test_program_ends_with_the_pulumi_that_started_it_even_if_that_was_killed() -> None:
    parent = "import subprocess, sys\nsubprocess.Popen(sys.argv[1:])\nsys.stdin.read()"
    with start([sys.executable, "-c", parent, *PROGRAM], stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline())
        process.kill()
        # The provider has the other end of these too, so they end with it alone.
        assert process.communicate(timeout=PATIENCE_S)[0] == ""


def test_program_needs_no_sdk_of_pulumi() -> None:
    code = "import sys, provider.__main__; print('pulumi' in sys.modules, 'docker' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"


def checkout(directory: Path) -> Path:
    """Lay the launcher into a checkout of its own."""
    launcher = directory / "provider" / "pulumi-resource-runyard"
    launcher.parent.mkdir()
    shutil.copy(ROOT / "provider" / launcher.name, launcher)
    return launcher


def test_launcher_starts_the_provider_of_its_own_checkout_with_that_ones_python(tmp_path: Path) -> None:
    launcher = checkout(tmp_path)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$PWD" "$@"\n')
    python.chmod(0o755)
    done = subprocess.run([launcher, "127.0.0.1:1"], cwd="/", capture_output=True, text=True, check=True)
    assert done.stdout == f"{tmp_path} -m provider 127.0.0.1:1\n"


def test_launcher_without_an_environment_says_how_to_bring_it(tmp_path: Path) -> None:
    done = subprocess.run([checkout(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        f"runyard's provider needs {tmp_path}/.venv, which is missing: "
        "make up brings it, as does toolchain/bootstrap environment\n"
    )


def test_pulumi_finds_the_launcher_by_the_project() -> None:
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    (found,) = [each for each in project["plugins"]["providers"] if each["name"] == "runyard"]
    assert os.access(ROOT / found["path"] / "pulumi-resource-runyard", os.X_OK)


class Family:
    """A process and its parent, which may die."""

    def __init__(self) -> None:
        self.parent = 7
        self.waited = 0

    def of(self) -> int:
        return self.parent

    def wait(self, _seconds: float) -> None:
        self.waited += 1
        if self.waited == 3:
            self.parent = 1


def test_nothing_is_done_any_more_for_a_parent_that_is_gone() -> None:
    family = Family()
    parent = Parent(family.of)
    parent.check()
    family.parent = 1
    with pytest.raises(LockError, match=r"^the update that asked for this was killed; nothing more is done for it$"):
        parent.check()


def test_end_of_the_parent_is_seen() -> None:
    family, ended = Family(), threading.Event()
    Parent(family.of, family.wait).watch(ended.set)
    assert ended.wait(PATIENCE_S)
    assert family.waited == 3


class Engine(engine_pb2_grpc.EngineServicer):
    def __init__(self) -> None:
        self.told: list[str] = []

    def Log(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        self.told.append(request.message)
        return empty_pb2.Empty()


@pytest.fixture
def engine() -> Iterator[tuple[Engine, str]]:
    server, servicer = grpc.server(ThreadPoolExecutor(1)), Engine()
    engine_pb2_grpc.add_EngineServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield servicer, f"127.0.0.1:{port}"
    server.stop(None).wait()


def test_line_is_shown_by_pulumi(engine: tuple[Engine, str]) -> None:
    servicer, address = engine
    Log(address).tell("image hello:1 is another by now")
    assert servicer.told == ["image hello:1 is another by now"]


@pytest.mark.parametrize("address", ["", "127.0.0.1:1"])
def test_line_that_pulumi_does_not_take_is_shown_on_standard_error(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Log(address).tell("image hello:1 is another by now")
    assert capsys.readouterr().err == "image hello:1 is another by now\n"
