"""Engine: the Docker engine that answers here, or the distribution's own, installed and started."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from runyard.errors import ToolchainError, UsageError
from toolchain.step import Steps

DEFAULT_ADDRESS = "unix:///var/run/docker.sock"
# What Debian and Ubuntu call the engine, what it needs for its bridges, and what makes a base image without a
# registry.
PACKAGES = ("docker.io", "iptables", "debootstrap")
# A healthy engine answers a ping in milliseconds; a host that swallows packets must not hold `make up`.
PING_TIMEOUT_S = 3.0
# The first start makes the storage and the bridge; on a slow disk that has been seen to take 10 s.
START_DEADLINE_S = 60.0
START_POLL_S = 0.1
# dockerd gives containers 15 s to end before it kills them, and then unmounts.
STOP_DEADLINE_S = 60.0


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket, which http.client does not speak by itself."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@dataclass(frozen=True)
class Answer:
    """What came of a ping: `alive`, or the reason why not; `denied` when it is only a matter of permission."""

    alive: bool
    reason: str = ""
    denied: bool = False


def ping(address: str, environment: Mapping[str, str], timeout_s: float = PING_TIMEOUT_S) -> Answer:
    """Ask the engine at a Docker address (unix, tcp; others through the docker command) whether it is there."""
    parts = urlsplit(address)
    if parts.scheme not in ("unix", "tcp") or environment.get("DOCKER_TLS_VERIFY"):
        return _ask_command(address, environment)
    if parts.scheme == "unix":
        connection: http.client.HTTPConnection = _UnixConnection(parts.path, timeout_s)
    else:
        # 2375 is Docker's port without TLS.
        connection = http.client.HTTPConnection(parts.hostname or "localhost", parts.port or 2375, timeout=timeout_s)
    try:
        connection.request("GET", "/_ping")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        denied = isinstance(error, PermissionError)
        return Answer(False, str(getattr(error, "strerror", None) or error or type(error).__name__).lower(), denied)
    finally:
        connection.close()
    return Answer(status == 200, "" if status == 200 else f"answered {status} to a ping")


def _ask_command(address: str, environment: Mapping[str, str]) -> Answer:
    """Ask through the docker command, which knows ssh and TLS."""
    try:
        asked = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"],
            env={**environment, "DOCKER_HOST": address},
            capture_output=True,
            text=True,
            # An ssh handshake and a login shell come before the answer.
            timeout=30,
            check=False,
        )
    except FileNotFoundError:
        return Answer(False, f"the docker command is needed for {urlsplit(address).scheme}:// and is not installed")
    except subprocess.TimeoutExpired:
        return Answer(False, "no answer within 30 s")
    return Answer(asked.returncode == 0, asked.stderr.strip())


@dataclass
class LocalEngine:
    """Brings an engine up; `directory` gets the log and the pid of one that is started here."""

    steps: Steps
    environment: Mapping[str, str]
    directory: Path
    default_address: str = DEFAULT_ADDRESS
    is_root: bool = field(default_factory=lambda: os.geteuid() == 0)
    systemd: Path = Path("/run/systemd/system")
    # Where an engine that the distribution's init script started has its pid.
    service_pid_file: Path = Path("/var/run/docker.pid")
    # More arguments of a dockerd that is started here.
    arguments: Sequence[str] = ()
    # The dockerd that was started here; it goes on when this run ends.
    daemon: subprocess.Popen[bytes] | None = None

    def find(self) -> str:
        """Return the address of an engine that answers; "" when there is none, and one may be started here.

        ToolchainError when one is named or there that does not answer, or when none may be started.
        """
        named = self.environment.get("DOCKER_HOST")
        if named:
            return self._expect_named(named)
        answer = ping(self.default_address, self.environment)
        if answer.alive:
            self.steps.found("engine", f"answers at {self.default_address}")
            return self.default_address
        context = self._context_address()
        if context and context != self.default_address and ping(context, self.environment).alive:
            self.steps.found("engine", f"answers at {context}, the current docker context")
            return context
        if answer.denied:
            raise ToolchainError(
                f"engine: {self.default_address}: permission denied\n"
                "  as root: usermod -aG docker YOU, then log in again; or point DOCKER_HOST at an engine of yours"
            )
        if not self.is_root:
            raise ToolchainError(
                f"engine: {self.default_address}: {answer.reason}, and only root can install or start one\n"
                "  run `make up` once as root, or point DOCKER_HOST at an engine that you may use"
            )
        return ""

    def bring(self) -> str:
        """Return the address of an engine that answers, having installed and started one when there was none."""
        found = self.find()
        if found:
            return found
        self._install()
        self._start()
        return self.default_address

    def restart(self, *, dry_run: bool = False) -> None:
        """Restart the dockerd that a toolchain started here, as a reboot would; UsageError if there is none.

        Containers stop with it, and those with a restart policy come back. A dry run only looks.
        """
        pid_file = self.directory / "dockerd.pid"
        if not _is_engine(pid_file):
            raise UsageError(f"engine: restart: {pid_file}: no dockerd that the toolchain started runs here")
        if dry_run:
            return
        with self.steps.step("engine", "restart dockerd"):
            process = Path("/proc", pid_file.read_text().strip())
            os.kill(int(process.name), signal.SIGTERM)
            give_up = time.monotonic() + STOP_DEADLINE_S
            if self.daemon:
                self.daemon.wait(STOP_DEADLINE_S)
            # A zombie is gone as far as its socket and data go; its parent may be any earlier run.
            while process.exists() and "State:\tZ" not in (process / "status").read_text():
                if time.monotonic() > give_up:
                    raise ToolchainError(
                        f"engine: restart: pid {process.name} still runs after {STOP_DEADLINE_S:.0f} s"
                    )
                time.sleep(START_POLL_S)
            self.daemon = self._spawn()
            self._await(self.daemon)

    def _expect_named(self, address: str) -> str:
        """Use the engine that the user names or refuse it; never replace it by another."""
        answer = ping(address, self.environment)
        if not answer.alive:
            raise ToolchainError(
                f"engine: DOCKER_HOST {address}: {answer.reason}\n"
                "  start that engine, or unset DOCKER_HOST to use the one on this machine"
            )
        self.steps.found("engine", f"answers at {address} (DOCKER_HOST)")
        return address

    def _context_address(self) -> str:
        """Find where the docker command's current context points: rootless and Desktop engines live there."""
        if not shutil.which("docker", path=self.environment.get("PATH")):
            return ""
        asked = subprocess.run(
            ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"],
            env=dict(self.environment),
            capture_output=True,
            text=True,
            check=False,
        )
        return asked.stdout.strip() if asked.returncode == 0 else ""

    def _install(self) -> None:
        path = self.environment.get("PATH")
        if shutil.which("dockerd", path=path) and shutil.which("iptables", path=path):
            return
        if not shutil.which("apt-get", path=path):
            raise ToolchainError(
                "engine: no dockerd here, and no apt-get to install one with\n"
                "  install Docker Engine from your distribution, then run this again"
            )
        with self.steps.step("engine", f"install {', '.join(PACKAGES)} from the distribution"):
            install_packages(self.steps, "engine", PACKAGES, self.environment)

    def _start(self) -> None:
        if self.systemd.is_dir():
            with self.steps.step("engine", "start docker.service"):
                self.steps.run("engine", ["systemctl", "enable", "--now", "docker"], environment=self.environment)
                self._await(None)
            return
        if _is_engine(self.service_pid_file):
            # Installing the package may have started it; a second one on the same data would fail.
            with self.steps.step("engine", "wait for the dockerd that is starting already"):
                self._await(None)
            return
        with self.steps.step("engine", "start dockerd (no systemd here)"):
            self.daemon = self._spawn()
            self._await(self.daemon)

    def _spawn(self) -> subprocess.Popen[bytes]:
        """Start dockerd in a session of its own, so that it outlives this run and its terminal."""
        self.directory.mkdir(parents=True, exist_ok=True)
        pid_file = self.directory / "dockerd.pid"
        if not _is_engine(pid_file):
            # After a reboot another program may have that pid, and dockerd would believe that it still runs.
            pid_file.unlink(missing_ok=True)
        with self._log.open("ab") as log:
            return subprocess.Popen(
                ["dockerd", "--host", self.default_address, "--pidfile", str(pid_file), *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(self.environment),
                cwd="/",
                start_new_session=True,
            )

    @property
    def _log(self) -> Path:
        return self.directory / "dockerd.log"

    def _await(self, process: subprocess.Popen[bytes] | None) -> None:
        """Wait for the first ping, or for the process to end before it."""
        deadline = time.monotonic() + START_DEADLINE_S
        answer = ping(self.default_address, self.environment)
        while not answer.alive:
            code = process.poll() if process else None
            if code is not None:
                raise ToolchainError(f"engine: start dockerd: ended with code {code}\n{self._tail()}")
            if time.monotonic() > deadline:
                raise ToolchainError(f"engine: no answer {START_DEADLINE_S:.0f} s after its start\n{self._tail()}")
            time.sleep(START_POLL_S)
            answer = ping(self.default_address, self.environment)

    def _tail(self) -> str:
        if not self._log.exists():
            return "  see: journalctl -u docker"
        lines = self._log.read_text(errors="replace").splitlines()[-10:]
        return "\n".join(f"    {line}" for line in lines) + f"\n  the whole log: {self._log}"


def install_packages(steps: Steps, subject: str, packages: Sequence[str], environment: Mapping[str, str]) -> None:
    """Install distribution packages, as root, asking nothing."""
    quiet = {**environment, "DEBIAN_FRONTEND": "noninteractive"}
    steps.run(subject, ["apt-get", "update"], environment=quiet)
    # policy-rc.d may forbid starting services (containers do); the packages install all the same.
    steps.run(subject, ["apt-get", "install", "-y", "--no-install-recommends", *packages], environment=quiet)


def _is_engine(pid_file: Path) -> bool:
    """Tell whether the process named by a pid file is a dockerd."""
    try:
        return Path("/proc", pid_file.read_text().strip(), "comm").read_text().strip() == "dockerd"
    except OSError:
        return False
