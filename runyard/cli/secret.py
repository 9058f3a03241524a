"""Command `secret`: the values of a stack's secrets, which no command line and no output shows."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from dotenv import dotenv_values

from runyard.cli.output import Output, reporting
from runyard.errors import NotFound, UsageError
from runyard.names import DEFAULT_TENANT, DNS_LABEL
from runyard.pulumi.stack import StackSource
from runyard.units import render_count

# As the schema of manifests has names, and Kubernetes keys of Secrets.
_NAME = re.compile(r"[A-Za-z0-9][-._A-Za-z0-9]{0,253}")
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
# As Kubernetes bounds a Secret; the launcher's delivery has room for a few of them.
_LARGEST_BYTES = 1024 * 1024

# A stack's secrets as its configuration has them: by tenant and name, a value or values by key.
Secrets = Mapping[str, Mapping[str, Any]]


@click.group("secret")
def secret() -> None:
    """Set, import, list and remove the values of a stack's secrets.

    They are encrypted in the stack's configuration file, and `up` puts them in force. A manifest names them by
    secretKeyRef: NAME's only value as key `latest`, NAME/KEY's as KEY.
    """


def _of_stack(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("-t", "--tenant", default=DEFAULT_TENANT, show_default=True, help="The tenant whose secrets."),
        click.option("-s", "--stack", default="dev", show_default=True, help="The stack that has them."),
        click.option("--config-file", type=click.Path(), help="The stack's configuration, as pulumi's own flag."),
    ):
        function = option(function)
    return reporting()(function)


@secret.command("set")
@click.argument("name", metavar="NAME[/KEY]")
@click.argument("given", nargs=-1, metavar="", type=click.UNPROCESSED)
@click.option(
    "--from-file", "file", type=click.Path(exists=True, dir_okay=False), help="Take the file's bytes, to the last one."
)
@_of_stack
def set_(  # noqa: PLR0913 - click gives one parameter for each option
    name: str, given: tuple[str, ...], file: str | None, tenant: str, stack: str, config_file: str | None, out: Output
) -> None:
    """Set a secret to what comes on standard input, without its last line end, or to a file's content.

    On a terminal it asks, and shows nothing of what is typed.
    """
    if given:
        # Not in click's words, which would show it once more.
        where = "it is in the shell's history and in the list of processes; give it on standard input, and change it"
        raise UsageError(f"secret set {name}: must be given no value on the command line: {where}")
    place, source = parse_place(tenant, name), StackSource(stack, config_file)
    value = _read_file(Path(file)) if file else _read_input(name)
    _check_value(name, value)
    change = plan_value(source.secret_config(), place, value)
    if change != "unchanged":
        source.set_secret(place, value)
    told = {"tenant": tenant, "secret": name, "change": change}
    out.show(lambda: told, lambda: _said(name, tenant, change))


@secret.command("import")
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True), metavar="FILE")
@_of_stack
def import_(name: str, file: str, tenant: str, stack: str, config_file: str | None, out: Output) -> None:
    """Set a key of secret NAME for each variable of FILE, as a .env file has them; - is standard input.

    Keys that it does not name stay as they are.
    """
    text = sys.stdin.read() if file == "-" else _read_file(Path(file))
    values, source = parse_dotenv(file, text), StackSource(stack, config_file)
    places = {key: parse_place(tenant, f"{name}/{key}") for key in values}
    for key, value in values.items():
        _check_value(f"{name}/{key}", value)
    there = source.secret_config()
    # All are looked at before the first is set.
    changes = {key: plan_value(there, place, values[key]) for key, place in places.items()}
    for key, change in changes.items():
        if change != "unchanged":
            source.set_secret(places[key], values[key])
    told = [{"tenant": tenant, "secret": f"{name}/{key}", "change": change} for key, change in changes.items()]
    out.show(lambda: told, lambda: "\n".join(_said(f"{name}/{key}", tenant, each) for key, each in changes.items()))


@secret.command("list")
@_of_stack
def list_(tenant: str, stack: str, config_file: str | None, out: Output) -> None:
    """List the names and keys of a tenant's secrets, and no value."""
    there = StackSource(stack, config_file).secret_config().get(tenant, {})
    found = {name: sorted(value) if isinstance(value, Mapping) else [] for name, value in sorted(there.items())}
    lines = [f"{name}/{key}" if key else name for name, keys in found.items() for key in keys or [""]]
    out.show(
        lambda: [{"tenant": tenant, "secret": name, "keys": keys} for name, keys in found.items()],
        lambda: "\n".join(lines) if lines else f"tenant {tenant} has no secrets in stack {stack}",
    )


@secret.command("remove")
@click.argument("name", metavar="NAME[/KEY]")
@_of_stack
def remove(name: str, tenant: str, stack: str, config_file: str | None, out: Output) -> None:
    """Remove a secret with all its keys, or one key; `up` refuses manifests that need it."""
    place, source = parse_place(tenant, name), StackSource(stack, config_file)
    there = source.secret_config().get(tenant, {})
    known = there.get(place[1])
    if place[1] not in there or (len(place) > 2 and not (isinstance(known, Mapping) and place[2] in known)):
        raise NotFound(f"secret remove {tenant} {name}: there is none (runyard secret list has those that are)")
    source.remove_secret(place)
    out.show(lambda: {"tenant": tenant, "secret": name, "change": "removed"}, lambda: _said(name, tenant, "removed"))


def parse_place(tenant: str, name: str) -> tuple[str, ...]:
    """Read `NAME` or `NAME/KEY` as where it is in the stack's secrets; UsageError says what does not fit."""
    name, slash, key = name.partition("/")
    if not DNS_LABEL.fullmatch(tenant):
        raise UsageError(f"secret: tenant must be a DNS label, got {tenant!r}")
    if not _NAME.fullmatch(name):
        raise UsageError(f"secret: NAME must be letters, digits, -, _ and ., got {name!r}")
    if slash and not _KEY.fullmatch(key):
        raise UsageError(f"secret {name}: KEY must be letters, digits, -, _ and ., got {key!r}")
    return (tenant, name, key) if slash else (tenant, name)


def parse_dotenv(file: str, text: str) -> dict[str, str]:
    """Read variables as a .env file has them, in its order and as they stand; UsageError for a name without a value."""
    # Nothing is put into a value: what $ is in a password stays one.
    found = dotenv_values(stream=io.StringIO(text), interpolate=False)
    values = {name: value for name, value in found.items() if value is not None}
    if not values or len(values) < len(found):
        bare = ", ".join(sorted(found.keys() - values.keys())) or "nothing"
        raise UsageError(f"secret import {file}: must have NAME=VALUE lines, got {bare}")
    return values


def plan_value(secrets: Secrets, place: tuple[str, ...], value: str) -> str:
    """Say what setting a value does: `new`, `changed` or `unchanged`; UsageError where keys and a value would clash."""
    tenant, name, *key = place
    there = secrets.get(tenant, {}).get(name)
    if there is None:
        return "new"
    if isinstance(there, Mapping) != bool(key):
        has = f"has keys ({', '.join(sorted(there))})" if isinstance(there, Mapping) else "has one value and no keys"
        raise UsageError(f"secret {name}: {has}; runyard secret remove {name} makes room for the other")
    before = there.get(key[0]) if isinstance(there, Mapping) else there
    return "new" if before is None else "unchanged" if str(before) == value else "changed"


def _said(name: str, tenant: str, change: str) -> str:
    ending = "" if change == "unchanged" else "; the next up puts it in force"
    return f"{tenant}: {name} {change}{ending}"


def _read_file(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except UnicodeDecodeError:
        # A Secret's value is a variable or a text file; base64 is how others carry bytes.
        raise UsageError(f"secret: {file}: must be UTF-8 text; encode bytes as base64 first") from None


def _read_input(name: str) -> str:
    if sys.stdin.isatty():
        return str(click.prompt(f"value of {name}", hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.read().removesuffix("\n")


def _check_value(name: str, value: str) -> None:
    size = len(value.encode())
    if not value or size > _LARGEST_BYTES or "\0" in value:
        got = "a NUL" if "\0" in value else render_count(size, "byte")
        raise UsageError(f"secret {name}: value must be 1 to {_LARGEST_BYTES} bytes without NUL, got {got}")
