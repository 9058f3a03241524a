"""What `secret` makes of names, values and .env files, and what it has Pulumi do; no output has a value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from runyard.cli.secret import parse_dotenv, parse_place, plan_value, secret
from runyard.errors import NotFound, UsageError

PLANTED = "planted-4711"
THERE = {"shop": {"api": PLANTED, "db": {"user": "me", "tls.crt": "c"}}}


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Pulumi of a few lines: it tells of THERE, and writes down what else it is asked, and its input."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    (tmp_path / "told").write_text(json.dumps({"runyard:secrets": {"value": json.dumps(THERE)}}))
    program = programs / "pulumi"
    told = f'case "$*" in *--show-secrets*) cat {tmp_path}/told ;;'
    program.write_text(f'#!/bin/sh\n{told} *) echo "$@" >> {tmp_path}/asked; cat >> {tmp_path}/input ;; esac\n')
    program.chmod(0o755)
    return tmp_path


def asked(pulumi: Path) -> list[str]:
    file = pulumi / "asked"
    return file.read_text().splitlines() if file.exists() else []


def call(*arguments: str, given: str | None = None) -> Any:
    done = CliRunner().invoke(secret, arguments, input=given, catch_exceptions=True)
    assert PLANTED not in done.output
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_value_comes_on_standard_input_and_goes_to_pulumi_s(pulumi: Path) -> None:
    done = call("set", "mail/password", "-t", "shop", "-s", "prod", given="new-value\n")
    assert done.output == "shop: mail/password new; the next up puts it in force\n"
    assert asked(pulumi) == [
        '--non-interactive config set --secret --path runyard:secrets["shop"]["mail"]["password"] --stack prod'
    ]
    assert (pulumi / "input").read_text() == "new-value\n"


def test_file_is_taken_to_its_last_byte(pulumi: Path) -> None:
    (pulumi / "key.pem").write_text("a\nb\n")
    call("set", "db/tls.crt", "--from-file", str(pulumi / "key.pem"), "-t", "shop", "--config-file", "x.yaml")
    # Pulumi takes one line end off.
    assert (pulumi / "input").read_text() == "a\nb\n\n"
    assert asked(pulumi)[0].endswith(
        'config set --secret --path --config-file x.yaml runyard:secrets["shop"]["db"]["tls.crt"] --stack dev'
    )


def test_value_on_the_command_line_is_refused_and_not_shown(pulumi: Path) -> None:
    with pytest.raises(UsageError, match="secret set api: must be given no value on the command line") as caught:
        call("set", "api", PLANTED, "-t", "shop")
    assert PLANTED not in str(caught.value)
    assert asked(pulumi) == []


def test_value_that_is_there_is_not_encrypted_anew(pulumi: Path) -> None:
    assert call("set", "api", "-t", "shop", given=PLANTED).output == "shop: api unchanged\n"
    assert asked(pulumi) == []


def test_import_sets_each_variable_as_a_key(pulumi: Path) -> None:
    (pulumi / ".env").write_text("# of the shop\nuser=me\nexport PASSWORD='a $b # c'\n")
    told = json.loads(call("import", "db", str(pulumi / ".env"), "-t", "shop", "-o", "json").stdout)
    assert [(each["secret"], each["change"]) for each in told] == [("db/user", "unchanged"), ("db/PASSWORD", "new")]
    assert (pulumi / "input").read_text() == "a $b # c\n"


def test_import_that_does_not_fit_sets_nothing(pulumi: Path) -> None:
    with pytest.raises(UsageError, match="secret api: has one value and no keys; runyard secret remove api makes room"):
        call("import", "api", "-", "-t", "shop", given="A=b\n")
    assert asked(pulumi) == []


def test_list_has_names_and_keys_alone(pulumi: Path) -> None:
    assert call("list", "-t", "shop").output == "api\ndb/tls.crt\ndb/user\n"
    assert json.loads(call("list", "-t", "shop", "-o", "json").stdout) == [
        {"tenant": "shop", "secret": "api", "keys": []},
        {"tenant": "shop", "secret": "db", "keys": ["tls.crt", "user"]},
    ]
    assert call("list", "-t", "other").output == "tenant other has no secrets in stack dev\n"


@pytest.mark.parametrize(("name", "path"), [("db", '["db"]'), ("db/user", '["db"]["user"]')])
def test_remove_takes_a_key_or_all(pulumi: Path, name: str, path: str) -> None:
    assert call("remove", name, "-t", "shop").output == f"shop: {name} removed; the next up puts it in force\n"
    assert asked(pulumi) == [f'--non-interactive config rm --path runyard:secrets["shop"]{path} --stack dev']


@pytest.mark.parametrize("name", ["other", "db/other", "api/latest"])
def test_remove_of_what_there_is_not_is_told(pulumi: Path, name: str) -> None:
    with pytest.raises(NotFound, match=f"secret remove shop {name}: there is none"):
        call("remove", name, "-t", "shop")
    assert asked(pulumi) == []


@pytest.mark.parametrize(
    ("value", "got"),
    [("", "0 bytes"), ("a\0b", "a NUL"), ("x" * (2**20 + 1), "1048577 bytes")],
    ids=["none", "nul", "large"],
)
def test_value_that_nothing_can_have_is_refused(pulumi: Path, value: str, got: str) -> None:
    with pytest.raises(UsageError, match=f"value must be 1 to 1048576 bytes without NUL, got {got}"):
        call("set", "api", "-t", "shop", given=value)


@pytest.mark.parametrize(
    ("tenant", "name", "message"),
    [
        ("a.b", "x", "secret: tenant must be a DNS label, got 'a.b'"),
        ("shop", 'x"]', "secret: NAME must be letters, digits, -, _ and ., got 'x\"]'"),
        ("shop", "x/", "secret x: KEY must be letters, digits, -, _ and ., got ''"),
        ("shop", "x/a/b", "secret x: KEY must be letters, digits, -, _ and ., got 'a/b'"),
    ],
)
def test_name_that_could_be_another_place_is_refused(tenant: str, name: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_place(tenant, name)
    assert str(caught.value) == message


def test_change_is_told_by_what_is_there() -> None:
    assert plan_value(THERE, ("shop", "db", "user"), "you") == "changed"
    assert plan_value({}, ("shop", "db"), "x") == "new"
    with pytest.raises(UsageError, match=r"secret db: has keys \(tls.crt, user\)"):
        plan_value(THERE, ("shop", "db"), "x")


@pytest.mark.parametrize(("text", "got"), [("A=b\nB\n", "B"), ("# none\n", "nothing")])
def test_file_that_is_no_env_file_is_refused(text: str, got: str) -> None:
    with pytest.raises(UsageError, match=rf"secret import f: must have NAME=VALUE lines, got {got}"):
        parse_dotenv("f", text)
