"""Canary: a secret value that is looked for in everything that is kept, shown, logged or told."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.harness.client import ask
from tests.harness.stack import Stack, docker

# What is larger is no text of ours: a core of the engine's database, or an image.
LARGEST = 64 << 20


def forms(value: str) -> list[bytes]:
    """Give a value as it is and as it stands in hexadecimal and in base64, wherever it begins there."""
    raw = value.encode()
    found = [raw, raw.hex().encode()]
    for before in range(3):
        text = base64.b64encode(b"\0" * before + raw)
        # Without the characters at both ends that depend on what stands beside it.
        found.append(text[4 if before else 0 : -4])
    return found


def holds(data: bytes, values: tuple[str, ...]) -> bool:
    """Tell whether one of the values is in the data, in any form."""
    return any(form in data for value in values for form in forms(value))


def files_with(directories: list[Path], values: tuple[str, ...]) -> list[str]:
    """List the files below directories, or named by them, that hold a value; what goes meanwhile is passed over."""
    found = []
    for directory in directories:
        paths = [Path(folder, name) for folder, _, names in os.walk(directory) for name in names] or [directory]
        for path in paths:
            try:
                if path.is_file() and path.stat().st_size < LARGEST and holds(path.read_bytes(), values):
                    found.append(str(path))
            except OSError:
                continue
    return found


def told(stack: Stack) -> dict[str, bytes]:
    """Give everything that the stack, its engine and our commands tell, by where it was told."""
    labels = ["--filter", f"label=runyard.dev/stack={stack.name}"]
    ids = docker("ps", "--all", "--quiet", "--no-trunc", *labels).split()
    volumes = docker("volume", "ls", "--quiet", *labels).split()
    networks = docker("network", "ls", "--quiet", *labels).split()
    found = {
        "inspect": "".join(map(_inspect, (*ids, *volumes, *networks))),
        "preview": stack.preview("--diff").stdout + stack.preview("--json").stdout,
        "export": stack.pulumi("stack", "export", "--stack", stack.name).stdout,
        "history": stack.pulumi("stack", "history", "--json", "--stack", stack.name, check=False).stdout,
        "configuration": stack.pulumi("config", "--stack", stack.name, "--json").stdout,
        **{f"logs of {each[:12]}": _logs(each) for each in ids},
        **{f"runyard {' '.join(each)}": _command(stack, *each) for each in _COMMANDS},
    }
    described = ask(stack.orchestrator_port, "/v1/openapi.json").json()
    plain = [path for path, verbs in described["paths"].items() if "get" in verbs and "{" not in path]
    # The stream of changes never ends.
    for path in (each for each in plain if each != "/v1/watch"):
        found[f"GET {path}"] = ask(stack.orchestrator_port, path).text
    return {where: text.encode("utf-8", "replace") for where, text in found.items()}


_COMMANDS = (("status",), ("ps",), ("why", "keeper"), ("verify",))


def _inspect(name: str) -> str:
    # One that was being replaced may have gone since it was listed.
    return subprocess.run(["docker", "inspect", name], capture_output=True, text=True, check=False).stdout


def _logs(container: str) -> str:
    done = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def _command(stack: Stack, verb: str, *arguments: str) -> str:
    manifests = [str(stack.manifests)] if verb == "verify" else []
    done = stack.runyard(verb, *arguments, *manifests)
    assert "No such" not in done.stderr, done.stderr
    return done.stdout + done.stderr


def kept(stack: Stack) -> list[Path]:
    """List where the stack, its engine and the engine's runtimes keep things on this host's disk and in memory."""
    root = Path(docker("info", "--format", "{{.DockerRootDir}}").strip())
    ids = docker("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label=runyard.dev/stack={stack.name}").split()
    found = [stack.state, stack.manifests, stack.directory / "stack.yaml"]
    found += [root / "containers" / each for each in ids]
    found += list((root / "volumes").glob(f"runyard.{stack.name}.*"))
    # The bundle of each container, its configuration included, wherever this engine's runtimes put them.
    for base in ("/run/docker", "/run/containerd", "/var/run/docker"):
        # Other tests' containers come and go meanwhile; what has gone is walked past.
        for place, folders, files in os.walk(base):
            found += [Path(place, each) for each in (*folders, *files) if each.startswith(tuple(ids))]
    return [each for each in found if each.exists()]


class Watch:
    """Looks, as any user of the host may, at the command lines of all processes; and at what the engine tells of."""

    def __init__(self, values: tuple[str, ...]) -> None:
        self.values = values
        self.seen: set[str] = set()
        self.looks = 0

    def look(self) -> None:
        """Look once at every process."""
        self.looks += 1
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes()
            except OSError:
                continue
            # What sets the secret in Pulumi is the test's own.
            if b"config\0set\0" not in line and holds(line, self.values):
                self.seen.add(line.replace(b"\0", b" ").decode("utf-8", "replace")[:300])


@contextmanager
def watching(*values: str) -> Iterator[Watch]:
    """Watch until the block ends; then nothing must have been seen."""
    watch, ended = Watch(values), threading.Event()

    def run() -> None:
        while not ended.is_set():
            watch.look()

    thread = threading.Thread(target=run)
    thread.start()
    events = subprocess.Popen(["docker", "events", "--format", "{{json .}}"], stdout=subprocess.PIPE)
    try:
        yield watch
    finally:
        ended.set()
        thread.join()
        events.terminate()
        said = events.communicate()[0]
    assert watch.looks > 0, "it has not looked"
    assert watch.seen == set(), f"in command lines: {watch.seen}"
    shown = [json.loads(line)["Action"] for line in said.splitlines() if holds(line, values)]
    assert shown == [], f"in events: {shown}"
