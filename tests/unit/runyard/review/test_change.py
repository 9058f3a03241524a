"""Changes: in manifest terms, by name and not by place, with no secret in them."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard.accounts import Member, Quotas
from runyard.contracts import Budget
from runyard.manifest import load
from runyard.manifest.model import (
    EnvVar,
    Gateway,
    KeyReference,
    Location,
    Manifests,
    Platform,
    Probe,
    Scaling,
    Service,
    Tenant,
    TrafficTarget,
    Volume,
    VolumeMount,
)
from runyard.pricing.prices import PriceBook, PricePeriod
from runyard.review.change import Change, find_changes
from tests.unit.runyard.plan.example import container, manifests, service, template

WITH_SETTINGS = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {{ name: web }}
spec:
  template:
    spec:
      containers: [{{ image: "web:1", envFrom: [{{ configMapRef: {{ name: settings }} }}] }}]
---
apiVersion: v1
kind: ConfigMap
metadata: {{ name: settings }}
data: {{ COLOUR: {colour} }}
"""
PLACE = Location("manifests/tenant.yaml", 1, 1)


def with_env(*variables: EnvVar) -> Manifests:
    return manifests(service(template=template(containers=(container(env=variables),))))


def with_image(image: str) -> Service:
    return service(template=template(containers=(container(image=image),)))


def told(before: Manifests, after: Manifests) -> list[tuple[str, str, Any, Any]]:
    return [(change.op, change.path, change.before, change.after) for change in find_changes(before, after)]


def of_tenant(**changes: Any) -> Manifests:
    return manifests(tenants=(Tenant("shop", location=PLACE, **changes),))


def test_equal_manifests_have_no_changes() -> None:
    assert find_changes(manifests(service()), manifests(service())) == ()


def test_place_in_a_file_is_no_change() -> None:
    moved = service(location=Location("elsewhere.yaml", 9, 9))
    assert find_changes(manifests(service()), manifests(moved)) == ()


def test_place_of_a_platforms_field_is_no_change() -> None:
    before, after = (Platform(location=PLACE, places={"port": Location("p.yaml", line, 1)}) for line in (3, 4))
    assert told(manifests(platform=before), manifests(platform=after)) == []


def test_environment_is_matched_by_name_not_by_place() -> None:
    before = with_env(EnvVar("A", "1"), EnvVar("LOG_LEVEL", "info"))
    after = with_env(EnvVar("NEW", "2"), EnvVar("LOG_LEVEL", "debug"), EnvVar("A", "1"))
    assert told(before, after) == [
        ("change", "containers.hello.env.LOG_LEVEL", "info", "debug"),
        ("add", "containers.hello.env.NEW", None, "2"),
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD", "hunter2"),
        ("DB", "postgres://a:hunter2@db/x"),
        ("KEY", "ghp_" + "a" * 36),
        ("S", "q8Zr2LxW0vKp7TnB4mYc6HdF"),
    ],
)
def test_secret_is_shown_as_one_whatever_tells_it(name: str, value: str) -> None:
    assert told(with_env(), with_env(EnvVar(name, value))) == [
        ("add", f"containers.hello.env.{name}", None, "[secret]")
    ]
    assert told(with_env(EnvVar(name, value)), with_env(EnvVar(name, value + "x")))[0][2:] == ("[secret]", "[secret]")


def test_secret_in_an_argument_is_shown_as_one() -> None:
    after = manifests(service(template=template(containers=(container(args=("--token", "ghp_" + "a" * 36)),))))
    assert told(manifests(service()), after) == [("add", "containers.hello.args", None, ["--token", "[secret]"])]


def test_secret_told_by_its_name_is_shown_as_one_wherever_it_stands() -> None:
    probe = Probe("http", path="/?token=hunter2", headers=(("Authorization", "Bearer hunter2"), ("Host", "a")))
    changed = container(
        args=("--token", "s3cr3t", "--password=hunter2", "--verbose"),
        env=(EnvVar("CFG", "password=hunter2"),),
        liveness_probe=probe,
        readiness_probe=Probe("exec", command=("curl", "-H", "X-Api-Key: hunter2")),
    )
    shown = {
        path.removeprefix("containers.hello."): after
        for _, path, _, after in told(
            manifests(service()), manifests(service(template=template(containers=(changed,))))
        )
    }
    assert shown["args"] == ["--token", "[secret]", "[secret]", "--verbose"]
    assert shown["env.CFG"] == shown["livenessProbe.path"] == "[secret]"
    assert shown["livenessProbe.headers"] == [["Authorization", "[secret]"], ["Host", "a"]]
    assert shown["readinessProbe.command"] == ["curl", "-H", "[secret]"]


def test_reference_is_shown_by_name() -> None:
    after = with_env(EnvVar("TOKEN", reference=KeyReference("secret", "token", "latest")))
    assert told(with_env(), after) == [("add", "containers.hello.env.TOKEN", None, "[secret token/latest]")]
    optional = with_env(EnvVar("TOKEN", reference=KeyReference("secret", "token", "latest", optional=True)))
    assert told(after, optional)[0][2:] == ("[secret token/latest]", "[secret token/latest, optional]")


@pytest.mark.parametrize(
    ("changed", "path", "values"),
    [
        (service(template=template(scaling=Scaling(min_scale=2))), "scaling.minScale", (0, 2)),
        (service(template=template(timeout_s=60)), "timeoutSeconds", (300, 60)),
        (with_image("runyard/hello:2"), "containers.hello.image", ("runyard/hello:1", "runyard/hello:2")),
        (service(uses=("cart",)), "uses.cart", (None, "declared")),
        (service(labels={"team": "a"}), "labels.team", (None, "a")),
        (service(template=template(labels={"tier": "web"})), 'templateLabels.tier', (None, "web")),
    ],
)  # fmt: skip
def test_change_is_told_in_the_manifests_terms(changed: Service, path: str, values: tuple[Any, Any]) -> None:
    assert [each[1:] for each in told(manifests(service()), manifests(changed))] == [(path, *values)]


def test_traffic_is_matched_by_revision_and_tags_by_name() -> None:
    after = service(traffic=(TrafficTarget(90), TrafficTarget(10, "hello-old", "old")))
    assert told(manifests(service()), manifests(after)) == [
        ("add", "tags.old", None, "hello-old"),
        ("add", "traffic.hello-old", None, 10),
        ("change", "traffic.latest", 100, 90),
    ]


def test_traffic_that_names_a_revision_twice_is_told_as_the_sum() -> None:
    before = service(traffic=(TrafficTarget(50), TrafficTarget(30), TrafficTarget(20, "hello-old")))
    after = service(traffic=(TrafficTarget(40), TrafficTarget(30), TrafficTarget(30, "hello-old")))
    assert told(manifests(before), manifests(after)) == [
        ("change", "traffic.hello-old", 20, 30),
        ("change", "traffic.latest", 80, 70),
    ]


@pytest.mark.parametrize(
    ("kind", "mount", "shown"),
    [
        ("emptyDir", VolumeMount("data", "/data", read_only=False), "data"),
        ("emptyDir", VolumeMount("data", "/data", read_only=True), "data, readOnly true"),
        ("secret", VolumeMount("data", "/data"), "data"),
        ("secret", VolumeMount("data", "/data", read_only=False, sub_path="a"), "data, subPath a, readOnly false"),
    ],
)
def test_mount_is_told_with_what_is_not_its_default(kind: Any, mount: VolumeMount, shown: str) -> None:
    def mounting(*mounts: VolumeMount) -> Manifests:
        shape = template(containers=(container(volume_mounts=mounts),), volumes=(Volume("data", kind),))
        return manifests(service(template=shape))

    assert told(mounting(), mounting(mount)) == [("add", 'containers.hello.volumeMounts["/data"]', None, shown)]


def test_annotation_that_is_of_no_field_is_told_and_one_that_is_kept_is_not() -> None:
    annotations = {
        "run.googleapis.com/iap-enabled": "true",
        "example.com/owner": "ann",
        "run.googleapis.com/description": "text",
        "run.googleapis.com/ingress": "all",
    }
    changed = service(annotations=annotations, template=template(annotations={"run.googleapis.com/secrets": "a:b"}))
    assert [each[1:] for each in told(manifests(service()), manifests(changed))] == [
        ('annotations["example.com/owner"]', None, "ann"),
        ('annotations["run.googleapis.com/iap-enabled"]', None, "true"),
        ('templateAnnotations["run.googleapis.com/secrets"]', None, "a:b"),
    ]


def test_service_that_comes_or_goes_is_one_document() -> None:
    both, one = manifests(service(), service(name="new")), manifests(service())
    added, removed = find_changes(one, both), find_changes(both, one)
    assert added[0] == Change("Service", "default/new", "add", "")
    assert removed == (Change("Service", "default/new", "remove", ""),)


@pytest.mark.parametrize(
    ("before", "after", "flagged"),
    [
        ({"quotas": Quotas(cpu_millis=500)}, {"quotas": Quotas(cpu_millis=1000)}, True),
        ({"quotas": Quotas(cpu_millis=1000)}, {"quotas": Quotas(cpu_millis=500)}, False),
        ({"quotas": Quotas(memory_bytes=1024**3)}, {"quotas": Quotas(memory_bytes=1025 * 1024**2)}, True),
        ({"quotas": Quotas(instances=5)}, {}, True),
        ({}, {"quotas": Quotas(instances=5)}, False),
        ({"budget": Budget(Decimal("9.99"), "USD")}, {"budget": Budget(Decimal(10), "USD")}, True),
        ({"allowed_registries": ("a.io",)}, {"allowed_registries": ("a.io", "b.io")}, True),
        ({}, {"members": (Member("ann", "owner"),)}, False),
    ],
)
def test_limit_that_is_raised_or_removed_is_flagged(before: Any, after: Any, flagged: bool) -> None:
    changes = find_changes(of_tenant(**before), of_tenant(**after))
    assert any(change.flagged for change in changes) is flagged
    assert changes


ONE = "image-tagged until 2027-01-31 because x"


def waiving(*waivers: str) -> Manifests:
    return manifests(service(annotations={"runyard.dev/waive": "; ".join(waivers)}))


def test_new_waiver_is_flagged() -> None:
    (change,) = find_changes(manifests(service()), waiving(ONE))
    assert (change.path, change.flagged) == ('annotations["runyard.dev/waive"].image-tagged', True)
    assert change.after == "until 2027-01-31 because x"
    (gone,) = find_changes(waiving(ONE), manifests(service()))
    assert gone.flagged is False


def test_waivers_are_told_one_by_one() -> None:
    before, after = waiving(ONE, "tag-known until 2027-01-31 because y"), waiving("secret-by-name soon", ONE, "broken")
    assert [
        (change.op, change.path.rpartition(".")[2], change.after, change.flagged)
        for change in find_changes(before, after)
    ] == [
        ("add", "broken", "broken", True),
        ("add", "secret-by-name", "soon", True),
        ("remove", "tag-known", None, False),
    ]


def test_waiver_of_a_new_service_is_flagged_and_nothing_else_of_it() -> None:
    flagged = [change for change in find_changes(manifests(), waiving(ONE, ONE)) if change.flagged]
    assert [(change.path, change.after) for change in flagged] == [
        ('annotations["runyard.dev/waive"].image-tagged', "until 2027-01-31 because x; until 2027-01-31 because x")
    ]


def test_price_is_compared_by_period_and_value() -> None:
    def book(price: str) -> Manifests:
        return manifests(price_book=PriceBook("test", (PricePeriod("2026-01-01", egress_gib=Decimal(price)),)))

    assert find_changes(book("0.10"), book("0.1")) == ()
    assert told(book("0.1"), book("0.12")) == [("change", 'periods["from 2026-01-01"].egressGib', "0.1", "0.12")]


def test_platform_is_compared_too() -> None:
    before = manifests(platform=Platform(location=PLACE))
    after = manifests(platform=Platform(location=PLACE, gateway=Gateway(port=8080)))
    assert told(before, after) == [("change", "gateway.port", 3000, 8080)]


# The first example compiles the schema, which names the annotations.
@given(st.permutations(["a", "b", "c", "d"]), st.sets(st.sampled_from(["a", "b", "c", "d"])))
def test_changes_do_not_depend_on_the_order_of_files(order: list[str], changed: set[str]) -> None:
    before = manifests(*(service(name=name) for name in order))
    after = manifests(*(service(name=name, egress="none" if name in changed else "all") for name in sorted(order)))
    assert [each.name for each in find_changes(before, after)] == [f"default/{name}" for name in sorted(changed)]


def test_undeclared_tenant_is_no_document() -> None:
    assert find_changes(manifests(), dataclasses.replace(manifests(), tenants=(Tenant("shop"),))) == ()


def test_changed_value_of_a_config_map_is_told_where_it_is_used(tmp_path: Path) -> None:
    both = []
    for name, colour in (("before", "blue"), ("after", "red")):
        file = tmp_path / name / "web.yaml"
        file.parent.mkdir()
        file.write_text(WITH_SETTINGS.format(colour=colour))
        both.append(load([file]).manifests)
    assert told(*both) == [("change", "configMaps.settings.COLOUR", "blue", "red")]
