"""Command `console`, on an engine that answers as told."""

from __future__ import annotations

import pytest

from runyard.cli.main import main


def test_invitation_needs_a_tenant_and_a_role_that_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["console", "invite", "ann@example.org"]) == 2
    assert "Missing option '--tenant'" in capsys.readouterr().err
    assert main(["console", "invite", "ann@example.org", "--tenant", "shop", "--role", "root"]) == 2
    assert "'root' is not one of 'owner', 'developer', 'viewer', 'billing'" in capsys.readouterr().err


def test_options_of_a_command_in_a_group_are_variables_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RUNYARD_TENANT", "shop")
    assert main(["console", "invite", "ann@example.org"]) == 2
    assert "Missing option '--role'" in capsys.readouterr().err


def test_roles_are_those_of_the_console(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["console", "invite", "--help"]) == 0
    assert "owner|developer|viewer|billing" in capsys.readouterr().out
