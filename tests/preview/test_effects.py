"""Effects on traffic, judged on what the components really show of the manifests."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

from runyard.accounts import Quotas
from runyard.manifest.model import Firewall, Gateway, Observability, Platform, Tenant
from runyard.manifest.tls import Acme, Tls
from runyard.plan import plan
from runyard.plan.effect import EffectKind, worst
from runyard.plan.effect_table import EFFECTS
from runyard.plan.outlook import decide_effects
from tests.unit.runyard.plan.example import manifests, service

Facts = dict[str, Any]
LOCAL = Tls("local")
# A change of each field of `spec.gateway`, and what it does to traffic.
GATEWAY: list[tuple[str, Any, Any, EffectKind]] = [
    ("address", "127.0.0.1", "127.0.0.2", "gap"),
    ("port", 3000, 3005, "gap"),
    ("connect_timeout_s", 2, 3, "restart"),
    ("hold_timeout_s", 10, 11, "restart"),
    ("max_body_bytes", 1024, 2048, "restart"),
    ("h2c_port", None, 3080, "restart"),
    ("h2c_port", 3080, 3081, "gap"),
    ("h2c_port", 3080, None, "gap"),
    ("default_backend", "", "default/hello", "none"),
    ("default_backend", "default/hello", "default/other", "none"),
    ("default_backend", "default/hello", "", "gap"),
    ("security_headers", True, False, "restart"),
    ("compression", True, False, "restart"),
    ("caller_identity", False, True, "restart"),
    ("caller_identity", True, False, "gap"),
    ("tls", Tls(), Tls("local", redirect=False), "restart"),
    # Plain HTTP is then answered 308.
    ("tls", Tls(), LOCAL, "gap"),
    ("tls", LOCAL, Tls(), "gap"),
    ("tls", LOCAL, Tls("local", port=3444), "gap"),
    ("tls", LOCAL, Tls("files"), "gap"),
    ("tls", LOCAL, Tls("local", hsts_s=60), "restart"),
    ("tls", LOCAL, Tls("local", redirect=False), "restart"),
]


@pytest.fixture
def shown(preview: Callable[..., Any]) -> Callable[[Gateway], Facts]:
    def show(gateway: Gateway) -> Facts:
        return preview(plan(manifests(service(), platform=Platform(gateway=gateway)))).named("gateway").inputs

    return show


@pytest.mark.parametrize(("field", "before", "after", "kind"), GATEWAY)
def test_change_of_the_gateway_has_the_effect_that_its_clients_feel(
    shown: Callable[[Gateway], Facts], field: str, before: Any, after: Any, kind: EffectKind
) -> None:
    old, new = (shown(Gateway(**{field: value})) for value in (before, after))
    hardest = worst(decide_effects("Gateway", old, new).values())
    assert hardest is not None
    assert hardest.kind == kind


def test_changes_of_the_gateway_are_of_all_its_fields() -> None:
    assert {field for field, *_ in GATEWAY} == {each.name for each in fields(Gateway)}


@pytest.mark.parametrize(("field", "value"), [("flows", 64), ("new_flows_per_second", 10)])
def test_change_of_the_firewalls_limits_is_felt_by_nobody(preview: Callable[..., Any], field: str, value: int) -> None:
    old, new = (
        preview(plan(manifests(service(), platform=Platform(firewall=each)))).named("firewall").inputs
        for each in (Firewall(), Firewall(**{field: value}))  # type: ignore[arg-type]
    )
    effects = decide_effects("Firewall", old, new)
    assert effects
    assert {each.kind for each in effects.values()} == {"none"}


def test_every_key_that_a_part_of_the_platform_shows_has_an_effect_of_its_own(preview: Callable[..., Any]) -> None:
    tls = Tls("acme", hsts_s=1, acme=Acme("https://acme.test/directory"))
    gateway = Gateway(h2c_port=3080, default_backend="default/hello", caller_identity=True, tls=tls)
    platform = Platform(gateway=gateway, observability=Observability("full"), billing="on", console="on")
    limited = (Tenant("default", quotas=Quotas(instances=9)),)
    registered = preview(plan(manifests(service(), platform=platform, tenants=limited))).all
    shown = {f"runyard:{each.lower()}:{each}": each for each in EFFECTS} | {"runyard:index:Service": "Service"}
    keys_by_document: dict[str, set[str]] = {}
    for each in registered:
        if document := shown.get(each.type):
            inputs = json.loads(each.inputs["facts"]) if document == "Service" else each.inputs
            keys_by_document.setdefault(document, set()).update(inputs)
    for document, rows in EFFECTS.items():
        keys = keys_by_document[document]
        assert keys <= {path.partition(".")[0] for path in rows}, document
