"""Loads: the requests of each service by the minute, a file a service and day, for eight days and no longer."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runyard import files
from runyard.codec import VERSION
from runyard.contracts import RECORDED_DAYS, RecordedMinute, decode, encode
from runyard.errors import ContractError
from runyard.journal import Journal

DAY_S = 86_400
_MINUTES = DAY_S // 60
# What reading a file may find wrong with it.
_BROKEN = (ContractError, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class RecordedDay:
    """A file: what is recorded of a service, as `tenant/service`, on a day, counted since 1970."""

    service: str
    day: int
    minutes: tuple[RecordedMinute, ...]
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Beginnings:
    """The file that says since when each service is recorded, in seconds since 1970: before that nobody knows."""

    since: Mapping[str, int] = field(default_factory=dict)
    version: int = VERSION


class LoadStore:
    """Recorded minutes by `tenant/service`, on disk alone.

    A file that is lost or broken loses what it had and nothing else. None is written so that it outlives a power cut:
    that would cost a wait for the disk, and what is lost is some minutes.
    """

    def __init__(self, directory: Path, journal: Journal) -> None:
        self._directory = directory / "loads"
        self._beginnings_file = directory / "loads.json"
        self._journal = journal
        self._directory.mkdir(parents=True, exist_ok=True)
        files.clear(self._directory)
        self._since = self._load_beginnings()

    @property
    def since(self) -> Mapping[str, int]:
        """Since when each service is recorded, in seconds since 1970; not to be changed."""
        return self._since

    def begin(self, services: Collection[str], now_unix_s: float) -> None:
        """Record these services from now on, beside those that are recorded already; OSError if the disk cannot."""
        if new := dict.fromkeys(set(services) - self._since.keys(), int(now_unix_s)):
            self._save_beginnings({**self._since, **new})

    def forget(self, service: str) -> None:
        """Forget all that is recorded of a service; OSError if the disk cannot."""
        if service in self._since:
            self._save_beginnings({key: since for key, since in self._since.items() if key != service})
        for path in self._directory.glob(f"{service.replace('/', '.')}.*.json"):
            path.unlink()

    def add(self, service: str, minutes: Mapping[int, RecordedMinute]) -> None:
        """Add minutes, by their number, to what is recorded of a service; OSError if the disk cannot."""
        for day in sorted({number // _MINUTES for number in minutes}):
            found = {each[0]: each for each in self._load(service, day)}
            for number, added in minutes.items():
                if number // _MINUTES == day:
                    add_to(found, added)
            text = encode(RecordedDay(service, day, tuple(found[number] for number in sorted(found))))
            files.write(self._path(service, day), text, durable=False)

    def read(self, service: str, since_unix_s: float, until_unix_s: float) -> Iterator[RecordedMinute]:
        """Give the minutes that are recorded of a service and lie wholly or in part in this time, in order."""
        first, last = int(since_unix_s) // 60, int(until_unix_s) // 60
        for day in range(first // _MINUTES, last // _MINUTES + 1):
            yield from (each for each in self._load(service, day) if first <= each[0] <= last)

    def prune(self, now_unix_s: float) -> None:
        """Remove the days that are over for longer than is kept, and those that a clock set wrong made."""
        today = int(now_unix_s) // DAY_S
        for path in self._directory.iterdir():
            day = path.stem.rpartition(".")[2]
            if not day.isdecimal() or not today - RECORDED_DAYS <= int(day) <= today + 1:
                path.unlink(missing_ok=True)

    def _load(self, service: str, day: int) -> tuple[RecordedMinute, ...]:
        path = self._path(service, day)
        try:
            found = decode(RecordedDay, path.read_bytes())
            if (found.service, found.day) != (service, day):
                raise ContractError(f"holds day {found.day} of {found.service}")
            if any(each[0] // _MINUTES != day or min(each) < 0 for each in found.minutes):
                raise ContractError("holds what is no minute of its day")
        except FileNotFoundError:
            return ()
        except _BROKEN as error:
            self._journal.write("recorded load corrupt", level="warning", file=path.name, error=str(error))
            return ()
        return found.minutes

    def _path(self, service: str, day: int) -> Path:
        # Both parts of a service's name are DNS labels, which have no dots.
        return self._directory / f"{service.replace('/', '.')}.{day}.json"

    def _load_beginnings(self) -> Mapping[str, int]:
        try:
            return decode(Beginnings, self._beginnings_file.read_bytes()).since
        except FileNotFoundError:
            return {}
        except _BROKEN as error:
            name = self._beginnings_file.name
            self._journal.write("recorded load corrupt", level="warning", file=name, error=str(error))
            return {}

    def _save_beginnings(self, since: Mapping[str, int]) -> None:
        files.write(self._beginnings_file, encode(Beginnings(since)), durable=False)
        self._since = since


def add_to(minutes: dict[int, RecordedMinute], more: RecordedMinute) -> None:
    """Add a record to what there is of its minute, by its number; the busiest second of it is one of theirs."""
    number, arrivals, served_ms, busiest = minutes.get(more[0], (more[0], 0, 0, 0))
    minutes[number] = number, arrivals + more[1], served_ms + more[2], max(busiest, more[3])
