"""Volumes on the host, read and written through a container that mounts them and never runs."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import IO, NamedTuple
from urllib.parse import quote, urlencode

from runyard import names
from runyard.errors import Conflict, NotFound
from runyard.host.transport import Transport

# Where the container has them: each under its own name.
_MOUNTS = "/saved"
_ARCHIVE = {"Content-Type": "application/x-tar"}


class Volume(NamedTuple):
    """A volume as the engine has it."""

    name: str
    labels: Mapping[str, str]


class Volumes:
    """The volumes of one stack; HostError where the engine refuses."""

    def __init__(self, transport: Transport, stack: str) -> None:
        self._transport, self._stack = transport, stack

    def list(self) -> list[Volume]:
        """List those that carry the stack's label, by name."""
        query = urlencode({"filters": json.dumps({"label": [f"{names.STACK}={self._stack}"]})})
        found = self._transport.request("GET", f"/volumes?{query}").checked().json()["Volumes"] or []
        return sorted(Volume(each["Name"], each["Labels"] or {}) for each in found)

    def create(self, volume: Volume) -> None:
        """Create a volume; one of the stack that is there already stays as it is, and Conflict refuses a stranger's."""
        body = {"Name": volume.name, "Labels": dict(volume.labels)}
        there = self._transport.request("POST", "/volumes/create", body).checked().json()
        if (there["Labels"] or {}).get(names.STACK) != self._stack:
            raise Conflict(f"create volume {volume.name}: one is there that is not of stack {self._stack}")

    def remove(self, name: str) -> None:
        """Remove a volume; one that is gone already is fine."""
        with contextlib.suppress(NotFound):
            self._transport.request("DELETE", f"/volumes/{quote(name, safe='')}").checked()

    @contextmanager
    def mounted(self, volumes: Sequence[str]) -> Iterator[Mounted]:
        """Mount volumes that are there, for as long as they are read or written."""
        name = names.task_container(self._stack, names.ROLE_BACKUP)
        image = self._import_nothing()
        try:
            # Of one that was killed.
            self._discard(name)
            body = {
                "Image": image,
                "Cmd": ["true"],
                "NetworkDisabled": True,
                "Labels": {names.STACK: self._stack, names.ROLE: names.ROLE_BACKUP},
                "HostConfig": {"Binds": [f"{each}:{_MOUNTS}/{each}" for each in volumes]},
            }
            self._transport.request("POST", f"/containers/create?{urlencode({'name': name})}", body).checked()
            yield Mounted(self._transport, name)
        finally:
            self._discard(name)
            self._transport.request("DELETE", f"/images/{image}").checked()

    def _import_nothing(self) -> str:
        """Give an image without a file: a host on which a stack is restored has none of ours yet."""
        empty = io.BytesIO()
        tarfile.open(fileobj=empty, mode="w").close()
        told = self._transport.request("POST", "/images/create?fromSrc=-", empty.getvalue(), headers=_ARCHIVE).checked()
        return str(json.loads(told.data.splitlines()[-1])["status"])

    def _discard(self, container: str) -> None:
        with contextlib.suppress(NotFound):
            self._transport.request("DELETE", f"/containers/{container}?force=1").checked()


class Mounted:
    """Volumes that a container mounts."""

    def __init__(self, transport: Transport, container: str) -> None:
        self._transport, self._container = transport, container

    def read(self, volume: str, path: str, into: IO[bytes]) -> None:
        """Write what a volume has at a path of it ("" is all) as a tar archive, whose names begin with the volume's.

        Sockets, which are nothing without who listens, are left out.
        """
        with closing(self._pieces(f"{_MOUNTS}/{volume}/{path}".rstrip("/"))) as pieces:
            for piece in pieces:
                into.write(piece)

    def write(self, archive: IO[bytes]) -> None:
        """Put what `read` wrote of a whole volume back into the volume of the same name, owners and modes too."""
        path = f"/containers/{self._container}/archive?{urlencode({'path': _MOUNTS})}"
        self._transport.send("PUT", path, archive, _ARCHIVE)

    def _pieces(self, path: str) -> Generator[bytes, None, None]:
        return self._transport.pieces(f"/containers/{self._container}/archive?{urlencode({'path': path})}")
