"""Which container `exec` chooses of what the engine lists."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from runyard import names
from runyard.cli.exec import choose
from runyard.cli.live import Target
from runyard.cli.main import main
from runyard.errors import NotFound, UsageError
from runyard.host.thing import Found
from tests.unit.runyard.host.docker_api import DockerApi

TARGET = Target("shop", "web", "dev")


def found(instance: str, container: str, second: int, state: str = "running") -> Found:
    made = datetime.datetime(2026, 1, 1, 0, 0, second, tzinfo=datetime.UTC)
    return Found("", f"{instance}-{container}", made, {names.INSTANCE: instance, names.CONTAINER: container}, state)


def test_first_container_of_the_oldest_instance_that_runs_is_chosen() -> None:
    given = [
        found("b", "app", 9),
        found("a", "cache", 3),
        found("a", "app", 2),
        found("a", "setup", 1, "exited"),
        found("0", "app", 0, "exited"),
    ]
    assert choose(given, TARGET, None).id == "a-app"
    assert choose(given, TARGET, "cache").id == "a-cache"


def test_run_is_chosen_only_where_nothing_else_runs() -> None:
    run = found("r", "app", 0)
    run.labels[names.ROLE] = names.ROLE_RUN  # type: ignore[index]
    assert choose([run, found("a", "app", 2)], TARGET, None).id == "a-app"
    assert choose([run], TARGET, None).id == "r-app"


def test_what_there_is_not_is_refused_with_what_there_is() -> None:
    with pytest.raises(NotFound, match="exec shop/web: has no instance that runs"):
        choose([found("a", "app", 1, "exited")], TARGET, None)
    with pytest.raises(UsageError, match="container must be one of app, cache, got 'other'"):
        choose([found("a", "cache", 3), found("a", "app", 2)], TARGET, "other")


@pytest.fixture
def instance(docker_api: DockerApi) -> str:
    """Give the id of the only container of shop/web, which runs."""
    own = names.instance_container("dev", "shop", "web-1", "app", "a1")
    labels = {names.STACK: "dev", names.TENANT: "shop", names.SERVICE: "web", names.REVISION: "web-1"}
    labels |= {names.CONTAINER: "app", names.INSTANCE: "a1"}
    listed = {"Id": "id-app", "Names": [f"/{own}"], "Created": 0, "Labels": labels, "State": "running"}
    docker_api.answers["GET /containers/json"] = [listed]
    return "id-app"


def test_command_goes_to_dockers_own_as_it_is_and_its_exit_code_comes_back(
    instance: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\nprintf '<%s>' \"$@\"\nexit 7\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["exec", "web", "-t", "shop", "--instance", "a1", "--", "ls", "-l", "a b; *"]) == 7
    assert capfd.readouterr().out == f"<exec><--interactive><{instance}><ls><-l><a b; *>"


@pytest.mark.usefixtures("instance")
def test_instance_that_there_is_not_and_a_docker_that_is_missing_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["exec", "web", "-t", "shop", "--instance", "b2", "--", "ls"]) == 1
    assert "exec shop/web: has no instance that runs" in capsys.readouterr().err
    assert main(["exec", "web", "-t", "shop", "ls"]) == 1
    assert capsys.readouterr().err == "error: exec: must have Docker's command, docker, on PATH\n"
