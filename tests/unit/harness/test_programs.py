from __future__ import annotations

import pytest

from tests.harness.programs import program


def test_missing_program_says_what_brings_it() -> None:
    with pytest.raises(AssertionError) as raised:
        program("nonesuch")
    assert str(raised.value).splitlines()[0] == (
        "nonesuch is not on PATH; `make test` brings it, or for one test: "
        "toolchain/bootstrap tests -- .venv/bin/python -m pytest TEST"
    )
