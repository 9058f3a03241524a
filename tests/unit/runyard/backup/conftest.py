"""The world of backups, brought up."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.runyard.backup.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.bring_up()
    return made
