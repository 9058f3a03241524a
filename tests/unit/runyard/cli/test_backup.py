"""What `backup` and `restore` take, and what they say."""

from __future__ import annotations

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
