"""Mounts: every way in which a resource can name what it mounts."""

from __future__ import annotations

from typing import Any

import pytest

from policies.mount import drivers_of, host_paths, lenders_of, volumes_of


@pytest.mark.parametrize(
    ("properties", "path"),
    [
        ({"volumes": [{"hostPath": "/etc/../srv//data"}]}, "/srv/data"),
        ({"volumes": [{"volumeName": "/"}]}, "/"),
        ({"mounts": [{"type": "bind", "source": "/etc/."}]}, "/etc"),
    ],
)
def test_path_of_the_host_is_found_however_it_is_mounted(properties: dict[str, Any], path: str) -> None:
    assert list(host_paths(properties)) == [path]


def test_volumes_by_name_and_their_lenders_are_told_apart() -> None:
    properties = {
        "volumes": [{"volumeName": "mine"}, {"fromContainer": "other"}, {"containerPath": "/anonymous"}],
        "mounts": [{"type": "volume", "source": "data"}, {"type": "tmpfs"}],
    }
    assert list(volumes_of(properties)) == ["mine", "data"]
    assert list(lenders_of(properties)) == ["other"]
    assert list(drivers_of(properties)) == list(host_paths(properties)) == []
