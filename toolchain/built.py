"""Built images: whether the engine still has every image that was built here from the code as it is.

Asking the catalog takes the environment's YAML library and a process of its own; this takes one request.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import closing
from glob import glob
from pathlib import Path
from typing import Any
from urllib.parse import quote

from runyard import files
from runyard.errors import HostError, ToolchainError
from runyard.host.transport import Transport
from runyard.pulumi.project import split_paths
from runyard.uptodate.fingerprint import of_code
from toolchain.cache import KEY_LENGTH, Cache

# Where all images were built, whatever a platform asks for.
_ALL = ""
_OURS = "/images/json?filters=" + quote(json.dumps({"reference": ["runyard/*"]}))


class BuiltImages:
    """The note of one checkout, in the cache: its code's fingerprint, and what our images' names stood for."""

    def __init__(self, checkout: Path, store: Cache, address: str, manifests: str = "") -> None:
        """Take a checkout and the engine's address; what the platform of `manifests` needs is enough if they are given.

        `manifests` are files, directories or globs, separated by commas.
        """
        self._checkout = checkout
        self._address = address
        self._manifests = manifests
        key = hashlib.sha256(os.fsencode(checkout)).hexdigest()[:KEY_LENGTH]
        self._file = store.root / "built" / f"{key}.json"

    def are_there(self) -> bool:
        """Tell whether code and images are as they were noted; False when that cannot be told."""
        try:
            noted: dict[str, Any] = json.loads(self._file.read_text(encoding="utf-8"))
            if noted["code"] != of_code(str(self._checkout)):
                return False
            # Where all are there, no manifest is read.
            if noted["platform"] and noted["platform"] != self._platform():
                return False
            now = self._names()
            return all(now.get(name) == identity for name, identity in noted["names"].items())
        except (OSError, ValueError, KeyError, TypeError, AttributeError, HostError):
            return False

    def note(self) -> None:
        """Note what is there now, after a build that ended well."""
        try:
            os.makedirs(self._file.parent, exist_ok=True)
            code = of_code(str(self._checkout))
            noted = {"code": code, "names": self._names(), "platform": self._platform() if self._manifests else _ALL}
            files.write(self._file, json.dumps(noted, sort_keys=True))
        except (OSError, HostError) as error:
            raise ToolchainError(f"images: note what was built: {error}") from error

    def _platform(self) -> str:
        """Give the digest of what can be a Platform in the manifests; without a reader of YAML, its word tells."""
        hasher = hashlib.sha256(self._manifests.encode())
        for path in sorted(
            Path(found) for each in split_paths(self._manifests) for found in glob(each, recursive=True)
        ):
            for file in sorted(path.rglob("*.y*ml")) if path.is_dir() else [path]:
                content = file.read_bytes()
                if b"Platform" in content:
                    hasher.update(hashlib.sha256(content).digest())
        return hasher.hexdigest()

    def _names(self) -> dict[str, str]:
        with closing(Transport(self._address)) as transport:
            listed = transport.request("GET", _OURS).checked().json()
        return {name: each["Id"] for each in listed for name in each.get("RepoTags") or ()}
