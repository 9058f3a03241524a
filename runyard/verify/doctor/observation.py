"""Observation: what this machine and checkout have of what a stack needs, looked at and not judged."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from runyard import names
from runyard.errors import HostError, HostUnreachable
from runyard.host import Engine
from runyard.host.address import USUAL
from runyard.host.survey import Survey, observe_survey
from runyard.host.thing import Found
from runyard.plan.part import PartPlan
from runyard.pulumi.backend import (
    PASSPHRASE_VARIABLES,
    backend_directory,
    backend_of,
    passphrase_file,
    stack_file,
)

# It answers in a tenth of a second; the first time after its installation it takes some.
_PULUMI_S = 20
_UNIX = "unix://"


@dataclass(frozen=True, slots=True)
class Port:
    """An address of a part: which part, whether somebody listens there, and whether that is the stack's own."""

    part: str
    address: str
    free: bool
    ours: bool


@dataclass(frozen=True, slots=True)
class Private:
    """A file or directory that is private to the user; `place` is empty where the environment stands for it."""

    place: str
    there: bool = True
    readable: bool = True
    writable: bool = True
    mode: int = 0


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen; None where it could not be, such as the files of a machine that only its engine speaks for.

    `unreachable` says why no engine answered, `denied` whether that was because this user may not ask it. `skew_s` is
    the engine's clock less this one; `packet_filter` and `seccomp` say whether the kernel has them. `stacks` are all
    that run there, `pulumi` is the version of the one on PATH, empty without.
    """

    stack: str
    address: str
    survey: Survey | None
    unreachable: str = ""
    denied: bool = False
    skew_s: float = 0.0
    memory_free_bytes: int | None = None
    packet_filter: bool | None = None
    seccomp: bool | None = None
    ports: tuple[Port, ...] = ()
    stacks: tuple[str, ...] = ()
    parts: Sequence[PartPlan] = ()
    pulumi: str = ""
    passphrase: Private = Private("")
    state: Private = Private("")
    has_stack: bool = False


def observe(stack: str, parts: Sequence[PartPlan], environment: Mapping[str, str], root: Path = Path("/")) -> Sight:
    """Look at the engine that DOCKER_HOST names, at this machine below `root` if it is on it, and at the state."""
    address = environment.get("DOCKER_HOST") or USUAL
    here = address.startswith(_UNIX)
    survey, unreachable, running, skew_s = None, "", list[Found](), 0.0
    try:
        before = time.time()
        survey = observe_survey(root)
        with Engine() as engine:
            skew_s = engine.now().timestamp() - (before + time.time()) / 2
            running = [each for each in engine.labelled(names.STACK) if each.state == "running"]
    except HostUnreachable as error:
        unreachable = str(error)
    backend = backend_of(environment)
    directory = backend_directory(backend)
    return Sight(
        stack=stack,
        address=address,
        survey=survey,
        unreachable=unreachable,
        denied=here and _denied(Path(address.removeprefix(_UNIX))),
        # Asked in the middle of what was asked before; more than that is no fault of the clocks.
        skew_s=skew_s if abs(skew_s) > 1 else 0.0,
        memory_free_bytes=_memory_free(root) if here else None,
        packet_filter=_has_packet_filter(root) if here else None,
        seccomp=(root / "proc/sys/kernel/seccomp").is_dir() if here else None,
        ports=tuple(_ports(parts, frozenset(each.name for each in running))) if here else (),
        stacks=tuple(sorted({each.labels[names.STACK] for each in running})),
        parts=parts,
        pulumi=_pulumi(environment),
        passphrase=_passphrase(environment),
        state=_look(Path(directory)) if directory else Private(backend),
        has_stack=bool(directory) and os.path.exists(stack_file(directory, stack)),
    )


def _denied(path: Path) -> bool:
    found = _look(path)
    return found.there and not (found.readable and found.writable)


def _memory_free(root: Path) -> int | None:
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found else None


def _has_packet_filter(root: Path) -> bool | None:
    """Tell whether the kernel has nf_tables now, as a module or built in; None where it does not say."""
    if (root / "sys/module/nf_tables").is_dir():
        return True
    try:
        # What is built in and takes no parameter is no module; its functions are the kernel's own.
        with (root / "proc/kallsyms").open() as symbols:
            return any(" nf_tables_" in line for line in symbols)
    except OSError:
        return None


def _ports(parts: Sequence[PartPlan], running: frozenset[str]) -> list[Port]:
    # A part and the one that stands in for it have one address.
    owners: dict[tuple[str, int], list[PartPlan]] = {}
    for part in parts:
        for each in part.listeners:
            if each.kind != "internal":
                owners.setdefault((each.host, each.port), []).append(part)
    return [
        Port(mine[0].part.name, f"{host}:{port}", _is_free(host, port), any(each.container in running for each in mine))
        for (host, port), mine in sorted(owners.items())
    ]


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family)) as probe:
        # As the parts do: what only rests after its last connection is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno != errno.EADDRINUSE
        return True


def _pulumi(environment: Mapping[str, str]) -> str:
    found = shutil.which("pulumi", path=environment.get("PATH"))
    if found is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603 - a fixed argument list
            [found, "version"], capture_output=True, text=True, timeout=_PULUMI_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HostError(f"ask {found} for its version: {error}") from error
    return done.stdout.strip().removeprefix("v")


def _passphrase(environment: Mapping[str, str]) -> Private:
    if PASSPHRASE_VARIABLES[0] in environment:
        return Private("")
    return _look(Path(passphrase_file(environment)))


def _look(path: Path) -> Private:
    try:
        mode = path.stat().st_mode & 0o777
    except OSError as error:
        # What is in a directory that this user may not enter may well be there.
        return Private(str(path), there=isinstance(error, PermissionError), readable=False, writable=False)
    return Private(str(path), readable=os.access(path, os.R_OK), writable=os.access(path, os.W_OK), mode=mode)
