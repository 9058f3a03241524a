"""Engine: what each call asks of Docker's API, and what it makes of the answer."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import pytest

from runyard import names
from runyard.errors import Conflict, HostError, NotFound
from runyard.host.engine import Engine, Task, Thing
from tests.unit.runyard.host.docker_api import DockerApi

# Of sockets that the SDK leaves open.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

MINE = {names.STACK: "dev", names.ROLE: names.ROLE_INSTANCE}


@pytest.fixture
def engine(docker_api: DockerApi) -> Iterator[Engine]:
    with Engine() as connected:
        yield connected


def test_things_are_containers_networks_and_volumes_with_their_labels(docker_api: DockerApi, engine: Engine) -> None:
    docker_api.answers |= {
        "GET /containers/json": [{"Names": ["/web-1"], "Id": "c1", "Labels": MINE}],
        "GET /networks": [{"Name": "bridge", "Id": "n1", "Labels": None}],
        "GET /volumes": {"Volumes": [{"Name": "data", "Labels": {names.STACK: "prod"}}]},
    }
    web = Thing("container", "web-1", "c1", "dev", names.ROLE_INSTANCE)
    assert engine.things() == [web, Thing("network", "bridge", "n1"), Thing("volume", "data", "data", "prod")]
    assert engine.owned("dev") == [web]
    docker_api.answers["DELETE /containers/c1"] = (204, b"")
    assert engine.remove_instances("dev") == 1


@pytest.mark.parametrize(
    ("kind", "asked"),
    [("container", "/containers/x"), ("network", "/networks/x"), ("volume", "/volumes/x")],
)
def test_removal_is_of_the_kind_and_of_what_is_gone_already_no_error(
    docker_api: DockerApi, engine: Engine, kind: str, asked: str
) -> None:
    thing = Thing(kind, "it", "x")  # type: ignore[arg-type]
    engine.remove(thing)
    docker_api.answers[f"DELETE {asked}"] = (204, b"")
    engine.remove(thing)
    assert docker_api.asked.count(f"DELETE {asked}") == 2
    docker_api.answers[f"DELETE {asked}"] = (500, {"message": "in use"})
    with pytest.raises(HostError, match=rf"^remove {kind} it: in use$"):
        engine.remove(thing)


def test_labelled_are_in_the_order_of_names_and_one_that_is_going_may_have_none(
    docker_api: DockerApi, engine: Engine
) -> None:
    docker_api.answers["GET /containers/json"] = [
        {"Names": ["/b"], "Id": "2", "Created": 60, "Labels": MINE},
        {"Names": [], "Id": "1", "Created": 0, "Labels": None},
    ]
    found = engine.labelled(names.STACK)
    assert [(each.name, each.id, dict(each.labels)) for each in found] == [("", "1", {}), ("b", "2", MINE)]
    assert found[1].created == datetime.datetime(1970, 1, 1, 0, 1, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("host", "limits"),
    [
        ({"NanoCpus": 1_500_000_000, "Memory": 7}, (1500, 7)),
        ({"CpuQuota": 25_000, "CpuPeriod": 100_000, "Memory": 0}, (250, 0)),
        ({"CpuQuota": 25_000, "Memory": None}, (250, 0)),
        ({}, (0, 0)),
    ],
)
def test_limits_are_from_either_of_the_two_ways_to_say_them(
    docker_api: DockerApi, engine: Engine, host: dict[str, int], limits: tuple[int, int]
) -> None:
    docker_api.answers["GET /containers/c/json"] = {"HostConfig": host}
    assert engine.limits("c") == limits


def test_creation_is_without_a_network_and_a_taken_name_is_a_conflict(docker_api: DockerApi, engine: Engine) -> None:
    docker_api.answers["POST /containers/create"] = (201, {"Id": "c1"})
    assert engine.create("turn", "image:1", MINE) == "c1"
    body = docker_api.bodies["POST /containers/create"]
    assert (body["Image"], body["NetworkDisabled"], body["Labels"]) == ("image:1", True, MINE)
    docker_api.answers["POST /containers/create"] = (409, {"message": "name in use"})
    with pytest.raises(Conflict, match=r"^create container turn: name in use$"):
        engine.create("turn", "image:1", {})


def test_rename_discard_signal_and_restart_ask_for_it(docker_api: DockerApi, engine: Engine) -> None:
    with pytest.raises(NotFound, match=r"^rename container c to d: no such thing"):
        engine.rename("c", "d")
    engine.discard("c")
    asked = ["POST /containers/c/rename", "DELETE /containers/c", "POST /containers/c/kill"]
    docker_api.answers |= dict.fromkeys([*asked, "POST /containers/c/restart"], (204, b""))
    engine.rename("c", "d")
    engine.discard("c")
    engine.signal("c", "HUP")
    engine.restart("c")
    assert docker_api.asked[-4:] == [*asked, "POST /containers/c/restart"]


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [("2026-11-23T18:00:00.123456789Z", 123456), ("2026-11-23T18:00:00Z", 0)],
)
def test_time_is_the_engines(docker_api: DockerApi, engine: Engine, text: str, microsecond: int) -> None:
    docker_api.answers["GET /info"] = {"SystemTime": text}
    head = datetime.datetime(2026, 11, 23, 18, tzinfo=datetime.UTC)
    assert engine.now() - head in (datetime.timedelta(microseconds=microsecond), datetime.timedelta())


def test_execution_gives_the_exit_code_and_what_was_written(docker_api: DockerApi, engine: Engine) -> None:
    docker_api.output, docker_api.exit_code = b"said \xff", 3
    assert engine.execute("c", ["runyard-gateway", "confirm"]) == (3, "said \ufffd")
    assert docker_api.commands == [["runyard-gateway", "confirm"]]


@pytest.mark.parametrize("runs", [True, False])
def test_image_is_that_of_a_container_that_runs(docker_api: DockerApi, engine: Engine, runs: bool) -> None:
    assert (engine.image("c"), engine.running("c")) == (None, False)
    docker_api.answers["GET /containers/c/json"] = {"Config": {"Image": "image:1"}, "State": {"Running": runs}}
    assert (engine.image("c"), engine.running("c")) == ("image:1" if runs else None, runs)


def test_file_is_looked_for_in_a_container_that_there_is(docker_api: DockerApi, engine: Engine) -> None:
    with pytest.raises(NotFound, match=r"^inspect c: no such thing"):
        engine.has_file("c", "/a")
    docker_api.answers["GET /containers/c/json"] = {}
    assert not engine.has_file("c", "/a")


def test_last_lines_are_none_where_there_is_no_container(docker_api: DockerApi, engine: Engine) -> None:
    assert engine.last_lines("c", 2) == []


def test_task_is_hardened_and_removed_whatever_became_of_it(docker_api: DockerApi, engine: Engine) -> None:
    task = Task("try", "image:1", ("configure",), MINE, {"A": "1"}, {"data": "/data"})
    docker_api.answers |= {
        "POST /containers/create": (409, {"message": "name in use"}),
        "DELETE /containers/try": (204, b""),
    }
    with pytest.raises(Conflict, match=r"^run try: name in use$"):
        engine.run(task)
    assert docker_api.asked[-1] == "DELETE /containers/try"
    host = docker_api.bodies["POST /containers/create"]["HostConfig"]
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["SecurityOpt"]) == (True, ["ALL"], ["no-new-privileges"])
    assert host["Binds"] == ["data:/data"]
