"""The benchmark of cold starts: what it calls met, and what missed, by times that are given."""

from __future__ import annotations

import re

from tests.bench.bench_coldstart import ALLOWED_MS, FLOORS, container_of, report


def times(above_ms: float) -> dict[str, list[float]]:
    floor = [float(each) for each in range(100, 130)]
    return {name: list(floor) for name in FLOORS.values()} | {
        way: [each + above_ms for each in floor] for way in FLOORS
    }


def test_wake_within_what_is_allowed_above_the_engines_own_calls_is_met() -> None:
    told = report(times(min(ALLOWED_MS.values())))
    assert len(re.findall(r"15 ms, (30|15) ms: met", told)) == 2


def test_wake_that_takes_longer_is_missed_by_its_own_bound() -> None:
    told = report(times(16))
    assert "16 ms, 30 ms: met" in told
    assert "16 ms, 15 ms: missed" in told


def test_every_way_has_its_median_its_p95_and_its_most() -> None:
    lines = report(times(0)).splitlines()
    assert [each.split("  ")[0] for each in lines[1:]] == [
        *("engine, start", "wake from stop", "engine, resume", "wake from freeze"),
    ]
    assert all(re.search(r"114 +128 +129", each) for each in lines[1:])


def test_bare_container_is_confined_as_an_instance_is() -> None:
    host = container_of("net")["HostConfig"]
    assert (host["CapDrop"], host["ReadonlyRootfs"], host["NetworkMode"]) == (["ALL"], True, "net")
