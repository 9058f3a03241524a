"""What the engine fills in by itself is no difference; what it was told is. The stories are in test_identity."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from services.orchestrator.engine.docker.comparison import describe_edit, describe_fault, difference
from services.orchestrator.engine.docker.images import Image
from services.orchestrator.engine.docker.making import Placement, container_config
from services.orchestrator.model.revision import Revision

from ...world import IMAGE, NETWORK, FakeEngine, container, document

CONFIG = container_config(
    Revision(document()), container(), Placement("7f", "10.130.0.9"), Image(IMAGE, ("/entry",), ("serve",))
)
# As Docker 20.10 describes a container beside what it was told.
FILLED = {
    "BlkioWeight": 0,
    "CapAdd": None,
    "CgroupnsMode": "host",
    "ConsoleSize": [0, 0],
    "ContainerIDFile": "",
    "CpuShares": 0,
    "Devices": [],
    "Dns": [],
    "GroupAdd": None,
    "Links": None,
    "MaskedPaths": ["/proc/kcore"],
    "MemorySwappiness": None,
    "OomKillDisable": False,
    "PidMode": "",
    "PortBindings": {},
    "ReadonlyPaths": ["/proc/sys"],
    "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
    "Runtime": "runc",
    "UTSMode": "",
}


def inspected(**host: Any) -> dict[str, Any]:
    engine = FakeEngine()
    made = copy.deepcopy(engine.containers[engine.add("mine", CONFIG)])
    made["Config"] |= {"Hostname": "0123456789ab", "Domainname": "", "ExposedPorts": {"80/tcp": {}}, "OnBuild": None}
    made["HostConfig"] |= {**FILLED, **host}
    made["NetworkSettings"]["Networks"][NETWORK] |= {"IPAddress": "10.130.0.9", "Aliases": ["0123456789ab"]}
    return made


def test_what_the_engine_fills_in_is_no_difference() -> None:
    assert difference(inspected(), CONFIG, "mine") == ""
    assert describe_edit(inspected(), CONFIG, "mine") == ""
    assert describe_fault(inspected(), CONFIG) == ""


def test_paused_container_cannot_serve_unless_it_sleeps_so() -> None:
    paused = inspected()
    paused["State"] = {"Status": "paused"}
    assert describe_fault(paused, CONFIG) == "was paused"
    assert describe_fault(paused, CONFIG, may_pause=True) == ""


@pytest.mark.parametrize("key", [key for key, value in FILLED.items() if not value and key != "MemorySwappiness"])
def test_whatever_was_not_asked_for_is_a_difference(key: str) -> None:
    # ContainerIDFile and ConsoleSize are the client's own business.
    found = difference(inspected(**{key: ["something"]}), CONFIG, "mine")
    assert found == ("" if key == "ContainerIDFile" else key)


def test_host_option_that_nobody_knows_today_is_a_difference() -> None:
    assert difference(inspected(EscapeHatch=True), CONFIG, "mine") == "EscapeHatch"
    assert describe_edit(inspected(EscapeHatch=True), CONFIG, "mine") == ""


def test_kernel_that_counts_no_swap_edits_nothing() -> None:
    assert describe_edit(inspected(MemorySwap=-1), CONFIG, "mine") == ""
    assert describe_edit(inspected(MemorySwap=9), CONFIG, "mine") == "was edited: MemorySwap is 9 and must be 67108864"


def test_runtime_that_was_asked_for_is_held_and_the_engine_s_default_goes_by_any_name() -> None:
    asked = {**CONFIG, "HostConfig": {**CONFIG["HostConfig"], "Runtime": "runsc"}}
    assert difference(inspected(Runtime="runsc"), asked, "mine") == ""
    assert difference(inspected(Runtime="runc"), asked, "mine") == "Runtime"
    assert difference(inspected(Runtime="other"), CONFIG, "mine") == ""
