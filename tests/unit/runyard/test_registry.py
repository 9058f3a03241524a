"""The registry is what the orchestrator tells, and stays as it was while it tells nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from runyard.contracts import CertificateStatus, ContainerOwner, Objective, PartStatus, RevisionStatus, ServiceStatus
from runyard.registry import Registry
from tests.harness.orchestrator import FakeOrchestrator, event, whole
from tests.harness.waiting import until_async
from tests.unit.services.meter.story import container, instance

REVISION = RevisionStatus("shop", "web", "web-1", desired=2, ready=1)


class Told:
    """A journal to look into."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def write(self, event: str, **fields: Any) -> None:
        self.problems.append(fields["problem"])


async def at_once(_: float) -> None:
    await asyncio.sleep(0)


@asynccontextmanager
async def following(socket: Path, journal: Told | None = None) -> AsyncIterator[Registry]:
    registry = Registry(socket, journal or Told(), at_once)
    task = asyncio.create_task(registry.run())
    try:
        yield registry
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def alive(test: Callable[[Path], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    @wraps(test)
    def run(tmp_path: Path) -> None:
        asyncio.run(test(tmp_path))

    return run


@alive
async def test_everything_is_known_once_all_of_it_was_told(tmp_path: Path) -> None:
    async with FakeOrchestrator(tmp_path / "r.sock").serving() as orchestrator, following(tmp_path / "r.sock") as found:
        begun = whole("e-1", instance(), REVISION).partition("id: e-1")[0]
        orchestrator.said.put_nowait(begun)
        await until_async(lambda: orchestrator.asked)
        assert (found.connected, found.known.is_set(), found.there.instances) == (False, False, {})
        orchestrator.said.put_nowait("id: e-1\nevent: synced\ndata: {}\n\n")
        await until_async(lambda: found.connected)
        assert found.there.instances == {"a1": instance()}
        assert found.there.revisions == {"shop/web-1": REVISION}
        assert found.changed


@alive
async def test_services_parts_and_certificates_are_told_and_what_else_there_is_is_passed_over(tmp_path: Path) -> None:
    async with FakeOrchestrator(tmp_path / "r.sock").serving() as orchestrator, following(tmp_path / "r.sock") as found:
        service, part = (
            ServiceStatus("shop", "web", (), (), (), objective=Objective(0.01)),
            PartStatus("gateway", "gone"),
        )
        certificate = CertificateStatus("web.localhost", "local", 7)
        owner = ContainerOwner("shop", "web", "web-1", "a1", "app")
        for kind, key, value in (
            ("service", "shop/web", service),
            ("part", "gateway", part),
            ("certificate", "web.localhost", certificate),
            ("owner", "c0ffee", owner),
            ("decision", "1", part),
        ):
            orchestrator.said.put_nowait(event(kind, key, value))
        orchestrator.said.put_nowait("id: e-1\nevent: synced\ndata: {}\n\n")
        await until_async(lambda: found.connected)
        assert found.there.services == {"shop/web": service}
        assert found.there.parts == {"gateway": part}
        assert found.there.certificates == {"web.localhost": certificate}
        assert found.there.owners == {"c0ffee": owner}
        orchestrator.said.put_nowait(event("part", "gateway", None, "e-2"))
        await until_async(lambda: not found.there.parts)


@alive
async def test_changes_are_taken_in_one_by_one(tmp_path: Path) -> None:
    async with FakeOrchestrator(tmp_path / "r.sock").serving() as orchestrator, following(tmp_path / "r.sock") as found:
        orchestrator.said.put_nowait(whole("e-1", instance()))
        await until_async(lambda: found.connected)
        found.changed = False
        orchestrator.said.put_nowait(": nothing new\n\n")
        other = instance(container("c2"), id_="a2", address="10.0.0.3")
        orchestrator.said.put_nowait(event("instance", "a2", other, "e-2") + event("instance", "a1", None, "e-3"))
        # What is of no meter's.
        orchestrator.said.put_nowait(event("decision", "1", None, "e-4"))
        await until_async(lambda: set(found.there.instances) == {"a2"})
        assert found.changed


@alive
async def test_stream_that_breaks_off_goes_on_after_the_last_event(tmp_path: Path) -> None:
    async with FakeOrchestrator(tmp_path / "r.sock").serving() as orchestrator, following(tmp_path / "r.sock") as found:
        orchestrator.said.put_nowait(whole("e-1", instance()))
        orchestrator.said.put_nowait(None)
        orchestrator.said.put_nowait(event("instance", "a2", instance(id_="a2"), "e-2"))
        await until_async(lambda: set(found.there.instances) == {"a1", "a2"})
        assert orchestrator.asked == ["", "e-1"]


@alive
async def test_orchestrator_with_another_life_tells_all_anew_and_what_is_gone_goes(tmp_path: Path) -> None:
    async with FakeOrchestrator(tmp_path / "r.sock").serving() as orchestrator, following(tmp_path / "r.sock") as found:
        orchestrator.said.put_nowait(whole("e-9", instance(), REVISION))
        orchestrator.said.put_nowait(None)
        orchestrator.said.put_nowait(whole("f-1", instance(id_="a2")))
        await until_async(lambda: set(found.there.instances) == {"a2"})
        assert found.there.revisions == {}


@alive
async def test_what_was_told_stays_while_nobody_tells(tmp_path: Path) -> None:
    journal = Told()
    async with following(tmp_path / "r.sock", journal) as found:
        await until_async(lambda: journal.problems)
        async with FakeOrchestrator(tmp_path / "r.sock").serving() as orchestrator:
            orchestrator.said.put_nowait(whole("e-1", instance()))
            await until_async(lambda: found.connected)
        await until_async(lambda: not found.connected)
        assert set(found.there.instances) == {"a1"}
        # Once for each reason, however often it is tried.
        assert len(journal.problems) == len(set(journal.problems))


@pytest.mark.parametrize("said", ["event: instance\ndata: {\n\n", event("instance", "a", REVISION, "e-2")])
def test_what_cannot_be_read_is_told_and_changes_nothing(tmp_path: Path, said: str) -> None:
    async def whole_story() -> None:
        journal = Told()
        async with (
            FakeOrchestrator(tmp_path / "r.sock").serving() as orchestrator,
            following(tmp_path / "r.sock", journal) as found,
        ):
            orchestrator.said.put_nowait(whole("e-1", instance()))
            orchestrator.said.put_nowait(said)
            await until_async(lambda: journal.problems)
            assert set(found.there.instances) == {"a1"}
            await until_async(lambda: len(orchestrator.asked) == 2)
            orchestrator.said.put_nowait(whole("e-3", instance(id_="a3")))
            await until_async(lambda: set(found.there.instances) == {"a3"})

    asyncio.run(whole_story())


@alive
async def test_refusal_is_told_and_tried_again(tmp_path: Path) -> None:
    journal = Told()
    async with FakeOrchestrator(tmp_path / "r.sock").serving() as orchestrator:
        orchestrator.status = 429
        async with following(tmp_path / "r.sock", journal) as found:
            await until_async(lambda: journal.problems)
            assert "429" in journal.problems[0]
            orchestrator.status = 200
            orchestrator.said.put_nowait(whole("e-1"))
            await until_async(lambda: found.connected)
