from __future__ import annotations

import pytest

from toolchain.arguments import parse_arguments


def test_options_before_the_double_dash_are_the_toolchains() -> None:
    parsed = parse_arguments(["up", "--stack", "test", "--manifests", "m", "--", "--parallel", "4"])
    assert (parsed.verb, parsed.stack, parsed.manifests, parsed.extra) == ("up", "test", "m", ["--parallel", "4"])


def test_defaults_are_the_dev_stack_and_the_hello_manifest() -> None:
    parsed = parse_arguments(["preview"])
    assert (parsed.stack, parsed.manifests, parsed.plan, parsed.extra) == ("dev", "manifests/hello.yaml", "", [])


def test_command_after_the_double_dash_keeps_its_own_double_dash() -> None:
    assert parse_arguments(["run", "--", "pytest", "--", "x"]).extra == ["pytest", "--", "x"]


def test_unknown_option_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse_arguments(["up", "--manifest-dir", "m"])
    assert "unrecognized arguments: --manifest-dir m" in capsys.readouterr().err
