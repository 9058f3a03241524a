"""Credentials for image registries, as the client's Docker configuration has them, helpers included.

No error shows what a file or helper says: either may be a password in the wrong place.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runyard.errors import HostError
from runyard.reference import HUB, parse_reference

# The name under which clients keep what they have for Docker's hub, since its first API.
_HUB_KEY = f"https://index.{HUB}/v1/"
# What helpers give for a user when the secret is an identity token (docker-credential-helpers).
_TOKEN_USER = "<token>"  # noqa: S105 - no secret
# A helper asks a keychain, which may ask a person.
_HELPER_TIMEOUT_S = 60
# How helpers say, with a failing exit, that they have nothing (docker-credential-helpers).
_NOTHING = "credentials not found"


def load_credentials(image: str, environment: Mapping[str, str] = os.environ) -> str:
    """Give the credentials for an image's registry as the engine takes them (X-Registry-Auth); empty without any.

    HostError says which file or helper does not work.
    """
    registry = parse_reference(image).registry
    key = _HUB_KEY if registry == HUB else registry
    directory = environment.get("DOCKER_CONFIG") or os.path.join(environment.get("HOME") or "/", ".docker")
    config = _Config(Path(directory, "config.json"))
    helper = config.section("credHelpers").get(key) or config.text("credsStore")
    found = _ask(str(helper), key, environment) if helper else config.entry(key)
    if not found:
        return ""
    return base64.urlsafe_b64encode(json.dumps({**found, "serveraddress": key}).encode()).decode()


class _Config:
    """Docker's config.json, empty where there is no file."""

    def __init__(self, path: Path) -> None:
        self._doing = f"read credentials in {path}"
        try:
            self._found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            self._found = {}
        except OSError as error:
            raise HostError(f"{self._doing}: {error.strerror}") from None
        except ValueError:
            raise HostError(f"{self._doing}: must be JSON") from None
        if not isinstance(self._found, dict):
            raise HostError(f"{self._doing}: must be a JSON object")

    def section(self, name: str) -> Mapping[str, Any]:
        found = self._found.get(name) or {}
        if not isinstance(found, dict):
            raise HostError(f"{self._doing}: {name}: must be a JSON object")
        return found

    def text(self, name: str) -> str:
        return str(self._found.get(name) or "")

    def entry(self, key: str) -> Mapping[str, str]:
        """Give what the file itself has for a registry."""
        entry = next(self._entries(key), None)
        if not entry:
            return {}
        for token in ("identitytoken", "registrytoken"):
            if entry.get(token):
                return {token: str(entry[token])}
        user, password = entry.get("username"), entry.get("password")
        if entry.get("auth"):
            try:
                # Clients have padded passwords with zeros.
                text = base64.b64decode(str(entry["auth"]), validate=True).decode().rstrip("\0")
            except ValueError:
                text = ""
            user, colon, password = text.partition(":")
            if not colon:
                raise HostError(f"{self._doing}: auths: {key}: auth: must be base64 of user:password")
        return {"username": str(user), "password": str(password)} if user and password else {}

    def _entries(self, key: str) -> Iterator[Mapping[str, Any]]:
        """Find the entries for a registry: of its very name first, then of a URL there, as older clients wrote."""
        auths = self.section("auths")
        named = [name for name in auths if name == key or _host(name) == _host(key)]
        for name in sorted(named, key=lambda each: (each != key, each)):
            if not isinstance(auths[name], dict):
                raise HostError(f"{self._doing}: auths: {name}: must be a JSON object")
            yield auths[name]


def _host(name: str) -> str:
    return name.partition("://")[2].partition("/")[0] if "://" in name else name.partition("/")[0]


def _ask(helper: str, key: str, environment: Mapping[str, str]) -> Mapping[str, str]:
    """Ask a helper for what it has for a registry; empty if that is nothing."""
    name = f"docker-credential-{helper}"
    doing = f"ask {name} for the credentials of {key}"
    if "/" in helper:
        # It would start a program outside of PATH.
        raise HostError(f"{doing}: must be the name of a program, without a slash")
    try:
        asked = subprocess.run(  # noqa: S603 - an argument list, no shell
            [name, "get"],
            input=key,
            capture_output=True,
            text=True,
            timeout=_HELPER_TIMEOUT_S,
            check=False,
            env=dict(environment),
        )
    except subprocess.TimeoutExpired:
        raise HostError(f"{doing}: no answer within {_HELPER_TIMEOUT_S} s") from None
    except (OSError, UnicodeDecodeError) as error:
        raise HostError(f"{doing}: {getattr(error, 'strerror', None) or 'must answer in UTF-8'}") from None
    if asked.returncode:
        if _NOTHING in asked.stdout:
            return {}
        raise HostError(f"{doing}: exit code {asked.returncode} (hint: `echo {key} | {name} get` says why)")
    try:
        answer = json.loads(asked.stdout)
        user, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError):
        raise HostError(f"{doing}: must answer with a JSON object of Username and Secret") from None
    return {"identitytoken": secret} if user == _TOKEN_USER else {"username": user, "password": secret}
