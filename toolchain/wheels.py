"""Wheels: what a lock file names, unpacked into a directory by pip."""

from __future__ import annotations

from pathlib import Path


def unpack_command(python: Path, lock: Path, target: Path, for_python: str = "") -> list[str | Path]:
    """Give the command that unpacks the wheels of `lock` into `target`.

    `python` is one that has pip; the wheels are for its version, or for the one that `for_python` names, such as 3.11.
    """
    return [
        *(python, "-m", "pip", "install", "--target", target, "--no-compile", "--progress-bar", "off"),
        *(("--python-version", for_python) if for_python else ()),
        *("--only-binary=:all:", "--no-deps", "--require-hashes", "-r", lock),
    ]
