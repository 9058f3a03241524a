"""Timetable: what services' schedules ask for now, looked up once for each stretch of each service."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from runyard.contracts import RolloutRequest, ScheduledMinimum
from runyard.journal import Journal
from runyard.scaling.counts import Request, with_scheduled
from runyard.scaling.schedule import Stretch, stretch_at


class Timetable:
    """The stretches of services with a schedule, by `tenant/service`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._stretches: dict[str, Stretch] = {}
        # What was asked for and how it counts: the same for as long as both are.
        self._counted: dict[str, tuple[RolloutRequest, RolloutRequest]] = {}

    @property
    def stretches(self) -> Mapping[str, Stretch]:
        """The stretches in which services were when they were counted last."""
        return self._stretches

    def count(self, service: str, request: Request, now_unix_s: float) -> Request:
        """Give a rollout of a service as it counts instances now."""
        if not request.schedule:
            self._forget(service)
            return request
        stretch, (source, counted) = self._stretches.get(service), self._counted.get(service, (None, request))
        if stretch is None or source is None or source.schedule != request.schedule or not stretch.has(now_unix_s):
            stretch, source = self._look_up(service, request.schedule, now_unix_s), None
            self._stretches[service] = stretch
        if source is not request:
            counted = with_scheduled(request, stretch.instances)
            self._counted[service] = request, counted
        # Of the class that the request has.
        return counted  # type: ignore[return-value]

    def due_in_s(self, now_unix_s: float) -> float | None:
        """Give the seconds until another entry holds anywhere; None for never."""
        ends = [each.until_unix_s for each in self._stretches.values() if each.until_unix_s is not None]
        return max(0.0, min(ends) - now_unix_s) if ends else None

    def keep(self, services: Collection[str]) -> None:
        """Forget all others."""
        for gone in self._stretches.keys() - services:
            self._forget(gone)

    def _forget(self, service: str) -> None:
        # Most services have no schedule, and are asked about in each pass.
        if service in self._stretches:
            del self._stretches[service], self._counted[service]

    def _look_up(self, service: str, schedule: tuple[ScheduledMinimum, ...], now_unix_s: float) -> Stretch:
        try:
            return stretch_at(schedule, now_unix_s)
        except ValueError as error:
            # A zone that went with an older image: what else is asked for still holds.
            self._journal.write("schedule not kept", level="error", service=service, error=str(error))
            return Stretch()
