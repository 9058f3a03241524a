"""Metered: what a ledger measured of services, as the usage to expect of them, and as the size that would do."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from runyard.contracts import Measure
from runyard.forecast.cost import MONTH_S, Costs, price
from runyard.forecast.usage import Usage, Usages
from runyard.manifest.model import Manifests, Service
from runyard.manifest.pricebook import default_book
from runyard.names import service_key
from runyard.units import render_count

_HOUR_S, _DAY_S = 3600, 24 * 3600
_GIB = 1024**3
_SIX_PLACES = Decimal("0.000001")
# What is added to what was measured, as Kubernetes' autoscaler of limits does (its safety margin), and in which steps.
_MARGIN = Fraction(115, 100)
_CPU_STEP_MILLIS = 50
_MEMORY_STEP_BYTES = 32 * 1024**2


def usages_of(measures: Iterable[Measure], manifests: Manifests) -> Usages:
    """Give what services did, scaled to a month; what was measured for less than an hour is expected to be small.

    Time with requests in flight is kept, as requests of whole minimum charges that share instances.
    """
    minimum = (manifests.price_book or default_book()).minimum_charge_ms
    found = {
        service_key(each.tenant, each.service): _usage(each, minimum) for each in measures if each.seconds >= _HOUR_S
    }
    return Usages(services=found)


def _usage(measure: Measure, minimum_ms: int) -> Usage:
    month = Fraction(MONTH_S, measure.seconds)
    mean_ms = Fraction(measure.active_ms, measure.requests) if measure.requests else Fraction(0)
    charged_ms = max(1, -(-mean_ms // minimum_ms)) * minimum_ms
    hours, days = measure.seconds // _HOUR_S, measure.seconds // _DAY_S
    return Usage(
        requests=Decimal(round(measure.requests * month)),
        request_ms=Decimal(charged_ms),
        egress_gib=_decimal(Fraction(measure.egress_bytes, _GIB) * month),
        concurrency=_decimal(charged_ms / mean_ms) if mean_ms else Decimal(1),
        basis=f"metered, last {render_count(days, 'day') if days > 1 else render_count(hours, 'hour')}",
    )


def _decimal(number: Fraction) -> Decimal:
    return (Decimal(number.numerator) / Decimal(number.denominator)).quantize(_SIX_PLACES).normalize()


@dataclass(frozen=True, slots=True)
class Sizing:
    """The limits of a service's one container, those that would do by what was measured, and what they would save.

    `idle_percent` is the part of its instances' time without a request in flight. A `saving` below 0 is a cost: the
    service comes to its memory's limit.
    """

    tenant: str
    service: str
    idle_percent: int
    cpu_millis: int
    cpu_p95_millis: int
    cpu_advised_millis: int
    memory_bytes: int
    memory_peak_bytes: int
    memory_advised_bytes: int
    saving: Decimal

    @property
    def differs(self) -> bool:
        """Whether other limits than the present ones are advised."""
        return (self.cpu_millis, self.memory_bytes) != (self.cpu_advised_millis, self.memory_advised_bytes)


def size(manifests: Manifests, measures: Iterable[Measure], day: str, usages: Usages) -> tuple[Sizing, ...]:
    """Size services by what a day or more measured of them, and price the difference in a month from an ISO date.

    CPU is never advised above its limit, for it is cut there; memory is, where the peak comes to it. Services of
    several containers are left out: what is measured is of all of them.
    """
    services = {(each.tenant, each.name): each for each in manifests.services}
    before = price(manifests, day, usages)
    return tuple(_sizings(services, measures, before, (manifests, day, usages)))


def _sizings(
    services: dict[tuple[str, str], Service],
    measures: Iterable[Measure],
    before: Costs,
    priced: tuple[Manifests, str, Usages],
) -> Iterator[Sizing]:
    manifests, day, usages = priced
    for each in measures:
        service = services.get((each.tenant, each.service))
        if service is None or len(service.template.containers) != 1 or each.seconds < _DAY_S or not each.active_ms:
            continue
        (container,) = service.template.containers
        cpu = min(container.cpu_millis, _step(each.cpu_p95_millis, _CPU_STEP_MILLIS))
        memory = _step(each.memory_peak_bytes, _MEMORY_STEP_BYTES)
        sized = dataclasses.replace(container, cpu_millis=cpu, memory_bytes=memory)
        changed = dataclasses.replace(service, template=dataclasses.replace(service.template, containers=(sized,)))
        others = tuple(changed if other is service else other for other in manifests.services)
        after = price(dataclasses.replace(manifests, services=others), day, usages)
        yield Sizing(
            tenant=each.tenant,
            service=each.service,
            idle_percent=100 - min(100, 100 * each.active_ms // max(1, each.awake_ms)),
            cpu_millis=container.cpu_millis,
            cpu_p95_millis=each.cpu_p95_millis,
            cpu_advised_millis=cpu,
            memory_bytes=container.memory_bytes,
            memory_peak_bytes=each.memory_peak_bytes,
            memory_advised_bytes=memory,
            saving=before.totals[1] - after.totals[1],
        )


def _step(measured: int, step: int) -> int:
    return max(1, -(-int(measured * _MARGIN) // step)) * step
