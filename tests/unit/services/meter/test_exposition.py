"""What Prometheus reads: families in base units, with the registry's labels and no more than a service's room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from runyard.cgroups import Counters
from runyard.contracts import CertificateStatus, Objective, PartStatus, RevisionStatus, ServiceStatus
from runyard.registry import Registry
from services.meter.account import Account, first_checkpoint
from services.meter.exposition import MOST_CONTAINERS, Exposition, Readings
from services.meter.spool import Spool

from .story import SECOND, START, container, instance, line

OWNER = {"tenant": "shop", "service": "web", "revision": "web-1"}
COUNTERS = Counters(
    2_500_000, 1000, 2000, throttled_us=500_000, periods=10, throttled_periods=4, oom_kills=1, processes=7,
    read_bytes=11, written_bytes=12, frozen=True,
)  # fmt: skip


class Scene:
    """Everything that is told, in a directory of a test."""

    def __init__(self, directory: Path) -> None:
        self.account = Account(first_checkpoint(START))
        self.registry = Registry(directory / "nobody.sock", None)  # type: ignore[arg-type]
        self.spool, self.readings = Spool(directory / "spool"), Readings()
        self.metrics = CollectorRegistry()
        self.metrics.register(Exposition(self.account, self.registry, self.spool, self.readings))

    def text(self) -> str:
        return generate_latest(self.metrics).decode()

    def samples(self, name: str) -> list[tuple[dict[str, str], float]]:
        families = text_string_to_metric_families(self.text())
        return [(each.labels, each.value) for family in families for each in family.samples if each.name == name]

    def value(self, name: str, **labels: str) -> float:
        (found,) = [value for given, value in self.samples(name) if labels.items() <= given.items()]
        return found


def take(scene: Scene, **fields: Any) -> None:
    scene.account.take([line(START, **fields)], START)


def test_requests_are_told_by_status_and_their_times_as_a_histogram(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    take(scene, duration_s=0.02)
    take(scene, duration_s=4.0, status=503, held_s=3.5, retries=2)
    assert scene.samples("runyard_requests_total") == [({**OWNER, "code": "200"}, 1), ({**OWNER, "code": "503"}, 1)]
    buckets = {labels["le"]: value for labels, value in scene.samples("runyard_request_duration_seconds_bucket")}
    assert (buckets["0.01"], buckets["0.025"], buckets["2.5"], buckets["5"], buckets["+Inf"]) == (0, 1, 1, 2, 2)
    assert scene.value("runyard_request_duration_seconds_sum", **OWNER) == 4.02
    assert scene.value("runyard_request_duration_seconds_count", **OWNER) == 2
    assert scene.value("runyard_request_held_seconds_total", **OWNER) == 3.5
    assert scene.value("runyard_request_retries_total", **OWNER) == 2
    assert scene.value("runyard_request_received_bytes_total", **OWNER) == 200
    assert scene.value("runyard_request_sent_bytes_total", **OWNER) == 2000


def test_containers_are_told_in_base_units_with_the_registrys_labels(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.account.follow([instance(container(name="app"))], START)
    scene.readings.counters = {"c1": COUNTERS}
    labels = {**OWNER, "instance": "a1", "container": "app"}
    expected = {
        "cpu_seconds_total": 2.5, "cpu_limit_cores": 0.5, "cpu_periods_total": 10, "cpu_throttled_periods_total": 4,
        "cpu_throttled_seconds_total": 0.5, "memory_working_set_bytes": 1000, "memory_peak_bytes": 2000,
        "memory_limit_bytes": 128 * 1024**2, "oom_kills_total": 1, "processes": 7, "block_read_bytes_total": 11,
        "block_written_bytes_total": 12, "frozen": 1,
    }  # fmt: skip
    for name, value in expected.items():
        assert scene.samples(f"runyard_container_{name}") == [(labels, value)], name


def test_container_that_could_not_be_read_or_has_gone_is_a_gap_and_not_a_zero(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.account.follow([instance()], START)
    assert scene.samples("runyard_container_cpu_seconds_total") == []
    scene.readings.counters = {"c1": COUNTERS}
    assert scene.samples("runyard_container_cpu_seconds_total") != []
    scene.account.follow([], START + SECOND)
    assert scene.samples("runyard_container_cpu_seconds_total") == []


def test_containers_beyond_a_services_room_are_counted_and_not_shown(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    ids = [f"c{number}" for number in range(MOST_CONTAINERS + 3)]
    scene.account.follow([instance(container(each), id_=f"a{each}") for each in ids], START)
    scene.readings.counters = dict.fromkeys(ids, COUNTERS)
    assert len(scene.samples("runyard_container_cpu_seconds_total")) == MOST_CONTAINERS
    assert scene.value("runyard_meter_folded_containers", tenant="shop", service="web") == 3


def test_wish_and_reality_of_each_revision_are_told(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.registry.there.revisions["shop/web-1"] = RevisionStatus(
        "shop", "web", "web-1", desired=3, ready=2, restarts=4, most=5, oom_kills=2
    )
    assert scene.value("runyard_revision_desired_instances", **OWNER) == 3
    assert scene.value("runyard_revision_ready_instances", **OWNER) == 2
    assert scene.value("runyard_revision_failures_total", **OWNER) == 4
    assert scene.value("runyard_revision_oom_kills_total", **OWNER) == 2
    assert scene.value("runyard_revision_most_instances", **OWNER) == 5
    scene.registry.there.revisions["shop/web-1"] = RevisionStatus("shop", "web", "web-1", desired=3, ready=2)
    # Any number is no bound, and not one of -1.
    assert scene.samples("runyard_revision_most_instances") == []


def test_what_each_service_promises_is_told_and_nothing_of_one_that_promises_nothing(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    for name, objective in (
        ("web", Objective()),
        ("slow", Objective(errors=0.01, latency_s=2.5, slow=0.1)),
        ("any", Objective(errors=0.0, latency_s=0.0, slow=0.0)),
        ("late", Objective(errors=0.01, latency_s=0.0, slow=0.0)),
    ):
        scene.registry.there.services[f"shop/{name}"] = ServiceStatus("shop", name, (), (), (), objective=objective)
    errors = {labels["service"]: value for labels, value in scene.samples("runyard_service_error_budget_ratio")}
    slow = {(each["service"], each["le"]): value for each, value in scene.samples("runyard_service_slow_budget_ratio")}
    assert errors == {"web": 0.001, "slow": 0.01, "late": 0.01}
    # The bound is spelled as the histogram of the same requests spells it, or no rule would find them.
    assert slow == {("web", "0.2"): 0.05, ("slow", "2.5"): 0.1}
    take(scene)
    bounds = {labels["le"] for labels, _ in scene.samples("runyard_request_duration_seconds_bucket")}
    assert {le for _, le in slow} <= bounds


def test_parts_and_certificates_are_told_as_the_orchestrator_sees_them(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    there = scene.registry.there
    there.parts["firewall"] = PartStatus("firewall", "stopped", 3)
    there.parts["gateway"] = PartStatus("gateway", "running")
    there.certificates["web.localhost"] = CertificateStatus("web.localhost", "local", not_after=1_900_000_000)
    there.certificates["cart.localhost"] = CertificateStatus("cart.localhost", "none", problem="none covers it")
    running = {labels["part"]: value for labels, value in scene.samples("runyard_part_running")}
    assert running == {"firewall": 0, "gateway": 1}
    assert scene.value("runyard_part_starts_total", part="firewall") == 3
    # What there is not has no end.
    expiry = scene.samples("runyard_certificate_not_after_timestamp_seconds")
    assert expiry == [({"host": "web.localhost", "source": "local"}, 1_900_000_000)]
    problems = {labels["host"]: value for labels, value in scene.samples("runyard_certificate_problem")}
    assert problems == {"web.localhost": 0, "cart.localhost": 1}


def test_meter_tells_of_itself(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    take(scene)
    scene.account.take([b"no line"], START)
    for number in range(700):
        take(scene, status=100 + number)
    scene.readings.behind_bytes, scene.readings.lost_files, scene.readings.checkpoint_ms = 77, 2, START
    expected = {
        "lines_total": 701, "lines_refused_total": 1, "log_files_lost_total": 2, "behind_bytes": 77,
        "checkpoint_timestamp_seconds": START / 1000, "windows_total": 0, "spool_bytes": 0, "spool_dropped_total": 0,
        "registry_connected": 0,
    }  # fmt: skip
    for name, value in expected.items():
        assert scene.value(f"runyard_meter_{name}") == value, name
    assert scene.value("runyard_meter_folded_requests_total", tenant="shop", service="web") > 200


def test_label_that_a_client_could_choose_stays_a_label(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    take(scene, service='we"b\n{x="y"} 1', method='G"ET', path='/"\n')
    ((labels, count),) = scene.samples("runyard_requests_total")
    assert (labels["service"], count) == ('we"b\n{x="y"} 1', 1)
    assert "path" not in labels
