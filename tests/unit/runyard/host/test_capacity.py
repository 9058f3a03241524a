"""Capacity: as the engine counts it, and not to be had without one."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from runyard.errors import HostUnreachable
from runyard.host.capacity import observe_capacity


# The SDK leaves its socket open when the first call fails; collecting it here keeps the warning here.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_capacity_without_an_engine_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    with pytest.raises(HostUnreachable, match=r"^ask the Docker engine what the host has: no Docker engine answers"):
        observe_capacity()
    gc.collect()


@pytest.mark.engine
def test_capacity_is_this_hosts() -> None:
    capacity = observe_capacity()
    assert capacity.cpu_millis == (os.cpu_count() or 0) * 1000
    assert capacity.memory_bytes == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
