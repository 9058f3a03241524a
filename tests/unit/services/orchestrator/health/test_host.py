from __future__ import annotations

from pathlib import Path

import pytest

from services.orchestrator.health.host import HostRoom


def proc(root: Path, available_kib: int = 500_000, running: int = 100, most: int = 1000) -> Path:
    """Lay out what the kernel tells of a host with a million KiB."""
    (root / "sys" / "kernel").mkdir(parents=True, exist_ok=True)
    (root / "meminfo").write_text(f"MemTotal: 1000000 kB\nMemFree: 1 kB\nMemAvailable: {available_kib} kB\n")
    (root / "loadavg").write_text(f"0.1 0.2 0.3 2/{running} 4711\n")
    (root / "sys" / "kernel" / "pid_max").write_text(f"{most}\n")
    (root / "sys" / "kernel" / "threads-max").write_text("5000\n")
    return root


@pytest.mark.parametrize(
    ("told", "shortage"),
    [
        ({}, ""),
        ({"available_kib": 50_000}, ""),
        ({"available_kib": 49_999}, "memory: 48 of 976 MiB are available"),
        ({"running": 900}, ""),
        ({"running": 901}, "processes: 901 of 1000 are taken"),
        ({"running": 901, "most": 2000}, ""),
    ],
)
def test_host_is_short_of_what_its_kernel_says(tmp_path: Path, told: dict[str, int], shortage: str) -> None:
    # The disk of a test's directory is the machine's: what it is short of is not for this test to say.
    room = HostRoom(proc(tmp_path, **told), tmp_path / "gone")
    assert room.shortage() == shortage


def test_what_cannot_be_read_is_no_shortage(tmp_path: Path) -> None:
    assert HostRoom(tmp_path / "gone", tmp_path / "gone").shortage() == ""
    (tmp_path / "meminfo").write_text("MemTotal: many kB\n")
    (tmp_path / "loadavg").write_text("\n")
    assert HostRoom(tmp_path, tmp_path / "gone").shortage() == ""


def test_disk_without_blocks_is_not_full(tmp_path: Path) -> None:
    # The kernel's own file systems have none.
    assert HostRoom(tmp_path, Path("/proc")).shortage() == ""
