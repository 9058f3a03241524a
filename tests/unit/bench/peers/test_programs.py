"""How the pinned programs of the benchmarks are read."""

from __future__ import annotations

import pytest

from tests.bench.peers.programs import DEBIAN, PLACES, PYPI, Package, parse_packages, parse_requirements

HASH = "ab" * 32


def test_requirements_are_split_by_package() -> None:
    text = f"# made by uv\na-bin==1.0 \\\n    --hash=sha256:{HASH}\nb-bin==2.0 ; x \\\n    --hash=sha256:{HASH}\n"
    assert list(parse_requirements(text)) == ["a-bin", "b-bin"]
    assert parse_requirements(text)["a-bin"] == f"a-bin==1.0 \\\n    --hash=sha256:{HASH}"


def test_every_wheel_is_pinned_with_its_hashes() -> None:
    pinned = parse_requirements(PYPI.read_text())
    assert pinned.keys() == PLACES.keys()
    assert all("==" in lines and "--hash=sha256:" in lines for lines in pinned.values())


def test_packages_are_read_with_version_and_hash() -> None:
    assert parse_packages(f"# why\n\nhaproxy=2.6-1+deb12u4 {HASH}\n") == [Package("haproxy", "2.6-1+deb12u4", HASH)]
    assert parse_packages(DEBIAN.read_text())[0].name == "haproxy"


@pytest.mark.parametrize("line", ["haproxy", f"haproxy {HASH}", "haproxy=2.6 abc"])
def test_package_without_version_or_hash_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="must be package=version sha256, got"):
        parse_packages(line)
