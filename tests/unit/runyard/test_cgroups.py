from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runyard.cgroups import Cgroups, Counters, Usage

ID = "5beef649a8b0"
TWO = "usage_usec 2345678\nuser_usec 1000000\nsystem_usec 1345678\n"


def version_one(root: Path, below: str) -> None:
    for path, text in {
        f"cpuacct/{below}/cpuacct.usage": "2345678901\n",
        f"memory/{below}/memory.usage_in_bytes": "5000\n",
        f"memory/{below}/memory.stat": "cache 3000\ninactive_file 1\ntotal_inactive_file 1500\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def version_two(root: Path, below: str) -> None:
    (root / below).mkdir(parents=True)
    for name, text in {
        "cpu.stat": TWO,
        "memory.current": "5000\n",
        "memory.stat": "anon 1\ninactive_file 1500\n",
    }.items():
        (root / below / name).write_text(text)


def more_of_one(root: Path, below: str) -> None:
    for path, text in {
        f"cpu/{below}/cpu.stat": "nr_periods 40\nnr_throttled 7\nthrottled_time 8000000\n",
        f"memory/{below}/memory.max_usage_in_bytes": "9000\n",
        f"memory/{below}/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
        f"pids/{below}/pids.current": "5\n",
        f"blkio/{below}/blkio.throttle.io_service_bytes_recursive": (
            "8:0 Read 100\n8:0 Write 30\n8:0 Sync 130\n8:16 Read 11\n8:16 Write 2\nTotal 143\n"
        ),
        f"freezer/{below}/freezer.state": "FROZEN\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def more_of_two(root: Path, below: str) -> None:
    for name, text in {
        "cpu.stat": TWO + "nr_periods 40\nnr_throttled 7\nthrottled_usec 8000\n",
        "memory.peak": "9000\n",
        "memory.events": "low 0\nmax 4\noom 2\noom_kill 2\n",
        "pids.current": "5\n",
        "io.stat": "8:0 rbytes=100 wbytes=30 rios=1 wios=1 dbytes=0 dios=0\n8:16 rbytes=11 wbytes=2 rios=1\n",
        "cgroup.events": "populated 1\nfrozen 1\n",
    }.items():
        (root / below / name).write_text(text)


@pytest.mark.parametrize(("lay", "more"), [(version_one, more_of_one), (version_two, more_of_two)])
def test_all_that_either_version_counts_is_read_alike(
    tmp_path: Path, lay: Callable[[Path, str], None], more: Callable[[Path, str], None]
) -> None:
    lay(tmp_path, f"docker/{ID}")
    # What a kernel does not count is 0, and no reason to tell nothing.
    assert Cgroups(tmp_path).count(ID) == Counters(cpu_us=2_345_678, memory_bytes=3500)
    more(tmp_path, f"docker/{ID}")
    assert Cgroups(tmp_path).count(ID) == Counters(
        *(2_345_678, 3500, 9000), throttled_us=8000, periods=40, throttled_periods=7, oom_kills=2, processes=5,
        read_bytes=111, written_bytes=32, frozen=True,
    )  # fmt: skip


def test_container_that_is_not_there_counts_nothing(tmp_path: Path) -> None:
    assert Cgroups(tmp_path).count(ID) is None


@pytest.mark.parametrize("lay", [version_one, version_two])
@pytest.mark.parametrize("below", [f"docker/{ID}", f"system.slice/docker-{ID}.scope"], ids=["cgroupfs", "systemd"])
def test_usage_is_read_from_both_versions_and_wherever_engines_put_it(
    tmp_path: Path, lay: Callable[[Path, str], None], below: str
) -> None:
    lay(tmp_path, below)
    assert Cgroups(tmp_path).read(ID) == Usage(cpu_ms=2345, memory_bytes=3500)


def test_container_that_is_not_there_has_no_usage(tmp_path: Path) -> None:
    assert Cgroups(tmp_path).read(ID) is None


def test_container_that_went_and_came_back_elsewhere_is_found_again(tmp_path: Path) -> None:
    cgroups = Cgroups(tmp_path)
    version_two(tmp_path, f"docker/{ID}")
    assert cgroups.read(ID) is not None
    for each in (tmp_path / "docker" / ID).iterdir():
        each.unlink()
    assert cgroups.read(ID) is None
    version_two(tmp_path, f"system.slice/docker-{ID}.scope")
    assert cgroups.read(ID) == Usage(2345, 3500)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cpu.stat", "user_usec 1\n"),
        ("memory.current", "many\n"),
        ("memory.stat", "anon 1\n"),
        ("cpu.stat", "usage_usec\n"),
    ],
)
def test_file_that_does_not_say_it_is_no_usage(tmp_path: Path, name: str, text: str) -> None:
    version_two(tmp_path, f"docker/{ID}")
    (tmp_path / "docker" / ID / name).write_text(text)
    assert Cgroups(tmp_path).read(ID) is None


def test_pages_that_are_not_in_use_are_never_more_than_is_held(tmp_path: Path) -> None:
    version_two(tmp_path, f"docker/{ID}")
    (tmp_path / "docker" / ID / "memory.current").write_text("1000\n")
    assert Cgroups(tmp_path).read(ID) == Usage(2345, 0)


def test_files_of_others_are_forgotten(tmp_path: Path) -> None:
    cgroups = Cgroups(tmp_path)
    version_two(tmp_path, f"docker/{ID}")
    cgroups.read(ID)
    cgroups.keep(set())
    version_one(tmp_path, f"docker/{ID}")
    # Looked for anew: what is found first counts.
    assert cgroups.read(ID) == Usage(2345, 3500)
