"""Bindings: whatever moves since a review is named, what does not count is not, and no secret is in them."""

from __future__ import annotations

import dataclasses
import json
from decimal import Decimal
from typing import Any

import pytest

from runyard import contracts
from runyard.accounts import Quotas
from runyard.contracts import ImageIdentity
from runyard.errors import ContractError, PlanError
from runyard.manifest.model import EnvVar, KeyReference, Location, Manifests, Platform, Tenant
from runyard.manifest.pricebook import default_book
from runyard.plan import plan
from runyard.pulumi.binding import Binding, bind, check_binding, images_to_bind, parse_binding
from runyard.pulumi.state import parents_of, parse_state
from tests.unit.runyard.plan.example import container, manifests, service, template

URN = "urn:pulumi:dev::runyard::docker:index/container:Container::gateway.container"
SIGNATURE = "4dabf18193072939515e22adb298388d"
PLACE = Location("manifests/shop.yaml", 1, 1)


IMAGES = {"shop/web:1": ImageIdentity("sha256:" + "a" * 64)}


def export(**resource: Any) -> str:
    given = {"urn": URN, "type": "docker:index/container:Container", "id": "c-1", "inputs": {"image": "a"}} | resource
    root = {"urn": "urn:pulumi:dev::runyard::pulumi:pulumi:Stack::runyard-dev", "type": "pulumi:pulumi:Stack"}
    outputs = {"outputs": {"urls": resource.get("id", "")}}
    return json.dumps({"version": 3, "deployment": {"resources": [root | outputs, given]}})


def bound(subject: Manifests | None = None, state: str | None = None, **secrets: str) -> Binding:
    subject = subject or shop()
    planned = plan(subject, "dev", {"shop": secrets})
    return bind(("main", "topic"), subject, planned, parse_state(state if state is not None else export()), IMAGES)


def shop(timeout_s: int = 300, instances: int = 3, **changes: Any) -> Manifests:
    variable = EnvVar("TOKEN", reference=KeyReference("secret", "api", "latest"))
    shape = template(containers=(container(env=(variable,)),), timeout_s=timeout_s)
    return manifests(
        service(name="web", tenant="shop", template=shape, location=PLACE),
        tenants=(Tenant("shop", location=PLACE, quotas=Quotas(instances=instances)),),
        **changes,
    )


def moved(saved: Binding, now: Binding) -> list[str]:
    with pytest.raises(PlanError) as caught:
        check_binding(saved, now)
    first, *lines = str(caught.value).splitlines()
    assert first == (
        "the plan of main..topic for stack dev no longer holds, nothing was touched; review anew, for since then:"
    )
    assert caught.value.exit_code == 7
    return [line.strip() for line in lines]


def test_plan_holds_while_nothing_moved() -> None:
    check_binding(parse_binding(contracts.encode(bound())), bound())


def test_plan_holds_when_a_file_was_only_moved_or_commented() -> None:
    there = dataclasses.replace(shop().services[0], location=Location("/srv/elsewhere/shop.yaml", 7, 1))
    check_binding(bound(), bound(dataclasses.replace(shop(), services=(there,))))


def test_plan_holds_when_a_platforms_field_only_moved() -> None:
    before, after = (Platform(location=PLACE, places={"port": Location("p.yaml", line, 1)}) for line in (3, 4))
    check_binding(bound(shop(platform=before)), bound(shop(platform=after)))


def test_changed_manifest_is_named_with_its_file_and_digests() -> None:
    (line,) = moved(bound(), bound(shop(timeout_s=60)))
    assert line.startswith("manifest: Service shop/web (shop.yaml) changed: ")


def test_manifests_that_came_went_or_loosened_are_named() -> None:
    bare = manifests(tenants=())
    assert [line.partition(" (")[0] for line in moved(bound(bare), bound(shop()))] == [
        "manifest: Service shop/web",
        "manifest: Tenant shop",
    ]
    assert moved(bound(shop()), bound(bare))[0] == "manifest: Service shop/web (shop.yaml) was removed"
    assert moved(bound(shop()), bound(shop(instances=4)))[0].startswith("manifest: Tenant shop (shop.yaml) changed")
    domain = bound(shop(platform=Platform(domain="example.com")))
    assert "manifest: Platform platform (by default) changed" in moved(bound(shop()), domain)[0]


def test_price_book_that_moved_is_named() -> None:
    book = dataclasses.replace(default_book(), name="ours", discounts={"shop": Decimal("10")})
    (line,) = moved(bound(), bound(shop(price_book=book)))
    assert line.startswith(f"price book: {default_book().name} ")
    assert " -> ours " in line


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (export(id="c-2"), "state: gateway.container (Container) changed: "),
        (export(inputs={"image": "b"}), "state: gateway.container (Container) changed: "),
        (export(urn=URN + "2"), "state: gateway.container (Container) was removed"),
        ('{"deployment": null}', "state: gateway.container (Container) was removed"),
    ],
    ids=["made anew", "changed", "renamed", "destroyed"],
)
def test_state_that_moved_is_named(state: str, expected: str) -> None:
    assert moved(bound(), bound(state=state))[0].startswith(expected)


def test_state_that_was_only_refreshed_did_not_move() -> None:
    check_binding(bound(), bound(state=export(outputs={"exitCode": 1}, modified="2026-11-23")))


def test_new_value_of_a_secret_is_named_by_its_revision() -> None:
    saved, now = bound(**{"api/latest": "digest-1"}), bound(**{"api/latest": "digest-2"})
    (line,) = moved(saved, now)
    assert line.startswith("secrets or Runyard itself: revision of shop/web: web-")


def test_plan_of_another_stack_is_refused() -> None:
    saved = dataclasses.replace(bound(), stack="prod")
    with pytest.raises(PlanError, match=r"stack: must be prod, got dev"):
        check_binding(saved, bound())


def test_secrets_of_the_state_are_in_no_plan_and_do_not_move_it() -> None:
    secret = {SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "canary"}
    other = {**secret, "ciphertext": "other"}
    saved = bound(state=export(inputs={"envs": [secret]}))
    assert "canary" not in contracts.encode(saved)
    check_binding(saved, bound(state=export(inputs={"envs": [other]})))


@pytest.mark.parametrize("text", ["", "{}", '{"version": 2}'])
def test_file_that_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(ContractError, match=r"^decode Binding: "):
        parse_binding(text)


def test_plan_of_a_later_version_is_refused() -> None:
    later = contracts.encode(dataclasses.replace(bound(), version=2))
    with pytest.raises(ContractError, match=r"^decode Binding: version: must be 1, got 2$"):
        parse_binding(later)


def test_state_that_is_none_is_refused() -> None:
    with pytest.raises(ContractError, match=r"^read the stack's state: "):
        bound(state='{"deployment": {"resources": [{"id": 1}]}}')


def test_parents_are_read_from_the_state() -> None:
    assert parents_of(parse_state(export(parent="urn:p")))[URN] == "urn:p"


ID, DIGEST = ("sha256:" + each * 64 for each in "ab")


@pytest.mark.parametrize(
    ("now", "shown"),
    [
        (ImageIdentity(DIGEST), "bbbbbbbbbbbb"),
        # Where the engine had none before, the registry's digest tells.
        (ImageIdentity("", f"docker.io/shop/web@{DIGEST}"), "bbbbbbbbbbbb"),
    ],
)
def test_image_that_its_name_no_longer_stands_for_is_named(now: ImageIdentity, shown: str) -> None:
    saved = bound()
    assert moved(saved, dataclasses.replace(saved, images={"shop/web:1": now})) == [
        f"image: shop/web:1 stood for aaaaaaaaaaaa, and stands for {shown}"
    ]


@pytest.mark.parametrize(
    ("saved", "now", "same"),
    [
        (ImageIdentity(ID), ImageIdentity(ID), True),
        (ImageIdentity(ID, f"a@{DIGEST}"), ImageIdentity(DIGEST, f"a@{DIGEST}"), False),
        (ImageIdentity("", f"docker.io/library/a@{DIGEST}"), ImageIdentity(ID, f"a@{DIGEST}"), True),
        (ImageIdentity("", f"a@{DIGEST}"), ImageIdentity("", f"a@{ID}"), False),
        (ImageIdentity("", f"a@{DIGEST}"), ImageIdentity(ID), False),
        (ImageIdentity(""), ImageIdentity(""), False),
    ],
)
def test_image_is_the_same_by_its_id_or_where_there_was_none_by_its_digest(
    saved: ImageIdentity, now: ImageIdentity, same: bool
) -> None:
    assert saved.is_same_as(now) is same


def test_images_to_bind_are_those_of_revisions_that_are_to_be_made_and_name_no_digest() -> None:
    def using(name: str, *images: str) -> Any:
        first, *others = (container(name=f"c{at}", image=each) for at, each in enumerate(images))
        others = [dataclasses.replace(each, port=None) for each in others]
        return service(name=name, tenant="shop", template=template(containers=(first, *others)))

    subject = manifests(using("web", "shop/web:1", f"shop/side@{DIGEST}"), using("api", "shop/api", "shop/web:1"))
    planned = plan(subject, "dev")
    assert images_to_bind(planned, {}) == ["shop/api", "shop/web:1"]
    made = {"shop/api": [each.revision for each in planned.services if each.name == "api"]}
    assert images_to_bind(planned, made) == ["shop/web:1"]
