"""Capacity: as the engine counts it, and not to be had without one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runyard.errors import HostUnreachable
from runyard.host.capacity import observe_capacity
from runyard.plan.quota import Capacity
from tests.unit.runyard.host.docker_api import DockerApi


def test_capacity_without_an_engine_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    with pytest.raises(HostUnreachable, match=r"^ask the Docker engine what the host has: no Docker engine answers"):
        observe_capacity()


def test_capacity_is_what_the_engine_counts(docker_api: DockerApi) -> None:
    docker_api.answers["GET /info"] = {"NCPU": 4, "MemTotal": 2048}
    assert observe_capacity() == Capacity(cpu_millis=4000, memory_bytes=2048)


@pytest.mark.engine
def test_capacity_is_this_hosts() -> None:
    capacity = observe_capacity()
    assert capacity.cpu_millis == (os.cpu_count() or 0) * 1000
    assert capacity.memory_bytes == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
