"""Which container `exec` chooses of what the engine lists."""

from __future__ import annotations

import datetime

import pytest

from runyard import names
from runyard.cli.exec import choose
from runyard.cli.live import Target
from runyard.errors import NotFound, UsageError
from runyard.host.thing import Found

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
