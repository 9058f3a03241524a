"""What the apply benchmark takes its contenders through, and how it judges its targets."""

from __future__ import annotations

import pytest

from tests.bench import bench_apply
from tests.bench.bench_apply import CREATE, DESTROY, FORCED, NOTHING, ONE, PREVIEW, Target
from tests.bench.timing import Stopwatch


class Contender:
    name = "Runyard"

    def __init__(self, fails: bool = False) -> None:
        self.calls: list[str] = []
        self._fails = fails

    def up(self) -> None:
        self.calls.append("up")

    def force(self) -> None:
        self.calls.append("force")

    def preview(self) -> None:
        self.calls.append("preview")

    def change(self, count: int) -> None:
        self.calls.append(f"change {count}")

    def await_change(self) -> None:
        self.calls.append("await")

    def check(self) -> None:
        self.calls.append("check")
        if self._fails:
            raise RuntimeError("must answer 200: {'a': 503}")

    def down(self) -> None:
        self.calls.append("down")

    def close(self) -> None:
        self.calls.append("close")


def test_measure_gives_every_service_four_revisions_before_it_times_updates() -> None:
    contender, watch = Contender(), Stopwatch()
    bench_apply.measure(watch, contender, 3, rounds=1)
    assert contender.calls == [
        *("up", "check", *["change 3", "up"] * 4, "check"),
        *("up", "force", "preview", "change 1", "up", "await", "check", "down", "close"),
    ]
    jobs = (CREATE, NOTHING, FORCED, PREVIEW, ONE, DESTROY)
    assert list(watch.taken) == [f"3 services: {job}" for job in jobs]


def test_measure_takes_everything_down_when_a_check_fails() -> None:
    contender = Contender(fails=True)
    with pytest.raises(RuntimeError, match="must answer 200"):
        bench_apply.measure(Stopwatch(), contender, 1)
    assert contender.calls == ["up", "check", "down", "close"]


def taken(**seconds: float) -> Stopwatch:
    """A stopwatch with one job for two sizes of Runyard and one of Compose."""
    watch = Stopwatch()
    watch.taken = {
        "100 services: destroy": {"Runyard": [seconds["ours"]], "Compose v2": [seconds["theirs"]]},
        "300 services: destroy": {"Runyard": [seconds["larger"]]},
    }
    return watch


def test_targets_are_judged_in_seconds_by_compose_and_by_another_size() -> None:
    watch = taken(ours=4.0, theirs=2.5, larger=19.0)
    targets = [
        Target(DESTROY, 100, 4.0),
        Target(DESTROY, 100, 1.5, of="Compose v2"),
        Target(DESTROY, 300, 3.5, of_services=100),
        Target(CREATE, 100, 1.0),
    ]
    assert [line.split("  ")[-1].strip() for line in bench_apply.target_table(watch, targets).splitlines()[1:]] == [
        "met",
        "met with a reason",
        "missed",
    ]
    assert bench_apply.judged(watch, targets[1]) == [
        *("100 services: destroy", "1.5 x Compose v2", "1.60 x", "met with a reason")
    ]
    assert bench_apply.judged(watch, targets[0]) == ["100 services: destroy", "4 s", "4 s", "met"]


def test_targets_of_which_nothing_was_measured_are_not_shown() -> None:
    assert bench_apply.target_table(Stopwatch()) == "no target was measured"


def test_sizes_are_numbers_once_each() -> None:
    assert bench_apply.parse_sizes("1,30,30") == [1, 30]
    with pytest.raises(ValueError, match="at least 1, got 0"):
        bench_apply.parse_sizes("0")
