from __future__ import annotations

from dataclasses import replace

import pytest

from services.orchestrator.model.instance import Container, Health, Instance, edit_of, failure_of, is_ready
from services.orchestrator.model.revision import Revision

from ..world import document

READY = Health(started=True, ready=True)


def instance(*states: str, **container: object) -> Instance:
    boxes = tuple(Container(f"c{n}", f"box{n}", state, **container) for n, state in enumerate(states))  # type: ignore[arg-type]
    return Instance("1", "default", "web", "web-1", "10.0.0.2", "n", boxes)


@pytest.mark.parametrize("state", ["running", "created", "restarting"])
def test_container_in_a_living_state_is_no_failure(state: str) -> None:
    assert failure_of(instance(state), {}) == ""


def test_container_that_has_ended_is_a_failure() -> None:
    assert failure_of(instance("running", "ended", exit_code=2), {}) == "container box1: exited with code 2"


def test_memory_is_named_before_the_exit_code() -> None:
    dead = instance("ended", exit_code=137, oom_killed=True)
    assert failure_of(dead, {}) == "container box0: killed for using more memory than its limit (OOM)"


def test_probe_that_gave_up_is_a_failure() -> None:
    assert failure_of(instance("running"), {"c0": Health(failed="liveness")}) == "container box0: liveness"


def test_instance_is_ready_when_each_container_runs_and_is_ready() -> None:
    both = {"c0": READY, "c1": READY}
    assert is_ready(instance("running", "running"), both)
    assert not is_ready(instance("running", "running"), {"c0": READY})
    assert not is_ready(instance("running", "created"), both)
    assert not is_ready(instance(), both)


def test_container_that_cannot_serve_is_a_failure_and_one_that_was_edited_is_none() -> None:
    assert failure_of(instance("paused", fault="was paused"), {}) == "container box0: was paused"
    edited = replace(instance("running", edited="was renamed to x"), identity="web-1")
    assert failure_of(edited, {}) == ""
    assert edit_of(edited, {}) == "container box0: was renamed to x"


def test_instance_of_another_document_of_the_name_is_no_longer_what_it_should_be() -> None:
    revisions = {"shop/hello-1": Revision(document(tenant="shop", identity="hello-1.2"))}
    old = replace(instance("running"), tenant="shop", revision="hello-1", identity="hello-1.1")
    assert edit_of(old, revisions) == "is of hello-1.1, and the revision's document is now hello-1.2"
    assert edit_of(replace(old, identity="hello-1.2"), revisions) == ""
