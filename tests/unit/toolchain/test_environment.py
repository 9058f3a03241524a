from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from runyard.errors import ToolchainError
from toolchain.environment import STAMP, Environment, first_line
from toolchain.step import Steps

PROJECT = '[project]\nname = "runyard"\n[project.scripts]\nrunyard = "runyard_stub.entry:main"\n'


def write_wheel(directory: Path, version: str) -> str:
    """Write the wheel of a package `sample` and return its SHA-256."""
    directory.mkdir(exist_ok=True)
    path = directory / f"sample-{version}-py3-none-any.whl"
    information = f"sample-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("sample.py", f"VERSION = {version!r}\n")
        wheel.writestr(f"{information}/METADATA", f"Metadata-Version: 2.1\nName: sample\nVersion: {version}\n")
        wheel.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{information}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Checkout:
    """A checkout with a lock file of one package, which pip finds in a directory and nowhere else."""

    def __init__(self, root: Path, steps: Steps) -> None:
        self.root = root
        (root / "toolchain").mkdir(parents=True)
        (root / "runyard_stub").mkdir()
        (root / "runyard_stub" / "entry.py").write_text("def main():\n    print('hello')\n    return 3\n")
        (root / "pyproject.toml").write_text(PROJECT)
        variables = {"PATH": "/usr/bin:/bin", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(root / "wheels")}
        self.environment = Environment(steps, root, variables)

    def lock(self, version: str, sha256: str | None = None) -> None:
        actual = write_wheel(self.root / "wheels", version)
        text = f"sample=={version} --hash=sha256:{sha256 or actual}\n"
        (self.root / "toolchain" / "requirements.txt").write_text(text)

    def version(self) -> str:
        command = [self.environment.python, "-c", "import sample; print(sample.VERSION)"]
        return subprocess.run(command, cwd="/", capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, steps: Steps) -> Checkout:
    return Checkout(tmp_path / "checkout", steps)


@pytest.mark.slow
def test_environment_is_what_the_lock_file_says_whatever_was_there_before(
    checkout: Checkout, tmp_path: Path, words: io.StringIO
) -> None:
    """One story, because every environment takes seconds to make."""
    target = tmp_path / "shared"
    target.mkdir()
    (target / "precious").touch()
    (checkout.root / ".venv").symlink_to(target)
    checkout.lock("1.0", sha256="0" * 64)
    with pytest.raises(ToolchainError, match="THESE PACKAGES DO NOT MATCH THE HASHES"):
        checkout.environment.bring()
    # What failed is not taken for finished, and what the link led to is not ours.
    assert not (checkout.root / ".venv" / STAMP).exists()
    assert (target / "precious").exists()

    left = checkout.root / ".venv" / "left-behind"
    left.touch()
    checkout.lock("2.0")
    checkout.environment.bring()
    assert checkout.version() == "2.0"
    assert not left.exists()
    ended = subprocess.run([checkout.root / ".venv/bin/runyard"], cwd="/", capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.returncode) == ("hello\n", 3)

    checkout.environment.bring()
    assert words.getvalue().endswith(f"environment: {checkout.root}/.venv is up to date\n")


@pytest.mark.slow
def test_environment_has_bytecode_even_where_python_is_told_to_write_none(checkout: Checkout) -> None:
    checkout.lock("1.0")
    checkout.environment.variables = {**checkout.environment.variables, "PYTHONDONTWRITEBYTECODE": "1"}
    checkout.environment.imported = ("sample", "package_that_is_not_locked")
    checkout.environment.bring()
    assert list(checkout.environment.directory.glob("lib/python3*/site-packages/__pycache__/sample.*.pyc"))


@pytest.mark.parametrize("name", ["python", "with a space/python", "x" * 120 + "/python"])
def test_scripts_start_their_python_wherever_it_is(tmp_path: Path, name: str) -> None:
    python = tmp_path / name
    python.parent.mkdir(exist_ok=True)
    python.symlink_to(sys.executable)
    script = tmp_path / "script"
    script.write_text(first_line(python) + "import sys\nprint(sys.argv[1:])\n")
    script.chmod(0o755)
    ran = subprocess.run([script, "a b", "c"], capture_output=True, text=True, check=True)
    assert ran.stdout == "['a b', 'c']\n"
