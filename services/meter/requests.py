"""Requests: counts of what the gateway's log tells, by service and revision, bounded for each service. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

from runyard.contracts import BOUNDS_S, RequestLine

# Samples of one service, whatever its revisions and statuses: some twenty revisions at once, with a few statuses each.
MOST_SAMPLES = 500
# What one more status of a revision takes, and what one more revision does.
_STATUS_SAMPLES, _REVISION_SAMPLES = 1, len(BOUNDS_S) + 8
# A revision that nobody called for so long makes room for another.
IDLE_MS = 3_600_000
# Where what finds no room is counted.
OTHER = "other"


@dataclass(frozen=True, slots=True)
class RevisionCounts:
    """What is counted of a revision: requests by status, in each bucket of `BOUNDS_S` and above, and sums.

    `duration_us` and `held_us` add up in whole microseconds, so that the order of requests changes no sum.
    """

    tenant: str
    service: str
    revision: str
    last_ms: int = 0
    statuses: tuple[tuple[str, int], ...] = ()
    buckets: tuple[int, ...] = ()
    duration_us: int = 0
    held_us: int = 0
    retries: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


@dataclass(frozen=True, slots=True)
class FoldedCount:
    """How many requests of a service were counted as `other`, for want of room."""

    tenant: str
    service: str
    requests: int


@dataclass(frozen=True, slots=True)
class RequestState:
    """All counts as plain data."""

    revisions: tuple[RevisionCounts, ...] = ()
    folded: tuple[FoldedCount, ...] = ()


@dataclass(slots=True)
class _Revision:
    last_ms: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    duration_us: int = 0
    held_us: int = 0
    retries: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


@dataclass(slots=True)
class _Service:
    revisions: dict[str, _Revision] = field(default_factory=dict)
    samples: int = 0
    folded: int = 0


class RequestCounts:
    """The counts of all services; what the gateway answered for nobody is of the service without a name."""

    def __init__(self, state: RequestState) -> None:
        self._services: dict[tuple[str, str], _Service] = {}
        for each in state.revisions:
            revision = self._revision(self._service(each.tenant, each.service), each.revision)
            revision.last_ms = each.last_ms
            revision.statuses = dict(each.statuses)
            # Bounds of another version cannot be told apart any more: only how many there were.
            same = len(each.buckets) == len(BOUNDS_S) + 1
            revision.buckets = list(each.buckets) if same else [*[0] * len(BOUNDS_S), sum(each.buckets)]
            revision.duration_us, revision.held_us, revision.retries = each.duration_us, each.held_us, each.retries
            revision.bytes_in, revision.bytes_out = each.bytes_in, each.bytes_out
            self._services[each.tenant, each.service].samples += len(each.statuses) * _STATUS_SAMPLES
        for folded in state.folded:
            self._service(folded.tenant, folded.service).folded = folded.requests

    def export(self) -> RequestState:
        """Give all counts as plain data, in order."""
        return RequestState(tuple(self.revisions()), tuple(self.folded()))

    def folded(self) -> Iterator[FoldedCount]:
        """Give what found no room, by service, in order."""
        return (FoldedCount(*key, each.folded) for key, each in sorted(self._services.items()) if each.folded)

    def revisions(self) -> Iterator[RevisionCounts]:
        """Give what is counted of each revision, in order."""
        for (tenant, service), each in sorted(self._services.items()):
            for name, counts in sorted(each.revisions.items()):
                yield RevisionCounts(
                    tenant=tenant,
                    service=service,
                    revision=name,
                    last_ms=counts.last_ms,
                    statuses=tuple(sorted(counts.statuses.items())),
                    buckets=tuple(counts.buckets),
                    duration_us=counts.duration_us,
                    held_us=counts.held_us,
                    retries=counts.retries,
                    bytes_in=counts.bytes_in,
                    bytes_out=counts.bytes_out,
                )

    def take(self, line: RequestLine) -> None:
        """Count a request that has ended."""
        service = self._services.get((line.tenant, line.service)) or self._service(line.tenant, line.service)
        at_ms, status = round(line.unix_s * 1000), str(line.status)
        counts = service.revisions.get(line.revision)
        if counts is None or status not in counts.statuses:
            counts, status = self._room(service, line.revision, status, at_ms)
        counts.last_ms = max(counts.last_ms, at_ms)
        counts.statuses[status] = counts.statuses.get(status, 0) + 1
        counts.buckets[bisect_left(BOUNDS_S, line.duration_s)] += 1
        counts.duration_us += round(line.duration_s * 1_000_000)
        counts.held_us += round(line.held_s * 1_000_000)
        counts.retries += line.retries
        counts.bytes_in += line.bytes_in
        counts.bytes_out += line.bytes_out

    def _room(self, service: _Service, revision: str, status: str, now_ms: int) -> tuple[_Revision, str]:
        """Find where to count a status of a revision that has none yet."""
        known = revision in service.revisions
        wanted = _STATUS_SAMPLES + (0 if known else _REVISION_SAMPLES)
        while service.samples + wanted > MOST_SAMPLES and self._forget_idle(service, revision, now_ms):
            pass
        if service.samples + wanted > MOST_SAMPLES:
            service.folded += 1
            revision, status = (revision if known else OTHER), OTHER
            if status not in service.revisions.get(revision, _Revision()).statuses:
                # Once for each revision, so that the bound is passed by little.
                service.samples += _STATUS_SAMPLES
        else:
            service.samples += _STATUS_SAMPLES
        return self._revision(service, revision), status

    @staticmethod
    def _forget_idle(service: _Service, needed: str, now_ms: int) -> bool:
        idle = [
            (counts.last_ms, name)
            for name, counts in service.revisions.items()
            if name not in (needed, OTHER) and counts.last_ms < now_ms - IDLE_MS
        ]
        if not idle:
            return False
        _, name = min(idle)
        service.samples -= len(service.revisions[name].statuses) * _STATUS_SAMPLES + _REVISION_SAMPLES
        del service.revisions[name]
        return True

    def _service(self, tenant: str, name: str) -> _Service:
        return self._services.setdefault((tenant, name), _Service())

    @staticmethod
    def _revision(service: _Service, name: str) -> _Revision:
        found = service.revisions.get(name)
        if found is None:
            found = service.revisions[name] = _Revision()
            service.samples += _REVISION_SAMPLES
        return found
