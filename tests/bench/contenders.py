"""Contenders of the apply benchmark: Runyard and Compose v2, each by the commands that a user types."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import NamedTuple, Protocol

import yaml

from runyard import names
from tests.bench.compose.binary import compose_binary

ROOT = Path(__file__).parents[2]
STACK = "bench"
IMAGE = "runyard/hello:1"
# Beside a stack on the default ports.
GATEWAY_PORT, ORCHESTRATOR_PORT = 3900, 3901
# The suite's hard end: at the engine's 7 starts a second even 500 services are done long before.
PATIENCE_S = 900
# How often a service is asked again; far below what a change takes.
POLL_S = 0.005
# The least that Cloud Run allows; it is a limit, so that a hundred fit a small machine all the same.
MEMORY, MEMORY_BYTES, PROCESSES = "128Mi", 128 << 20, 256


class Page(NamedTuple):
    """What a service answered: the status, 0 for nothing at all, and the generation that it was told of."""

    status: int
    generation: str = ""


class Contender(Protocol):
    """Something that applies N services, each of which says of which generation its instance is."""

    name: str

    def up(self) -> None:
        """Create or update, and return when every instance is ready."""

    def force(self) -> None:
        """Update without whatever shortcut `up` takes when nothing has changed."""

    def preview(self) -> None:
        """Tell what an update would do."""

    def change(self, count: int) -> None:
        """Have the first `count` services be of another generation; `up` makes it so."""

    def await_change(self) -> None:
        """Return when a service that was changed last serves its new generation."""

    def check(self) -> None:
        """Ask every service for a page."""

    def down(self) -> None:
        """Remove everything."""

    def close(self) -> None:
        """Remove what `down` leaves, which nobody times."""


def service_names(count: int) -> list[str]:
    """Name the services of a stack of this size."""
    return [f"bench-{number:03}" for number in range(1, count + 1)]


def service_manifest(name: str, generation: int = 0) -> dict[str, object]:
    """Say one service in Knative's words; another generation of it is another revision."""
    container = {
        "image": IMAGE,
        "env": [{"name": "GENERATION", "value": str(generation)}],
        "resources": {"limits": {"cpu": "1", "memory": MEMORY}},
    }
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }


def platform_manifest() -> dict[str, object]:
    """Say which ports the benchmark's platform has, and that four earlier revisions stay."""
    spec = {
        "gateway": {"port": GATEWAY_PORT},
        "orchestratorPort": ORCHESTRATOR_PORT,
        "revisions": {"kept": 4},
    }
    return {"apiVersion": "runyard.dev/v1", "kind": "Platform", "spec": spec}


def compose_file(count: int, changed: int = 0, generation: int = 0) -> dict[str, object]:
    """Say the same containers in Compose's words, the first `changed` of them of another generation."""
    hardened = {
        "image": IMAGE,
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "pids_limit": PROCESSES,
        "mem_limit": MEMORY_BYTES,
        "cpus": 1,
        "tmpfs": ["/tmp:size=16m"],
        "restart": "no",
    }
    # One more container stands for the gateway: the sample, which starts faster than any proxy could.
    gateway = hardened | {"network_mode": "host", "environment": {"PORT": str(GATEWAY_PORT + 2)}}
    services = {
        name: hardened | {"environment": {"PORT": "8080", "K_REVISION": str(generation if number < changed else 0)}}
        for number, name in enumerate(service_names(count))
    }
    network = {"driver_opts": {"com.docker.network.bridge.enable_icc": "false"}}
    return {"name": f"runyard-{STACK}", "services": {"gateway": gateway} | services, "networks": {"default": network}}


def run(command: Sequence[str | Path], log: Path) -> str:
    """Run a command and return its output, which is kept in the log; RuntimeError shows the end of it."""
    done = subprocess.run(
        [str(part) for part in command], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    with log.open("a") as kept:
        kept.write(f"$ {' '.join(map(str, command))}\n{done.stdout}{done.stderr}\n")
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(map(str, command))}: ended with {done.returncode}\n{(done.stdout + done.stderr)[-3000:]}"
        )
    return done.stdout


def ask(address: str, port: int, host: str) -> Page:
    """GET / and read the answer's status and revision."""
    connection = HTTPConnection(address, port, timeout=20)
    try:
        connection.request("GET", "/", headers={"Host": host})
        answer = connection.getresponse()
        return Page(answer.status, str(json.loads(answer.read()).get("revision", "")))
    except (OSError, HTTPException, ValueError, AttributeError):
        return Page(0)
    finally:
        connection.close()


def await_page(ask_again: Callable[[], Page], suits: Callable[[Page], bool]) -> None:
    """Ask until an answer suits; RuntimeError with the last one if none does."""
    ends = time.monotonic() + PATIENCE_S
    while not suits(page := ask_again()):
        if time.monotonic() > ends:
            raise RuntimeError(f"must serve its new generation within {PATIENCE_S} s, got {page}")
        time.sleep(POLL_S)


def expect_answers(pages: dict[str, Page]) -> None:
    """Raise RuntimeError with every service that did not answer 200."""
    failed = {name: page.status for name, page in pages.items() if page.status != 200}
    if failed:
        raise RuntimeError(f"must answer 200: {failed}")


class Runyard:
    """Runyard, by the commands that a user types."""

    name = "Runyard"

    def __init__(self, directory: Path, count: int) -> None:
        """Write the manifests of `count` services into the directory."""
        self.services = service_names(count)
        self.manifests = directory / f"manifests-{count}"
        self.manifests.mkdir(exist_ok=True)
        self.log = directory / "runyard.log"
        self._generations = dict.fromkeys(self.services, 0)
        self._before = ""
        self._write()

    def up(self) -> None:
        """Run `make up`."""
        self._make("up")

    def force(self) -> None:
        """Run `make up FORCE=1`."""
        self._make("up", "FORCE=1")

    def preview(self) -> None:
        """Run `make preview FORCE=1`."""
        self._make("preview", "FORCE=1")

    def change(self, count: int) -> None:
        """Write another generation of the first services into their manifests."""
        self._before = self._ask(self.services[0]).generation
        for name in self.services[:count]:
            self._generations[name] += 1
        self._write()

    def await_change(self) -> None:
        """Ask the first service until another revision answers."""
        await_page(lambda: self._ask(self.services[0]), lambda page: page.generation not in ("", self._before))

    def check(self) -> None:
        """Ask every service through the gateway."""
        expect_answers({name: self._ask(name) for name in self.services})

    def down(self) -> None:
        """Run `make down`."""
        run(["make", "down", f"STACK={STACK}"], self.log)

    def close(self) -> None:
        """Remove the empty stack and its settings file, so that the checkout is as it was."""
        run(["toolchain/bootstrap", "run", "--", "pulumi", "stack", "rm", STACK, "--yes"], self.log)

    def _make(self, *arguments: str) -> None:
        run(["make", *arguments, f"STACK={STACK}", f"MANIFESTS={self.manifests}"], self.log)

    def _write(self) -> None:
        documents = [platform_manifest(), *(service_manifest(*each) for each in self._generations.items())]
        (self.manifests / "bench.yaml").write_text(yaml.safe_dump_all(documents))

    def _ask(self, service: str) -> Page:
        return ask("127.0.0.1", GATEWAY_PORT, names.service_host(service, names.DEFAULT_TENANT, "localhost"))


class Compose:
    """Compose v2, by the commands that a user types."""

    name = "Compose v2"

    def __init__(self, directory: Path, count: int) -> None:
        """Write the Compose file of `count` services into the directory."""
        self.services = service_names(count)
        self.log = directory / "compose.log"
        self._file = directory / f"compose-{count}.json"
        self._generation = 0
        self.command: list[str | Path] = [compose_binary(), "--file", self._file]
        self.change(0)

    def up(self) -> None:
        """Run `docker compose up --detach --wait`."""
        run([*self.command, "up", "--detach", "--wait"], self.log)

    def force(self) -> None:
        """Run the same: it has no shortcut."""
        self.up()

    def preview(self) -> None:
        """Run `docker compose --dry-run up`."""
        run([*self.command, "--dry-run", "up", "--detach"], self.log)

    def change(self, count: int) -> None:
        """Write another generation of the first services into the file."""
        self._generation += 1
        self._file.write_text(json.dumps(compose_file(len(self.services), count, self._generation)))

    def await_change(self) -> None:
        """Ask the first service until its new generation answers."""
        await_page(lambda: self._ask(self.services[0]), lambda page: page.generation == str(self._generation))

    def check(self) -> None:
        """Ask every service at its own address."""
        expect_answers({name: self._ask(name) for name in self.services})

    def down(self) -> None:
        """Run `docker compose down`."""
        run([*self.command, "down", "--volumes"], self.log)

    def close(self) -> None:
        """Do nothing: `down` leaves nothing."""

    def _ask(self, service: str) -> Page:
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        address = run(["docker", "inspect", "--format", form, f"runyard-{STACK}-{service}-1"], self.log).strip()
        return ask(address, 8080, service)
