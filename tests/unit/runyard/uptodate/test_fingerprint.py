from __future__ import annotations

import time
from pathlib import Path

import pytest

from runyard.uptodate import fingerprint
from tests.unit import checkout

# Top-level directories that no update reads; what it reads of manifests is told by its loader.
NO_CODE = {"docs", "manifests", "tests"}


def test_code_is_every_directory_of_the_checkout_but_those_that_no_update_reads() -> None:
    tops = {path.parts[0] for path in checkout.files() if len(path.parts) > 1 and not path.parts[0].startswith(".")}
    assert tops - NO_CODE == set(fingerprint.CODE)


def make_code(root: Path) -> Path:
    file = root / "runyard" / "plan" / "model.py"
    file.parent.mkdir(parents=True)
    file.write_text("A = 1\n")
    return file


def test_code_changes_with_content_name_and_mode_and_not_with_time(tmp_path: Path) -> None:
    file = make_code(tmp_path)
    seen = [fingerprint.of_code(str(tmp_path))]
    file.touch()
    assert fingerprint.of_code(str(tmp_path)) == seen[0]
    file.write_text("A = 2\n")
    seen.append(fingerprint.of_code(str(tmp_path)))
    file = file.rename(file.with_name("other.py"))
    seen.append(fingerprint.of_code(str(tmp_path)))
    file.chmod(0o755)
    seen.append(fingerprint.of_code(str(tmp_path)))
    (tmp_path / "Pulumi.yaml").write_text("name: x\n")
    seen.append(fingerprint.of_code(str(tmp_path)))
    assert len(set(seen)) == len(seen)


def test_code_has_neither_bytecode_nor_settings_of_stacks(tmp_path: Path) -> None:
    make_code(tmp_path)
    before = fingerprint.of_code(str(tmp_path))
    for name in ("runyard/__pycache__/model.pyc", "stacks/Pulumi.dev.yaml", "tests/test_model.py", ".git/HEAD"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert fingerprint.of_code(str(tmp_path)) == before


def test_settings_change_but_for_the_manifests_that_pulumi_writes_there(tmp_path: Path) -> None:
    assert fingerprint.of_settings(str(tmp_path), "dev") == ""
    file = tmp_path / "stacks" / "Pulumi.dev.yaml"
    file.parent.mkdir()
    file.write_text("encryptionsalt: v1:a\n")
    before = fingerprint.of_settings(str(tmp_path), "dev")
    file.write_text("encryptionsalt: v1:a\nconfig:\n  runyard:manifests: m\n")
    assert fingerprint.of_settings(str(tmp_path), "dev") == before
    file.write_text("encryptionsalt: v1:a\nconfig:\n  runyard:manifests: m\n  runyard:secrets: {}\n")
    assert fingerprint.of_settings(str(tmp_path), "dev") != before


@pytest.mark.parametrize("name", ["PULUMI_CONFIG_PASSPHRASE", "DOCKER_HOST", "RUNYARD_ENVIRONMENT", "PYTHONPATH"])
def test_environment_changes_with_what_matters(name: str, tmp_path: Path) -> None:
    salt = "00" * fingerprint.SALT_BYTES
    none = str(tmp_path / "none")
    assert fingerprint.of_environment({name: "a"}, none, salt) != fingerprint.of_environment({name: "b"}, none, salt)
    assert fingerprint.of_environment({"TERM": "a"}, none, salt) == fingerprint.of_environment({}, none, salt)


def test_environment_changes_with_the_passphrases_file_and_the_salt(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    seen = {fingerprint.of_environment({}, str(file), "00" * 16)}
    file.write_text("one")
    seen.add(fingerprint.of_environment({}, str(file), "00" * 16))
    file.write_text("two")
    seen.add(fingerprint.of_environment({}, str(file), "00" * 16))
    seen.add(fingerprint.of_environment({}, str(file), "01" * 16))
    assert len(seen) == 4


def test_guess_at_a_passphrase_takes_its_time() -> None:
    began = time.process_time()
    fingerprint.of_environment({}, "", "00" * 16)
    # A plain hash takes a millionth of a second; scrypt at this cost at least some milliseconds anywhere.
    assert time.process_time() - began > 0.002


def test_tools_change_with_size_and_time_and_when_they_go(tmp_path: Path) -> None:
    tool = tmp_path / "pulumi"
    seen = {fingerprint.of_tools([str(tool)])}
    tool.write_text("1")
    seen.add(fingerprint.of_tools([str(tool)]))
    tool.write_text("22")
    seen.add(fingerprint.of_tools([str(tool)]))
    assert len(seen) == 3


def test_command_is_the_first_on_the_path_that_can_run(tmp_path: Path) -> None:
    for name, mode in (("one", 0o644), ("two", 0o755), ("three", 0o755)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pulumi").touch()
        (tmp_path / name / "pulumi").chmod(mode)
    path = ":".join(str(tmp_path / name) for name in ("none", "one", "two", "three"))
    assert fingerprint.find_command("pulumi", {"PATH": path}) == str(tmp_path / "two" / "pulumi")
    assert fingerprint.find_command("pulumi", {}) == ""


def test_read_of_what_is_gone_is_empty(tmp_path: Path) -> None:
    assert fingerprint.of_read(("file", str(tmp_path / "none"))) == ""
    assert fingerprint.of_read(("directory", str(tmp_path / "none"))) == ""
    assert fingerprint.of_read(("file", str(tmp_path))) == ""
