from __future__ import annotations

import hashlib
import io
import json
import stat
from pathlib import Path

import pytest

from runyard.errors import NotFound, ToolchainError
from tests.unit.toolchain.conftest import WriteProgram
from toolchain.state import Backend, StackState
from toolchain.step import Steps


def test_state_is_a_directory_of_the_user_with_a_passphrase_only_its_owner_reads(steps: Steps, tmp_path: Path) -> None:
    found = Backend(steps, tmp_path, {"RUNYARD_DATA": f"{tmp_path}/data"}).bring()
    passphrase = tmp_path / "data" / "passphrase"
    assert found == {
        "PULUMI_BACKEND_URL": f"file://{tmp_path}/data/state?metadata=skip",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase),
    }
    assert (tmp_path / "data" / "state").is_dir()
    assert stat.S_IMODE(passphrase.stat().st_mode) == 0o600
    assert stat.S_IMODE(passphrase.parent.stat().st_mode) == 0o700
    assert len(passphrase.read_text().strip()) >= 40


def test_state_keeps_its_passphrase(steps: Steps, words: io.StringIO, tmp_path: Path) -> None:
    state = Backend(steps, tmp_path, {"RUNYARD_DATA": f"{tmp_path}/data"})
    state.bring()
    first = (tmp_path / "data/passphrase").read_text()
    state.bring()
    assert (tmp_path / "data/passphrase").read_text() == first
    assert words.getvalue().count("made a passphrase") == 1


def test_state_says_nothing_of_the_passphrase_itself(steps: Steps, words: io.StringIO, tmp_path: Path) -> None:
    Backend(steps, tmp_path, {"RUNYARD_DATA": f"{tmp_path}/data"}).bring()
    assert (tmp_path / "data/passphrase").read_text().strip() not in words.getvalue()


def test_state_takes_others_rights_from_the_passphrase(steps: Steps, words: io.StringIO, tmp_path: Path) -> None:
    state = Backend(steps, tmp_path, {"RUNYARD_DATA": f"{tmp_path}/data"})
    state.bring()
    passphrase = tmp_path / "data" / "passphrase"
    passphrase.chmod(0o644)
    state.bring()
    assert stat.S_IMODE(passphrase.stat().st_mode) == 0o600
    assert f"state: took everybody else's rights from {passphrase}\n" in words.getvalue()


def test_state_elsewhere_is_respected_and_shown_without_its_secrets(
    steps: Steps, words: io.StringIO, tmp_path: Path
) -> None:
    variables = {
        "PULUMI_BACKEND_URL": "postgres://me:hunter2@db/state?token=hunter3",
        "PULUMI_CONFIG_PASSPHRASE": "own",
        "RUNYARD_DATA": f"{tmp_path}/data",
    }
    assert Backend(steps, tmp_path, variables).bring() == {}
    assert words.getvalue() == "state: in postgres://db/state (PULUMI_BACKEND_URL)\n"
    assert not (tmp_path / "data").exists()


def test_select_makes_the_stack_with_the_given_environment(steps: Steps, tmp_path: Path, program: WriteProgram) -> None:
    pulumi = program("pulumi", f'echo "$PULUMI_BACKEND_URL $@" > {tmp_path}/asked')
    Backend(steps, tmp_path, {}).select(pulumi, "dev", {"PULUMI_BACKEND_URL": "file:///s"})
    assert (tmp_path / "asked").read_text() == "file:///s stack select dev --create --non-interactive\n"


def test_select_that_fails_gives_pulumis_own_reason(steps: Steps, tmp_path: Path, program: WriteProgram) -> None:
    pulumi = program("pulumi", 'echo "error: no space left" >&2; exit 255')
    with pytest.raises(ToolchainError) as caught:
        Backend(steps, tmp_path, {}).select(pulumi, "dev", {})
    assert str(caught.value) == "state: select stack dev: error: no space left"


def test_select_with_another_passphrase_says_the_way_out(steps: Steps, tmp_path: Path, program: WriteProgram) -> None:
    pulumi = program("pulumi", 'echo "error: incorrect passphrase" >&2; exit 255')
    with pytest.raises(ToolchainError, match=r"stacks/Pulumi\.dev\.yaml was encrypted with another passphrase"):
        Backend(steps, tmp_path, {}).select(pulumi, "dev", {})


def write_stack(tmp_path: Path, selected: str) -> dict[str, str]:
    """Write what Pulumi keeps of a stack `dev` and of which stack is selected."""
    backend = f"file://{tmp_path}/state?metadata=skip"
    file = tmp_path / "state/.pulumi/stacks/runyard/dev.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"version": 3}')
    key = hashlib.sha1(f"{tmp_path}/Pulumi.yaml".encode()).hexdigest()
    workspace = tmp_path / f"home/workspaces/runyard-{key}-workspace.json"
    workspace.parent.mkdir(parents=True)
    workspace.write_text(json.dumps({"stacks": {backend: f"organization/runyard/{selected}"}}))
    return {"PULUMI_BACKEND_URL": backend, "PULUMI_HOME": str(tmp_path / "home")}


def test_select_starts_no_pulumi_for_a_stack_that_is_there_and_selected(steps: Steps, tmp_path: Path) -> None:
    Backend(steps, tmp_path, {}).select(tmp_path / "no-such-program", "dev", write_stack(tmp_path, "dev"))


def test_select_asks_pulumi_where_another_stack_is_selected(
    steps: Steps, tmp_path: Path, program: WriteProgram
) -> None:
    pulumi = program("pulumi", f'echo "$@" > {tmp_path}/asked')
    Backend(steps, tmp_path, {}).select(pulumi, "dev", write_stack(tmp_path, "other"))
    assert (tmp_path / "asked").read_text() == "stack select dev --create --non-interactive\n"


def test_state_is_read_from_the_backends_file_and_else_asked_for(tmp_path: Path, program: WriteProgram) -> None:
    pulumi = program("pulumi", 'echo "{\\"asked\\": \\"$*\\"}"')
    environment = write_stack(tmp_path, "dev")
    assert StackState(pulumi, tmp_path, "dev", environment).read() == '{"version": 3}'
    asked = StackState(pulumi, tmp_path, "dev", {"PULUMI_BACKEND_URL": "s3://bucket"}).read()
    assert asked == '{"asked": "stack export --stack dev"}\n'


def test_nothing_pending_is_nothing_to_import(tmp_path: Path, program: WriteProgram) -> None:
    pulumi = program("pulumi", f"""[ "$2" = import ] && touch {tmp_path}/imported; echo '{{"deployment": null}}'""")
    assert not StackState(pulumi, tmp_path, "dev", {}).forget_pending()
    assert not (tmp_path / "imported").exists()


def test_stack_that_is_not_there_is_refused_with_those_that_are(steps: Steps, tmp_path: Path) -> None:
    backend, environment = Backend(steps, tmp_path, {}), write_stack(tmp_path, "dev")
    backend.check_there(tmp_path / "no-such-program", "dev", environment)
    with pytest.raises(NotFound, match=r"^stack nosuch: must be one of those that are there \(dev\)$"):
        backend.check_there(tmp_path / "no-such-program", "nosuch", environment)


def test_stacks_of_another_backend_are_asked_for(steps: Steps, tmp_path: Path, program: WriteProgram) -> None:
    backend, elsewhere = Backend(steps, tmp_path, {}), {"PULUMI_BACKEND_URL": "s3://bucket"}
    pulumi = program("pulumi", """echo '[{"name": "organization/runyard/prod"}, {"name": "dev"}]'""")
    assert backend.stacks(pulumi, elsewhere) == ["dev", "prod"]
    pulumi = program("pulumi", "echo 'error: no bucket' >&2; exit 1")
    with pytest.raises(ToolchainError, match=r"^state: list the stacks: error: no bucket$"):
        backend.stacks(pulumi, elsewhere)


@pytest.mark.parametrize("before", [None, b"encryptionsalt: v1:old\n"])
def test_pretended_stack_is_in_a_backend_that_vanishes_and_its_settings_stay_what_they_were(
    steps: Steps, tmp_path: Path, program: WriteProgram, before: bytes | None
) -> None:
    settings = tmp_path / "stacks" / "Pulumi.new.yaml"
    if before is not None:
        settings.parent.mkdir()
        settings.write_bytes(before)
    pulumi = program(
        "pulumi",
        f'echo "$PULUMI_BACKEND_URL $@" > {tmp_path}/asked; mkdir -p stacks; echo salt > stacks/Pulumi.new.yaml',
    )
    given = {"PULUMI_BACKEND_URL": "file:///s", "PATH": "/usr/bin:/bin"}
    with Backend(steps, tmp_path, {}).pretended(pulumi, "new", given) as environment:
        address = environment["PULUMI_BACKEND_URL"]
        directory = Path(address.removeprefix("file://").partition("?")[0])
        assert directory.is_dir()
        assert settings.read_text() == "salt\n"
    assert (tmp_path / "asked").read_text() == f"{address} stack init new --no-select --non-interactive\n"
    assert not directory.exists()
    assert (settings.read_bytes() if settings.exists() else None) == before
    assert settings.parent.exists() is (before is not None)
