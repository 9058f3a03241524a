"""Parts of the platform: each has what it needs, listens where the platform says, and counts wherever parts count."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import pytest

from runyard.contracts import Budget, Budgets, Threshold, decode
from runyard.errors import ManifestError
from runyard.images import load_catalog
from runyard.manifest.model import Firewall, Gateway, Location, Logs, Observability, Platform, Tenant
from runyard.manifest.pricebook import default_book
from runyard.manifest.tls import Tls
from runyard.names import REGISTRY_DIRECTORY
from runyard.plan import plan
from runyard.plan.effect_table import EFFECTS
from runyard.plan.listeners import ListenerPlan, check_apart
from runyard.plan.part import PartPlan
from runyard.plan.parts import PARTS, parts_of, plan_parts
from runyard.pricing.settings import BillingSettings
from tests.unit.runyard.plan.example import manifests, service, template

INNER = "10.128.4.1"


def planned(platform: Platform) -> dict[str, PartPlan]:
    return {each.part.name: each for each in plan_parts(platform, "prod", INNER)}


def test_parts_have_names_of_their_stack_on_the_host() -> None:
    parts = planned(Platform())
    assert [each.container for each in parts.values()] == [
        *("runyard.prod.gateway", "runyard.prod.orchestrator", "runyard.prod.standby"),
        *("runyard.prod.filter", "runyard.prod.spare", "runyard.prod.firewall"),
    ]
    assert list(parts["gateway"].own_volumes) == ["runyard.prod.gateway", "runyard.prod.requests"]
    own = ("orchestrator", "launcher", "registry", "engine")
    assert list(parts["orchestrator"].own_volumes) == [f"runyard.prod.{each}" for each in own]
    assert parts["orchestrator"].volumes["runyard.prod.gateway"] == parts["gateway"].volumes["runyard.prod.gateway"]


def test_platform_has_meter_and_prometheus_when_it_asks_for_them() -> None:
    bare, full = Platform(), Platform(observability=Observability("full", 4005, 4090, 30), billing="on", console="on")
    assert not {"meter", "prometheus"} & {each.name for each in parts_of(bare)}
    assert parts_of(full) == PARTS
    assert list(planned(bare)) == [each.name for each in parts_of(bare)]
    parts = planned(full)
    assert [each.part for each in parts.values()] == list(PARTS)
    addresses = {name: each.listeners[0].address for name, each in parts.items() if each.listeners}
    assert (addresses["meter"], addresses["prometheus"]) == ("127.0.0.1:4005", "127.0.0.1:4090")
    assert parts["meter"].environment == {"RUNYARD_STACK": "prod", "RUNYARD_HTTP_ADDRESS": "127.0.0.1:4005"}
    assert parts["prometheus"].environment["RUNYARD_RETENTION"] == "30d"
    pool = full.address_pool
    told = {"RUNYARD_HTTP_ADDRESS": "127.0.0.1:9093", "RUNYARD_ADDRESS_POOL": pool}
    assert parts["alertmanager"].environment == told


def test_parts_that_always_are_do_not_change_with_those_that_a_platform_asks_for() -> None:
    bare, full = planned(Platform()), planned(Platform(observability=Observability("basic")))
    assert {name: full[name].part for name in bare} == {name: each.part for name, each in bare.items()}
    assert {name: full[name].listeners for name in bare} == {name: each.listeners for name, each in bare.items()}
    assert full["gateway"] == bare["gateway"]


def test_orchestrators_look_after_the_parts_that_a_platform_asks_for() -> None:
    for platform in (Platform(), Platform(observability=Observability("basic"))):
        named = ",".join(part.name for part in parts_of(platform))
        parts = planned(platform)
        assert [parts[each].environment["RUNYARD_PARTS"] for each in ("orchestrator", "standby")] == [named, named]


def test_part_that_stands_in_for_another_tells_nothing_of_its_health_because_it_hears_nobody() -> None:
    standby = planned(Platform())["standby"]
    assert (standby.listeners, standby.part.health, standby.part.metrics) == ((), "", False)
    assert planned(Platform())["orchestrator"].part.health == "/healthz"


def test_either_orchestrator_may_tell_the_registry() -> None:
    parts = planned(Platform())
    assert "runyard.prod.registry" in parts["orchestrator"].own_volumes
    assert "runyard.prod.registry" in parts["standby"].volumes
    assert "runyard.prod.registry" not in parts["standby"].read_only


def test_meter_reads_what_it_counts_and_writes_to_its_own_volume_alone() -> None:
    meter = planned(Platform(observability=Observability("basic")))["meter"]
    assert meter.read_only == {"runyard.prod.requests", "runyard.prod.registry"}
    assert set(meter.volumes) - meter.read_only == set(meter.own_volumes) == {"runyard.prod.meter"}
    assert not meter.part.has_engine_socket
    # The gateway's own volume has its admin socket, and the orchestrator's its control socket.
    assert not {"runyard.prod.gateway", "runyard.prod.orchestrator"} & set(meter.volumes)


def test_logs_part_reads_the_engines_files_and_the_registry_and_hears_one_port() -> None:
    assert "logs" not in planned(Platform(observability=Observability("basic")))
    kept = Logs(port=4006, retention_days=3, bytes_per_second=1000, bytes_per_day=2000)
    logs = planned(Platform(observability=Observability("full", logs=kept)))["logs"]
    assert logs.environment == {
        "RUNYARD_STACK": "prod",
        "RUNYARD_HTTP_ADDRESS": "127.0.0.1:4006",
        "RUNYARD_RETENTION_DAYS": "3",
        "RUNYARD_BYTES_PER_SECOND": "1000",
        "RUNYARD_BYTES_PER_DAY": "2000",
    }
    assert [(each.kind, each.address) for each in logs.listeners] == [("status", "127.0.0.1:4006")]
    assert (set(logs.own_volumes), logs.read_only) == ({"runyard.prod.logs"}, {"runyard.prod.registry"})
    assert logs.part.host_reads == ("/var/lib/docker/containers",)
    assert (dict(logs.part.binds), logs.part.capabilities) == ({}, ())


def test_parts_with_metrics_or_a_health_have_a_listener_that_tells_it() -> None:
    for each in planned(Platform(observability=Observability("full"), billing="on")).values():
        if each.part.metrics or each.part.health:
            assert each.listeners[0].kind == "status"
    assert {each.name for each in PARTS if each.metrics} == {"alertmanager", "billing", "logs", "meter", "prometheus"}


def test_listener_that_two_parts_have_is_refused() -> None:
    platform = Platform(observability=Observability("basic", meter_port=3001))
    with pytest.raises(ManifestError, match=r"got 127\.0\.0\.1:3001 for status and status"):
        plan_parts(platform, "prod", INNER)


def test_plan_of_a_stack_has_its_parts_with_the_address_of_its_bridge() -> None:
    subject = plan(manifests(), "prod")
    assert subject.parts == plan_parts(Platform(), "prod", subject.platform_network.host_address)


def test_every_part_has_an_image_a_memory_that_its_files_fit_in_and_effects_of_its_own() -> None:
    for part in PARTS:
        assert part.image in load_catalog()
        assert part.tmp_mib + sum(part.memory_mounts.values()) < part.memory_mib
        assert EFFECTS[part.kind][""]


def test_volume_of_another_part_is_of_one_before() -> None:
    made: set[str] = set()
    for part in PARTS:
        own = {volume.name for volume in part.volumes if volume.own}
        assert not own & made
        made |= own
        assert {volume.name for volume in part.volumes} <= made


def test_stand_by_has_the_orchestrators_image_and_volumes_and_none_of_its_own() -> None:
    parts = planned(Platform())
    one, other = parts["orchestrator"], parts["standby"]
    assert (other.part.image, other.part.role, other.part.kind) == ("orchestrator", "standby", "Standby")
    assert (other.volumes, other.own_volumes) == (one.volumes, {})
    assert other.listeners == ()
    different = {key for key in one.environment if one.environment[key] != other.environment[key]}
    assert (different, other.environment.keys()) == ({"RUNYARD_PART"}, one.environment.keys())


def test_both_filters_alone_have_the_engines_socket_and_another_part_the_packet_filter() -> None:
    assert [part.name for part in PARTS if part.has_engine_socket] == [*("filter", "spare")]
    added = {part.name: part.capabilities for part in PARTS if part.capabilities}
    assert added.keys() == {"gateway", "firewall"}
    assert [name for name, capabilities in added.items() if "CAP_NET_ADMIN" in capabilities] == ["firewall"]


def test_part_that_changes_the_packet_filter_hears_nobody_and_sees_nothing_of_the_host() -> None:
    firewall = planned(Platform())["firewall"]
    part = firewall.part
    assert (firewall.listeners, part.volumes, dict(part.binds), part.host_reads) == ((), (), {}, ())
    assert part.capabilities == ("CAP_NET_ADMIN",)


def test_platform_without_a_firewall_has_no_part_for_it() -> None:
    platform = Platform(firewall=Firewall(enabled=False))
    assert list(planned(platform)) == ["gateway", "orchestrator", "standby", "filter", "spare"]
    assert [part.name for part in parts_of(platform)] == ["gateway", "orchestrator", "standby", "filter", "spare"]
    # Nobody looks for what the platform does not have.
    assert planned(platform)["orchestrator"].environment["RUNYARD_PARTS"] == "gateway,orchestrator,standby,filter,spare"
    assert "firewall" in [part.name for part in parts_of(Platform())]


def test_platform_that_bills_has_the_ledger_its_database_and_the_meter() -> None:
    platform = Platform(billing="on", billing_port=4002, observability=Observability(meter_port=4005))
    parts = planned(platform)
    assert list(parts) == [each.name for each in parts_of(platform)]
    assert {"meter", "postgres", "billing"} <= parts.keys()
    assert "prometheus" not in parts
    assert parts["billing"].environment == {
        "RUNYARD_HTTP_ADDRESS": "127.0.0.1:4002",
        "RUNYARD_METER_ADDRESS": "127.0.0.1:4005",
    }
    assert [(each.kind, each.address) for each in parts["billing"].listeners] == [("status", "127.0.0.1:4002")]
    assert (parts["postgres"].listeners, parts["postgres"].environment) == ((), {})
    assert parts["billing"].volumes["runyard.prod.postgres"] == parts["postgres"].volumes["runyard.prod.postgres"]
    assert list(parts["billing"].own_volumes) == ["runyard.prod.billing", "runyard.prod.statements"]
    assert "console" not in parts


def test_console_reads_on_the_loopback_and_from_the_socket_that_tells_statements_alone() -> None:
    platform = Platform(billing="on", billing_port=4002, console="on", console_port=4003, orchestrator_port=4001)
    console = planned(platform)["console"]
    assert console.environment == {
        "RUNYARD_HTTP_ADDRESS": "127.0.0.1:4003",
        "RUNYARD_REGISTRY_ADDRESS": "127.0.0.1:4001",
        "RUNYARD_LEDGER_ADDRESS": "127.0.0.1:4002",
    }
    assert [(each.kind, each.address) for each in console.listeners] == [("status", "127.0.0.1:4003")]
    assert set(console.volumes) == {f"runyard.prod.{each}" for each in ("console", "postgres", "statements")}
    assert console.read_only == {"runyard.prod.statements"}
    assert (dict(console.part.binds), console.part.host_reads, console.part.capabilities) == ({}, (), ())


def test_console_of_a_platform_that_keeps_metrics_is_told_where() -> None:
    seen = Platform(console="on", observability=Observability("basic", prometheus_port=4090))
    assert planned(seen)["console"].environment["RUNYARD_PROMETHEUS_ADDRESS"] == "127.0.0.1:4090"


def test_ledger_is_told_prices_and_what_is_billed_by_instance() -> None:
    always = template(cpu_throttling=False)
    given = manifests(service(), service(name="worker", template=always), platform=Platform("acme", billing="on"))
    subject = plan(given, "prod")
    (told,) = [each.environment["RUNYARD_BILLING"] for each in subject.parts if each.part.name == "billing"]
    settings = decode(BillingSettings, told)
    worker = subject.services[1].revision.name
    assert (settings.issuer, settings.by_instance) == ("acme", (f"default/worker/{worker}",))
    # The book that ships with Runyard, without its place on this machine.
    assert settings.prices == dataclasses.replace(default_book(), location=None)


def test_ledger_is_told_budgets_that_have_thresholds_and_where_the_orchestrator_listens() -> None:
    acting = Budget(Decimal(10), "USD", (Threshold(100, action="stop"),))
    tenants = (Tenant("shop", budget=acting), Tenant("team", budget=Budget(Decimal(5), "USD")))
    given = manifests(service(tenant="shop"), platform=Platform("acme", billing="on"), tenants=tenants)
    (ledger,) = [each for each in plan(given, "prod").parts if each.part.name == "billing"]
    assert decode(Budgets, ledger.environment["RUNYARD_BUDGETS"]) == Budgets({"shop": acting})
    assert ledger.volumes["runyard.prod.registry"] == REGISTRY_DIRECTORY
    assert ledger.read_only == {"runyard.prod.registry"}
    bare = plan(manifests(service(), platform=Platform("acme", billing="on")), "prod")
    assert not any("RUNYARD_BUDGETS" in each.environment for each in bare.parts)


def test_parts_listen_where_the_platform_says() -> None:
    gateway = Gateway(address="0.0.0.0", port=80, h2c_port=3080, tls=Tls("local", port=443))
    parts = planned(Platform(gateway=gateway, orchestrator_port=4001))
    assert [(each.kind, each.address, each.http2, each.tls) for each in parts["gateway"].listeners] == [
        ("edge", "0.0.0.0:80", False, False),
        ("edge", "0.0.0.0:3080", True, False),
        ("edge", "0.0.0.0:443", False, True),
        ("internal", f"{INNER}:80", False, False),
        ("internal", f"{INNER}:81", True, False),
    ]
    assert [(each.kind, each.address) for each in parts["orchestrator"].listeners] == [("status", "127.0.0.1:4001")]
    assert parts["orchestrator"].environment["RUNYARD_HTTP_ADDRESS"] == "127.0.0.1:4001"


def test_callers_that_are_named_have_tls_inside_and_an_orchestrator_that_knows() -> None:
    parts = planned(Platform(gateway=Gateway(caller_identity=True)))
    inside = [(each.address, each.http2, each.tls) for each in parts["gateway"].listeners if each.kind == "internal"]
    assert inside == [(f"{INNER}:80", False, False), (f"{INNER}:81", True, False), (f"{INNER}:443", False, True)]
    for part in ("orchestrator", "standby"):
        assert parts[part].environment["RUNYARD_CALLER_IDENTITY"] == "on"
        assert "RUNYARD_CALLER_IDENTITY" not in planned(Platform())[part].environment


def test_gateway_on_the_bridges_own_address_and_port_is_refused_at_its_place() -> None:
    place = Location("platform.yaml", 4, 14)
    platform = Platform(gateway=Gateway(address=INNER, port=80), places={"address": place})
    with pytest.raises(ManifestError) as raised:
        plan_parts(platform, "prod", INNER)
    (problem,) = raised.value.problems
    assert problem.text() == (
        "platform.yaml:4:14: spec.gateway.address: "
        f"listeners must have different addresses, got {INNER}:80 for edge and internal"
    )


def test_all_listeners_that_meet_are_told_at_once() -> None:
    one = ListenerPlan("edge", "127.0.0.1", 3000)
    same = (one, dataclasses.replace(one), dataclasses.replace(one, kind="status"))
    with pytest.raises(ManifestError) as raised:
        check_apart(Platform(location=Location("p.yaml", 1, 1)), same)
    assert [each.text() for each in raised.value.problems] == [
        "p.yaml:1:1: spec: listeners must have different addresses, got 127.0.0.1:3000 for edge and edge",
        "p.yaml:1:1: spec: listeners must have different addresses, got 127.0.0.1:3000 for edge and status",
    ]
