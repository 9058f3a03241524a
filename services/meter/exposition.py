"""Exposition: what the meter counts, as families of Prometheus, in base units, with labels that the registry bounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from runyard.cgroups import Counters
from runyard.contracts import BOUNDS_S
from runyard.registry import Registry
from services.meter.account import Account
from services.meter.requests import RevisionCounts
from services.meter.run import RunIdentity
from services.meter.spool import Spool

# Of one service; what it has more is counted and not shown.
MOST_CONTAINERS = 100
_REVISION = ("tenant", "service", "revision")
_CONTAINER = (*_REVISION, "instance", "container")
_MICRO = 1_000_000
_BOUNDS = (*(f"{each:g}" for each in BOUNDS_S), "+Inf")


@dataclass(slots=True)
class Readings:
    """What was read last: of each container by the engine's id, of the log, and of the checkpoint."""

    counters: dict[str, Counters] = field(default_factory=dict)
    network: dict[str, tuple[int, int]] = field(default_factory=dict)
    behind_bytes: int = 0
    lost_files: int = 0
    checkpoint_ms: int = 0


class Exposition(Collector):
    """The families of everything; they are made when somebody asks."""

    def __init__(self, account: Account, registry: Registry, spool: Spool, readings: Readings) -> None:
        self._account, self._registry, self._spool, self._readings = account, registry, spool, readings

    def collect(self) -> Iterator[Metric]:
        """Give all families."""
        yield from _requests(list(self._account.requests.revisions()))
        yield from self._containers()
        yield from self._revisions()
        yield from self._services()
        yield from self._platform()
        yield from self._meter()

    def _containers(self) -> Iterator[Metric]:
        shown: list[tuple[RunIdentity, Counters]] = []
        seen, folded = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        for run in self._account.windows.live:
            counters = self._readings.counters.get(run.identity.container)
            service = (run.identity.tenant, run.identity.service)
            seen[service] += 1
            if counters is not None and seen[service] <= MOST_CONTAINERS:
                shown.append((run.identity, counters))
            elif counters is not None:
                folded[service] += 1
        for name, help_, read in _OF_CONTAINERS:
            yield _family(name, help_, _CONTAINER, ((_labels(each), read(each, counts)) for each, counts in shown))
        for index, direction in enumerate(("received", "sent")):
            name = f"runyard_instance_network_{direction}_bytes_total"
            told = {each.instance: each for each, _ in shown if each.instance in self._readings.network}
            amounts = ((_labels(each)[:4], self._readings.network[instance][index]) for instance, each in told.items())
            yield _family(name, f"Bytes {direction} by an instance's interface.", _CONTAINER[:4], amounts)
        yield _family(
            "runyard_meter_folded_containers", "Containers of a service beyond those that are shown.",
            _REVISION[:2], folded.items(),
        )  # fmt: skip

    def _revisions(self) -> Iterator[Metric]:
        there = self._registry.there.revisions
        found = [((each.tenant, each.service, each.revision), each) for _, each in sorted(there.items())]
        for name, help_, amounts in (
            ("desired_instances", "Instances that a revision should have.", [each.desired for _, each in found]),
            ("ready_instances", "Instances of a revision that take requests.", [each.ready for _, each in found]),
            ("failures_total", "Instances of a revision that failed, since the orchestrator started.",
             [each.restarts for _, each in found]),
            ("oom_kills_total", "Instances that the kernel ended for their memory, since the orchestrator started.",
             [each.oom_kills for _, each in found]),
        ):  # fmt: skip
            owners = (owner for owner, _ in found)
            yield _family(f"runyard_revision_{name}", help_, _REVISION, zip(owners, amounts, strict=True))
        bounded = ((owner, each.most) for owner, each in found if each.most >= 0)
        yield _family("runyard_revision_most_instances", "Instances that a revision may have.", _REVISION, bounded)

    def _services(self) -> Iterator[Metric]:
        found = [each for _, each in sorted(self._registry.there.services.items()) if not each.objective.none]
        yield _family(
            "runyard_service_error_budget_ratio", "Part of its requests that may be answered with an error.",
            _REVISION[:2], (((each.tenant, each.service), each.objective.errors) for each in found),
        )  # fmt: skip
        yield _family(
            "runyard_service_slow_budget_ratio", "Part of its requests that may take longer than le, in seconds.",
            (*_REVISION[:2], "le"),
            (
                ((each.tenant, each.service, f"{each.objective.latency_s:g}"), each.objective.slow)
                for each in found if each.objective.slow
            ),
        )  # fmt: skip

    def _platform(self) -> Iterator[Metric]:
        parts = sorted(self._registry.there.parts.items())
        # What is being made anew is not down.
        running = [((name,), each.state in ("running", "between")) for name, each in parts]
        yield _family("runyard_part_running", "Whether a part of the platform runs.", ("part",), running)
        yield _family(
            "runyard_part_starts_total", "Times that a part was found stopped and started again.",
            ("part",), (((name,), each.restarts) for name, each in parts),
        )  # fmt: skip
        hosts = [each for _, each in sorted(self._registry.there.certificates.items())]
        yield _family(
            "runyard_certificate_not_after_timestamp_seconds", "When the certificate of a host ends.",
            ("host", "source"), (((each.host, each.source), each.not_after) for each in hosts if each.not_after),
        )  # fmt: skip
        yield _family(
            "runyard_certificate_problem", "Whether a host has no certificate that can be used or renewed.",
            ("host", "source"), (((each.host, each.source), bool(each.problem)) for each in hosts),
        )  # fmt: skip

    def _meter(self) -> Iterator[Metric]:
        account, readings = self._account, self._readings
        folded = (((each.tenant, each.service), each.requests) for each in account.requests.folded())
        yield _family(
            "runyard_meter_folded_requests_total", "Requests counted as other, for want of room in their service.",
            _REVISION[:2], folded,
        )  # fmt: skip
        for name, help_, amount in (
            ("lines_total", "Lines of the request log that were taken in.", account.taken),
            ("lines_refused_total", "Lines of the request log that could not be read.", account.refused),
            ("log_files_lost_total", "Files of the request log that went unread.", readings.lost_files),
            ("behind_bytes", "Bytes of the request log that are written and not read.", readings.behind_bytes),
            ("checkpoint_timestamp_seconds", "When the counts were last kept.", readings.checkpoint_ms / 1000),
            ("windows_total", "Windows of usage that were closed.", account.windows_closed),
            ("spool_bytes", "Bytes of closed windows that are kept for readers.", self._spool.bytes),
            ("spool_dropped_total", "Batches that made room, since the meter started.", self._spool.dropped),
            ("registry_connected", "Whether the orchestrator tells what there is.", self._registry.connected),
        ):
            yield _family(f"runyard_meter_{name}", help_, (), [((), amount)])


Read = Callable[[RunIdentity, Counters], float]
_OF_CONTAINERS: tuple[tuple[str, str, Read], ...] = (
    ("runyard_container_cpu_seconds_total", "CPU time.", lambda _, each: each.cpu_us / _MICRO),
    ("runyard_container_cpu_limit_cores", "Cores that it may use.", lambda run, _: run.cpu_millis / 1000),
    ("runyard_container_cpu_periods_total", "Periods of its CPU limit.", lambda _, each: each.periods),
    (
        "runyard_container_cpu_throttled_periods_total", "Periods that ended before it was through.",
        lambda _, each: each.throttled_periods,
    ),
    (
        "runyard_container_cpu_throttled_seconds_total", "Time that its CPU limit cost it.",
        lambda _, each: each.throttled_us / _MICRO,
    ),
    (
        "runyard_container_memory_working_set_bytes", "Memory in use, without idle file pages.",
        lambda _, each: each.memory_bytes,
    ),
    ("runyard_container_memory_peak_bytes", "Most memory at once.", lambda _, each: each.memory_peak_bytes),
    ("runyard_container_memory_limit_bytes", "Memory that it may use.", lambda run, _: run.memory_bytes),
    ("runyard_container_oom_kills_total", "Processes killed for want of memory.", lambda _, each: each.oom_kills),
    ("runyard_container_processes", "Processes and threads.", lambda _, each: each.processes),
    ("runyard_container_block_read_bytes_total", "Bytes read from devices.", lambda _, each: each.read_bytes),
    ("runyard_container_block_written_bytes_total", "Bytes written to devices.", lambda _, each: each.written_bytes),
    ("runyard_container_frozen", "Whether it sleeps with its memory.", lambda _, each: each.frozen),
)  # fmt: skip


def _requests(found: list[RevisionCounts]) -> Iterator[Metric]:
    yield _family(
        "runyard_requests_total", "Requests that have ended, by the status of their answer.", (*_REVISION, "code"),
        (((*_owner(each), code), count) for each in found for code, count in each.statuses),
    )  # fmt: skip
    histogram = HistogramMetricFamily(
        "runyard_request_duration_seconds", "From the first byte of a request to the last of its answer.",
        labels=_REVISION,
    )  # fmt: skip
    for each in found:
        total, buckets = 0, []
        for bound, count in zip(_BOUNDS, each.buckets, strict=True):
            total += count
            buckets.append((bound, total))
        histogram.add_metric(_owner(each), buckets, each.duration_us / _MICRO)
    yield histogram
    amounts: tuple[tuple[str, str, Callable[[RevisionCounts], float]], ...] = (
        ("held_seconds_total", "Time that requests waited for an instance.", lambda each: each.held_us / _MICRO),
        ("retries_total", "Tries of another instance.", lambda each: each.retries),
        ("received_bytes_total", "Bytes of requests, headers included.", lambda each: each.bytes_in),
        ("sent_bytes_total", "Bytes of answers, headers included.", lambda each: each.bytes_out),
    )
    for name, help_, read in amounts:
        yield _family(f"runyard_request_{name}", help_, _REVISION, ((_owner(each), read(each)) for each in found))


def _owner(each: RevisionCounts) -> tuple[str, str, str]:
    return each.tenant, each.service, each.revision


def _labels(run: RunIdentity) -> tuple[str, ...]:
    return run.tenant, run.service, run.revision, run.instance, run.name


def _family(
    name: str, help_: str, labels: Iterable[str], samples: Iterable[tuple[tuple[str, ...], float]]
) -> CounterMetricFamily | GaugeMetricFamily:
    """Make a family: a counter if its name says so, else a gauge."""
    kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    family = kind(name, help_, labels=tuple(labels))
    for values, amount in samples:
        family.add_metric(values, amount)
    return family
