"""Address of an engine: what DOCKER_HOST may be, TLS, and what is said of an engine that cannot be reached."""

from __future__ import annotations

import os
import socket
from contextlib import closing
from pathlib import Path

import pytest

from runyard.errors import HostError, HostUnreachable, UsageError
from runyard.host.transport import Transport
from tests.unit.runyard.host.certificates import Authority, server_context
from tests.unit.runyard.host.conftest import write_program
from tests.unit.runyard.host.docker_api import DockerApi, serve_tcp

HINT = "; is it running, is DOCKER_HOST right?"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority("engines")
    made.write(tmp_path / "server")
    made.write(tmp_path / "client")
    return made


def unreachable(address: str) -> str:
    with closing(Transport(address)) as transport, pytest.raises(HostUnreachable) as caught:
        transport.request("GET", "/_ping")
    return str(caught.value).removeprefix(f"no Docker engine answers at {address}: ").removesuffix(HINT)


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("npipe:////./pipe/docker", "must begin with unix://, tcp://, https:// or ssh://, got npipe://"),
        ("localhost:2375", "must begin with unix://, tcp://, https:// or ssh://, got no such beginning"),
        ("ssh://me:canary@far", "must have no password in it"),
        ("tcp://far:70000", "port must be from 0 to 65535, got far:70000"),
        ("tcp://:2375", "must name a host, got tcp://:2375"),
    ],
)
def test_address_that_is_none_is_told(address: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Transport(address)
    assert str(caught.value) == f"DOCKER_HOST: {text}"


def test_address_is_the_arguments_then_the_environments_then_the_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Transport().address == "unix:///var/run/docker.sock"
    monkeypatch.setenv("DOCKER_HOST", "tcp://far")
    assert Transport().address == "tcp://far"
    assert Transport("ssh://farther").address == "ssh://farther"


def test_engine_that_is_not_there_is_told_with_its_address(tmp_path: Path) -> None:
    assert unreachable(f"unix://{tmp_path}/no.sock") == "No such file or directory"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert unreachable(f"tcp://127.0.0.1:{free.getsockname()[1]}") == "Connection refused"


def test_host_may_be_an_address_of_version_six() -> None:
    api = DockerApi()
    with serve_tcp(api, host="::1") as port, closing(Transport(f"tcp://[::1]:{port}")) as transport:
        assert transport.request("GET", "/_ping").data == b"OK"
    assert api.headers["GET /_ping"]["Host"] == f"[::1]:{port}"


def test_engine_of_another_authority_is_none_of_ours(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    Authority("others").write(tmp_path / "theirs")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path / "client"))
    api = DockerApi()
    with serve_tcp(api, server_context(tmp_path / "theirs")) as port:
        assert "certificate verify failed" in unreachable(f"tcp://127.0.0.1:{port}")
        # Without the variables nothing but the machine's own authorities is trusted.
        monkeypatch.delenv("DOCKER_CERT_PATH")
        assert "certificate verify failed" in unreachable(f"https://127.0.0.1:{port}")
    assert api.asked == []


def test_client_that_the_engine_does_not_know_gets_no_answer(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    Authority("others").write(tmp_path / "mixed")
    (tmp_path / "mixed" / "ca.pem").write_bytes((tmp_path / "client" / "ca.pem").read_bytes())
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path / "mixed"))
    api = DockerApi()
    with serve_tcp(api, server_context(tmp_path / "server")) as port:
        # An alert of TLS if it arrives before the connection's end, which overtakes it at times.
        assert unreachable(f"tcp://127.0.0.1:{port}")
    assert api.asked == []


def test_certificates_are_all_or_an_error(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path / "client"))
    (tmp_path / "client" / "key.pem").unlink()
    with pytest.raises(UsageError) as caught:
        Transport("tcp://127.0.0.1:1")
    assert str(caught.value) == (
        f"DOCKER_CERT_PATH: {tmp_path}/client must have ca.pem, cert.pem and key.pem: No such file or directory"
    )
    # Without a path they are beside the client's configuration.
    monkeypatch.delenv("DOCKER_CERT_PATH")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(UsageError, match=rf"^DOCKER_CERT_PATH: {tmp_path}/.docker must have"):
        Transport("tcp://127.0.0.1:1")
    with serve_tcp(DockerApi()) as port, closing(Transport(f"http://127.0.0.1:{port}")) as plain:
        assert plain.request("GET", "/_ping").data == b"OK"


def test_ssh_is_asked_for_the_host_as_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_program(tmp_path / "programs", "ssh", '#!/bin/sh\necho "$@" >&2\n')
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    began = "-o ConnectTimeout=30 -T"
    assert unreachable("ssh://Far") == f"{began} -- Far docker system dial-stdio"
    assert unreachable("ssh://a%40b@Far.example:2222/") == (
        f"{began} -l a@b -p 2222 -- Far.example docker system dial-stdio"
    )
    assert unreachable("ssh://-oProxyCommand=x/run/my docker.sock") == (
        f"{began} -- -oProxyCommand=x docker --host 'unix:///run/my docker.sock' system dial-stdio"
    )


def test_ssh_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "me@far: Permission denied (publickey)."
    write_program(tmp_path / "programs", "ssh", f"#!/bin/sh\necho '{said}' >&2\nexit 255\n")
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    assert unreachable("ssh://far") == said
    with closing(Transport("ssh://far")) as transport:
        with pytest.raises(HostUnreachable, match="Permission denied"):
            transport.hijack("POST", "/exec/e1/start")
        with pytest.raises(HostUnreachable, match="Permission denied"):
            list(transport.lines("GET", "/"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert unreachable("ssh://far") == "No such file or directory"


def test_ssh_that_does_not_end_with_its_connection_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = tmp_path / "pid"
    # Whoever reads it waits until it is written, however busy the machine.
    os.mkfifo(pid)
    write_program(tmp_path / "programs", "ssh", f"#!/bin/sh\necho $$ > {pid}\nexec /usr/bin/tail -f /dev/null\n")
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    transport = Transport("ssh://far")
    with pytest.raises(HostError, match=r"^no answer within 0.05 s$"):
        transport.request("GET", "/_ping", timeout_s=0.05)
    process = int(pid.read_text())
    os.kill(process, 0)
    transport.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
