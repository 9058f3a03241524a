"""The grammar of `runyard.dev/volumes`; what else it breaks is in tests/cases/manifest."""

from __future__ import annotations

import re

import pytest

from runyard.manifest.persistence import parse_persistent_volumes
from runyard.manifest.volumes import PersistentVolume


def test_volumes_are_read_in_their_order() -> None:
    assert parse_persistent_volumes("data=10Gi:/var/lib/data , a-1=1.5Gi:/x") == (
        PersistentVolume("data", 10 * 1024**3, "/var/lib/data"),
        PersistentVolume("a-1", 3 * 1024**3 // 2, "/x"),
    )


@pytest.mark.parametrize("size", ["1Mi", "1024Ti"])
def test_least_and_largest_size_are_taken(size: str) -> None:
    assert len(parse_persistent_volumes(f"data={size}:/data")) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data=1Gi:/a,", 'must be NAME=SIZE:PATH, such as data=10Gi:/var/lib/data, got ""'),
        ("data = 1Gi:/a", 'must be NAME=SIZE:PATH, such as data=10Gi:/var/lib/data, got "data = 1Gi:/a"'),
        ("data=1048575:/a", 'must have sizes of 1Mi to 1024Ti, such as 10Gi, got "1048575"'),
        ("data=1025Ti:/a", 'must have sizes of 1Mi to 1024Ti, such as 10Gi, got "1025Ti"'),
        ("a=1Gi:/a, a=1Gi:/b", "must name each volume once, got a twice"),
    ],
)
def test_what_is_no_volume_is_told(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse_persistent_volumes(text)
