"""Docker behind the seam: what the stories do not reach. Whose a container is has its stories in test_identity."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from runyard import names
from runyard.contracts import ImageIdentity
from runyard.errors import UsageError
from services.orchestrator.engine.docker.client import open_client
from services.orchestrator.engine.docker.engine import DockerEngine
from services.orchestrator.engine.port import Departure
from services.orchestrator.model.entry import BookedContainer, container_name, entry_of
from services.orchestrator.model.revision import Revision
from tests.unit.runyard.host.docker_api import DockerApi, serve

from ...world import NETWORK, STACK, FakeEngine, container, document

REVISION = Revision(document())
NAME = container_name(REVISION, "app", "7f")
ENTRY = entry_of(REVISION, "7f", "10.130.0.9", (BookedContainer("app", NAME),))


@pytest.fixture
def docker() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def engine(docker: FakeEngine) -> DockerEngine:
    return DockerEngine(docker, STACK)


def test_container_that_was_made_is_shown_and_differs_in_nothing(engine: DockerEngine) -> None:
    made = asyncio.run(engine.make(ENTRY, REVISION, "app"))
    assert asyncio.run(engine.states()) == {made: "created"}
    seen = asyncio.run(engine.observe([made]))[made]
    assert (seen.name, seen.instance, seen.container) == (NAME, "7f", "app")
    assert seen.addresses == {NETWORK: "10.130.0.9"}
    assert asyncio.run(engine.difference(ENTRY, REVISION, seen)) == ""
    assert engine.departure(ENTRY, REVISION, "app", seen) == Departure()


def test_what_is_gone_or_of_another_stack_is_not_shown(docker: FakeEngine, engine: DockerEngine) -> None:
    labels = {names.STACK: "other", names.ROLE: names.ROLE_INSTANCE}
    other = docker.add("other", {"Labels": labels})
    assert asyncio.run(engine.observe([other, "gone"])) == {}
    assert asyncio.run(engine.states()) == {}


def test_container_that_no_document_names_and_one_whose_image_went_differ(
    docker: FakeEngine, engine: DockerEngine
) -> None:
    made = asyncio.run(engine.make(ENTRY, REVISION, "app"))
    seen = asyncio.run(engine.observe([made]))[made]
    other = Revision(document("hello-1", container("web")))
    assert asyncio.run(engine.difference(ENTRY, other, seen)) == "container"
    pruned = Revision(document(images={"app": ImageIdentity("sha256:gone")}))
    assert asyncio.run(engine.difference(ENTRY, pruned, seen)) == "image"


def test_address_of_an_engine_that_cannot_be_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def whole() -> None:
        open_client()

    monkeypatch.setenv("DOCKER_HOST", "nonsense")
    with pytest.raises(UsageError, match=r"^DOCKER_HOST: no Docker engine is configured and no socket was found$"):
        asyncio.run(whole())


@pytest.mark.parametrize(("millis", "boosted"), [(2000, True), (500, False)])
def test_container_of_a_boost_differs_in_nothing_before_and_after_its_end(
    docker: FakeEngine, engine: DockerEngine, millis: int, *, boosted: bool
) -> None:
    revision = Revision(document("hello-1", container(cpu_millis=500, startup_cpu_millis=2000)))
    made = asyncio.run(engine.make(ENTRY, revision, "app"))
    assert docker.containers[made]["HostConfig"]["CpuQuota"] == 200_000
    asyncio.run(engine.limit_cpu(made, millis))
    seen = asyncio.run(engine.observe([made]))[made]
    assert asyncio.run(engine.difference(ENTRY, revision, seen)) == ""
    assert engine.departure(ENTRY, revision, "app", seen) == Departure(boosted=boosted)


def test_limit_that_is_neither_of_the_boost_nor_the_containers_is_an_edit(engine: DockerEngine) -> None:
    revision = Revision(document("hello-1", container(cpu_millis=500, startup_cpu_millis=2000)))
    made = asyncio.run(engine.make(ENTRY, revision, "app"))
    asyncio.run(engine.limit_cpu(made, 1500))
    seen = asyncio.run(engine.observe([made]))[made]
    assert asyncio.run(engine.difference(ENTRY, revision, seen)) == "CpuQuota"
    edited = "was edited: CpuQuota is 150000 and must be 50000"
    assert engine.departure(ENTRY, revision, "app", seen) == Departure(edited=edited)


def test_engine_is_asked_at_the_socket_that_is_named_wherever_the_usual_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "nonsense")
    api = DockerApi()
    api.answers |= {"GET /version": {"ApiVersion": "1.41"}, "GET /networks/n": {"Name": "n"}}

    async def whole() -> str:
        client = open_client(str(tmp_path / "engine.sock"))
        try:
            return str((await client.inspect_network("n"))["Name"])
        finally:
            await client.close()

    with serve(api, tmp_path / "engine.sock"):
        assert asyncio.run(whole()) == "n"
