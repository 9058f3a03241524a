"""The four ways to an engine, each with an engine at its end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.unit.runyard.host.certificates import Authority, server_context
from tests.unit.runyard.host.docker_api import DockerApi, serve, serve_tcp

# Joins its standard input and output to the engine's socket, as `docker system dial-stdio` does over there.
_SSH = """#!{python}
import os, select, socket, sys
open({log!r}, "a").write(" ".join(sys.argv[1:]) + "\\n")
engine = socket.socket(socket.AF_UNIX)
engine.connect({path!r})
ends = [0, engine.fileno()]
while True:
    readable, _, _ = select.select(ends, [], [])
    if engine.fileno() in readable:
        data = engine.recv(65536)
        if not data:
            break
        while data:
            data = data[os.write(1, data):]
    if 0 in readable:
        data = os.read(0, 65536)
        if data:
            engine.sendall(data)
        else:
            engine.shutdown(socket.SHUT_WR)
            ends.remove(0)
"""


def write_program(directory: Path, name: str, text: str) -> None:
    """Put a program into a directory that may not be there yet."""
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(text)
    (directory / name).chmod(0o755)


@dataclass(frozen=True)
class Place:
    """An engine and the address at which it answers."""

    api: DockerApi
    address: str


@pytest.fixture(params=["unix", "tcp", "tls", "ssh"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Give an engine at each kind of address."""
    for name in ("DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    api, path = DockerApi(), tmp_path / "engine.sock"
    with ExitStack() as stack:
        if request.param == "tls":
            authority = Authority("engines")
            authority.write(tmp_path / "server")
            authority.write(tmp_path / "client")
            monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path / "client"))
            monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
            port = stack.enter_context(serve_tcp(api, server_context(tmp_path / "server")))
            yield Place(api, f"tcp://127.0.0.1:{port}")
        elif request.param == "tcp":
            yield Place(api, f"tcp://127.0.0.1:{stack.enter_context(serve_tcp(api))}")
        else:
            stack.enter_context(serve(api, path))
            text = _SSH.format(python=sys.executable, path=str(path), log=str(tmp_path / "ssh.log"))
            write_program(tmp_path / "programs", "ssh", text)
            monkeypatch.setenv("PATH", f"{tmp_path}/programs")
            yield Place(api, f"unix://{path}" if request.param == "unix" else "ssh://me@Far.example:2222")
