"""Metrics of the ledger: read once a minute, and honest while it cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from prometheus_client import CollectorRegistry

from runyard.errors import RunyardError
from services.billing.adapters.database import LedgerUnavailable
from services.billing.api.metrics import KEPT_S, LedgerMetrics
from services.billing.collector import Counts
from services.billing.reports import Gauges, ServiceGauge

GAUGES = Gauges(
    "USD",
    (ServiceGauge("shop", "web", Decimal("12.34"), Decimal("0.010000")),),
    datetime.fromtimestamp(940, UTC),
    3,
)


@dataclass
class Ledger:
    """A ledger that can be away, a clock, and how often it was read."""

    answer: Gauges | RunyardError = GAUGES
    now_s: float = 1000.0
    reads: int = 0

    def read(self) -> Gauges:
        self.reads += 1
        if isinstance(self.answer, RunyardError):
            raise self.answer
        return self.answer


def samples(ledger: Ledger, counts: Counts | None = None) -> tuple[LedgerMetrics, CollectorRegistry]:
    registry = CollectorRegistry()
    metrics = LedgerMetrics(ledger.read, counts or Counts(), lambda: ledger.now_s)
    registry.register(metrics)
    return metrics, registry


def test_cost_is_told_by_service_with_its_currency() -> None:
    _, registry = samples(Ledger())
    labels = {"tenant": "shop", "service": "web", "currency": "USD"}
    assert registry.get_sample_value("runyard_billing_month_cost", labels) == 12.34
    assert registry.get_sample_value("runyard_billing_hour_cost", labels) == 0.01
    assert registry.get_sample_value("runyard_billing_estimated_windows") == 3
    assert registry.get_sample_value("runyard_billing_ledger_lag_seconds") == 60


def test_ledger_is_read_once_a_minute_and_its_lag_grows_meanwhile() -> None:
    ledger = Ledger()
    _, registry = samples(ledger)
    for now_s, reads, lag in ((1000.0, 1, 60), (1000.0 + KEPT_S - 1, 1, 119), (1000.0 + KEPT_S, 2, 120)):
        ledger.now_s = now_s
        assert registry.get_sample_value("runyard_billing_ledger_lag_seconds") == lag
        assert ledger.reads == reads


def test_clock_that_goes_back_does_not_keep_what_is_old() -> None:
    ledger = Ledger()
    metrics, _ = samples(ledger)
    list(metrics.collect())
    ledger.now_s -= 10
    list(metrics.collect())
    assert ledger.reads == 2


def test_ledger_that_is_away_is_told_and_the_counters_stay() -> None:
    ledger = Ledger(LedgerUnavailable("away"))
    counts = Counts(new=7, refused=2, failures=4)
    _, registry = samples(ledger, counts)
    assert registry.get_sample_value("runyard_billing_ledger_up") == 0
    assert registry.get_sample_value("runyard_billing_windows_total", {"result": "new"}) == 7
    assert registry.get_sample_value("runyard_billing_windows_total", {"result": "refused"}) == 2
    assert registry.get_sample_value("runyard_billing_collector_failures_total") == 4
    assert registry.get_sample_value("runyard_billing_estimated_windows") is None
    ledger.answer = GAUGES
    assert registry.get_sample_value("runyard_billing_ledger_up") == 1


def test_ledger_without_windows_has_no_lag() -> None:
    _, registry = samples(Ledger(Gauges("", (), None, 0)))
    assert registry.get_sample_value("runyard_billing_ledger_lag_seconds") is None
    assert registry.get_sample_value("runyard_billing_ledger_up") == 1
