"""Rules of the doctor: each looks at one need of a stack, says what was seen, and what command mends it; pure.

What `runyard verify --host` knows of the host as well is asked of its rules, and is found here as they say it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from runyard import names, table
from runyard.verify.doctor.observation import Private, Sight
from runyard.verify.host.finding import Finding
from runyard.verify.host.rules import check_cgroups, check_disk, check_limits, check_seccomp

SCHEMA_VERSION = 1
# lacking keeps a stack from running, advice does not; unknown could not be seen.
State = Literal["lacking", "advice", "unknown", "good"]
_ORDER: tuple[State, ...] = ("lacking", "advice", "unknown", "good")
# Tokens and certificates are checked with a minute's leeway, and bills by the minute.
_MOST_SKEW_S = 5.0
_MEBIBYTE = 1024**2
# The oldest engine whose API (1.41) has what is asked of it; it is what the tests run on.
_OLDEST_ENGINE = (20, 10)
# Pulumi's file backend and its secrets are of this major version.
_PULUMI = 3
_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a rule says: what it is about, how it stands, and the command that mends it."""

    title: str
    state: State
    seen: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What there is and what is lacking."""

    stack: str
    diagnoses: Sequence[Diagnosis]

    @property
    def lacking(self) -> int:
        """How many things keep a stack from running."""
        return sum(each.state == "lacking" for each in self.diagnoses)

    @property
    def ordered(self) -> list[Diagnosis]:
        """The diagnoses, those first that something is to be done about."""
        return sorted(self.diagnoses, key=lambda each: _ORDER.index(each.state))

    def describe(self) -> dict[str, Any]:
        """Describe the report as plain data."""
        states = [each.state for each in self.diagnoses]
        return {
            "schemaVersion": SCHEMA_VERSION,
            "stack": self.stack,
            "summary": {state: states.count(state) for state in _ORDER},
            "diagnoses": [asdict(each) for each in self.ordered],
        }

    def render(self) -> str:
        """Render a line for each diagnosis, and below it the command that mends it."""
        lines = []
        rows = table.render_columns([(each.state, each.title) for each in self.ordered])
        for row, each in zip(rows, self.ordered, strict=True):
            lines.append(f"{row}: {each.seen}")
            lines += [f"  mend: {each.mend}"] if each.mend else []
        return "\n".join([*lines, self._summary()])

    def render_markdown(self) -> str:
        """Render a table with a row for each diagnosis."""
        rows = [(each.state, each.title, each.seen, each.mend) for each in self.ordered]
        return "\n".join([*table.render_markdown(("state", "what", "seen", "mend"), rows), "", self._summary()])

    def _summary(self) -> str:
        return ", ".join(f"{count} {state}" for state, count in self.describe()["summary"].items())


Rule = Callable[[Sight], Iterator[Diagnosis]]


def examine(sight: Sight) -> Report:
    """Ask every rule."""
    return Report(sight.stack, [found for rule in RULES for found in rule(sight)])


def check_engine(sight: Sight) -> Iterator[Diagnosis]:
    """Look whether an engine answers this user, and is new enough."""
    title = "engine"
    if sight.denied:
        mend = "usermod -aG docker $USER, and log in again"
        yield Diagnosis(title, "lacking", f"{sight.address}: this user may not use it", mend)
    elif sight.survey is None:
        mend = "systemctl start docker, or set DOCKER_HOST; toolchain/bootstrap engine brings one where there is none"
        yield Diagnosis(title, "lacking", sight.unreachable, mend)
    else:
        version = str(sight.survey.version.get("Version") or "")
        seen = f"{version or 'of no version that it tells'} at {sight.address}"
        numbers = tuple(int(each) for each in version.split(".")[:2] if each.isdigit())
        if numbers >= _OLDEST_ENGINE:
            yield Diagnosis(title, "good", seen)
        else:
            mend = "apt-get update && apt-get install --only-upgrade docker.io"
            yield Diagnosis(title, "lacking", f"{seen}; it must be 20.10 or newer", mend)


def check_host(sight: Sight) -> Iterator[Diagnosis]:
    """Ask the rules of the host that a stack depends on."""
    if sight.survey is None:
        return
    for rule in (check_cgroups, check_limits, check_seccomp, check_disk):
        found: Finding = rule(sight.survey)
        state: State = (
            "good" if found.state in ("good", "kept") else "unknown" if found.state == "unknown" else "advice"
        )
        yield Diagnosis(found.title, state, found.seen, found.mend)


def check_memory(sight: Sight) -> Iterator[Diagnosis]:
    """Compare what the parts may take with what is free, unless they run already."""
    title, needed = "memory", sum(each.part.memory_bytes for each in sight.parts)
    if sight.memory_free_bytes is None:
        yield Diagnosis(title, "unknown", "only a user of the engine's own machine can see it: run this there")
        return
    free = sight.memory_free_bytes
    seen = f"{free // _MEBIBYTE} MiB are free; the platform's parts may take {needed // _MEBIBYTE} MiB"
    if free >= needed or sight.stack in sight.stacks:
        yield Diagnosis(title, "good", seen)
    else:
        yield Diagnosis(title, "lacking", seen, "ps -eo rss,comm --sort=-rss | head, and end what is not needed")


def check_ports(sight: Sight) -> Iterator[Diagnosis]:
    """Look whether the parts' ports are free, or the stack's own."""
    for each in sight.ports:
        title = f"port of {each.part}"
        if each.free or each.ours:
            yield Diagnosis(title, "good", f"{each.address} is {'free' if each.free else 'ours'}")
            continue
        others = ", ".join(name for name in sight.stacks if name != sight.stack)
        seen = f"{each.address} is somebody else's" + (f"; stacks that run here: {others}" if others else "")
        port = each.address.rpartition(":")[2]
        mend = f"ss -ltnp 'sport = :{port}' tells whose; end that, or give the part another port in the Platform"
        yield Diagnosis(title, "lacking", seen, mend)


def check_clock(sight: Sight) -> Iterator[Diagnosis]:
    """Compare the engine's clock with this machine's: certificates, bills and schedules go by it."""
    if sight.survey is None:
        return
    if abs(sight.skew_s) <= _MOST_SKEW_S:
        yield Diagnosis("clock", "good", "the engine's and this machine's agree")
    else:
        seen = f"the engine's is {sight.skew_s:+.0f} s off this machine's"
        yield Diagnosis("clock", "advice", seen, "timedatectl set-ntp true, on both")


def check_kernel(sight: Sight) -> Iterator[Diagnosis]:
    """Look for what the firewall and the profile of system calls need of the kernel."""
    wanted = any(each.part.role == names.ROLE_FIREWALL for each in sight.parts)
    if wanted and sight.packet_filter:
        yield Diagnosis("packet filter", "good", "the kernel has nf_tables")
    elif wanted and sight.packet_filter is False:
        seen = "nf_tables is not loaded, which the firewall needs"
        yield Diagnosis("packet filter", "lacking", seen, "modprobe nf_tables")
    if sight.seccomp is False:
        mend = "use a kernel with CONFIG_SECCOMP_FILTER=y: zgrep SECCOMP /proc/config.gz"
        yield Diagnosis("filter of system calls", "lacking", "the kernel has no seccomp", mend)


def check_pulumi(sight: Sight) -> Iterator[Diagnosis]:
    """Look for Pulumi on PATH."""
    if not sight.pulumi:
        mend = "toolchain/bootstrap run -- runyard doctor, which brings it, as make up does"
        yield Diagnosis("pulumi", "lacking", "it is not on PATH", mend)
    elif sight.pulumi.partition(".")[0] != str(_PULUMI):
        mend = "toolchain/bootstrap run -- …, which brings the one that is tested"
        yield Diagnosis("pulumi", "lacking", f"{sight.pulumi}; it must be of version {_PULUMI}", mend)
    else:
        yield Diagnosis("pulumi", "good", sight.pulumi)


def check_passphrase(sight: Sight) -> Iterator[Diagnosis]:
    """Look whether the passphrase of the stack's secrets can be had."""
    title, found = "passphrase", sight.passphrase
    if not found.place:
        yield Diagnosis(title, "good", "in the environment")
    elif not found.there:
        # Where a stack is, a new one would open none of its secrets.
        state: State = "lacking" if sight.has_stack else "advice"
        mend = (
            f"bring {found.place} back from a backup, or set PULUMI_CONFIG_PASSPHRASE" if sight.has_stack else "make up"
        )
        yield Diagnosis(title, state, f"{found.place} is not there", mend)
    elif not found.readable:
        yield Diagnosis(title, "lacking", f"{found.place}: this user may not read it", f"chown $USER {found.place}")
    elif found.mode & _OTHERS:
        seen = f"{found.place}: others may read it (mode {found.mode:04o})"
        yield Diagnosis(title, "advice", seen, f"chmod 600 {found.place}")
    else:
        yield Diagnosis(title, "good", found.place)


def check_state(sight: Sight) -> Iterator[Diagnosis]:
    """Look whether the state can be read and written, and has the stack."""
    title, found = "state", sight.state
    if not found.there:
        yield Diagnosis(title, "advice", f"{found.place} is not there yet", "make up")
    elif not (found.readable and found.writable):
        yield Diagnosis(
            title, "lacking", f"{found.place}: this user may not {_denied(found)} it", f"chown -R $USER {found.place}"
        )
    elif sight.has_stack:
        yield Diagnosis(title, "good", f"{found.place} has stack {sight.stack}")
    else:
        yield Diagnosis(title, "good", f"{found.place}; it has no stack {sight.stack} yet")


def _denied(found: Private) -> str:
    return "read" if not found.readable else "write"


RULES: tuple[Rule, ...] = (
    check_engine,
    check_host,
    check_memory,
    check_ports,
    check_clock,
    check_kernel,
    check_pulumi,
    check_passphrase,
    check_state,
)
