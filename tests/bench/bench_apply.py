"""Benchmark of apply: N one-instance services under Runyard and the same containers under Compose v2, in turns.

Prints how long `up` from nothing, `up` with nothing to do, a restart of the gateway and `destroy` take, and how
the restart of the gateway compares with that of a stack of one service. Every service is asked for a page after
`up` and after the restart; one that does not answer 200 fails the benchmark.

    .venv/bin/python -m tests.bench.bench_apply --services 100
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Protocol

import yaml

from runyard import names
from tests.bench.compose.binary import compose_binary
from tests.bench.timing import ROUNDS, Stopwatch

ROOT = Path(__file__).parents[2]
STACK = "bench"
IMAGE = "runyard/hello:1"
# Beside a stack on the default ports.
GATEWAY_PORT, ORCHESTRATOR_PORT = 3900, 3901
# The suite's hard end: at the engine's 7 starts a second even 500 services are done long before.
PATIENCE_S = 900
# How often a restarted gateway is asked again; far below what a restart takes.
POLL_S = 0.005
# The least that Cloud Run allows; it is a limit, so that a hundred fit a small machine all the same.
MEMORY, MEMORY_BYTES, PROCESSES = "128Mi", 128 << 20, 256


class Contender(Protocol):
    """Something that applies N services."""

    name: str

    def up(self) -> None:
        """Create or update, and return when every instance is ready."""

    def restart_gateway(self) -> None:
        """Restart the part in front and return when it answers."""

    def down(self) -> None:
        """Remove everything."""

    def check(self) -> None:
        """Ask every service for a page."""

    def close(self) -> None:
        """Remove what `down` leaves, which nobody times."""


def service_names(count: int) -> list[str]:
    """Name the services of a stack of this size."""
    return [f"bench-{number:03}" for number in range(1, count + 1)]


def service_manifest(name: str) -> dict[str, object]:
    """Say one service in Knative's words."""
    container = {"image": IMAGE, "resources": {"limits": {"cpu": "1", "memory": MEMORY}}}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }


def platform_manifest() -> dict[str, object]:
    """Say which ports the benchmark's platform has."""
    spec = {"gateway": {"port": GATEWAY_PORT}, "orchestratorPort": ORCHESTRATOR_PORT}
    return {"apiVersion": "runyard.dev/v1", "kind": "Platform", "spec": spec}


def compose_file(count: int) -> dict[str, object]:
    """Say the same containers in Compose's words: same image, limits, hardening and kind of network."""
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
    services = {name: hardened | {"environment": {"PORT": "8080"}} for name in service_names(count)}
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


def ask(address: str, port: int, host: str) -> int:
    """GET / and return the status; 0 when nothing answered."""
    connection = HTTPConnection(address, port, timeout=20)
    try:
        connection.request("GET", "/", headers={"Host": host})
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


def await_answer(address: str, port: int, host: str) -> None:
    """Ask until the answer is 200."""
    ends = time.monotonic() + PATIENCE_S
    while ask(address, port, host) != 200:
        if time.monotonic() > ends:
            raise RuntimeError(f"{host} at {address}:{port}: did not answer 200 within {PATIENCE_S} s")
        time.sleep(POLL_S)


def expect_answers(answers: dict[str, int]) -> None:
    """Raise RuntimeError with every service that did not answer 200."""
    failed = {name: status for name, status in answers.items() if status != 200}
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
        documents = [platform_manifest(), *map(service_manifest, self.services)]
        (self.manifests / "bench.yaml").write_text(yaml.safe_dump_all(documents))

    def up(self) -> None:
        """Run `make up`."""
        run(["make", "up", f"STACK={STACK}", f"MANIFESTS={self.manifests}"], self.log)

    def restart_gateway(self) -> None:
        """Restart nginx, and wait for a page of the last service through it."""
        run(["docker", "restart", names.platform_container(STACK, "gateway")], self.log)
        await_answer("127.0.0.1", GATEWAY_PORT, self._host(self.services[-1]))

    def down(self) -> None:
        """Run `make down`."""
        run(["make", "down", f"STACK={STACK}"], self.log)

    def close(self) -> None:
        """Remove the empty stack and its settings file, so that the checkout is as it was."""
        run(["toolchain/bootstrap", "run", "--", "pulumi", "stack", "rm", STACK, "--yes"], self.log)

    def check(self) -> None:
        """Ask every service through the gateway."""
        expect_answers({name: ask("127.0.0.1", GATEWAY_PORT, self._host(name)) for name in self.services})

    def _host(self, service: str) -> str:
        return names.service_host(service, names.DEFAULT_TENANT, "localhost")


class Compose:
    """Compose v2, by the commands that a user types."""

    name = "Compose v2"

    def __init__(self, directory: Path, count: int) -> None:
        """Write the Compose file of `count` services into the directory."""
        self.services = service_names(count)
        self.log = directory / "compose.log"
        file = directory / f"compose-{count}.json"
        file.write_text(json.dumps(compose_file(count)))
        self.command: list[str | Path] = [compose_binary(), "--file", file]

    def up(self) -> None:
        """Run `docker compose up --detach --wait`."""
        run([*self.command, "up", "--detach", "--wait"], self.log)

    def restart_gateway(self) -> None:
        """Restart the container that stands for the gateway, and wait for its page."""
        run(["docker", "restart", f"runyard-{STACK}-gateway-1"], self.log)
        await_answer("127.0.0.1", GATEWAY_PORT + 2, "gateway")

    def down(self) -> None:
        """Run `docker compose down`."""
        run([*self.command, "down", "--volumes"], self.log)

    def close(self) -> None:
        """Do nothing: `down` leaves nothing."""

    def check(self) -> None:
        """Ask every service at its own address."""
        containers = [f"runyard-{STACK}-{name}-1" for name in self.services]
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        addresses = run(["docker", "inspect", "--format", form, *containers], self.log).split()
        expect_answers({name: ask(address, 8080, name) for name, address in zip(self.services, addresses, strict=True)})


def measure(watch: Stopwatch, contender: Contender, count: int) -> None:
    """Take a contender through its life with `count` services."""
    named = f"{count} service" + ("s" if count > 1 else "")

    def timed(job: str, action: Callable[[], None]) -> None:
        elapsed = watch.time(f"{named}: {job}", contender.name, action)
        print(f"  {contender.name}: {named}: {job}: {elapsed:.2f} s", flush=True)

    try:
        timed("up from nothing", contender.up)
        contender.check()
        timed("up, nothing to do", contender.up)
        for _ in range(ROUNDS):
            timed("restart of the gateway", contender.restart_gateway)
        contender.check()
        timed("destroy", contender.down)
    except BaseException:
        # Also on Ctrl-C: a hundred containers are no thing to leave behind.
        contender.down()
        raise
    finally:
        contender.close()


def load_average() -> str:
    """Say how busy the machine is, because that is half of what a timing shows."""
    return ", ".join(f"{load:.1f}" for load in os.getloadavg())


def main() -> None:
    """Parse the command line, measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--services", type=int, default=100, help="size of the large stack (default 100)")
    parser.add_argument("--rounds", type=int, default=1, help="lives of each stack, contenders in turns (default 1)")
    parser.add_argument("--only", choices=["runyard", "compose"], help="measure one contender")
    options = parser.parse_args()
    kinds: dict[str, type[Runyard] | type[Compose]] = {"runyard": Runyard, "compose": Compose}
    chosen = [kinds[options.only]] if options.only else list(kinds.values())
    watch = Stopwatch()
    with tempfile.TemporaryDirectory(prefix="runyard-bench-") as directory:
        # The small stack is first: it also warms caches, for both alike.
        for count in dict.fromkeys([1, options.services]):
            for _ in range(options.rounds):
                for kind in chosen:
                    measure(watch, kind(Path(directory), count), count)
    print(f"\n{os.cpu_count()} cores, load {load_average()}\n")
    print(watch.table(chosen[-1].name))


if __name__ == "__main__":
    main()
