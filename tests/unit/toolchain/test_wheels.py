from __future__ import annotations

from pathlib import Path

import pytest

from toolchain.wheels import unpack_command


@pytest.mark.parametrize(("for_python", "more"), [("", ""), ("3.11", " --python-version 3.11")])
def test_wheels_are_those_of_the_lock_with_their_hashes_and_never_built(for_python: str, more: str) -> None:
    assert " ".join(map(str, unpack_command(Path("python"), Path("lock"), Path("target"), for_python))) == (
        f"python -m pip install --target target --no-compile --progress-bar off{more}"
        " --only-binary=:all: --no-deps --require-hashes -r lock"
    )
