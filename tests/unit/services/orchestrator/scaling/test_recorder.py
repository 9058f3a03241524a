"""The recorder: counters of the gateway become minutes, over lives of the gateway and of the orchestrator."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from runyard.contracts import RECORDED_DAYS, GatewayLoad, RecordedLoad, RevisionLoad
from runyard.errors import NotFound
from services.orchestrator.model.revision import Revision
from services.orchestrator.scaling.recorder import WRITE_S, Recorder
from services.orchestrator.store.loads import LoadStore

from ..world import NOW, ListJournal, document

ONE, TWO = "default/hello-1", "default/hello-2"
REVISIONS = {ONE: Revision(document("hello-1")), TWO: Revision(document("hello-2"))}
SERVICES = ("default/hello",)
MINUTE = int(NOW) // 60


class Story:
    """A recorder that is told loads on a clock of the story's own."""

    def __init__(self, directory: Path, since_s: float = 0.0) -> None:
        self.directory, self.now_s, self.life = directory, NOW + since_s, "life-1"
        self.journal = ListJournal()
        self.recorder = Recorder(LoadStore(directory, self.journal), self.journal)
        self.recorder.follow(SERVICES, NOW)

    def tell(self, passed_s: float = 0.2, **loads: tuple[int, int, int, int]) -> None:
        """Let time pass and tell in flight, waiting, arrivals and milliseconds of revisions."""
        self.now_s += passed_s
        told = {f"default/{name.replace('_', '-')}": RevisionLoad(*each, 0) for name, each in loads.items()}
        self.take(told)

    def take(self, told: dict[str, RevisionLoad]) -> None:
        load = GatewayLoad(self.life, 1, round((self.now_s - NOW + 1000) * 1000), told)
        self.recorder.take(load, REVISIONS, self.now_s)

    def read(self) -> RecordedLoad:
        return asyncio.run(self.recorder.read("default", "hello", self.now_s))

    @property
    def minutes(self) -> list[tuple[int, int, int, int]]:
        return [(number - MINUTE, *rest) for number, *rest in self.read().minutes]  # type: ignore[misc]


def test_revisions_of_a_service_are_added_up_by_the_minute(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.tell()
    story.tell(hello_1=(1, 0, 3, 100))
    story.tell(hello_1=(0, 0, 5, 300), hello_2=(0, 0, 4, 200))
    story.tell(passed_s=59.6, hello_1=(0, 0, 6, 350))
    assert story.minutes == [(0, 9, 500, 9), (1, 1, 50, 0)]


def test_what_came_before_the_first_answer_is_not_recorded(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.tell(hello_1=(2, 0, 500, 90_000))
    story.tell(hello_1=(1, 0, 501, 90_040))
    assert story.minutes == [(0, 1, 40, 1)]


def test_new_life_of_the_gateway_begins_its_sums_anew(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.tell(hello_1=(0, 0, 10, 1000))
    story.life = "life-2"
    story.tell(hello_1=(0, 0, 2, 60))
    assert story.minutes == [(0, 2, 60, 2)]


def test_sums_that_begin_anew_within_a_life_are_no_fall(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.tell(hello_1=(0, 0, 10, 1000))
    story.now_s += 1
    story.take({ONE: RevisionLoad(0, 0, 1, 20, since_ms=500)})
    assert story.minutes == [(0, 1, 20, 1)]


def test_time_in_which_requests_wait_is_not_that_of_an_instance(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.tell(hello_1=(0, 0, 0, 0))
    story.tell(hello_1=(0, 5, 5, 500))
    story.tell(hello_1=(5, 0, 5, 1500))
    # Two and a half waited on average in each of the two fifths of a second.
    assert story.minutes == [(0, 5, 500 - 500 + 1000 - 500, 5)]


def test_busiest_second_is_of_a_minute_and_unknown_after_a_pause(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.tell()
    for arrivals in (4, 8, 12, 13):
        story.tell(hello_1=(0, 0, arrivals, 0))
    story.tell(passed_s=0.4, hello_1=(0, 0, 15, 0))
    story.tell(passed_s=30, hello_1=(0, 0, 900, 0))
    # The last of them, and two more, are of the next second.
    assert story.minutes == [(0, 900, 0, 12)]


def test_load_of_an_unknown_revision_is_nobodys(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.tell()
    story.tell(hello_9=(0, 0, 7, 10))
    assert story.minutes == []


def test_due_minutes_are_written_one_service_at_a_time_and_read_once(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.tell()
    story.tell(hello_1=(0, 0, 3, 30))
    story.recorder.write(story.now_s)
    assert list((tmp_path / "loads").iterdir()) == []
    before = story.read()
    story.recorder.write(NOW + WRITE_S)
    assert len(list((tmp_path / "loads").iterdir())) == 1
    assert story.read() == before
    story.tell(hello_1=(0, 0, 4, 40))
    assert story.minutes == [(0, 4, 40, 4)]
    again = Story(tmp_path)
    assert again.minutes == [(0, 3, 30, 3)]


def test_clock_that_was_set_back_keeps_nothing_in_memory_for_ever(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.tell()
    story.tell(hello_1=(0, 0, 3, 30))
    story.recorder.write(NOW - 3600)
    assert len(list((tmp_path / "loads").iterdir())) == 1


def test_reading_while_a_minute_is_written_counts_it_once(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.tell()
    story.tell(hello_1=(0, 0, 3, 30))

    async def race() -> RecordedLoad:
        reading = asyncio.create_task(story.recorder.read("default", "hello", story.now_s))
        await asyncio.sleep(0)
        story.recorder.write(story.now_s, everything=True)
        return await reading

    assert [each[1:] for each in asyncio.run(race()).minutes] == [(3, 30, 3)]


def test_record_begins_with_the_service_and_is_of_eight_days_at_most(tmp_path: Path) -> None:
    story = Story(tmp_path, since_s=3600)
    assert (story.read().since_unix_s, story.read().until_unix_s) == (NOW, NOW + 3600)
    story.now_s = NOW + 20 * 86_400
    assert story.read().until_unix_s - story.read().since_unix_s == RECORDED_DAYS * 86_400


def test_deleted_service_is_forgotten_and_others_are_not_found(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.tell()
    story.tell(hello_1=(0, 0, 3, 30))
    story.recorder.write(story.now_s, everything=True)
    story.recorder.forget("default/hello")
    with pytest.raises(NotFound) as caught:
        story.read()
    assert str(caught.value) == ("recorded load default/hello: must be of a service of the stack, got none of its name")
    assert list((tmp_path / "loads").iterdir()) == []


def test_disk_that_takes_nothing_is_told_once_and_bounds_memory(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.tell()
    (tmp_path / "loads").rmdir()
    for arrivals in (1, 2):
        story.tell(hello_1=(0, 0, arrivals, 0))
        story.recorder.write(story.now_s, everything=True)
    assert story.journal.events() == ["load not recorded"]
    (tmp_path / "loads").mkdir()
    story.tell(hello_1=(0, 0, 5, 0))
    story.recorder.write(story.now_s, everything=True)
    assert [each[:3] for each in story.minutes] == [(0, 3, 0)]


def test_new_day_removes_what_is_too_old(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.tell()
    story.tell(hello_1=(0, 0, 1, 0))
    story.recorder.write(story.now_s, everything=True)
    story.tell(passed_s=(RECORDED_DAYS + 1) * 86_400)
    assert list((tmp_path / "loads").iterdir()) == []
