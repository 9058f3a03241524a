from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from toolchain import cache
from toolchain.cache import Cache


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"RUNYARD_CACHE": "/own", "XDG_CACHE_HOME": "/xdg", "HOME": "/home/me"}, "/own"),
        ({"XDG_CACHE_HOME": "/xdg", "HOME": "/home/me"}, "/xdg/runyard"),
        ({"HOME": "/home/me"}, "/home/me/.cache/runyard"),
        ({"RUNYARD_CACHE": "", "HOME": "/home/me"}, "/home/me/.cache/runyard"),
    ],
)
def test_cache_is_where_the_environment_says(variables: dict[str, str], expected: str) -> None:
    assert cache.locate(variables) == Path(expected)


def test_key_changes_with_content_name_and_facts_and_not_with_order(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("a")
    two.write_text("b")
    first = cache.key([one, two], "3.259.0")
    assert first == cache.key([two, one], "3.259.0")
    assert len(first) == cache.KEY_LENGTH
    assert first != cache.key([one, two], "3.260.0")
    two.write_text("c")
    assert first != cache.key([one, two], "3.259.0")
    assert cache.key([one]) != cache.key([one.rename(tmp_path / "three")])


def test_staged_directory_appears_under_its_name_when_finished(store: Cache) -> None:
    with store.staged("pulumi-1") as stage:
        (stage / "pulumi").write_text("program")
        assert not (store.root / "pulumi-1").exists()
    assert (store.root / "pulumi-1" / "pulumi").read_text() == "program"


def test_staged_directory_of_a_failed_block_leaves_nothing(store: Cache) -> None:
    with contextlib.suppress(RuntimeError), store.staged("pulumi-1") as stage:
        (stage / "pulumi").write_text("half")
        raise RuntimeError("interrupted")
    assert list(store.root.iterdir()) == []


def test_staged_directory_replaces_the_one_before(store: Cache) -> None:
    for content in ("old", "new"):
        with store.staged("pulumi-1") as stage:
            (stage / content).write_text("")
    assert [each.name for each in (store.root / "pulumi-1").iterdir()] == ["new"]


def test_scratch_directory_vanishes(store: Cache) -> None:
    with store.scratch() as directory:
        (directory / "file").write_text("")
    assert list(store.root.iterdir()) == []


def test_sweep_removes_what_a_killed_run_left_and_nothing_else(store: Cache) -> None:
    left = store.root / f"{cache.STAGE}abc"
    (left / "inside").mkdir(parents=True)
    whole = store.root / "pulumi-1"
    whole.mkdir()
    store.sweep()
    assert [each.name for each in store.root.iterdir()] == ["pulumi-1"]


@pytest.mark.engine
def test_sweep_unmounts_what_a_killed_debootstrap_left(store: Cache) -> None:
    """Marked for the full run, which is root's."""
    proc = store.root / f"{cache.STAGE}abc" / "proc"
    proc.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", proc], check=True)
    (proc / "file").touch()
    store.sweep()
    assert list(store.root.iterdir()) == []
    assert str(proc) not in Path("/proc/self/mounts").read_text()


def test_held_cache_makes_the_second_run_wait_and_say_so(store: Cache) -> None:
    store.root.mkdir()
    other = os.open(store.root / ".lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(other, fcntl.LOCK_EX)
    waited = []

    def waiting() -> None:
        waited.append(True)
        os.close(other)

    with store.held(waiting):
        pass
    assert waited == [True]


def test_held_cache_is_free_again_afterwards(store: Cache) -> None:
    for _ in range(2):
        with store.held(lambda: pytest.fail("nobody else has it")):
            pass


def test_cache_is_held_only_once_it_is_needed_and_swept_then(store: Cache) -> None:
    store.root.mkdir()
    (store.root / f"{cache.STAGE}left").mkdir()
    with store.held_if_needed(lambda: pytest.fail("nobody else has it")) as hold:
        assert not (store.root / ".lock").exists()
        hold()
        hold()
        assert [each.name for each in store.root.iterdir()] == [".lock"]
        other = os.open(store.root / ".lock", os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)
