"""A stack for tests: its own Pulumi backend, ports and manifests directory, on the machine's real engine."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from runyard import names
from runyard.host import Engine, Orchestrator
from runyard.images import image_reference
from runyard.manifest.model import Platform
from runyard.plan.network import derive_subnet
from runyard.pulumi.backend import file_backend, lock_directory
from tests.harness.client import Answer, ask
from tests.harness.ports import StackPorts, stack_ports
from tests.harness.waiting import PATIENCE_S, until

ROOT = Path(__file__).resolve().parents[2]
# A host gives out each core four times, and the stacks of two files at a time must find room on two cores: eight
# instances of a whole CPU each would be one file's alone.
MINIMUM = "autoscaling.knative.dev/minScale"
LIMITS = {"cpu": "200m", "memory": "128Mi"}
# The platform's default, which no test changes.
POOL = IPv4Network(Platform().address_pool)


def service(service_name: str, /, *, image: str = "runyard/hello:1", **parts: Any) -> dict[str, Any]:
    """Make a Service manifest; `annotations` go on it, `template` on its template, the rest on its container.

    It keeps an instance unless `template` says a minimum: most tests look for one, and one that sleeps has none.
    """
    annotations = parts.pop("annotations", {})
    template_annotations = {MINIMUM: "1"} | parts.pop("template", {})
    namespace = parts.pop("namespace", None)
    traffic = parts.pop("traffic", None)
    metadata = {"name": service_name, "annotations": annotations}
    if namespace:
        metadata["namespace"] = namespace
    limits = parts.pop("limits", LIMITS)
    container = {"image": image, "resources": {"limits": limits}, **parts}
    spec: dict[str, Any] = {
        "template": {"metadata": {"annotations": template_annotations}, "spec": {"containers": [container]}}
    }
    if traffic:
        spec["traffic"] = traffic
    return {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": metadata, "spec": spec}


def stable_json(preview: str) -> str:
    """Give what `pulumi preview --json` wrote without what two previews cannot agree on.

    That is how long it took; the dependencies of a resource, which the SDK keeps in a set, whose order differs from one
    Python to the next; and the order of steps that do not wait for each other, which the engine takes at once. All else
    is compared as it is.
    """
    shown = json.loads(preview)
    del shown["duration"]
    shown["steps"].sort(key=lambda step: (step["urn"], step["op"]))
    for step in shown["steps"]:
        for state in ("oldState", "newState"):
            if "dependencies" in step.get(state, {}):
                step[state]["dependencies"].sort()
    return json.dumps(shown, indent=1)


class Stack:
    """One Pulumi stack and what runs for it."""

    def __init__(self, directory: Path, name: str, ports: StackPorts) -> None:
        self.name = name
        self.port, self.orchestrator_port, self.tls_port, self.h2c_port = ports
        # Before anything is made, and so that nothing is cleaned up: what has the name already is somebody else's.
        assert self.left_on_host() == [], f"stack {name}: is somebody else's, left alone"
        self.directory = directory
        self.manifests = directory / "manifests"
        self.state = directory / "state"
        self.manifests.mkdir(parents=True)
        self.state.mkdir()
        self.environment = os.environ | {
            "PULUMI_BACKEND_URL": file_backend(self.state),
            "PULUMI_CONFIG_PASSPHRASE": "correct horse battery staple",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "NO_COLOR": "1",
        }
        self.environment.pop("PULUMI_CONFIG_PASSPHRASE_FILE", None)
        self.platform(gateway={"port": self.port})
        self.config = directory / "Pulumi.yaml"
        self.pulumi("stack", "init", name)
        self.pulumi("config", "set", "runyard:manifests", str(self.manifests), "--stack", name)

    def platform(self, **spec: Any) -> None:
        document = {"apiVersion": "runyard.dev/v1", "kind": "Platform", "metadata": {"name": "platform"}}
        self.write("platform", {**document, "spec": {"orchestratorPort": self.orchestrator_port, **spec}})

    def set_secret(self, path: str, value: str) -> None:
        # `--`, because a PEM begins with dashes.
        self.pulumi("config", "set", "--secret", "--path", "--stack", self.name, "--", path, value)

    def write(self, name: str, manifest: dict[str, Any]) -> None:
        # JSON is YAML.
        text = json.dumps(manifest, indent=1, ensure_ascii=False)
        (self.manifests / f"{name}.yaml").write_text(text, encoding="utf-8")

    def remove(self, name: str) -> None:
        (self.manifests / f"{name}.yaml").unlink()

    def clear(self) -> None:
        """Take down every service that a test has left, however it ended, and keep the platform as it is at first."""
        left = [each for each in self.manifests.iterdir() if each.stem != "platform"]
        if not left:
            return
        for each in left:
            each.unlink()
        self.platform(gateway={"port": self.port})
        self.unlock()
        self.up()
        until(lambda: not self.names("instance") and not self.held(), "the services are gone")

    def unlock(self) -> None:
        """Release what an update that was killed holds; where nothing is held, Pulumi's start is spared."""
        locks = Path(lock_directory(self.environment["PULUMI_BACKEND_URL"], self.name))
        if locks.is_dir() and any(locks.iterdir()):
            self.pulumi("cancel", "--yes", "--stack", self.name, check=False)

    def pulumi(self, *arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        command = ["pulumi", "--non-interactive", *arguments]
        if arguments[0] in ("up", "preview", "destroy", "config"):
            # Flags end where a bare `--` stands.
            end = command.index("--") if "--" in command else len(command)
            command[end:end] = ["--config-file", str(self.directory / "stack.yaml")]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def runyard(self, verb: str, *arguments: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        """Run a command of Runyard's, such as `status` or `console invite`, on the stack, as its user does."""
        command = [sys.executable, "-m", "runyard.cli.main", *verb.split(), "--stack", self.name, *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=600, check=False
        )
        if check and done.returncode:
            raise AssertionError(f"{verb} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def told(self, verb: str, *arguments: str) -> Any:
        """Give what a command tells as data."""
        return json.loads(self.runyard(verb, *arguments, "--output", "json", check=True).stdout)

    def verify(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Have the stack checked against its manifests."""
        configuration = ("--config-file", str(self.directory / "stack.yaml"))
        return self.runyard("verify", *options, *configuration, str(self.manifests))

    def up(self, *arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        command = ("up", "--yes", "--skip-preview", "--stack", self.name, *arguments)
        return self.pulumi(*command, check=check, **environment)

    def preview(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.pulumi("preview", *arguments, "--stack", self.name, check=check)

    def expect_no_changes(self) -> None:
        self.preview("--expect-no-changes", "--diff")

    def destroy(self, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.pulumi("destroy", "--yes", "--skip-preview", "--stack", self.name, check=check)

    def start_up(self) -> subprocess.Popen[str]:
        """Start an `up` in a process group of its own, its output to be read line by line."""
        command = ["pulumi", "--non-interactive", "up", "--yes", "--skip-preview", "--stack", self.name]
        command += ["--config-file", str(self.directory / "stack.yaml")]
        return subprocess.Popen(
            command, cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip

    def get(
        self,
        host: str,
        path: str = "/",
        method: str = "GET",
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        return ask(self.port, path, method, body, {"Host": host, **(headers or {})})

    def status(self) -> dict[str, Any]:
        return dict(ask(self.orchestrator_port, "/v1/status").json())

    def host_address(self, network: str) -> str:
        """Give the address that the host has on a network of the stack, such as `platform`."""
        (described,) = json.loads(docker("network", "inspect", f"runyard.{self.name}.{network}"))
        return str(described["IPAM"]["Config"][0]["Gateway"])

    def held(self) -> set[str]:
        """Give the identities of the revisions whose documents the orchestrator keeps."""
        with Engine() as engine, contextlib.closing(Orchestrator(engine, self.name)) as orchestrator:
            return {identity for each in orchestrator.holdings().services for identity in each.documents}

    def names(self, role: str | None = None, *, running: bool = False) -> list[str]:
        filters = ["--filter", f"label=runyard.dev/stack={self.name}"]
        filters += ["--filter", f"label=runyard.dev/role={role}"] if role else []
        scope = [] if running else ["--all"]
        return sorted(docker("ps", *scope, *filters, "--format", "{{.Names}}").split())

    def left_on_host(self) -> list[str]:
        """List every container, network and volume that has the stack's label; what tenants keep stays on purpose."""
        label = ["--filter", f"label=runyard.dev/stack={self.name}"]
        found = self.names()
        found += docker("network", "ls", *label, "--format", "{{.Name}}").split()
        found += docker("volume", "ls", *label, "--format", "{{.Name}}").split()
        return [each for each in found if each not in self.kept_on_host()]

    def kept_on_host(self) -> list[str]:
        """List the tenants' persistent volumes, which outlive the stack."""
        labels = ("runyard.dev/role=data", f"runyard.dev/stack={self.name}")
        filters = [word for each in labels for word in ("--filter", f"label={each}")]
        return docker("volume", "ls", *filters, "--format", "{{.Name}}").split()


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def inspect(name: str) -> dict[str, Any]:
    return json.loads(docker("inspect", name))[0]


def firewall_table(stack: str) -> str:
    """Give the stack's table as the host's kernel has it, empty without one."""
    listed = subprocess.run(
        [
            *("docker", "run", "--rm", "--network", "host", "--cap-drop", "ALL", "--cap-add", "NET_ADMIN"),
            *("--entrypoint", "nft", image_reference("firewall"), "list", "table", "ip", f"runyard.{stack}"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert listed.returncode == 0 or "No such file or directory" in listed.stderr, listed.stderr
    return listed.stdout


def kill_group(process: subprocess.Popen[str]) -> None:
    """Kill an update as a power cut would: the CLI, the program and the plugins at once."""
    # Pulumi puts its plugins into groups of their own, and they outlive it.
    for pid in [process.pid, *descendants(process.pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait(timeout=PATIENCE_S)


def descendants(pid: int) -> list[int]:
    """List the processes that a process started, and theirs."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    except OSError:
        return []
    return sorted({*children, *(grandchild for child in children for grandchild in descendants(child))})


def is_stuck(network: str) -> bool:
    """Say whether the engine keeps a network for an endpoint that no container has, and tell of it.

    Docker 20.10 has one left, rarely, where a container's start and its removal meet, and lets it go minutes later.
    """
    removed = subprocess.run(["docker", "network", "rm", network], capture_output=True, text=True, check=False)
    if "has active endpoints" not in removed.stderr:
        return False
    (described,) = json.loads(docker("network", "inspect", network))
    if described["Containers"]:
        return False
    print(f"the engine keeps {network} for an endpoint of no container")
    return True


def _draw() -> tuple[str, StackPorts]:
    """Draw a stack's name and ports, whose networks find their addresses free.

    A run that was killed leaves networks behind; with a hundred of them one stack in thirty would meet one.
    """
    with Engine() as engine:
        taken = [IPv4Network(subnet) for each in engine.things() for subnet in each.subnets if ":" not in subnet]
    while True:
        ports = stack_ports()
        name = f"e2e{ports.edge}"
        tenant = [names.tenant_network(name, "default", internal=internal) for internal in (False, True)]
        networks = [derive_subnet(POOL, network) for network in (names.platform_network(name), *tenant)]
        if not any(network.overlaps(each) for network in networks for each in taken):
            return name, ports


@contextlib.contextmanager
def new_stack(directories: pytest.TempPathFactory, purpose: str) -> Iterator[Stack]:
    """Give a stack with nothing in it, on ports and in a directory that no other has, and destroy it afterwards.

    Whatever happened: what is then left on the host is a failure.
    """
    name, ports = _draw()
    stack = Stack(directories.mktemp(purpose), name, ports)
    try:
        yield stack
    finally:
        stack.unlock()
        destroyed = stack.destroy(check=False)
        # As `make down` does: an update that was killed early has claimed room, and Pulumi knows of nothing to destroy.
        subprocess.run([sys.executable, "-m", "runyard.cli.main", "release", "--stack", name], cwd=ROOT, check=False)
        # Made by `pulumi stack init` beside the program, whatever --config-file says later.
        (ROOT / "stacks" / f"Pulumi.{name}.yaml").unlink(missing_ok=True)
        left = [each for each in stack.left_on_host() if not is_stuck(each)]
        for container in stack.names():
            docker("rm", "--force", "--volumes", container)
        for volume in stack.kept_on_host():
            docker("volume", "rm", volume)
    assert left == [], f"left on the host: {left}\n{destroyed.stdout}\n{destroyed.stderr}"
