from __future__ import annotations

import asyncio

import pytest

from runyard import names
from runyard.errors import HostUnreachable
from services.orchestrator.inventory import Inventory

from .world import NETWORK, STACK, FakeEngine, ListJournal, template_config, template_spec


def world() -> tuple[FakeEngine, Inventory, ListJournal]:
    engine, journal = FakeEngine(), ListJournal()
    return engine, Inventory(engine, STACK, journal), journal


def test_refresh_finds_complete_revisions() -> None:
    engine, inventory, _ = world()
    engine.add("t", template_config("hello-1", template_spec()))
    asyncio.run(inventory.refresh())
    assert list(inventory.revisions()) == ["default/hello-1"]
    assert inventory.instances() == ()


def test_refresh_asks_again_only_for_what_changed() -> None:
    engine, inventory, _ = world()
    first = engine.add("a", template_config("hello-1", template_spec()))
    asyncio.run(inventory.refresh())
    second = engine.add("b", template_config("hello-2", template_spec()))
    engine.calls.clear()
    asyncio.run(inventory.refresh())
    assert ("inspect", second) in engine.calls
    assert ("inspect", first) not in engine.calls
    engine.containers[first]["State"] = {"Status": "exited"}
    engine.calls.clear()
    asyncio.run(inventory.refresh())
    assert ("inspect", first) in engine.calls


def test_refresh_forgets_what_is_gone() -> None:
    engine, inventory, _ = world()
    gone = engine.add("a", template_config("hello-1", template_spec()))
    asyncio.run(inventory.refresh())
    del engine.containers[gone]
    asyncio.run(inventory.refresh())
    assert inventory.revisions() == {}


def test_refresh_that_fails_forgets_nothing() -> None:
    engine, inventory, _ = world()
    engine.add("a", template_config("hello-1", template_spec()))
    asyncio.run(inventory.refresh())
    engine.away = True
    with pytest.raises(HostUnreachable):
        asyncio.run(inventory.refresh())
    assert list(inventory.revisions()) == ["default/hello-1"]


def test_refresh_of_some_drops_those_that_are_gone_and_takes_in_new_ones() -> None:
    engine, inventory, _ = world()
    first = engine.add("a", template_config("hello-1", template_spec()))
    asyncio.run(inventory.refresh())
    del engine.containers[first]
    second = engine.add("b", template_config("hello-2", template_spec()))
    asyncio.run(inventory.refresh_some([first, second]))
    assert list(inventory.revisions()) == ["default/hello-2"]


def test_event_of_a_stranger_s_container_brings_nothing_in() -> None:
    engine, inventory, _ = world()
    config = template_config("hello-1", template_spec())
    config["Labels"][names.STACK] = "other"
    stranger = engine.add("a", config)
    asyncio.run(inventory.refresh_some([stranger]))
    assert inventory.revisions() == {}


def test_unreadable_template_is_left_out_and_reported_once() -> None:
    engine, inventory, journal = world()
    config = template_config("hello-1", template_spec())
    config["Labels"][names.SPEC] = "{"
    engine.add("broken", config)
    asyncio.run(inventory.refresh())
    assert inventory.revisions() == inventory.revisions() == {}
    assert journal.events() == ["template unreadable"]
    assert journal.entries[0][1]["container"] == "/broken"
    assert "secret" not in str(journal.entries)


def test_template_seen_on_its_way_to_its_network_is_no_revision_until_it_is_there() -> None:
    engine, inventory, _ = world()
    config = template_config("hello-1", template_spec())
    networks = config["NetworkingConfig"]["EndpointsConfig"]
    config["NetworkingConfig"] = {"EndpointsConfig": {"bridge": {}}}
    template = engine.add("t", config)
    asyncio.run(inventory.refresh_some([template]))
    assert inventory.revisions() == {}
    # Neither an event nor another state tells of the move.
    engine.containers[template]["NetworkSettings"]["Networks"] = networks
    asyncio.run(inventory.refresh())
    assert inventory.revisions()["default/hello-1"].templates[0].network == NETWORK
    engine.calls.clear()
    asyncio.run(inventory.refresh())
    assert ("inspect", template) not in engine.calls
