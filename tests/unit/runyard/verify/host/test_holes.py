"""Known holes by version: each line of releases has its own fix, and a distribution's changelog is believed."""

from __future__ import annotations

import re

import pytest

from runyard.verify.host.holes import HOLES, TABLE_DATE, Component, find_holes, parse_version


def ids(component: Component, version: str, changelog: str = "", *, plugins: bool = False) -> list[str]:
    return [each.id for each in find_holes(component, version, changelog, plugins=plugins)]


@pytest.mark.parametrize(
    ("version", "open_"),
    [
        ("1.1.11", ["CVE-2024-21626", "CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"]),
        # The line 1.1 got no fix of these, 1.2 and 1.3 each their own.
        ("1.1.12", ["CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"]),
        ("1.2.7", ["CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"]),
        ("1.2.8", []),
        ("1.3.2", ["CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"]),
        ("1.3.3", []),
        ("1.4.0-rc.2", ["CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"]),
        ("1.4.0-rc.3", []),
        ("1.4.0", []),
        ("2.0.0", []),
    ],
)
def test_runc_has_the_holes_of_its_line(version: str, open_: list[str]) -> None:
    assert ids("runc", version) == open_


@pytest.mark.parametrize(
    ("version", "open_"),
    [
        ("20.10.17", ["CVE-2022-36109", "CVE-2024-29018", "CVE-2026-41567", "CVE-2026-41568"]),
        ("20.10.24+dfsg1", ["CVE-2024-29018", "CVE-2026-41567", "CVE-2026-41568"]),
        ("25.0.4", ["CVE-2024-29018", "CVE-2026-41567", "CVE-2026-41568"]),
        ("25.0.5", ["CVE-2026-41567", "CVE-2026-41568"]),
        ("29.5.0", ["CVE-2026-41567", "CVE-2026-41568"]),
        ("29.5.1", []),
        ("30.0.0", []),
    ],
)
def test_engine_has_the_holes_of_its_line(version: str, open_: list[str]) -> None:
    assert ids("engine", version) == open_


def test_holes_of_authorization_plugins_are_holes_where_there_is_one() -> None:
    of_plugins = {"CVE-2024-41110", "CVE-2026-34040"}
    assert not of_plugins & set(ids("engine", "27.1.0"))
    assert of_plugins <= set(ids("engine", "27.1.0", plugins=True))
    assert of_plugins & set(ids("engine", "27.1.1", plugins=True)) == {"CVE-2026-34040"}


def test_hole_that_the_packages_changelog_names_is_mended() -> None:
    changelog = "runc (1.1.5+ds1-1+deb12u1) bookworm-security; urgency=high\n  * CVE-2024-21626: several breakouts\n"
    assert "CVE-2024-21626" in ids("runc", "1.1.5+ds1")
    assert "CVE-2024-21626" not in ids("runc", "1.1.5+ds1", changelog)


def test_versions_are_read_whatever_a_distribution_puts_behind_them() -> None:
    assert parse_version("1.1.5+ds1") == parse_version("v1.1.5") == parse_version("1.1.5-0ubuntu1~22.04")
    assert parse_version("1.0.0~rc93+ds1") < parse_version("1.0.0-rc.95") < parse_version("1.0.0")
    with pytest.raises(ValueError, match=r"^must be a version such as 1.2.8, got 'unknown'$"):
        parse_version("unknown")


def test_table_is_sound() -> None:
    assert re.fullmatch(r"\d{4}-\d\d", TABLE_DATE)
    assert len({each.id for each in HOLES}) == len(HOLES)
    for each in HOLES:
        assert re.fullmatch(r"CVE-\d{4}-\d{4,}", each.id)
        assert each.mended
        assert list(map(parse_version, each.mended)) == sorted(map(parse_version, each.mended))
