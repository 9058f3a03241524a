"""A survey of a host: the engine's answers, and its machine's files, which a test has in a directory of its own."""

from __future__ import annotations

import dataclasses
import gzip
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.errors import HostUnreachable
from runyard.host.survey import Machine, Survey, observe_machine, observe_survey
from tests.unit.runyard.host.docker_api import DockerApi


@pytest.fixture
def engine_socket(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o640)
        yield path


def write(root: Path, name: str, content: str | bytes) -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)


def look(root: Path, socket_: Path) -> Machine:
    return observe_machine(socket_, str(root), root)


def test_survey_has_what_the_engine_tells(docker_api: DockerApi) -> None:
    docker_api.answers |= {
        "GET /info": {"LoggingDriver": "local"},
        "GET /version": {"Components": [{"Name": "runc", "Version": "1.3.3"}]},
        "GET /networks/bridge": {"Options": {}},
    }
    found = observe_survey()
    assert found.info == {"LoggingDriver": "local"}
    assert (found.component("runc"), found.component("containerd")) == ("1.3.3", "")


def test_engine_of_another_machine_is_asked_and_no_file_of_this_one_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(HostUnreachable, match=r"^ask the Docker engine about its host: "):
        observe_survey()
    assert dataclasses.replace(Survey({}, {}, {}, content_trust=False)).machine is None


def test_machine_without_any_file_has_the_engines_defaults(tmp_path: Path, engine_socket: Path) -> None:
    found = look(tmp_path / "root", engine_socket)
    assert (found.settings, found.audit, found.changelogs) == ({}, (), {"engine": "", "runc": ""})
    assert (found.socket, found.socket_mode, found.socket_owner) == (str(engine_socket), 0o640, os.getuid())
    # The directory is not there.
    assert (found.disk_free_bytes, found.disk_bytes, found.disk_apart) == (None, None, False)


def test_settings_are_those_of_the_file_and_of_the_command_line_over_them(tmp_path: Path, engine_socket: Path) -> None:
    write(tmp_path, "etc/docker/daemon.json", '{"userland-proxy": true, "icc": false}')
    write(tmp_path, "proc/7/cmdline", "/usr/bin/runc\0init\0")
    write(tmp_path, "proc/8/cmdline", "/usr/sbin/dockerd\0--userland-proxy=false\0-H\0fd://\0--experimental\0")
    assert look(tmp_path, engine_socket).settings == {"userland-proxy": False, "icc": False, "experimental": True}
    write(tmp_path, "proc/8/cmdline", "dockerd\0--config-file=/etc/other.json\0")
    write(tmp_path, "etc/other.json", '{"icc": true}')
    assert look(tmp_path, engine_socket).settings == {"icc": True, "config-file": "/etc/other.json"}


@pytest.mark.parametrize("content", ["{", "[]", b"\xff"])
def test_settings_that_cannot_be_read_are_unknown(tmp_path: Path, engine_socket: Path, content: str | bytes) -> None:
    write(tmp_path, "etc/docker/daemon.json", content)
    assert look(tmp_path, engine_socket).settings is None


def test_audit_rules_are_the_lines_of_all_files_without_comments(tmp_path: Path, engine_socket: Path) -> None:
    write(tmp_path, "etc/audit/audit.rules", "-D\n\n# -w /etc/docker\n")
    write(tmp_path, "etc/audit/rules.d/docker.rules", "  -w /usr/bin/dockerd -k docker\n")
    assert look(tmp_path, engine_socket).audit == ("-D", "-w /usr/bin/dockerd -k docker")


def test_changelogs_are_of_whichever_package_there_is(tmp_path: Path, engine_socket: Path) -> None:
    write(tmp_path, "usr/share/doc/runc/changelog.Debian.gz", gzip.compress(b"CVE-2024-21626"))
    write(tmp_path, "usr/share/doc/docker-ce/changelog.gz", gzip.compress(b"docker-ce"))
    assert look(tmp_path, engine_socket).changelogs == {"engine": "docker-ce", "runc": "CVE-2024-21626"}


def test_disk_is_that_of_the_engines_directory(tmp_path: Path, engine_socket: Path) -> None:
    found = look(tmp_path, engine_socket)
    assert found.disk_bytes is not None
    assert found.disk_free_bytes is not None
    assert 0 < found.disk_free_bytes <= found.disk_bytes
    assert observe_machine(engine_socket, "/", tmp_path).disk_apart is True


@pytest.mark.engine
def test_survey_of_this_host_sees_its_engine() -> None:
    found = observe_survey()
    assert found.component("runc")
    assert found.bridge["Driver"] == "bridge"
    assert found.machine is not None
    assert found.machine.disk_bytes
    assert found.machine.settings is not None
