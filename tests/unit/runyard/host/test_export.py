"""Export of a stack's state: what Pulumi is asked, and what is told when it has none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runyard.errors import HostError
from runyard.host.export import Export

Write = Callable[[str], None]


def test_export_is_asked_for_once_and_without_the_secrets_of_the_program_around_it(
    pulumi_program: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_SECRET_KEYS", "canary")
    pulumi_program(f'echo "$@" >> {tmp_path}/asked; echo "{{}}$PULUMI_CONFIG_SECRET_KEYS"')
    with Export("dev") as export:
        assert [export.read(), export.read()] == ["{}\n", "{}\n"]
    assert (tmp_path / "asked").read_text() == "stack export --stack dev\n"


def test_export_that_fails_says_why(pulumi_program: Write) -> None:
    pulumi_program("echo 'error: incorrect passphrase' >&2; exit 255")
    with Export("dev") as export, pytest.raises(HostError, match=r"^export the stack's state: error: incorrect pass"):
        export.read()


def test_export_without_pulumi_says_so(pulumi_program: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match=r"^export the stack's state: .*No such file or directory: 'pulumi'$"):
        Export("dev")


def test_export_that_nobody_reads_ends_with_its_block(pulumi_program: Write, tmp_path: Path) -> None:
    # More than a pipe takes, so that it would wait for a reader for ever.
    pulumi_program("exec cat /dev/zero")
    with Export("dev"):
        pass
