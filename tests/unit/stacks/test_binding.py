"""Binding of an update: no plan asks for nothing, and one that cannot be read refuses."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from runyard import contracts
from runyard.contracts import ImageIdentity
from runyard.errors import ContractError, PlanError, UsageError
from runyard.manifest.model import Manifests
from runyard.plan import plan
from runyard.pulumi.binding import bind, images_to_bind
from runyard.pulumi.deployment import parse_deployment
from runyard.pulumi.marks import PLAN_VARIABLE
from runyard.pulumi.state import parse_state
from runyard.reference import parse_reference
from stacks.admission import Admitted
from stacks.binding import check_plan
from tests.unit.runyard.host.docker_api import DockerApi, serve
from tests.unit.runyard.plan.example import container, manifests, service, template

STATE = '{"deployment": {"resources": []}}'
# What a digest names needs no engine to be told.
PINNED = template(containers=(container(image="shop/web@sha256:" + "a" * 64),))
SUBJECT = manifests(service(template=PINNED))


def admit(subject: Manifests) -> Admitted:
    return Admitted(subject, plan(subject, "dev"), parse_deployment(STATE), "2026-11-23", None)


ADMITTED = admit(SUBJECT)


def test_update_without_a_plan_is_held_to_nothing() -> None:
    check_plan({}, ADMITTED, "")


def test_update_goes_on_with_what_was_reviewed_and_with_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(contracts.encode(bind(("a", "b"), SUBJECT, ADMITTED.plan, parse_state(STATE), {})))
    check_plan({PLAN_VARIABLE: str(file)}, ADMITTED, STATE)
    other = manifests(service(), service(name="other"))
    with pytest.raises(PlanError, match=r"manifest: Service default/other \(hello\.yaml\) was added"):
        check_plan({PLAN_VARIABLE: str(file)}, dataclasses.replace(ADMITTED, manifests=other), STATE)


def test_update_refuses_a_tag_that_moved_after_the_review(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tagged = admit(manifests(service()))
    (image,) = images_to_bind(tagged.plan, {})
    reviewed, moved = (ImageIdentity("sha256:" + each * 64) for each in "ab")
    file = tmp_path / "plan.json"
    saved = bind(("a", "b"), tagged.manifests, tagged.plan, parse_state(STATE), {image: reviewed})
    file.write_text(contracts.encode(saved))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    api = DockerApi()
    with serve(api, tmp_path / "docker.sock"):
        asked = f"GET /images/{parse_reference(image).text}/json"
        api.answers[asked] = {"Id": reviewed.id}
        check_plan({PLAN_VARIABLE: str(file)}, tagged, STATE)
        api.answers[asked] = {"Id": moved.id}
        with pytest.raises(PlanError, match=f"image: {image} stood for aaaaaaaaaaaa, and stands for bbbbbbbbbbbb"):
            check_plan({PLAN_VARIABLE: str(file)}, tagged, STATE)


def test_plan_that_cannot_be_read_refuses(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^read the plan /absent\.json: "):
        check_plan({PLAN_VARIABLE: "/absent.json"}, ADMITTED, STATE)
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(ContractError):
        check_plan({PLAN_VARIABLE: str(tmp_path / "plan.json")}, ADMITTED, STATE)
