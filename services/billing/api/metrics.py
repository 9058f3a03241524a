"""Metrics: the ledger as a scraper sees it, read anew at most once a minute, as windows come no faster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Lock

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from runyard.contracts import BudgetStatuses
from runyard.errors import RunyardError
from services.billing.collector import Counts
from services.billing.reports import Gauges

KEPT_S = 60.0


@dataclass(eq=False)
class LedgerMetrics(Collector):
    """What `read` gives, kept for a minute; while the ledger cannot be read there are its counters alone."""

    read: Callable[[], Gauges]
    counts: Counts
    clock: Callable[[], float]
    _lock: Lock = field(default_factory=Lock)
    _kept: tuple[float, Gauges] | None = None

    def collect(self) -> Iterator[Metric]:
        """Give all families."""
        gauges = self._gauges()
        up = GaugeMetricFamily("runyard_billing_ledger_up", "Whether the ledger's database answers.")
        up.add_metric([], 0 if gauges is None else 1)
        yield up
        yield from self._counters()
        if gauges is not None:
            yield from self._costs(gauges)

    def _gauges(self) -> Gauges | None:
        with self._lock:
            now = self.clock()
            if self._kept is None or not 0 <= now - self._kept[0] < KEPT_S:
                try:
                    self._kept = now, self.read()
                except RunyardError:
                    self._kept = None
            return self._kept[1] if self._kept else None

    def _counters(self) -> Iterator[Metric]:
        windows = CounterMetricFamily(
            "runyard_billing_windows", "Windows that came from the meter, by what became of them.", labels=["result"]
        )
        for result in ("new", "known", "refused", "contradicted", "stolen"):
            windows.add_metric([result], getattr(self.counts, result))
        yield windows
        failures = CounterMetricFamily("runyard_billing_collector_failures", "Tries to take a batch that failed.")
        failures.add_metric([], self.counts.failures)
        yield failures

    def _costs(self, gauges: Gauges) -> Iterator[Metric]:
        labels = ["tenant", "service", "currency"]
        month = GaugeMetricFamily(
            "runyard_billing_month_cost", "Cost of this month so far, as its draft has it.", labels=labels
        )
        hour = GaugeMetricFamily("runyard_billing_hour_cost", "Cost of the last hour, at list prices.", labels=labels)
        for each in gauges.services:
            month.add_metric([each.tenant, each.service, gauges.currency], float(each.month))
            hour.add_metric([each.tenant, each.service, gauges.currency], float(each.hour))
        yield month
        yield hour
        if gauges.last_window is not None:
            lag = GaugeMetricFamily(
                "runyard_billing_ledger_lag_seconds", "How long ago the newest window ended that the ledger has."
            )
            lag.add_metric([], max(0.0, self.clock() - gauges.last_window.timestamp()))
            yield lag
        estimated = GaugeMetricFamily(
            "runyard_billing_estimated_windows", "Windows of this month of which something was estimated."
        )
        estimated.add_metric([], gauges.estimated_windows)
        yield estimated


@dataclass(eq=False)
class BudgetMetrics(Collector):
    """How budgets stood when they were judged last: never kept, for alerts go by it."""

    read: Callable[[], BudgetStatuses]

    def collect(self) -> Iterator[Metric]:
        """Give all families; those of a tenant without a budget are empty."""
        labels = ["tenant", "currency"]
        amount = GaugeMetricFamily("runyard_billing_budget", "What the tenant may cost in a month.", labels=labels)
        forecast = GaugeMetricFamily(
            "runyard_billing_forecast_cost", "What the tenant's month comes to if it goes on as it did.", labels=labels
        )
        crossed = GaugeMetricFamily(
            "runyard_billing_budget_crossed",
            "1 for each threshold of its budget that the tenant has crossed this month.",
            labels=["tenant", "percent", "spending", "action"],
        )
        for each in self.read().budgets:
            amount.add_metric([each.tenant, each.budget.currency], float(each.budget.amount))
            forecast.add_metric([each.tenant, each.budget.currency], float(each.spend.forecast))
            for crossing in each.crossings:
                of = crossing.threshold
                crossed.add_metric([each.tenant, str(of.percent), of.spending, of.action], 1)
        yield from (amount, forecast, crossed)
