from __future__ import annotations

import contextlib
import http.server
import io
import os
import shutil
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.errors import ToolchainError, UsageError
from tests.unit.toolchain.conftest import WriteProgram
from toolchain import engine
from toolchain.engine import LocalEngine, ping
from toolchain.step import Steps

# Stands in for dockerd: answers pings on the socket that --host names. Written in Python because the shell has no
# sockets; the pid file is written as dockerd does.
DAEMON = """#!{python}
import os, socket, sys
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
open(arguments["--pidfile"], "w").write(str(os.getpid()))
listening = socket.socket(socket.AF_UNIX)
listening.bind(arguments["--host"].removeprefix("unix://"))
listening.listen()
print("ready", flush=True)
while True:
    connection, _ = listening.accept()
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nOK")
    connection.close()
"""


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@contextlib.contextmanager
def answering(path: Path, status: int = 200) -> Iterator[str]:
    """Answer pings on a Unix socket with this status, and that there are no images."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            images = self.path.startswith("/images/json")
            body = b"[]" if images else b""
            self.send_response(200 if images else status if self.path == "/_ping" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self) -> str:
            return "unix"

        def log_message(self, *_arguments: object) -> None:
            return

    with UnixServer(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"unix://{path}"
        finally:
            server.shutdown()
            thread.join()


def machine(steps: Steps, variables: dict[str, str], tmp_path: Path, *, is_root: bool = True) -> LocalEngine:
    """An engine room of a machine without systemd whose default socket is in the test's directory."""
    return LocalEngine(
        steps,
        variables,
        tmp_path / "engine",
        default_address=f"unix://{tmp_path}/docker.sock",
        is_root=is_root,
        systemd=tmp_path / "no-systemd",
        service_pid_file=tmp_path / "docker.pid",
    )


def write_daemon(programs: Path, program: WriteProgram) -> None:
    path = programs / "dockerd"
    path.write_text(DAEMON.format(python=sys.executable))
    path.chmod(0o755)
    program("iptables", "exit 0")


def stop_daemon(room: LocalEngine) -> None:
    assert room.daemon
    room.daemon.terminate()
    room.daemon.wait()


def test_ping_of_an_engine_that_answers(tmp_path: Path) -> None:
    with answering(tmp_path / "s") as address:
        assert ping(address, {}).alive


def test_ping_of_something_else_says_what_it_answered(tmp_path: Path) -> None:
    with answering(tmp_path / "s", 503) as address:
        assert ping(address, {}) == engine.Answer(False, "answered 503 to a ping")


def test_ping_of_a_missing_socket_says_why(tmp_path: Path) -> None:
    assert ping(f"unix://{tmp_path}/s", {}) == engine.Answer(False, "no such file or directory")


def test_ping_over_ssh_asks_the_docker_command(
    program: WriteProgram, variables: dict[str, str], tmp_path: Path
) -> None:
    program("docker", f'echo "$DOCKER_HOST $@" > {tmp_path}/asked')
    assert ping("ssh://me@host", variables).alive
    assert (tmp_path / "asked").read_text() == "ssh://me@host version --format {{.Server.Version}}\n"


def test_engine_that_answers_is_used_and_nothing_else_is_done(
    steps: Steps, words: io.StringIO, variables: dict[str, str], tmp_path: Path
) -> None:
    with answering(tmp_path / "docker.sock") as address:
        assert machine(steps, variables, tmp_path).bring() == address
    assert words.getvalue() == f"engine: answers at {address}\n"
    assert not (tmp_path / "engine").exists()


def test_engine_that_docker_host_names_is_used(
    steps: Steps, words: io.StringIO, variables: dict[str, str], tmp_path: Path
) -> None:
    with answering(tmp_path / "other") as address:
        variables["DOCKER_HOST"] = address
        assert machine(steps, variables, tmp_path, is_root=False).bring() == address
    assert words.getvalue() == f"engine: answers at {address} (DOCKER_HOST)\n"


def test_engine_that_docker_host_names_is_never_replaced(
    steps: Steps, variables: dict[str, str], tmp_path: Path
) -> None:
    variables["DOCKER_HOST"] = f"unix://{tmp_path}/other"
    with answering(tmp_path / "docker.sock"), pytest.raises(ToolchainError) as caught:
        machine(steps, variables, tmp_path).bring()
    assert str(caught.value) == (
        f"engine: DOCKER_HOST unix://{tmp_path}/other: no such file or directory\n"
        "  start that engine, or unset DOCKER_HOST to use the one on this machine"
    )


def test_engine_of_the_current_docker_context_is_found(
    steps: Steps, words: io.StringIO, variables: dict[str, str], tmp_path: Path, program: WriteProgram
) -> None:
    with answering(tmp_path / "rootless") as address:
        program("docker", f"echo {address}")
        assert machine(steps, variables, tmp_path, is_root=False).bring() == address
    assert words.getvalue() == f"engine: answers at {address}, the current docker context\n"


def test_user_without_an_engine_is_told_the_way_out(steps: Steps, variables: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ToolchainError) as caught:
        machine(steps, variables, tmp_path, is_root=False).bring()
    assert str(caught.value) == (
        f"engine: unix://{tmp_path}/docker.sock: no such file or directory,"
        " and only root can install or start one\n"
        "  run `make up` once as root, or point DOCKER_HOST at an engine that you may use"
    )


def test_root_without_an_engine_and_without_apt_is_told_the_way_out(
    steps: Steps, variables: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(ToolchainError, match="no dockerd here, and no apt-get to install one with"):
        machine(steps, variables, tmp_path).bring()


def test_missing_engine_is_installed_and_started_without_systemd(
    steps: Steps, words: io.StringIO, variables: dict[str, str], tmp_path: Path, program: WriteProgram, programs: Path
) -> None:
    write_daemon(tmp_path, program)
    (programs / "iptables").unlink()
    # Installing puts the daemon and iptables in place.
    program("apt-get", f'echo "$@" >> {tmp_path}/apt; cp {tmp_path}/dockerd {programs}/; cp $0 {programs}/iptables')
    room = machine(steps, variables, tmp_path)
    try:
        assert room.bring() == f"unix://{tmp_path}/docker.sock"
    finally:
        stop_daemon(room)
    assert (tmp_path / "apt").read_text() == (
        "update\ninstall -y --no-install-recommends docker.io iptables debootstrap\n"
    )
    assert [line.split(" in ")[0] for line in words.getvalue().splitlines()] == [
        "engine: install docker.io, iptables, debootstrap from the distribution",
        "engine: done",
        "engine: start dockerd (no systemd here)",
        "engine: done",
    ]


def test_daemon_started_here_is_in_a_session_of_its_own_and_logs_to_the_cache(
    steps: Steps, variables: dict[str, str], tmp_path: Path, program: WriteProgram, programs: Path
) -> None:
    write_daemon(programs, program)
    room = machine(steps, variables, tmp_path)
    room.bring()
    try:
        pid = int((room.directory / "dockerd.pid").read_text())
        assert os.getsid(pid) == pid
        assert (room.directory / "dockerd.log").read_text() == "ready\n"
    finally:
        stop_daemon(room)


def test_pid_file_of_another_program_does_not_keep_the_daemon_from_starting(
    steps: Steps, variables: dict[str, str], tmp_path: Path, program: WriteProgram, programs: Path
) -> None:
    write_daemon(programs, program)
    room = machine(steps, variables, tmp_path)
    room.directory.mkdir()
    # As after a reboot: this pid is taken, and by no dockerd.
    (room.directory / "dockerd.pid").write_text(str(os.getpid()))
    room.bring()
    stop_daemon(room)


def test_daemon_that_ends_at_once_is_shown_with_its_last_words(
    steps: Steps, variables: dict[str, str], tmp_path: Path, program: WriteProgram
) -> None:
    program("iptables", "exit 0")
    program("dockerd", "echo 'failed to start daemon: no overlay here'; exit 1")
    with pytest.raises(ToolchainError) as caught:
        machine(steps, variables, tmp_path).bring()
    assert str(caught.value) == (
        "engine: start dockerd: ended with code 1\n"
        "    failed to start daemon: no overlay here\n"
        f"  the whole log: {tmp_path}/engine/dockerd.log"
    )


def test_daemon_that_the_package_started_is_waited_for(
    steps: Steps, words: io.StringIO, variables: dict[str, str], tmp_path: Path, program: WriteProgram
) -> None:
    program("iptables", "exit 0")
    program("dockerd", "exit 1")
    # A process of that name stands in for the one that the init script started; its socket comes a moment later.
    shutil.copy(shutil.which("sleep") or "", tmp_path / "dockerd")
    running = subprocess.Popen([tmp_path / "dockerd", "60"])
    (tmp_path / "docker.pid").write_text(str(running.pid))
    room = machine(steps, variables, tmp_path)
    with contextlib.ExitStack() as stack:
        late = threading.Timer(0.05, lambda: stack.enter_context(answering(tmp_path / "docker.sock")))
        late.start()
        try:
            room.bring()
        finally:
            late.join()
            running.kill()
            running.wait()
    assert "engine: wait for the dockerd that is starting already\n" in words.getvalue()


def test_engine_is_started_by_systemd_where_that_runs(
    steps: Steps, variables: dict[str, str], tmp_path: Path, program: WriteProgram
) -> None:
    program("iptables", "exit 0")
    program("dockerd", "exit 1")
    program("systemctl", f'echo "$@" > {tmp_path}/asked')
    room = machine(steps, variables, tmp_path)
    room.systemd.mkdir()
    with contextlib.ExitStack() as stack:
        late = threading.Timer(0.05, lambda: stack.enter_context(answering(tmp_path / "docker.sock")))
        late.start()
        try:
            room.bring()
        finally:
            late.join()
    assert (tmp_path / "asked").read_text() == "enable --now docker\n"


@pytest.mark.engine
def test_real_dockerd_is_started_and_answers(
    steps: Steps, tmp_path: Path, programs: Path, program: WriteProgram
) -> None:
    """A second real engine, without bridge and firewall rules, beside whatever runs on this machine."""
    # The docker command would lead to the engine that runs already.
    program("docker", "exit 1")
    # In a network namespace of its own: a dockerd without a bridge deletes the docker0 of the one that is in use.
    program("dockerd", f'exec unshare --net {shutil.which("dockerd")} "$@"')
    # Not tmp_path: a Unix socket's path has at most 107 bytes, and containerd's lies deep in here.
    with tempfile.TemporaryDirectory(prefix="ry-", dir="/tmp") as directory:
        own = Path(directory)
        room = LocalEngine(
            steps,
            dict(os.environ) | {"DOCKER_HOST": "", "PATH": f"{programs}:{os.environ['PATH']}"},
            tmp_path / "engine",
            default_address=f"unix://{own}/docker.sock",
            systemd=tmp_path / "no-systemd",
            service_pid_file=tmp_path / "none",
            arguments=[
                *("--data-root", str(own / "data"), "--exec-root", str(own / "exec")),
                *("--bridge=none", "--iptables=false", "--ip-forward=false", "--storage-driver=vfs"),
            ],
        )
        try:
            assert room.bring() == f"unix://{own}/docker.sock"
            first = (room.directory / "dockerd.pid").read_text()
            room.restart()
            assert (room.directory / "dockerd.pid").read_text() != first
            assert ping(f"unix://{own}/docker.sock", {}).alive
        finally:
            stop_daemon(room)
            # A dockerd that did not get far leaves its data directory mounted on itself.
            subprocess.run(["umount", str(own / "data")], capture_output=True, check=False)


def test_restart_without_an_engine_of_the_toolchains_is_refused(steps: Steps, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        LocalEngine(steps, {}, tmp_path).restart()
    assert str(caught.value) == (
        f"engine: restart: {tmp_path}/dockerd.pid: no dockerd that the toolchain started runs here"
    )
