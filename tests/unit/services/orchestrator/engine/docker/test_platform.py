from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runyard import names
from runyard.errors import NotFound
from services.orchestrator.engine.docker.platform import DockerParts
from services.orchestrator.engine.port import Event, SeenPart

from ...world import STACK, FakeEngine


def stands(
    engine: FakeEngine, role: str = "gateway", stack: str = STACK, status: str = "running", code: int = 0
) -> str:
    """Put a container there under the gateway's name, and give its id."""
    config: dict[str, Any] = {"Labels": {names.STACK: stack, names.ROLE: role}, "Image": "gateway:1"}
    made = engine.add("runyard.test.gateway", config)
    engine.containers[made]["State"] = {"Status": status, "ExitCode": code}
    return made


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("running", "running"),
        ("paused", "paused"),
        ("exited", "stopped"),
        ("created", "between"),
        ("restarting", "between"),
        ("removing", "between"),
        ("dead", "between"),
    ],
)
def test_part_is_stopped_only_when_nobody_else_is_at_it(status: str, state: str) -> None:
    engine = FakeEngine()
    made = stands(engine, status=status, code=3)
    assert asyncio.run(DockerParts(engine, STACK).look("gateway")) == SeenPart(made, state, 3)


@pytest.mark.parametrize("labels", [{"role": "orchestrator"}, {"stack": "other"}])
def test_container_of_the_name_with_others_labels_is_no_part(labels: dict[str, str]) -> None:
    engine = FakeEngine()
    stands(engine, **labels)
    parts = DockerParts(engine, STACK)
    assert asyncio.run(parts.look("gateway")) is None
    with pytest.raises(NotFound) as caught:
        asyncio.run(parts.kill("gateway"))
    assert str(caught.value) == "kill part gateway: it has no container"
    assert [verb for verb, _ in engine.calls] == ["inspect", "inspect"]


def test_part_that_is_not_there_is_none() -> None:
    assert asyncio.run(DockerParts(FakeEngine(), STACK).look("gateway")) is None


def test_part_is_killed_by_its_id() -> None:
    engine = FakeEngine()
    made = stands(engine, status="paused")
    asyncio.run(DockerParts(engine, STACK).kill("gateway"))
    assert engine.calls[-1] == ("kill", made)


def test_events_of_parts_alone_are_told() -> None:
    async def whole() -> int:
        engine = FakeEngine()
        for event in (Event("a", role="instance"), Event("b", role="gateway"), Event("c", role="standby"), None):
            engine.part_events.put_nowait(event)
        return len([each async for each in DockerParts(engine, STACK).events()])

    assert asyncio.run(whole()) == 2
