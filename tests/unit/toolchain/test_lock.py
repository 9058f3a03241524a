from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from runyard.errors import LockError
from toolchain.lock import Holder, LockKeeper, parse, started_at
from toolchain.step import Steps

TAKEN = "2026-11-23T07:51:00.123456789Z"
TAKEN_S = 1795420260.123456


def write_lock(state: Path, **changes: object) -> Path:
    content = {"pid": 4711, "username": "root", "hostname": "here", "timestamp": TAKEN} | changes
    file = state / ".pulumi/locks/organization/runyard/dev/5c0f.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
    file.with_name(f"{file.name}.attrs").write_text("{}")
    return file


def keeper(steps: Steps, start: float | None) -> LockKeeper:
    """A keeper on host `here`, where every process started then (None: is gone)."""
    return LockKeeper(steps, "here", lambda _pid: start)


def test_lock_of_a_process_that_is_gone_is_released_and_said_so(
    steps: Steps, words: io.StringIO, tmp_path: Path
) -> None:
    file = write_lock(tmp_path)
    keeper(steps, None).release_stale(f"file://{tmp_path}", "dev")
    assert list(file.parent.iterdir()) == []
    assert words.getvalue() == (
        "lock: released a stale one (root@here, pid 4711, since 2026-11-23T07:51:00Z):"
        " no such process is left on this host\n"
    )


def test_lock_whose_pid_went_to_a_younger_process_is_released(steps: Steps, words: io.StringIO, tmp_path: Path) -> None:
    file = write_lock(tmp_path)
    keeper(steps, TAKEN_S + 60).release_stale(f"file://{tmp_path}", "dev")
    assert not file.exists()
    assert "that pid belongs to a process that started later" in words.getvalue()


@pytest.mark.parametrize("start", [0.0, TAKEN_S - 60, TAKEN_S + 1])
def test_lock_of_a_process_that_may_be_its_holder_stays_and_names_it(
    steps: Steps, tmp_path: Path, start: float
) -> None:
    file = write_lock(tmp_path)
    with pytest.raises(LockError) as caught:
        keeper(steps, start).release_stale(f"file://{tmp_path}", "dev")
    assert str(caught.value) == (
        "lock of stack dev: held by root@here, pid 4711, since 2026-11-23T07:51:00Z\n"
        "  wait for that update, or when it is surely dead: pulumi cancel dev"
    )
    assert file.exists()


def test_lock_of_another_host_stays(steps: Steps, tmp_path: Path) -> None:
    file = write_lock(tmp_path, hostname="elsewhere")
    with pytest.raises(LockError, match="held by root@elsewhere, pid 4711"):
        keeper(steps, None).release_stale(f"file://{tmp_path}", "dev")
    assert file.exists()


@pytest.mark.parametrize(
    "changes", [{"pid": "many"}, {"pid": 0}, {"hostname": ""}, {"timestamp": "yesterday"}, {"timestamp": None}]
)
def test_lock_that_cannot_be_judged_stays(steps: Steps, tmp_path: Path, changes: dict[str, object]) -> None:
    file = write_lock(tmp_path, **changes)
    with pytest.raises(LockError, match="cannot be read: "):
        keeper(steps, None).release_stale(f"file://{tmp_path}", "dev")
    assert file.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_lock_that_is_no_lock_file_stays(steps: Steps, tmp_path: Path, text: str) -> None:
    file = write_lock(tmp_path)
    file.write_text(text)
    with pytest.raises(LockError, match="cannot be read: "):
        keeper(steps, None).release_stale(f"file://{tmp_path}", "dev")


def test_lock_of_another_stack_or_backend_is_none_of_ours(steps: Steps, tmp_path: Path) -> None:
    file = write_lock(tmp_path, hostname="elsewhere")
    keeper(steps, None).release_stale(f"file://{tmp_path}", "test")
    keeper(steps, None).release_stale("s3://bucket", "dev")
    assert file.exists()


def test_no_lock_is_nothing_to_say(steps: Steps, words: io.StringIO, tmp_path: Path) -> None:
    keeper(steps, None).release_stale(f"file://{tmp_path}", "dev")
    assert words.getvalue() == ""


def test_lock_file_is_read_to_its_fraction_and_offset() -> None:
    holder = parse(json.dumps({"pid": 1, "hostname": "h", "username": "u", "timestamp": "2026-11-23T09:51:00.5+02:00"}))
    assert holder == Holder(1, "h", "u", 1795420260.5)


def test_lock_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="timestamp must have an offset"):
        parse(json.dumps({"pid": 1, "hostname": "h", "timestamp": "2026-11-23T09:51:00"}))


def test_start_of_a_living_process_is_known() -> None:
    start = started_at(os.getpid())
    assert start is not None
    # Before now, and after this machine booted.
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    assert time.time() - uptime - 2 <= start <= time.time() + 2


def test_start_of_a_finished_process_is_none_even_before_it_is_reaped() -> None:
    process = subprocess.Popen(["sleep", "60"])
    assert started_at(process.pid) is not None
    process.send_signal(signal.SIGKILL)
    # Waits for the death and leaves the zombie.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert started_at(process.pid) is None
    process.wait()
    assert started_at(process.pid) is None


def test_keeper_judges_real_processes_of_this_host(steps: Steps, tmp_path: Path) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    write_lock(tmp_path, hostname=socket.gethostname(), pid=os.getpid(), timestamp=now)
    with pytest.raises(LockError, match=f"pid {os.getpid()}"):
        LockKeeper(steps).release_stale(f"file://{tmp_path}", "dev")
