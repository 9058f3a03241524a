"""What `backup` and `restore` take, and what they say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from runyard.backup.archive import Contents, Piece
from runyard.backup.restore import Restored
from runyard.cli.backup import backup, restore, said, said_restored
from runyard.errors import UsageError
from tests.unit import checkout
from tests.unit.runyard.backup.world import World, archive_of
from tests.unit.runyard.host.docker_api import DockerApi

PIECES = {"state.json": Piece(1024**2, ""), "settings.yaml": Piece(0, "")}
CONTENTS = Contents("runyard-backup-1", "dev", "2026-11-28T02:30:00Z", PIECES, {"runyard.dev.gateway": {}})


def refusal(command: Any, *arguments: str) -> str:
    done = CliRunner().invoke(command, arguments)
    assert isinstance(done.exception, UsageError), done.output
    return str(done.exception)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "backup: must be given FILE or --to DIRECTORY, and not both"),
        (("b", "--to", "."), "backup: must be given FILE or --to DIRECTORY, and not both"),
        (("b", "--keep", "2"), "backup: --keep must come with --to"),
        (
            ("b", "--volume", "a/b", "--without-volumes"),
            "backup: must be given --volume or --without-volumes, got both",
        ),
        (("b", "--recipient", "me"), "--recipient: must be age's or SSH's public key, got 'me': "),
    ],
)
def test_options_that_do_not_fit_are_refused_before_anything_is_asked(arguments: tuple[str, ...], reason: str) -> None:
    assert refusal(backup, *arguments).startswith(reason)


def test_file_that_is_none_is_refused_without_a_host(tmp_path: Path) -> None:
    assert CliRunner().invoke(restore, [str(tmp_path / "none")]).exit_code == 2


def test_text_says_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    warning = "warning: the passphrase is not in it, as it is not encrypted (--recipient): keep that apart"
    assert said("b.tar.gz", CONTENTS, [tmp_path]) == (
        f"backed up stack dev to b.tar.gz: 1 volume, 1.0 MiB before compression\n{warning}\nremoved {tmp_path}"
    )
    assert said_restored(Restored(CONTENTS, ["runyard.dev.gateway"], [])) == (
        "restored stack dev as it was at 2026-11-28T02:30:00Z: state, settings and 1 volume\n"
        "now run it: runyard up -s dev"
    )


def test_import_of_the_command_needs_no_library_of_encryption() -> None:
    script = "import sys, runyard.cli.backup; print([each for each in sys.modules if each.startswith('pyrage')])"
    done = subprocess.run([sys.executable, "-c", script], cwd=checkout.ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


VOLUME = "runyard.dev.gateway"


@pytest.fixture
def engine(docker_api: DockerApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DockerApi:
    """Give an engine with one volume of the stack `dev`, whose own files are as users have them."""
    world = World(tmp_path)
    world.bring_up()
    for name in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RUNYARD_DATA", str(world.data))
    volume = {"Name": VOLUME, "Labels": {"runyard.dev/stack": "dev", "runyard.dev/role": "volume"}}
    docker_api.answers |= {
        "GET /volumes": {"Volumes": [volume]},
        "POST /images/create": b'{"status":"sha256:1"}\n',
        "POST /containers/create": (201, {"Id": "c1"}),
        "DELETE /images/sha256:1": [],
        "GET /containers/runyard.dev.backup/archive": archive_of({VOLUME: None, f"{VOLUME}/snapshot": b"routes"}),
        "POST /volumes/create": (201, volume),
        "PUT /containers/runyard.dev.backup/archive": b"",
    }
    return docker_api


def run(command: Any, directory: Path, *arguments: str) -> Any:
    done = CliRunner().invoke(command, [*arguments, "--config-file", str(directory / "Pulumi.dev.yaml")])
    assert done.exception is None, done.output
    return done


def lose(directory: Path) -> None:
    (directory / "data" / "passphrase").rename(directory / "passphrase")
    (directory / "data" / "state").rename(directory / "state.lost")
    (directory / "Pulumi.dev.yaml").unlink()


def test_backup_in_a_file_is_a_stack_again(engine: DockerApi, tmp_path: Path) -> None:
    file = tmp_path / "b.tar.gz"
    told = json.loads(run(backup, tmp_path, str(file), "-o", "json").stdout)
    assert (told["stack"], told["passphrase"], told["volumes"]) == ("dev", False, [VOLUME])
    assert (told["file"], told["removed"]) == (str(file), [])
    lose(tmp_path)
    engine.answers["GET /volumes"] = {"Volumes": None}
    assert refusal(restore, str(file)).startswith(f"restore {file}: is not encrypted and so without the passphrase")
    (tmp_path / "passphrase").rename(tmp_path / "data" / "passphrase")
    done = run(restore, tmp_path, str(file))
    assert done.stdout.endswith(": state, settings and 1 volume\nnow run it: runyard up -s dev\n")
    assert b"routes" in engine.bodies["PUT /containers/runyard.dev.backup/archive"]
    assert (tmp_path / "Pulumi.dev.yaml").read_text() == "config: {}\n"


def test_state_alone_is_put_back_without_a_word_to_the_engine(engine: DockerApi, tmp_path: Path) -> None:
    run(backup, tmp_path, str(tmp_path / "b.tar.gz"), "-q")
    lose(tmp_path)
    (tmp_path / "passphrase").rename(tmp_path / "data" / "passphrase")
    engine.asked.clear()
    told = json.loads(run(restore, tmp_path, str(tmp_path / "b.tar.gz"), "--state-only", "-o", "json").stdout)
    assert (told["stack"], told["volumes"]) == ("dev", [])
    assert engine.asked == ["GET /_ping"]


def test_backup_on_standard_output_has_nothing_else_there(engine: DockerApi, tmp_path: Path) -> None:
    done = run(backup, tmp_path, "-")
    assert done.stdout_bytes.startswith(b"\x1f\x8b")
    assert done.stderr.startswith("backed up stack dev to standard output: 1 volume, ")


def test_directory_keeps_the_newest_of_the_stack(engine: DockerApi, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    for name in ("runyard-dev-20260101T000000Z.tar.gz", "runyard-prod-20260101T000000Z.tar.gz"):
        (shelf / name).touch()
    done = run(backup, tmp_path, "--to", str(shelf), "--keep", "1")
    assert f"removed {shelf}/runyard-dev-20260101T000000Z.tar.gz" in done.stdout.splitlines()
    mine, other = sorted(each.name for each in shelf.iterdir())
    assert mine.startswith("runyard-dev-2")
    assert other == "runyard-prod-20260101T000000Z.tar.gz"
