"""Simulation of a service: what a load is by default, what is left out, and what a month of it costs."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

import pytest

from runyard.contracts import ScalingSignal
from runyard.errors import UsageError
from runyard.forecast.picture import render_length, render_picture
from runyard.forecast.simulation import Load, Simulated, simulate_service, step_of
from runyard.forecast.simulation_report import describe_simulations, render_simulations
from runyard.manifest.model import Manifests, Platform, Scaling, Service
from runyard.scaling.counts import Span
from runyard.scaling.settings import ScalingSettings
from runyard.scaling.simulation import Batch, Moment, Outcome
from tests.unit.runyard.plan.example import service, template
from tests.unit.runyard.scaling.story import SETTINGS

DAY = "2026-11-23"
GIVEN = (Batch(0.0, 10, 0.5), Batch(60.0, 10, 0.5))
OUTCOME = Outcome(
    length_s=600.0, requests=1200, instance_s=900.0, active_s=300.0, late_s=12.0, starts=5, cold_starts=2, peak=4,
    responses={100: 1100, 400: 100}, moments=[Moment(0.2, 1, 0, 0.0, 3), Moment(300.0, 4, 4, 20.0, 0)],
)  # fmt: skip
SIMULATED = Simulated(
    "shop/web", Load("step", repeated=2), 100.0, Span(0, 9), OUTCOME, "USD", Decimal("12.34"), ("cpu",)
)


def simulated(
    load: Load, settings: ScalingSettings = SETTINGS, span: Span | None = None, of: Service | None = None
) -> Simulated:
    terms = (Manifests(Platform(), (), ()), DAY)
    return simulate_service(of or service(), settings, [(0, span or Span(0, 100))], load, terms)


def by(*signals: ScalingSignal) -> ScalingSettings:
    return dataclasses.replace(SETTINGS, signals=signals)


# Each shape has tens of thousands of steps, which measuring coverage makes three times as long; others count them.
@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("settings", "load", "peak"),
    [
        # Ten instances of seven requests that take a tenth of a second.
        (SETTINGS, Load("spike"), 700.0),
        (SETTINGS, Load("spike", request_s=0.5), 140.0),
        (by(ScalingSignal("rps", 30.0)), Load("spike"), 300.0),
        (by(ScalingSignal("rps", 30.0), ScalingSignal("concurrency", 1.0)), Load("spike"), 100.0),
        (SETTINGS, Load("spike", peak_rps=12.0), 12.0),
        (SETTINGS, Load("t.csv", GIVEN), 10.0),
    ],
)
def test_peak_is_what_needs_ten_instances_unless_it_is_known(
    settings: ScalingSettings, load: Load, peak: float
) -> None:
    assert simulated(load, settings).peak_rps == pytest.approx(peak)


def test_trace_of_a_file_lasts_a_minute_beyond_its_last_request() -> None:
    once, thrice = simulated(Load("t.csv", GIVEN)), simulated(Load("t.csv", GIVEN, repeated=3))
    assert (once.outcome.length_s, thrice.outcome.length_s) == (121, 363)
    assert (once.outcome.requests, thrice.outcome.requests) == (20, 60)


def test_signals_that_no_trace_tells_are_left_out_and_named() -> None:
    both = by(*SETTINGS.signals, ScalingSignal("cpu", 700.0), ScalingSignal("memory", 1e9))
    assert simulated(Load("t.csv", GIVEN), both).left_out == ("cpu", "memory")
    with pytest.raises(UsageError) as caught:
        simulated(Load("idle"), by(ScalingSignal("memory", 1e9)))
    assert str(caught.value) == "default/hello: must scale by concurrency or rps to be simulated, got memory"


@pytest.mark.parametrize(
    ("length_s", "step_s"), [(7200, 0.2), (7201, 1.0), (2 * 86_400, 1.0), (2 * 86_400 + 1, 2.0), (7 * 86_400, 2.0)]
)
def test_longer_trace_has_longer_steps(length_s: float, step_s: float) -> None:
    assert step_of(length_s) == step_s


@pytest.mark.no_cover
def test_moments_are_drawn_from_the_first_step_on_and_no_more_than_a_screen_has_points() -> None:
    hour = simulated(Load("spike", peak_rps=1.0))
    assert len(hour.outcome.moments) == 600
    assert hour.outcome.moments[0].at_s == pytest.approx(step_of(3600))
    longer = simulated(Load("t.csv", (Batch(0.0, 1, 0.5),), lasts_s=7800))
    assert longer.outcome.moments[0].at_s == step_of(7800) == 1.0


def cost(**changes: Any) -> Decimal:
    shape = template(**{"scaling": Scaling(0, 10), **changes})
    return simulated(Load("spike", peak_rps=200.0), span=Span(0, 10), of=service(template=shape)).month_cost


@pytest.mark.no_cover
def test_billing_by_instance_pays_idle_instances_and_billing_by_request_does_not() -> None:
    assert Decimal(0) < cost()
    assert cost() != cost(cpu_throttling=False)


@pytest.mark.no_cover
def test_instances_that_min_scale_keeps_are_paid_idle_too() -> None:
    load = Load("idle", peak_rps=1.0)
    kept = simulated(load, span=Span(2, 10), of=service(template=template(scaling=Scaling(2, 10))))
    asleep = simulated(load, span=Span(0, 10))
    assert kept.outcome.cold_starts == 0 < asleep.outcome.cold_starts
    assert kept.month_cost > asleep.month_cost


def test_date_without_prices_is_an_error() -> None:
    with pytest.raises(UsageError) as caught:
        simulate_service(
            service(), SETTINGS, [(0, Span(0, 1))], Load("t.csv", GIVEN), (Manifests(Platform(), (), ()), "1999-01-01")
        )
    assert "must have prices for 1999-01-01, got none" in str(caught.value)


def test_table_has_a_service_a_line_and_says_what_was_run() -> None:
    lines = render_simulations([SIMULATED]).splitlines()
    assert lines == [
        "service   instances  peak  starts  cold  p50 ms  p95 ms  p99 ms  a month",
        "shop/web       1.50     4       5     2     100     400     400    12.34",
        "",
        "Trace step, 2 times: 10 minutes, 1,200 requests, at most 100 a second.",
        "A start takes 300 ms; cold are those that requests waited for without an instance.",
        "Cost in USD of a month that is like it, without responses' bytes.",
        "Not simulated, as a trace does not tell it: cpu.",
    ]


def test_table_of_nothing_is_its_heading() -> None:
    assert render_simulations([]) == "service  instances  peak  starts  cold  p50 ms  p95 ms  p99 ms  a month\n"


def test_data_has_all_of_it_with_money_as_text() -> None:
    (described,) = describe_simulations([SIMULATED])["services"]
    assert described == {
        "service": "shop/web",
        "trace": "step",
        "lengthSeconds": 600.0,
        "requests": 1200,
        "peakRequestsPerSecond": 100.0,
        "instances": {"least": 0, "most": 9, "mean": 1.5, "peak": 4},
        "instanceSeconds": 900.0,
        "lateRequestSeconds": 12.0,
        "starts": 5,
        "coldStarts": 2,
        "responseMilliseconds": {"p50": 100, "p95": 400, "p99": 400},
        "cost": {"currency": "USD", "month": "12.34"},
        "notSimulated": ["cpu"],
    }


@pytest.mark.parametrize(
    ("seconds", "text"), [(30, "30 seconds"), (121, "2.02 minutes"), (7200, "2 hours"), (604_800, "7 days")]
)
def test_length_is_in_the_largest_unit_of_which_it_has_two(seconds: float, text: str) -> None:
    assert render_length(seconds) == text


def test_picture_has_its_scale_and_escapes_what_it_names() -> None:
    named = dataclasses.replace(SIMULATED, load=Load("<a&b>.csv", GIVEN))
    picture = render_picture(named)
    assert "<title>shop/web: &lt;a&amp;b&gt;.csv, at most 4 instances</title>" in picture
    # The highest of each plot: four instances, and twenty requests at once.
    assert ">4</text>" in picture
    assert ">20</text>" in picture
    assert render_picture(named) == picture


def test_picture_of_no_moments_has_no_curves() -> None:
    empty = dataclasses.replace(SIMULATED, outcome=dataclasses.replace(OUTCOME, moments=[]))
    assert "stroke-width" not in render_picture(empty)


def test_schedule_has_instances_there_before_the_load_comes_and_is_paid() -> None:
    asked = Load("t.csv", (Batch(600.0, 30, 0.5), Batch(1200.0, 1, 0.5)))
    terms = (Manifests(Platform(), (), ()), DAY)
    spans = [(0.0, Span(0, 100)), (590.0, Span(3, 100)), (700.0, Span(0, 100))]
    found = simulate_service(service(), SETTINGS, spans, asked, terms)
    asleep = simulated(asked)
    # Of the first requests none waits for a start; long after it, one does again.
    assert (found.outcome.cold_starts, asleep.outcome.cold_starts) == (1, 2)
    assert found.outcome.late_s < asleep.outcome.late_s
    assert found.span == Span(0, 100)
    assert found.month_cost > asleep.month_cost
    # Kept from before the load until ten seconds, and a window, after the last that kept them.
    assert found.outcome.instance_s >= 3 * 110
