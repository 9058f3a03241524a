"""Volumes: those of signed documents, as these say, and what goes with an instance is removed alone."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from runyard import names
from runyard.contracts import VolumeDocument, VolumeMount
from tests.harness.waiting import until
from tests.unit.services.filter.program import Filter
from tests.unit.services.orchestrator.world import container, document

KEPT, SHARED = VolumeDocument("kept", "persistent", 2**30), VolumeDocument("shared", "shared", 2**20)
STORING = document(
    "storing-1",
    container(volume_mounts=(VolumeMount("kept", "/a", sub_path="a/b"), VolumeMount("shared", "/s"))),
    volumes=(KEPT, SHARED),
)
WHOLE = "runyard.test.volume.default.kept"
OWN = "runyard.test.default.storing-1"
SCRATCH = {
    names.STACK: "test",
    names.TENANT: "default",
    names.SERVICE: "hello",
    names.REVISION: "storing-1",
    names.ROLE: "scratch",
    names.INSTANCE: "7f",
}
DATA = {names.STACK: "test", names.TENANT: "default", names.ROLE: "data"}


def volume(name: str, labels: dict[str, str], **options: str) -> dict[str, Any]:
    return {"Name": name, "Driver": "local", "Labels": labels, "DriverOpts": options}


def seen(asked: dict[str, Any]) -> dict[str, Any]:
    """Describe a volume as the engine does."""
    return {
        "Driver": asked["Driver"],
        "Labels": asked["Labels"],
        "Options": asked["DriverOpts"] or None,
        "Mountpoint": f"/volumes/{asked['Name']}/_data",
    }


VOLUMES = (
    volume(WHOLE, DATA),
    volume(f"{OWN}.shared.7f", SCRATCH, type="tmpfs", device="tmpfs", o="size=1048576,mode=1777,nosuid,nodev"),
    volume(
        f"{OWN}.kept.7f.{names.digest('a/b')[:8]}", SCRATCH, type="none", o="bind", device=f"/volumes/{WHOLE}/_data/a/b"
    ),
)


@pytest.fixture
def storing(filter: Filter) -> Filter:
    filter.hold(STORING)
    filter.api.answers |= {"POST /volumes/create": (201, {}), f"GET /volumes/{WHOLE}": seen(VOLUMES[0])}
    return filter


def test_volumes_of_a_document_are_made_as_it_says(storing: Filter) -> None:
    for each in VOLUMES:
        answer = storing.ask("POST", "/volumes/create", each)
        assert answer.status == 201, answer.text
        assert storing.api.bodies["POST /volumes/create"] == each


def test_volume_that_no_document_has_or_that_is_more_than_that_is_refused(storing: Filter) -> None:
    for each in VOLUMES:
        for change in (
            {"DriverOpts": {"type": "none", "o": "bind", "device": "/"}},
            {"Driver": "other"},
            {"Labels": {**each["Labels"], "more": "x"}},
            {"Labels": {}},
            {"Labels": {**each["Labels"], names.TENANT: "other"}},
            {"Name": "runyard.test.gateway"},
            {"Name": f"{each['Name']}x"},
            {"driverOpts": {"device": "/"}},
        ):
            assert storing.ask("POST", "/volumes/create", each | change).status == 403, change
    assert storing.asked() == []


def test_directory_of_a_volume_that_somebody_else_made_is_refused(storing: Filter) -> None:
    for change in ({"DriverOpts": {"device": "/", "o": "bind", "type": "none"}}, {"Driver": "x"}, {"Labels": {}}):
        storing.api.answers[f"GET /volumes/{WHOLE}"] = seen(VOLUMES[0] | change)
        answer = storing.ask("POST", "/volumes/create", VOLUMES[2])
        assert (answer.status, "must be of this stack's making" in answer.message) == (403, True)
    assert storing.asked() == []


def test_volumes_that_go_with_an_instance_are_removed_and_no_others(storing: Filter) -> None:
    for each in VOLUMES:
        storing.api.answers |= {
            f"GET /volumes/{each['Name']}": seen(each),
            f"DELETE /volumes/{each['Name']}": (204, b""),
        }
    assert [storing.ask("DELETE", f"/volumes/{each['Name']}?force=False").status for each in VOLUMES] == [403, 204, 204]
    foreign = copy.deepcopy(VOLUMES[1])
    foreign["Labels"][names.STACK] = "other"
    storing.api.answers[f"GET /volumes/{foreign['Name']}"] = seen(foreign)
    assert storing.ask("DELETE", f"/volumes/{foreign['Name']}").status == 403
    until(lambda: len(storing.asked()) == 2, "two are removed")
