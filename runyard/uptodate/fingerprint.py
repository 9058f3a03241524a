"""Fingerprints of what an update looks at on this machine: code, settings, what the manifests' loader read, secrets.

Everything is hashed by name and content, never by time: what is as it was has the fingerprint that it had.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from runyard.pulumi.project import SETTINGS, stack_settings

# What makes an update what it is. docs, manifests and tests have no part in it; what is read of manifests is told.
CODE = (
    "components",
    "images",
    "policies",
    "provider",
    "runyard",
    "services",
    "stacks",
    "templates",
    "toolchain",
)
CODE_FILES = (SETTINGS, "pyproject.toml")
_LEFTOVERS = ("__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache")
# Of the environment, what changes how Pulumi, the toolchain or the engine's client behave.
VARIABLES = ("DOCKER_", "PULUMI_", "PYTHON", "RUNYARD_")
# scrypt's cost: 16 MiB and about 40 ms a guess, so that the record is no shortcut to a passphrase.
_SCRYPT_N, _SCRYPT_R = 2**14, 8
SALT_BYTES = 16
# `runyard:manifests` is what every `make up` says on the command line, and Pulumi writes it into the settings.
_SAID = (b"config:", b"runyard:manifests:")

# What was read: "file", "directory" or "glob", and its path.
Read = tuple[str, str]


def of(value: Any) -> str:
    """Hash anything that JSON can say, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def of_code(checkout: str) -> str:
    """Hash the code of a checkout: every file by path, executable bit and content; OSError if one cannot be read."""
    hasher = hashlib.sha256()
    for name in _code_files(checkout):
        path = os.path.join(checkout, name)
        with open(path, "rb") as file:
            content = file.read()
            executable = bool(os.fstat(file.fileno()).st_mode & stat.S_IXUSR)
        hasher.update(f"{name}\0{executable}\0{len(content)}\0".encode())
        hasher.update(content)
    return hasher.hexdigest()


def _code_files(checkout: str) -> Iterator[str]:
    yield from (name for name in CODE_FILES if os.path.exists(os.path.join(checkout, name)))
    for top in CODE:
        for folder, folders, files in os.walk(os.path.join(checkout, top)):
            folders[:] = sorted(each for each in folders if each not in _LEFTOVERS)
            inside = os.path.relpath(folder, checkout)
            yield from (os.path.join(inside, each) for each in sorted(files) if not _is_settings(inside, each))


def _is_settings(folder: str, name: str) -> bool:
    return folder == "stacks" and name.startswith("Pulumi.") and name.endswith(".yaml")


def of_settings(project: str, stack: str) -> str:
    """Hash the settings of a project and its stack, but for the manifests, which the command line names; "" without."""
    lines: list[bytes] = []
    for name in (SETTINGS, stack_settings(stack)):
        with contextlib.suppress(FileNotFoundError), open(os.path.join(project, name), "rb") as file:
            lines += [name.encode(), *file.read().splitlines()]
    said = b"\n".join(line for line in lines if not line.strip().startswith(_SAID))
    return hashlib.sha256(said).hexdigest() if lines else ""


def of_environment(environment: Mapping[str, str], passphrase_file: str, salt: str) -> str:
    """Hash the variables that matter and the passphrase, slowly and with a salt (hexadecimal): they hold secrets."""
    try:
        with open(passphrase_file, "rb") as file:
            passphrase = file.read()
    except OSError:
        passphrase = b""
    matter = {name: value for name, value in environment.items() if name.startswith(VARIABLES)}
    secret = json.dumps(matter, sort_keys=True).encode() + b"\0" + passphrase
    return hashlib.scrypt(secret, salt=bytes.fromhex(salt), n=_SCRYPT_N, r=_SCRYPT_R, p=1).hex()


def of_tools(paths: Iterable[str]) -> str:
    """Identify programs by place, size and time: hashing their hundreds of megabytes would take longer than Pulumi."""
    found = []
    for path in paths:
        try:
            seen = os.stat(path)
            found.append([path, seen.st_size, seen.st_mtime_ns])
        except OSError:
            found.append([path, 0, 0])
    return of(found)


def find_command(name: str, environment: Mapping[str, str]) -> str:
    """Find a program on the environment's PATH, as shutil.which does at ten times the import; "" without one."""
    places = (os.path.join(each, name) for each in environment.get("PATH", "").split(":") if each)
    return next((each for each in places if os.path.isfile(each) and os.access(each, os.X_OK)), "")


def of_read(read: Read) -> str:
    """Hash what a path holds now: a file's content, a directory's entries, what a glob matches; "" if it is gone."""
    kind, path = read
    try:
        if kind == "glob":
            # Here: seldom needed, and its import is a tenth of all.
            import glob

            return of([[each, os.path.isdir(each)] for each in sorted(glob.glob(path, recursive=True))])
        if kind == "directory":
            with os.scandir(path) as entries:
                return of(sorted([each.name, each.is_dir(), each.is_symlink()] for each in entries))
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return ""
