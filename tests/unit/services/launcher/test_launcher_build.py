"""The launcher's program: small, static, and in Go's own form."""

from __future__ import annotations

import subprocess

from tests.harness.programs import go
from tests.unit.services.launcher.program import SOURCE, Launcher


def test_program_is_static_and_under_two_mebibytes(launcher: Launcher) -> None:
    program = launcher.binary.read_bytes()
    assert len(program) < 2 * 1024 * 1024
    # A dynamic program names its loader, which an image need not have.
    assert b"/lib64/ld-linux" not in program


def test_module_needs_nothing_but_the_standard_library() -> None:
    assert "require" not in (SOURCE / "go.mod").read_text()


def test_sources_pass_vet_and_are_formatted() -> None:
    vetted = subprocess.run([go(), "vet", "./..."], cwd=SOURCE, capture_output=True, text=True, check=False)
    assert (vetted.returncode, vetted.stderr) == (0, "")
    unformatted = subprocess.run([f"{go()}fmt", "-l", "."], cwd=SOURCE, capture_output=True, text=True, check=False)
    assert (unformatted.returncode, unformatted.stdout) == (0, "")
