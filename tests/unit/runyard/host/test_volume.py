"""Volumes: what the engine is asked for so that they are listed, made, read and written."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import parse_qs, urlsplit

import pytest

from runyard.errors import Conflict, HostError, NotFound
from runyard.host.transport import Transport
from runyard.host.volume import Volume, Volumes
from tests.unit.runyard.host.conftest import Place

LABELS = {"runyard.dev/stack": "dev", "runyard.dev/role": "volume"}
CONTAINER = "runyard.dev.backup"


@pytest.fixture
def volumes(place: Place) -> Iterator[Volumes]:
    # The image that is imported, and the container that mounts.
    place.api.answers |= {
        "POST /images/create": b'{"status":"sha256:1"}\n',
        "POST /containers/create": (201, {"Id": "c1"}),
        "DELETE /images/sha256:1": [],
        "POST /volumes/create": (201, {"Name": "runyard.dev.a", "Labels": LABELS}),
    }
    with closing(Transport(place.address)) as transport:
        yield Volumes(transport, "dev")


def test_volumes_of_the_stack_are_listed_by_name(place: Place, volumes: Volumes) -> None:
    listed = [{"Name": "runyard.dev.b", "Labels": LABELS}, {"Name": "runyard.dev.a", "Labels": None}]
    place.api.answers["GET /volumes"] = {"Volumes": listed}
    assert volumes.list() == [Volume("runyard.dev.a", {}), Volume("runyard.dev.b", LABELS)]
    (filters,) = parse_qs(urlsplit(place.api.targets[-1]).query)["filters"]
    assert json.loads(filters) == {"label": ["runyard.dev/stack=dev"]}
    place.api.answers["GET /volumes"] = {"Volumes": None}
    assert volumes.list() == []


def test_volume_is_made_with_its_labels_and_removed_whether_it_is_there_or_not(place: Place, volumes: Volumes) -> None:
    volumes.create(Volume("runyard.dev.a", LABELS))
    assert place.api.bodies["POST /volumes/create"] == {"Name": "runyard.dev.a", "Labels": LABELS}
    volumes.remove("runyard.dev.a")
    assert place.api.asked[-1] == "DELETE /volumes/runyard.dev.a"


def test_what_is_mounted_is_read_and_written_and_nothing_stays(place: Place, volumes: Volumes) -> None:
    place.api.answers |= {
        f"GET /containers/{CONTAINER}/archive": b"archive",
        f"PUT /containers/{CONTAINER}/archive": b"",
    }
    with volumes.mounted(["runyard.dev.a", "runyard.dev.b"]) as mounted:
        made = place.api.bodies["POST /containers/create"]
        assert made["HostConfig"]["Binds"] == [f"runyard.dev.{each}:/saved/runyard.dev.{each}" for each in "ab"]
        assert made["NetworkDisabled"] is True
        into = io.BytesIO()
        mounted.read("runyard.dev.a", "", into)
        assert into.getvalue() == b"archive"
        assert place.api.targets[-1].endswith("archive?path=%2Fsaved%2Frunyard.dev.a")
        mounted.read("runyard.dev.a", "one", into)
        assert place.api.targets[-1].endswith("archive?path=%2Fsaved%2Frunyard.dev.a%2Fone")
        mounted.write(io.BytesIO(b"x" * 200_000))
        assert place.api.bodies[f"PUT /containers/{CONTAINER}/archive"] == b"x" * 200_000
    assert place.api.asked[-2:] == [f"DELETE /containers/{CONTAINER}", "DELETE /images/sha256:1"]
    with tarfile.open(fileobj=io.BytesIO(place.api.bodies["POST /images/create"])) as image:
        assert image.getnames() == []


def test_engine_that_refuses_is_an_error_and_nothing_stays(place: Place, volumes: Volumes) -> None:
    with pytest.raises(NotFound), volumes.mounted(["runyard.dev.a"]) as mounted:
        mounted.read("runyard.dev.a", "", io.BytesIO())
    place.api.answers[f"PUT /containers/{CONTAINER}/archive"] = (500, {"message": "no space left on device"})
    with pytest.raises(HostError, match=r"^no space left on device$"), volumes.mounted(["runyard.dev.a"]) as mounted:
        mounted.write(io.BytesIO(b"x"))
    assert place.api.asked[-1] == "DELETE /images/sha256:1"


@pytest.mark.parametrize("labels", [None, {}, {**LABELS, "runyard.dev/stack": "prod"}])
def test_volume_of_a_stranger_is_not_taken_for_the_stacks(
    place: Place, volumes: Volumes, labels: dict[str, str] | None
) -> None:
    # The engine answers with the one that is there, and its labels.
    place.api.answers["POST /volumes/create"] = (201, {"Name": "runyard.dev.a", "Labels": labels})
    with pytest.raises(Conflict, match=r"^create volume runyard\.dev\.a: one is there that is not of stack dev$"):
        volumes.create(Volume("runyard.dev.a", LABELS))
