"""Export of a stack's state: what Pulumi is asked, and what is told when it has none."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runyard.errors import HostError
from runyard.pulumi.export import Export
from runyard.pulumi.state import parse_state

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


def state_file(directory: Path, text: str, name: str = "dev.json") -> dict[str, str]:
    stacks = directory / ".pulumi" / "stacks" / "runyard"
    stacks.mkdir(parents=True)
    (stacks / name).write_text(text)
    return {"PULUMI_BACKEND_URL": f"file://{directory}?metadata=skip", "PATH": "/nowhere"}


RESOURCE = {"urn": "a", "type": "b"}
STATE = {"version": 3, "checkpoint": {"stack": "organization/runyard/dev", "latest": {"resources": [RESOURCE]}}}


def test_state_that_is_a_file_of_this_machine_is_read_without_pulumi(tmp_path: Path) -> None:
    environment = state_file(tmp_path, json.dumps(STATE))
    with Export("dev", environment=environment) as export:
        assert parse_state(export.read()).resources == [RESOURCE]


def test_state_of_a_stack_in_which_nothing_was_made_yet_is_empty(tmp_path: Path) -> None:
    environment = state_file(tmp_path, json.dumps({"version": 3, "checkpoint": {"stack": "s", "latest": None}}))
    with Export("dev", environment=environment) as export:
        assert parse_state(export.read()).resources == []


def test_state_that_was_packed_is_unpacked(tmp_path: Path) -> None:
    environment = state_file(tmp_path, "", "other.json")
    packed = tmp_path / ".pulumi" / "stacks" / "runyard" / "dev.json.gz"
    packed.write_bytes(gzip.compress(json.dumps(STATE).encode()))
    with Export("dev", environment=environment) as export:
        assert parse_state(export.read()).resources == [RESOURCE]


def test_state_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=rf"^read the stack's state in {tmp_path}/\.pulumi/stacks/runyard/dev\.json: "):
        Export("dev", environment=state_file(tmp_path, "{"))


def test_state_that_lies_elsewhere_is_pulumis_to_read(pulumi_program: Write, tmp_path: Path) -> None:
    pulumi_program("echo told")
    environment = {**os.environ, **state_file(tmp_path, "{}", "other.json"), "PATH": os.environ["PATH"]}
    with Export("dev", environment=environment) as export:
        assert export.read() == "told\n"
