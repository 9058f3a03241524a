from __future__ import annotations

from typing import Any

from runyard.cgroups import Usage
from runyard.contracts import GatewayLoad, RevisionLoad, ScalingDocument, TrafficShare
from runyard.scaling.decision import Decision
from services.orchestrator.model.instance import Container, Instance
from services.orchestrator.model.revision import Revision
from services.orchestrator.scaling.autoscaler import WOKEN_S, Autoscaler, Sight
from services.orchestrator.scaling.consumption import Consumption
from services.orchestrator.traffic.commitment import Commitment

from ..world import document

KEY = "default/hello-1"
TICK_S = 0.2


class Meter:
    def __init__(self) -> None:
        self.usage: Usage | None = Usage(0, 0)
        self.reads = 0

    def read(self, container: str) -> Usage | None:
        self.reads += 1
        return self.usage

    def keep(self, containers: set[str]) -> None:
        """Keep nothing."""


class Story:
    """An autoscaler that is told the load of one revision five times a second, on a clock of its own."""

    def __init__(self, present: int = 0, *, window_s: int = 6, concurrency: int = 10, **spec: Any) -> None:
        self.meter = Meter()
        self.autoscaler = Autoscaler(Consumption(self.meter))
        self.now_s = 100.0
        self.life = "life-1"
        self.generation = 1
        self.changes: list[Decision] = []
        self._busy = False
        self._sums = [0, 0]
        self._revision = Revision(document(scaling=ScalingDocument(window_s=window_s), concurrency=concurrency, **spec))
        self.service: dict[str, Any] = {}
        self.follow(present)

    def follow(self, present: int, ready: int | None = None, *, boosted: bool = False) -> None:
        commitment = Commitment("default", "hello", (TrafficShare("hello-1", 100),), **self.service)
        made = tuple(
            Instance(
                *(str(each), "default", "hello", "hello-1", "", ""),
                (Container(str(each), "app", "running", boosted=boosted),),
            )
            for each in range(present)
        )
        sight = Sight({"default/hello": commitment}, {KEY: self._revision}, made, made[:ready])
        self.autoscaler.follow(sight, self.now_s)

    @property
    def count(self) -> int:
        return self.autoscaler.scaled[KEY]

    def tell(self, in_flight: int = 0, waiting: int = 0, arrivals: int = 0, *, quiet: bool = False) -> bool:
        """Let a tick pass with this load, or with nothing that moved."""
        self.now_s += TICK_S
        self._sums[0] += arrivals
        self._sums[1] += round((in_flight + waiting) * TICK_S * 1000)
        loads = {} if quiet else {KEY: RevisionLoad(in_flight, waiting, *self._sums, since_ms=0)}
        self.generation += not quiet
        load = GatewayLoad(self.life, self.generation, round(self.now_s * 1000), loads)
        return self._note(self.autoscaler.take(load, self.now_s))

    def wake(self) -> bool:
        """Let a request wait for the revision."""
        return self._note(self.autoscaler.wake(KEY, self.now_s))

    def _note(self, changed: bool) -> bool:
        decided = self.autoscaler.decided(KEY)
        self.changes += [decided] if changed and decided else []
        return changed

    def go(self, seconds: float, in_flight: int = 0, *, quiet: bool = False) -> None:
        for _ in range(round(seconds / TICK_S)):
            # The last of them ends in a tick of its own.
            self.tell(in_flight, arrivals=in_flight, quiet=quiet and not self._busy)
            self._busy = in_flight > 0
            self.follow(self.count)

    def reasons(self) -> list[str]:
        return [each.why.value for each in self.changes]


def test_idle_revision_sleeps_after_its_window_and_is_not_looked_at_again() -> None:
    story = Story(present=1)
    story.go(5, quiet=True)
    assert story.count == 1
    story.go(4, quiet=True)
    assert story.count == 0
    observed = story.autoscaler.followed[KEY].observed_s
    story.go(60, quiet=True)
    assert story.autoscaler.followed[KEY].observed_s == observed
    assert story.reasons() == ["fewer"]


def test_request_wakes_a_sleeping_revision_at_once_and_only_once() -> None:
    story = Story()
    assert story.wake()
    assert story.count == 1
    assert not story.wake()
    assert story.count == 1
    assert story.reasons() == ["woken"]


def test_wake_of_what_is_not_in_force_is_nothing() -> None:
    story = Story()
    for name in ("default/hello-2", "", "hello-1", "x" * 100):
        assert not story.autoscaler.wake(name, story.now_s)
    assert story.autoscaler.scaled == {KEY: 0}


def test_many_first_requests_start_the_right_number_once() -> None:
    story = Story()
    story.wake()
    counts = []
    for tick in range(10):
        story.tell(waiting=50, arrivals=50 if tick == 0 else 0)
        counts.append(story.count)
    assert set(counts) == {5}


def test_woken_revision_stays_awake_as_long_as_somebody_waits() -> None:
    story = Story()
    story.wake()
    for _ in range(100):
        story.wake()
        story.tell(quiet=True)
    assert story.count == 1
    story.go(WOKEN_S + 9, quiet=True)
    assert story.count == 0


def test_load_adds_instances_and_its_end_removes_them() -> None:
    story = Story(present=1)
    story.go(3, in_flight=35)
    assert story.count == 5
    story.go(60, quiet=True)
    assert story.count == 0
    falls = [each for each in story.changes if each.count < each.before]
    assert all(each.count >= each.before // 2 for each in falls)


def test_restart_keeps_what_runs_until_a_whole_window_was_told() -> None:
    story = Story(present=7)
    story.go(5, in_flight=1)
    assert story.count == 7
    story.go(8, in_flight=1)
    assert story.count < 7


def test_restarted_gateway_s_sums_are_no_sign_of_idleness() -> None:
    story = Story(present=4)
    story.go(20, in_flight=24)
    before = story.count
    story.life, story.generation, story._sums = "life-2", 0, [0, 0]
    story.go(2, in_flight=24)
    assert story.count == before


def test_missing_load_holds_and_says_so() -> None:
    story = Story(present=3)
    story.go(20, in_flight=18)
    before = story.count
    for _ in range(100):
        story.now_s += 1
        story.autoscaler.hold(story.now_s)
    latest = story.autoscaler.followed[KEY].latest
    assert latest is not None
    assert (story.count, latest.hold, latest.why.value) == (before, True, "stale")
    assert "last told" in latest.reason
    # What comes back after a gap begins a window of its own.
    story.go(4, quiet=True)
    assert story.count == before


def test_cpu_that_cannot_be_read_keeps_what_there_is_and_lets_it_grow() -> None:
    story = Story(present=2)
    story.meter.usage = None
    story.go(30, quiet=True)
    latest = story.autoscaler.followed[KEY].latest
    assert latest is not None
    assert (story.count, latest.why.value, latest.inputs.unknown) == (2, "unknown", "cpu")
    story.go(3, in_flight=35)
    assert story.count > 2


def test_cpu_adds_instances() -> None:
    story = Story(present=1)
    for _ in range(50):
        # One container of one core, busy all the time.
        story.meter.usage = Usage(round((story.now_s - 100) * 1000), 0)
        story.go(TICK_S, in_flight=1)
    assert story.count >= 2


def test_minimum_is_kept_without_a_look_and_a_step_beyond_it_is_seen_in_a_second() -> None:
    story = Story(present=2, min_instances=2)
    story.go(30, quiet=True)
    assert (story.count, story.meter.reads) == (2, 0)
    story.go(1, in_flight=60)
    assert story.count >= 6


def test_maximum_and_count_by_hand_bound_what_the_load_asks_for() -> None:
    story = Story(present=1, max_instances=3)
    story.go(3, in_flight=90)
    assert story.count == 3
    story.service = {"manual_instances": 2}
    story.follow(3)
    assert story.count == 2
    story.go(3, in_flight=90)
    assert story.count == 2


def test_revision_that_is_no_longer_in_force_is_forgotten() -> None:
    story = Story(present=1)
    story.go(1, in_flight=1)
    story.autoscaler.follow(Sight({}, {}, (), ()), story.now_s)
    assert story.autoscaler.scaled == {}


def test_sum_that_was_told_before_a_revision_was_in_force_is_no_load_of_now() -> None:
    story = Story()
    commitment = Commitment("default", "hello", (TrafficShare("hello-2", 100),))
    two = Revision(document("hello-2", concurrency=10))
    load = GatewayLoad("life-1", 1, 100_000, {"default/hello-2": RevisionLoad(0, 0, 9000, 900_000, 0)})
    story.autoscaler.take(load, 100)
    revisions = {"default/hello-2": two}
    story.autoscaler.follow(Sight({"default/hello": commitment}, revisions, (), ()), 100)
    for tick in range(1, 20):
        told = {"default/hello-2": RevisionLoad(1, 0, 9000 + tick, 900_000 + 200 * tick, 0)}
        story.autoscaler.take(GatewayLoad("life-1", 1 + tick, 100_000 + 200 * tick, told), 100 + tick / 5)
    assert story.autoscaler.scaled["default/hello-2"] <= 1


def test_changes_have_their_reasons() -> None:
    story = Story(present=1)
    for _ in range(3):
        story.wake()
        story.go(9, quiet=True)
    assert {each.reason for each in story.changes} >= {"a request waits for it: it starts 1"}


def test_equal_stories_come_to_equal_counts() -> None:
    def told() -> list[int]:
        story, counts = Story(present=1), []
        for tick in range(300):
            story.go(TICK_S, in_flight=(tick * 7) % 31)
            counts.append(story.count)
        return counts

    assert told() == told()


def test_host_that_is_short_gets_no_more_instances_and_keeps_what_it_has() -> None:
    story = Story(present=2)
    story.autoscaler.note_shortage("memory: 1 of 100 MiB are available")
    story.go(5, in_flight=60)
    latest = story.autoscaler.followed[KEY].latest
    assert latest is not None
    assert (story.count, latest.why.value) == (2, "share")
    story.autoscaler.note_shortage("")
    story.go(3, in_flight=60)
    assert story.count > 2


def test_host_that_is_short_still_wakes_what_sleeps() -> None:
    story = Story()
    story.autoscaler.note_shortage("disk: 1 of 100 MiB are free")
    assert story.wake()
    assert story.count == 1


def test_cpu_that_an_instance_needs_to_start_adds_no_others() -> None:
    story = Story(present=1)
    story.follow(1, ready=0)
    for _ in range(50):
        story.meter.usage = Usage(round((story.now_s - 100) * 1000), 0)
        story.tell(waiting=1)
        story.follow(1, ready=0)
    assert (story.count, story.meter.reads) == (1, 0)


def test_cpu_of_a_boost_adds_no_others() -> None:
    def counted(*, boosted: bool) -> int:
        story = Story(present=1)
        for _ in range(50):
            story.meter.usage = Usage(round((story.now_s - 100) * 3000), 0)
            story.follow(1, boosted=boosted)
            story.tell(in_flight=1)
        return story.count

    assert (counted(boosted=True), counted(boosted=False) > 1) == (1, True)


class Host:
    """Two tenants with a service each on one host: what they have, and a load of so many requests at once."""

    def __init__(self, **present: int) -> None:
        self.autoscaler, self.now_s, self.sums = Autoscaler(Consumption(Meter())), 100.0, dict.fromkeys(present, 0)
        self.revisions = {
            f"{tenant}/web-1": Revision(
                document("web-1", tenant=tenant, service="web", scaling=ScalingDocument(window_s=6), concurrency=10)
            )
            for tenant in present
        }
        self.present = present
        self.paused: frozenset[str] = frozenset()
        self.follow()

    def follow(self) -> None:
        rollouts = {
            f"{tenant}/web": Commitment(tenant, "web", (TrafficShare("web-1", 100),)) for tenant in self.present
        }
        made = tuple(
            Instance(
                f"{tenant}{number}", tenant, "web", "web-1", "", "",
                (Container(f"{tenant}{number}", "app", "running"),),
            )
            for tenant, count in self.present.items()
            for number in range(count)
        )  # fmt: skip
        self.autoscaler.follow(Sight(rollouts, self.revisions, made, made, self.paused), self.now_s)

    @property
    def counts(self) -> dict[str, int]:
        return {key.partition("/")[0]: count for key, count in self.autoscaler.scaled.items()}

    def go(self, seconds: float, *, follows: bool = True, **in_flight: int) -> None:
        """Let time pass under a load; what runs is what is wanted, or as it was."""
        for _ in range(round(seconds / TICK_S)):
            self.now_s += TICK_S
            loads = {}
            for tenant, load in in_flight.items():
                self.sums[tenant] += round(load * TICK_S * 1000)
                loads[f"{tenant}/web-1"] = RevisionLoad(load, 0, self.sums[tenant] // 1000, self.sums[tenant], 0)
            told = GatewayLoad("life", round(self.now_s * 5), round(self.now_s * 1000), loads)
            self.autoscaler.take(told, self.now_s)
            self.present = self.counts if follows else self.present
            self.follow()


def test_full_host_is_shared_between_tenants_by_what_they_were_promised() -> None:
    host = Host(a=8, b=0)
    host.go(10, a=55, b=0)
    assert host.counts == {"a": 8, "b": 0}
    host.autoscaler.note_shortage("memory", {"a": 1000, "b": 1000})
    host.go(10, a=55, b=55)
    # Of a host that is still short nobody takes anything, but for the first.
    assert host.counts == {"a": 4, "b": 1}
    host.autoscaler.note_shortage("memory", {"a": 1000, "b": 1000}, relieved=True)
    host.go(3, a=55, b=55)
    assert host.counts == {"a": 4, "b": 4}
    latest = host.autoscaler.decided("b/web-1")
    assert latest is not None
    assert latest.reason.endswith(", 4 are its share while the host is full")
    host.autoscaler.note_shortage("")
    host.go(10, a=55, b=55)
    assert host.counts == {"a": 8, "b": 8}


def test_share_is_taken_when_it_is_free_and_not_before() -> None:
    host = Host(a=8, b=1)
    host.go(10, a=55, b=3)
    host.autoscaler.note_shortage("memory", relieved=True)
    host.go(10, follows=False, a=55, b=60)
    # What a gave up still runs.
    assert host.counts == {"a": 5, "b": 1}
    host.go(2, a=55, b=60)
    assert host.counts == {"a": 5, "b": 4}


def test_nothing_is_given_up_on_a_full_host_that_nobody_else_wants() -> None:
    host = Host(a=8, b=1)
    host.go(10, a=55, b=3)
    host.autoscaler.note_shortage("memory", {"a": 1, "b": 1000})
    host.go(30, a=55, b=3)
    assert host.counts == {"a": 8, "b": 1}


def test_load_that_is_not_told_gives_nothing_up_on_a_full_host() -> None:
    host = Host(a=8, b=1)
    host.go(10, a=55, b=3)
    host.autoscaler.note_shortage("memory", relieved=True)
    host.go(0.4, follows=False, a=55, b=60)
    before = host.counts
    host.autoscaler.hold(host.now_s + 60)
    assert host.counts == before


def test_paused_service_keeps_what_it_has_and_gets_nothing_on_a_full_host() -> None:
    host = Host(a=8, b=1, c=0)
    host.go(10, a=55, b=3)
    host.paused = frozenset(("a/web", "c/web"))
    host.autoscaler.note_shortage("memory", relieved=True)
    host.go(10, a=0, b=60, c=60)
    assert host.counts == {"a": 8, "b": 1, "c": 0}
    assert not host.autoscaler.wake("c/web-1", host.now_s)
    host.paused = frozenset()
    host.go(10, a=0, b=60, c=0)
    assert (host.counts["a"] < 8, host.counts["b"] > 1) == (True, True)


def test_paused_service_s_needs_are_not_asked_for_while_they_last() -> None:
    host = Host(a=2)
    host.paused = frozenset(("a/web",))
    host.follow()
    host.go(10, a=100)
    decided = host.autoscaler.decided("a/web-1")
    assert (host.counts, decided) == ({"a": 2}, None)
    host.paused = frozenset()
    host.go(3, a=100)
    assert host.counts["a"] > 2
