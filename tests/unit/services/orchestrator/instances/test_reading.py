from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.orchestrator.engine.port import Departure, SeenContainer
from services.orchestrator.instances.reading import read_instance, read_orphan
from services.orchestrator.model.entry import BookedContainer, BookEntry, container_name
from services.orchestrator.model.instance import DEFAULT_GRACE_S, Container
from services.orchestrator.model.revision import Revision

from ..world import NETWORK, container, document

REVISION = Revision(document("web-1", container(depends_on=("db",)), container("db"), service="web"))
NAMES = ("db", "app")
BOOKED = tuple(BookedContainer(each, container_name(REVISION, each, "7f"), f"id-{each}") for each in NAMES)
ENTRY = BookEntry("7f", "default", "web", "web-1", "web-1", NETWORK, "10.1.0.9", BOOKED)


def seen(name: str, /, **changes: Any) -> SeenContainer:
    """Show a container of the entry as an engine would."""
    places = {NETWORK: "10.1.0.9"} if name == "db" else {}
    whose = ("default", "web-1", "7f", name)
    made = SeenContainer(f"id-{name}", container_name(REVISION, name, "7f"), "running", *whose, addresses=places)
    return replace(made, **changes)


def departing(_: BookEntry, __: Revision, container: str, shown: SeenContainer) -> Departure:
    """Play an engine to which only names matter."""
    renamed = shown.name != container_name(REVISION, container, "7f")
    return Departure(fault="was paused" if shown.state == "paused" else "", edited="was renamed" if renamed else "")


def both(**changes: dict[str, Any]) -> dict[str, SeenContainer]:
    return {f"id-{name}": seen(name, **changes.get(name, {})) for name in NAMES}


def test_instance_is_what_the_book_says_in_the_state_that_the_engine_says() -> None:
    ended = {"state": "ended", "exit_code": 2, "oom_killed": True}
    instance = read_instance(ENTRY, both(app=ended), REVISION, departing)
    assert (instance.id, instance.key, instance.service_key) == ("7f", "default/web-1", "default/web")
    assert (instance.address, instance.network, instance.grace_s) == ("10.1.0.9", NETWORK, 3)
    assert instance.identity == "web-1"
    assert instance.containers == (
        Container("id-db", "db", "running"),
        Container("id-app", "app", "ended", exit_code=2, oom_killed=True),
    )


def test_departure_is_told_of_the_container_that_departs() -> None:
    instance = read_instance(ENTRY, both(db={"state": "paused"}, app={"name": "mine"}), REVISION, departing)
    assert [(each.fault, each.edited) for each in instance.containers] == [("was paused", ""), ("", "was renamed")]


def test_instance_without_its_document_is_taken_as_it_is_and_drained_by_default() -> None:
    instance = read_instance(ENTRY, both(app={"name": "mine"}), None, departing)
    assert instance.grace_s == DEFAULT_GRACE_S
    assert {each.edited for each in instance.containers} == {""}


def test_container_that_went_is_absent() -> None:
    assert [each.name for each in read_instance(ENTRY, {"id-db": seen("db")}, REVISION, departing).containers] == ["db"]


def test_orphans_of_one_instance_are_read_as_the_book_had_them() -> None:
    assert read_orphan(list(both().values()), REVISION) == ENTRY


@pytest.mark.parametrize(
    "group",
    [
        [seen("db")],
        [seen("db"), seen("app"), seen("app", id="more")],
        [seen("db", addresses={}), seen("app")],
        [seen("db", container=""), seen("app")],
    ],
    ids=["half", "one_more", "no_address", "no_name"],
)
def test_orphans_that_are_no_whole_instance_are_none(group: list[SeenContainer]) -> None:
    assert read_orphan(group, REVISION) is None
