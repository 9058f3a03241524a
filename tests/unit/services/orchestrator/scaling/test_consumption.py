from __future__ import annotations

from runyard.cgroups import Usage
from services.orchestrator.scaling.consumption import READ_S, Consumption

KEY = "shop/web-1"


class Meter:
    def __init__(self, **usage: Usage | None) -> None:
        self.usage: dict[str, Usage | None] = dict(usage)
        self.reads = 0
        self.kept: set[str] = set()

    def read(self, container: str) -> Usage | None:
        self.reads += 1
        return self.usage.get(container)

    def keep(self, containers: set[str]) -> None:
        self.kept = containers


def followed(meter: Meter, *containers: str) -> Consumption:
    consumption = Consumption(meter)
    consumption.follow({KEY: containers})
    return consumption


def test_cpu_counts_from_the_first_look_on_and_memory_as_it_is() -> None:
    meter = Meter(a=Usage(500, 10), b=Usage(700, 20))
    consumption = followed(meter, "a", "b")
    assert consumption.of(KEY, 10) == Usage(0, 30)
    meter.usage |= {"a": Usage(600, 11), "b": Usage(750, 22)}
    assert consumption.of(KEY, 10 + READ_S) == Usage(150, 33)


def test_instance_that_goes_takes_nothing_of_the_sum_and_one_that_comes_begins_at_none() -> None:
    meter = Meter(a=Usage(0, 10), b=Usage(0, 10), c=Usage(900, 10))
    consumption = followed(meter, "a", "b")
    consumption.of(KEY, 0)
    meter.usage |= {"a": Usage(100, 10), "b": Usage(100, 10)}
    consumption.of(KEY, 1)
    consumption.follow({KEY: ["b", "c"]})
    assert meter.kept == {"b", "c"}
    assert consumption.of(KEY, 2) == Usage(200, 20)
    meter.usage |= {"c": Usage(950, 10)}
    assert consumption.of(KEY, 3) == Usage(250, 20)


def test_counter_that_fell_counts_for_nothing() -> None:
    meter = Meter(a=Usage(100, 10))
    consumption = followed(meter, "a")
    consumption.of(KEY, 0)
    meter.usage["a"] = Usage(5, 10)
    assert consumption.of(KEY, 1) == Usage(0, 10)


def test_one_that_cannot_be_read_makes_the_sum_unknown() -> None:
    meter = Meter(a=Usage(100, 10), b=None)
    assert followed(meter, "a", "b").of(KEY, 0) is None


def test_revision_without_containers_uses_nothing() -> None:
    assert followed(Meter()).of(KEY, 0) == Usage(0, 0)


def test_files_are_read_no_more_than_once_a_second() -> None:
    meter = Meter(a=Usage(100, 10))
    consumption = followed(meter, "a")
    for tenth in range(10):
        consumption.of(KEY, tenth / 10)
    assert meter.reads == 1


def test_revision_that_went_to_sleep_begins_anew() -> None:
    meter = Meter(a=Usage(0, 10))
    consumption = followed(meter, "a")
    consumption.of(KEY, 0)
    meter.usage["a"] = Usage(70, 10)
    assert consumption.of(KEY, 1) == Usage(70, 10)
    consumption.follow({})
    assert consumption.of(KEY, 1.1) == Usage(0, 0)
