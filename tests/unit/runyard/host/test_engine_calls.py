"""Engine: what each call asks of Docker's API, and what it makes of the answer."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import pytest

from runyard import names
from runyard.contracts import ImageIdentity
from runyard.errors import Conflict, HostError, NotFound
from runyard.host.engine import Engine, Task
from runyard.host.log import LogLine
from runyard.host.thing import Thing
from runyard.reference import HUB
from tests.unit.runyard.host.conftest import Place
from tests.unit.runyard.host.docker_api import ERRORS, OUTPUT, DockerApi, Pieces, frame

MINE = {names.STACK: "dev", names.ROLE: names.ROLE_INSTANCE}


@pytest.fixture
def engine(docker_api: DockerApi) -> Iterator[Engine]:
    with Engine() as connected:
        yield connected


def test_things_are_containers_networks_and_volumes_with_their_labels(docker_api: DockerApi, engine: Engine) -> None:
    docker_api.answers |= {
        "GET /containers/json": [{"Names": ["/web-1"], "Id": "c1", "Labels": MINE}],
        "GET /networks": [
            {"Name": "bridge", "Id": "n1", "Labels": None, "IPAM": {"Config": [{"Subnet": "172.17.0.0/16"}, {}]}},
            {"Name": "host", "Id": "n2", "Labels": {}, "IPAM": {"Config": None}},
        ],
        "GET /volumes": {"Volumes": [{"Name": "data", "Labels": {names.STACK: "prod"}}]},
    }
    web = Thing("container", "web-1", "c1", "dev", names.ROLE_INSTANCE)
    bridge = Thing("network", "bridge", "n1", subnets=("172.17.0.0/16",))
    host, data = Thing("network", "host", "n2"), Thing("volume", "data", "data", "prod")
    assert engine.things() == [web, bridge, host, data]
    assert engine.owned("dev") == [web]


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


def test_removal_waits_for_a_container_that_somebody_else_removes(docker_api: DockerApi, engine: Engine) -> None:
    docker_api.answers["DELETE /containers/x"] = (409, {"message": "removal of container x is already in progress"})
    docker_api.answers["POST /containers/x/wait"] = {"StatusCode": 137}
    engine.remove(Thing("container", "it", "x"))
    engine.discard("x")
    assert docker_api.targets[-1] == "POST /containers/x/wait?condition=removed"
    docker_api.answers["POST /containers/x/wait"] = (500, {"message": "driver failed"})
    with pytest.raises(HostError, match=r"^remove container it: driver failed$"):
        engine.remove(Thing("container", "it", "x"))


def test_labelled_are_in_the_order_of_names_and_one_that_is_going_may_have_none(
    docker_api: DockerApi, engine: Engine
) -> None:
    docker_api.answers["GET /containers/json"] = [
        {"Names": ["/b"], "Id": "2", "Created": 60, "Labels": MINE, "State": "running"},
        {"Names": [], "Id": "1", "Created": 0, "Labels": None, "State": "exited"},
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
    assert docker_api.targets[-4:-1] == [
        "POST /containers/c/rename?name=d",
        "DELETE /containers/c?force=1&v=1",
        "POST /containers/c/kill?signal=HUP",
    ]


def test_start_of_what_runs_already_is_fine(docker_api: DockerApi, engine: Engine) -> None:
    docker_api.answers["POST /containers/c/start"] = (304, b"")
    engine.start("c")
    docker_api.answers["POST /containers/c/start"] = (500, {"message": "no space left on device"})
    with pytest.raises(HostError, match=r"^start c: no space left on device$"):
        engine.start("c")


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [("2026-11-23T18:00:00.123456789Z", 123456), ("2026-11-23T18:00:00Z", 0)],
)
def test_time_is_the_engines(docker_api: DockerApi, engine: Engine, text: str, microsecond: int) -> None:
    docker_api.answers["GET /info"] = {"SystemTime": text}
    head = datetime.datetime(2026, 11, 23, 18, tzinfo=datetime.UTC)
    assert engine.now() - head == datetime.timedelta(microseconds=microsecond)


def test_execution_gives_the_exit_code_and_what_was_written(docker_api: DockerApi, engine: Engine) -> None:
    docker_api.output, docker_api.exit_code = b"said \xff", 3
    assert engine.execute("c", ["runyard-gateway", "confirm"]) == (3, "said \ufffd")
    assert docker_api.commands == [["runyard-gateway", "confirm"]]
    docker_api.answers["POST /containers/c/exec"] = (409, {"message": "container c is not running"})
    with pytest.raises(Conflict, match=r"^execute runyard-gateway in c: container c is not running$"):
        engine.execute("c", ["runyard-gateway"])


def test_relay_works_over_every_way_to_an_engine_and_ends_with_its_asker(place: Place) -> None:
    place.api.relayed = [{"a": 1}, "x" * 100_000]
    with Engine(place.address) as connected:
        relay = connected.relay("c", ["python3", "-m", "relay"])
        assert relay.request("PUT", "/v1/a", '{"b":2}', 5) == (200, '{"a": 1}')
        assert relay.request("GET", "/v1/b", "", 5) == (200, "x" * 100_000)
        relay.close()
        assert place.api.left.wait(5)
    assert place.api.sent == [("PUT /v1/a", {"b": 2}), ("GET /v1/b", None)]


def test_relay_into_a_container_that_does_not_run_says_so(docker_api: DockerApi, engine: Engine) -> None:
    docker_api.answers["POST /containers/c/exec"] = (409, {"message": "container c is not running"})
    with pytest.raises(Conflict, match=r"^execute python3 in c: container c is not running$"):
        engine.relay("c", ["python3"])


@pytest.mark.parametrize(
    ("image", "asked"),
    [
        ("nginx", "fromImage=docker.io%2Flibrary%2Fnginx&tag=latest"),
        ("here:5000/a/b:1.2", "fromImage=here%3A5000%2Fa%2Fb&tag=1.2"),
        ("here:5000/a/b", "fromImage=here%3A5000%2Fa%2Fb&tag=latest"),
        ("a/b:1@sha256:12", "fromImage=docker.io%2Fa%2Fb&tag=sha256%3A12"),
    ],
)
def test_pull_is_of_one_version_with_the_clients_credentials(
    docker_api: DockerApi, engine: Engine, image: str, asked: str
) -> None:
    docker_api.answers["POST /images/create"] = Pieces([b'{"status":"Pulling"}\r\n{"status":"Down', b'loading"}\r\n'])
    engine.pull(image)
    assert docker_api.targets[-1] == f"POST /images/create?{asked}"
    assert "X-Registry-Auth" not in docker_api.headers["POST /images/create"]
    engine.pull(image, "e30=")
    assert docker_api.headers["POST /images/create"]["X-Registry-Auth"] == "e30="


def test_pull_that_fails_says_what_the_registry_says(docker_api: DockerApi, engine: Engine) -> None:
    told = [b'{"status":"Pulling"}\r\n', b'{"errorDetail":{"message":"denied"},"error":"denied"}\r\n']
    docker_api.answers["POST /images/create"] = Pieces(told)
    with pytest.raises(HostError, match=r"^pull a/b:1: denied$"):
        engine.pull("a/b:1")
    docker_api.answers["POST /images/create"] = (404, {"message": "pull access denied for a/b"})
    with pytest.raises(NotFound, match=r"^pull a/b:1: pull access denied for a/b$"):
        engine.pull("a/b:1")
    docker_api.answers["POST /images/create"] = Pieces([b"<html>\n", *told])
    with pytest.raises(HostError, match=r"^pull a/b:1: the engine's answer cannot be read: Expecting value"):
        engine.pull("a/b:1")
    # What was not read of an answer keeps nobody from asking.
    assert engine.things() == []


@pytest.mark.parametrize(
    ("reference", "asked", "digests", "digest"),
    [
        ("nginx:1", f"{HUB}/library/nginx:1", ["nginx@sha256:1", "here/nginx@sha256:2"], "nginx@sha256:1"),
        ("here.io/nginx", "here.io/nginx", ["nginx@sha256:1", "here.io/nginx@sha256:2"], "here.io/nginx@sha256:2"),
        ("nginx@sha256:2", f"{HUB}/library/nginx@sha256:2", ["nginx@sha256:1", "nginx@sha256:2"], "nginx@sha256:2"),
        (f"{HUB}/library/nginx", f"{HUB}/library/nginx", ["nginx@sha256:1"], "nginx@sha256:1"),
        ("runyard/hello:1", f"{HUB}/runyard/hello:1", None, ""),
        # The beginning of an id is a name like any other, and the engine must not take it for more.
        ("0123456789ab", f"{HUB}/library/0123456789ab", ["nginx@sha256:1"], ""),
        ("sha256:0123456789ab", f"{HUB}/library/sha256:0123456789ab", ["nginx@sha256:1"], ""),
        (f"sha256:{'a' * 64}", f"sha256:{'a' * 64}", ["nginx@sha256:1"], ""),
    ],
)
def test_image_identity_is_the_engines_id_and_the_digest_of_its_registry(
    docker_api: DockerApi, engine: Engine, reference: str, asked: str, digests: list[str] | None, digest: str
) -> None:
    assert engine.image_identity(reference) is None
    docker_api.answers[f"GET /images/{asked}/json"] = {"Id": "sha256:abc", "RepoDigests": digests}
    assert engine.image_identity(reference) == ImageIdentity("sha256:abc", digest)


def test_registry_is_asked_by_the_engine_with_the_credentials_for_it(docker_api: DockerApi, engine: Engine) -> None:
    with pytest.raises(HostError, match=r"^ask the registry for shop/web:1: "):
        engine.registry_digest("shop/web:1")
    asked = f"GET /distribution/{HUB}/shop/web:1/json"
    docker_api.answers[asked] = {"Descriptor": {"digest": "sha256:d"}}
    assert engine.registry_digest("shop/web:1", "mine") == f"{HUB}/shop/web@sha256:d"
    assert docker_api.asked[-1] == asked
    assert docker_api.headers[asked]["X-Registry-Auth"] == "mine"


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
    docker_api.answers["HEAD /containers/c/archive"] = b"much"
    assert engine.has_file("c", "/a b")
    assert docker_api.targets[-1] == "HEAD /containers/c/archive?path=%2Fa+b"


def test_last_lines_are_none_where_there_is_no_container(docker_api: DockerApi, engine: Engine) -> None:
    assert engine.last_lines("c", 2) == []
    docker_api.answers["GET /containers/c/logs"] = frame(OUTPUT, b"one\n") + frame(ERRORS, b"two\n") + b"\x01\0"
    assert engine.last_lines("c", 2) == ["one", "two"]
    assert docker_api.targets[-1] == "GET /containers/c/logs?stdout=1&stderr=1&tail=2"


def test_task_gives_its_exit_code_and_log_and_is_removed(docker_api: DockerApi, engine: Engine) -> None:
    docker_api.answers |= {
        "POST /containers/create": (201, {"Id": "c1"}),
        "POST /containers/try/start": (204, b""),
        "POST /containers/try/wait": {"StatusCode": 3},
        "GET /containers/try/logs": frame(OUTPUT, b"said"),
    }
    assert engine.run(Task("try", "image:1", ("configure",), {}, {}, {}, ["CHOWN"])) == (3, "said")
    assert docker_api.bodies["POST /containers/create"]["HostConfig"]["CapAdd"] == ["CHOWN"]
    assert docker_api.asked[-1] == "DELETE /containers/try"


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


@pytest.mark.engine
def test_real_engine_answers_as_the_one_written_by_hand() -> None:
    with Engine() as connected:
        assert ("network", "bridge") in {(each.kind, each.name) for each in connected.things()}
        assert connected.now().tzinfo is not None
        assert connected.labelled("runyard.dev/nobodys") == []
        assert connected.image_identity("runyard.invalid/none:1") is None
        assert (connected.image("runyard.none"), connected.last_lines("runyard.none", 1)) == (None, [])
        for refused in (connected.start, connected.restart, lambda each: connected.relay(each, ["true"])):
            with pytest.raises(NotFound, match=r"runyard\.none: No such container: runyard\.none$"):
                refused("runyard.none")
        with pytest.raises(HostError, match=r"^pull runyard\.invalid/none:1: .*runyard\.invalid"):
            connected.pull("runyard.invalid/none:1")


def test_log_is_given_by_lines_with_their_times(docker_api: DockerApi, engine: Engine) -> None:
    whole = frame(OUTPUT, b"T1 one\nT2 tw") + frame(ERRORS, b"T3 bad\n") + frame(OUTPUT, b"o\nT4 begun")
    docker_api.answers["GET /containers/a b/logs"] = Pieces([whole[:5], whole[5:30], whole[30:]])
    lines = [LogLine("T1", 1, "one"), LogLine("T3", 2, "bad"), LogLine("T2", 1, "two"), LogLine("T4", 1, "begun")]
    assert list(engine.log("a b", 7)) == lines
    assert list(engine.log("a b", 7, follow=True)) == lines
    query = "/containers/a%20b/logs?stdout=1&stderr=1&timestamps=1&tail=7&follow="
    assert docker_api.targets[-2:] == [f"GET {query}0", f"GET {query}1"]


def test_log_of_a_container_that_is_gone_is_not_found(engine: Engine) -> None:
    with pytest.raises(NotFound, match=r"^read the log of c1: no such thing: GET /containers/c1/logs$"):
        list(engine.log("c1", 1))
