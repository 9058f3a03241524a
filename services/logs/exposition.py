"""Exposition: what the pump counts, for Prometheus; the labels are the registry's."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.logs.pump import Pump

_LABELS = ("tenant", "service")


class Exposition(Collector):
    """The metrics of one pump."""

    def __init__(self, pump: Pump) -> None:
        self._pump = pump

    def collect(self) -> Iterator[Metric]:
        """Give them as they are now."""
        kept = CounterMetricFamily("runyard_logs_bytes", "Bytes of logs that were taken in.", labels=_LABELS)
        lines = CounterMetricFamily("runyard_logs_lines", "Lines that were taken in.", labels=_LABELS)
        left = CounterMetricFamily("runyard_logs_left_out_bytes", "Bytes that a limit left out.", labels=_LABELS)
        refused = CounterMetricFamily("runyard_logs_refused_lines", "Lines that were none.", labels=_LABELS)
        for labels, totals in sorted(self._pump.totals.items()):
            kept.add_metric(labels, totals.bytes)
            lines.add_metric(labels, totals.lines)
            left.add_metric(labels, totals.left_out_bytes)
            refused.add_metric(labels, totals.refused_lines)
        yield from (kept, lines, left, refused)
        behind = GaugeMetricFamily("runyard_logs_behind_bytes", "Bytes that are written and not taken in.")
        behind.add_metric((), self._pump.behind_bytes)
        yield behind
