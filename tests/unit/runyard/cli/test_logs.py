from __future__ import annotations

import datetime
import itertools
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest

from runyard import names
from runyard.cli.live import Target
from runyard.cli.live_logs import Wanted, Written, containers_of, follow_lines
from runyard.cli.logs import Moment
from runyard.cli.main import main
from runyard.contracts import LogEntry, LogPage, encode
from runyard.errors import HostError, NotFound
from runyard.host.log import LogLine
from runyard.host.thing import Found
from tests.unit.runyard.host.docker_api import OUTPUT, DockerApi, Pieces, frame

TARGET = Target("shop", "web", "dev")


def labels(instance: str, container: str = "app", **others: str) -> dict[str, str]:
    given = {"stack": "dev", "tenant": "shop", "service": "web", "revision": "web-1", **others}
    keys = {"stack": names.STACK, "tenant": names.TENANT, "service": names.SERVICE, "revision": names.REVISION}
    found = {keys[key]: text for key, text in given.items()}
    return found | {names.CONTAINER: container, names.INSTANCE: instance}


def container(instance: str, name: str = "app", **others: str) -> Found:
    said = labels(instance, name, **others)
    own = names.instance_container(said[names.STACK], said[names.TENANT], said[names.REVISION], name, instance)
    return Found(own, f"id-{instance}-{name}", datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), said)


class FakeEngine:
    """Containers with their lines; a log of None is of a container that is gone, an error is raised at its end."""

    def __init__(self, *found: Found, **logs: Any) -> None:
        self.found = list(found)
        self.logs = logs
        self.asked: list[tuple[str, int | None, bool]] = []

    def labelled(self, label: str) -> list[Found]:
        assert label == f"{names.SERVICE}=web"
        return self.found

    def log(self, container: str, tail: int | None, *, follow: bool = False, since: str = "") -> Iterator[LogLine]:
        self.asked.append((container, tail, follow))
        lines = self.logs[container.split("-")[1]]
        if lines is None:
            raise NotFound("gone")
        for each in lines:
            if isinstance(each, Exception):
                raise each
            yield LogLine("T1", OUTPUT, each)


def test_containers_of_a_service_are_those_of_its_instances_alone() -> None:
    mine, sidecar = container("a1"), container("a1", "log")
    named = Found("forged", "id-x", mine.created, mine.labels)
    others = (container("b1", tenant="other"), container("b2", stack="prod"), container("b3", names.HELPERS[0]))
    engine = FakeEngine(mine, sidecar, named, *others, container("a2"))
    assert [each.id for each in containers_of(engine, TARGET)] == ["id-a1-app", "id-a1-log", "id-a2-app"]
    assert [each.id for each in containers_of(engine, TARGET, "a2")] == ["id-a2-app"]


def test_follower_tells_lines_of_new_instances_too_and_leaves_out_what_is_gone() -> None:
    first, second, gone = container("a1"), container("a2"), container("a3")
    engine = FakeEngine(a1=["one", "two"], a2=["three"], a3=None)
    looks = iter([[first, gone], [first, second, gone]])
    # A look is due at each reading of the clock but the second, so one line is read in between.
    times = itertools.chain([0.0, 0.0, 0.5, 5.0], itertools.repeat(5.0))
    following = follow_lines(lambda: next(looks, [first, second]), engine, Wanted(7), lambda: next(times))
    found = [next(following) for _ in range(3)]
    assert sorted(each.text for each in found) == ["one", "three", "two"]
    assert found[0] == Written("T1", "a1", "app", "one")
    assert found[0].line() == "a1/app | one"
    # Each is followed once, however often it is seen.
    assert sorted(engine.asked) == [(f"id-{each}-app", 7, True) for each in ("a1", "a2", "a3")]


def test_follower_ends_with_the_engines_error() -> None:
    engine = FakeEngine(a1=["one", HostError("read the log: connection refused")])
    following = follow_lines(lambda: [container("a1")], engine, Wanted(7))
    assert next(following).text == "one"
    with pytest.raises(HostError, match="connection refused"):
        next(following)


def listed(found: Found) -> dict[str, Any]:
    return {"Id": found.id, "Names": [f"/{found.name}"], "Created": 0, "Labels": dict(found.labels), "State": ""}


def test_logs_are_in_the_order_of_time_and_readable(docker_api: DockerApi, capsys: pytest.CaptureFixture[str]) -> None:
    docker_api.answers["GET /containers/json"] = [listed(container("a1")), listed(container("a2"))]
    docker_api.answers["GET /containers/id-a1-app/logs"] = Pieces([frame(OUTPUT, b"T1 one\nT3 \x1b[31mred\n")])
    docker_api.answers["GET /containers/id-a2-app/logs"] = Pieces([frame(OUTPUT, b"T2 two"), frame(OUTPUT, b"\n")])
    assert main(["logs", "web", "--tenant", "shop", "--tail", "5"]) == 0
    assert capsys.readouterr().out.splitlines() == ["a1/app | one", "a2/app | two", "a1/app | \\x1b[31mred"]
    assert sum("tail=5&follow=0" in each for each in docker_api.targets) == 2
    assert main(["logs", "web", "a2", "--tenant", "shop", "-o", "json"]) == 0
    line = {"time": "T2", "instance": "a2", "container": "app", "text": "two"}
    assert json.loads(capsys.readouterr().out) == [line]


def test_followed_logs_are_an_object_a_line_until_the_engine_is_gone(
    docker_api: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    docker_api.answers["GET /containers/json"] = [listed(container("a1")), listed(container("a2"))]
    docker_api.answers["GET /containers/id-a1-app/logs"] = Pieces([frame(OUTPUT, b"T1 one\nT2 two\n")])
    docker_api.answers["GET /containers/id-a2-app/logs"] = (500, {"message": "the disk is broken"})
    assert main(["logs", "web", "--follow", "--tenant", "shop", "-o", "json"]) == 1
    captured = capsys.readouterr()
    assert captured.err == "error: read the log of id-a2-app: the disk is broken\n"
    assert all(json.loads(each)["instance"] == "a1" for each in captured.out.splitlines())


def test_logs_of_what_does_not_run_or_cannot_be_shown_are_refused(
    docker_api: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["logs", "web"]) == 1
    told = "error: logs default/web: it has no instance on the engine (runyard ps lists what there is)\n"
    assert capsys.readouterr().err == told
    assert main(["logs", "web", "-f", "-o", "yaml"]) == 2
    assert capsys.readouterr().err == "error: logs: --output must be text or json with --follow, got yaml\n"


def test_lines_from_the_engine_are_those_that_were_asked_for(
    docker_api: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    docker_api.answers["GET /containers/json"] = [listed(container("a1")), listed(container("a2", revision="web-2"))]
    said = b"T1 order 1\nT2 other\nT3 order 2 0123456789abcdef\nT4 order 3 x0123456789abcdef\n"
    for each in ("a1", "a2"):
        docker_api.answers[f"GET /containers/id-{each}-app/logs"] = Pieces([frame(OUTPUT, said)])
    command = ["logs", "web", "--tenant", "shop", "--revision", "web-1"]
    assert main([*command, "--grep", "order [0-9]", "--tail", "2", "--since", "2026-11-28T02:26:00Z"]) == 0
    told = ["a1/app | order 2 0123456789abcdef", "a1/app | order 3 x0123456789abcdef"]
    assert capsys.readouterr().out.splitlines() == told
    assert docker_api.targets[-1].endswith("tail=all&follow=0&since=1795832760.000000")
    docker_api.answers["GET /containers/id-a1-app/logs"] = Pieces([frame(OUTPUT, said)])
    assert main([*command, "--request", "0123456789abcdef"]) == 0
    assert capsys.readouterr().out.splitlines() == told[:1]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            ["--severity", "error"],
            "logs: --severity and --field must be asked of a store, which the stack does not have",
        ),
        (["--field", "trace=t"], "logs: --severity and --field must be asked of a store"),
        (["--grep", "("], "logs: --grep must be a regular expression: missing ), unterminated subpattern"),
        (["a1", "--instance", "a2"], "logs: must name one instance, got a1 and a2"),
        (["--since", "yesterday"], "Invalid value for '--since': must be a duration of whole seconds"),
        (["--since", "2026-11-28T02:26:00"], "Invalid value for '--since': must have an offset, such as Z"),
    ],
)
def test_what_the_engine_cannot_tell_or_nobody_can_is_refused(
    docker_api: DockerApi, capsys: pytest.CaptureFixture[str], options: list[str], told: str
) -> None:
    docker_api.answers["GET /containers/json"] = [listed(container("a1"))]
    assert main(["logs", "web", "--tenant", "shop", *options]) == 2
    assert told in capsys.readouterr().err


def entries(*texts: str) -> Any:
    found = (LogEntry(f"c-f-{text}", "2026-11-28T02:26:00Z", "web-1", "a1", "app", "stdout", text) for text in texts)
    return json.loads(encode(LogPage(tuple(found))))


def test_stack_with_a_store_tells_what_it_kept_and_everything_is_asked_of_it(
    docker_api: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Found(names.platform_container("dev", names.ROLE_LOGS), "id-logs", container("a1").created, {})
    docker_api.answers["GET /containers/json"] = [listed(store), listed(container("a1"))]
    docker_api.relayed = [entries("kept", "of one that is gone")]
    options = ["--severity", "error", "--field", "trace=t", "--field", "jsonPayload.a=b&c", "--instance", "a1"]
    times = ["--since", "2026-11-28T02:26:00+02:00", "--tail", "7"]
    assert main(["logs", "web", "--tenant", "shop", *options, *times]) == 0
    assert capsys.readouterr().out == "a1/app | kept\na1/app | of one that is gone\n"
    ((target, _),) = docker_api.sent
    path, _, query = target.removeprefix("GET ").partition("?")
    assert path == "/v1/tenants/shop/services/web/log"
    assert parse_qs(query) == {
        **{"since": ["2026-11-28T00:26:00+00:00"], "instance": ["a1"], "severity": ["ERROR"], "limit": ["7"]},
        "field": ["trace=t", "jsonPayload.a=b&c"],
    }
    assert docker_api.commands == [[*names.LOGS_RELAY]]


@pytest.mark.parametrize(("told", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("45", 45)])
def test_time_may_be_how_long_ago_it_was(told: str, seconds: int) -> None:
    before = datetime.datetime.now(datetime.UTC)
    moment = datetime.datetime.fromisoformat(Moment().convert(told, None, None))
    after = datetime.datetime.now(datetime.UTC)
    assert before <= moment + datetime.timedelta(seconds=seconds) <= after


def test_follower_looks_for_instances_while_nobody_writes() -> None:
    # It waits for what is left of a second, which is next to nothing.
    times = itertools.count(0.0, 0.999)
    looks = iter([[], [], [container("a1")]])
    following = follow_lines(lambda: next(looks, []), FakeEngine(a1=["at last"]), Wanted(7), lambda: next(times))
    assert next(following).text == "at last"
    assert list(looks) == []
