"""Backend: where Pulumi's file backend keeps things, by the address of the backend; paths are texts.

Light on imports, because what is up to date is told from here before anything else is imported.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit

PROJECT = "runyard"
PASSPHRASE_VARIABLES = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")


def file_backend(directory: str | os.PathLike[str]) -> str:
    """Give the address of the file backend in a directory, as PULUMI_BACKEND_URL has it.

    Without notes of its own beside its files (gocloud's `metadata=skip`): it writes those in place, so an update
    killed meanwhile left half a note, and Pulumi could not read the state beside it. The state itself is renamed.
    Escaped, because Pulumi decodes it: a directory with `%41` in its name would be looked for under another.
    """
    return f"file://{quote(os.fspath(directory))}?metadata=skip"


def data_directory(environment: Mapping[str, str]) -> str:
    """Say where a user's stacks have state, passphrase and records: RUNYARD_DATA, or `runyard` in the XDG data.

    Outside every repository, as a stack is a thing of its host and not of the directory that brought it up. The default
    is that of the XDG Base Directory Specification.
    """
    own = environment.get("RUNYARD_DATA")
    home = environment.get("HOME", "/root")
    shared = environment.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
    return os.path.abspath(own or os.path.join(shared, "runyard"))


def backend_of(environment: Mapping[str, str]) -> str:
    """Give the address of the backend in force: the environment's, or the one in the user's data."""
    return environment.get("PULUMI_BACKEND_URL") or file_backend(os.path.join(data_directory(environment), "state"))


def passphrase_file(environment: Mapping[str, str]) -> str:
    """Say which file has the passphrase where the environment does not have it itself."""
    own = environment.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    return own or os.path.join(data_directory(environment), "passphrase")


def list_stacks(backend: str) -> list[str] | None:
    """List the stacks of a file backend by name; None for any other backend, which Pulumi alone can ask."""
    directory = backend_directory(backend)
    if not directory:
        return None
    try:
        found = os.listdir(os.path.dirname(stack_file(directory, "")))
    except FileNotFoundError:
        return []
    # Beside each lies what it was before (`dev.json.bak`), and notes where a backend has them (`dev.json.attrs`).
    return sorted(each.removesuffix(".json") for each in found if each.endswith(".json"))


def backend_directory(backend: str) -> str:
    """Find the directory of a file backend of this machine by its address; "" for any other backend.

    As Pulumi reads it: escapes are decoded, and `~` is the home directory. A path from the directory that Pulumi
    happens to run in is Pulumi's own to find.
    """
    parts = urlsplit(backend)
    if parts.scheme != "file" or parts.netloc not in ("", "~"):
        return ""
    return os.path.expanduser(f"{parts.netloc}{unquote(parts.path)}")


def stack_file(directory: str, stack: str) -> str:
    """Say where a file backend in this directory keeps a stack."""
    return os.path.join(directory, ".pulumi", "stacks", PROJECT, f"{stack}.json")


def state_file(backend: str, stack: str) -> str:
    """Find a stack's file in a file backend; "" when there is none, as in other backends or other layouts."""
    directory = backend_directory(backend)
    file = stack_file(directory, stack)
    return file if directory and os.path.exists(file) else ""


def lock_directory(backend: str, stack: str) -> str:
    """Say where a file backend keeps a stack's locks; "" for any other backend."""
    directory = backend_directory(backend)
    return os.path.join(directory, ".pulumi", "locks", "organization", PROJECT, stack) if directory else ""
