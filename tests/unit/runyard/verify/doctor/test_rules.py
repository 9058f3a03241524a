"""Rules of the doctor: each where all is well, where something lacks, and where it cannot be seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runyard.host.survey import Survey
from runyard.manifest.model import Platform
from runyard.plan.parts import plan_parts
from runyard.verify.doctor.observation import Port, Private, Sight
from runyard.verify.doctor.rules import examine

GIB = 1024**3
INFO = {
    "CgroupVersion": "2",
    "MemoryLimit": True,
    "SwapLimit": True,
    "CpuCfsQuota": True,
    "PidsLimit": True,
    "SecurityOptions": ["name=seccomp,profile=builtin"],
}
WELL = Sight(
    stack="dev",
    address="unix:///var/run/docker.sock",
    survey=Survey(INFO, {"Version": "27.1.0"}, {}, content_trust=False),
    memory_free_bytes=8 * GIB,
    packet_filter=True,
    seccomp=True,
    ports=(Port("gateway", "127.0.0.1:3000", free=True, ours=False),),
    parts=plan_parts(Platform(), "dev", "127.0.0.1"),
    pulumi="3.259.0",
    passphrase=Private("/c/passphrase", there=True, readable=True, writable=True, mode=0o600),
    state=Private("/c/state", there=True, readable=True, writable=True, mode=0o700),
    has_stack=True,
)
TAKEN = Port("gateway", "127.0.0.1:3000", free=False, ours=False)
ABSENT = Private("/c/x", there=False, readable=False, writable=False)
CLOSED = Private("/c/x", there=True, readable=False, writable=False)


def told(**changes: Any) -> list[tuple[str, str, str]]:
    """Give what is not good of a sight that is well but for these changes."""
    ordered = examine(replace(WELL, **changes)).ordered
    return [(each.state, each.title, each.seen) for each in ordered if each.state not in ("good", "unknown")]


def test_host_and_checkout_that_have_everything_lack_nothing() -> None:
    report = examine(WELL)
    assert told() == []
    assert (report.lacking, [each.title for each in report.ordered if each.state == "unknown"]) == (0, ["free disk"])
    assert report.render().splitlines()[-1] == "0 lacking, 0 advice, 1 unknown, 11 good"
    assert "| good | engine | 27.1.0 at unix:///var/run/docker.sock | |" in report.render_markdown().replace("  ", " ")


@pytest.mark.parametrize(
    ("changes", "state", "title", "seen"),
    [
        ({"survey": None, "unreachable": "no engine"}, "lacking", "engine", "no engine"),
        ({"survey": None, "denied": True}, "lacking", "engine", f"{WELL.address}: this user may not use it"),
        (
            {"survey": Survey(INFO, {"Version": "19.03.8"}, {}, content_trust=False)},
            "lacking", "engine", f"19.03.8 at {WELL.address}; it must be 20.10 or newer",
        ),
        (
            {"survey": Survey({**INFO, "PidsLimit": False}, {"Version": "27.1.0"}, {}, content_trust=False)},
            "advice", "limits of memory, swap, processors and processes", "the kernel has none of processes",
        ),
        (
            {"memory_free_bytes": GIB // 4}, "lacking", "memory",
            f"256 MiB are free; the platform's parts may take "
            f"{sum(each.part.memory_bytes for each in WELL.parts) // 2**20} MiB",
        ),
        ({"ports": (TAKEN,)}, "lacking", "port of gateway", "127.0.0.1:3000 is somebody else's"),
        (
            {"ports": (TAKEN,), "stacks": ("dev", "prod")}, "lacking", "port of gateway",
            "127.0.0.1:3000 is somebody else's; stacks that run here: prod",
        ),
        ({"skew_s": -30.0}, "advice", "clock", "the engine's is -30 s off this machine's"),
        ({"packet_filter": False}, "lacking", "packet filter", "nf_tables is not loaded, which the firewall needs"),
        ({"seccomp": False}, "lacking", "filter of system calls", "the kernel has no seccomp"),
        ({"pulumi": ""}, "lacking", "pulumi", "it is not on PATH"),
        ({"pulumi": "2.9.0"}, "lacking", "pulumi", "2.9.0; it must be of version 3"),
        ({"passphrase": ABSENT}, "lacking", "passphrase", "/c/x is not there"),
        ({"passphrase": ABSENT, "has_stack": False}, "advice", "passphrase", "/c/x is not there"),
        ({"passphrase": CLOSED}, "lacking", "passphrase", "/c/x: this user may not read it"),
        (
            {"passphrase": replace(WELL.passphrase, mode=0o644)}, "advice", "passphrase",
            "/c/passphrase: others may read it (mode 0644)",
        ),
        ({"state": ABSENT}, "advice", "state", "/c/x is not there yet"),
        ({"state": replace(WELL.state, writable=False)}, "lacking", "state", "/c/state: this user may not write it"),
    ],
)  # fmt: skip
def test_what_lacks_is_told_with_what_mends_it(changes: Any, state: str, title: str, seen: str) -> None:
    assert (state, title, seen) in told(**changes)
    report = examine(replace(WELL, **changes))
    assert all(each.mend for each in report.diagnoses if each.state in ("lacking", "advice"))
    assert (report.lacking > 0) == (state == "lacking")


def test_stack_that_runs_may_use_its_memory_and_ports() -> None:
    ours = Port("gateway", "127.0.0.1:3000", free=False, ours=True)
    assert told(memory_free_bytes=0, stacks=("dev",), ports=(ours,)) == []


def test_what_only_the_engine_s_own_machine_tells_is_unknown_from_elsewhere() -> None:
    away = replace(WELL, address="ssh://host", memory_free_bytes=None, packet_filter=None, seccomp=None, ports=())
    report = examine(away)
    assert [each.title for each in report.ordered if each.state == "unknown"] == ["free disk", "memory"]
    assert report.lacking == 0


def test_report_as_data_has_what_is_lacking_first() -> None:
    data = examine(replace(WELL, pulumi="")).describe()
    assert (data["schemaVersion"], data["stack"], data["summary"]["lacking"]) == (1, "dev", 1)
    assert data["diagnoses"][0]["title"] == "pulumi"
