"""A stack in memory and in a directory: its volumes, its database, and its files as a user has them."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from runyard import names
from runyard.backup.place import Place
from runyard.errors import HostError
from runyard.host.thing import Thing
from runyard.host.volume import Volume
from runyard.pulumi.backend import file_backend, lock_directory
from tests.unit.runyard.pulumi.test_passphrase import PASSPHRASE, SALT

POSTGRES_USER = 101


def files_of(archive: bytes) -> dict[str, bytes]:
    """Give what a tar archive has by name, directories as nothing."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        return {each.name: (opened.extractfile(each) or io.BytesIO()).read() for each in opened}


def archive_of(files: Mapping[str, bytes | None]) -> bytes:
    """Write a tar archive; None is a directory."""
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w") as opened:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.uid = member.gid = POSTGRES_USER
            member.type = tarfile.DIRTYPE if data is None else tarfile.REGTYPE
            member.size = len(data or b"")
            opened.addfile(member, io.BytesIO(data or b""))
    return into.getvalue()


class FakeHost:
    """An engine with the volumes of stack `dev`: `kept` maps names to labels and files; `full` refuses to write one."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[Mapping[str, str], dict[str, bytes]]] = {}
        self.containers: list[str] = []
        self.commands: list[Sequence[str]] = []
        self.dump_fails = ""
        self.full = ""
        self.while_read: Callable[[], None] = lambda: None
        # In the order in which they were read.
        self.read: list[str] = []
        self.cut = False

    def add(self, name: str, role: str = names.ROLE_VOLUME, **files: str) -> None:
        labels = {names.STACK: "dev", names.ROLE: role}
        if role == names.ROLE_DATA:
            labels[names.TENANT] = "default"
        self.kept[f"runyard.dev.{name}"] = (labels, {name: text.encode() for name, text in files.items()})

    def owned(self, stack: str) -> list[Thing]:
        containers = [Thing("container", each, each, stack) for each in self.containers]
        volumes = [
            Thing("volume", name, name, stack, labels[names.ROLE])
            for name, (labels, _) in self.kept.items()
            if labels[names.STACK] == stack
        ]
        return containers + volumes

    def execute(self, container: str, command: Sequence[str]) -> tuple[int, str]:
        assert container == "runyard.dev.postgres"
        self.commands.append(command)
        _, files = self.kept["runyard.dev.postgres"]
        if command == names.DATABASE_DUMP:
            if self.dump_fails:
                return 1, f"{self.dump_fails}\n"
            files[names.DATABASE_DUMP_NAME] = b"all of the ledger"
        else:
            files.pop(names.DATABASE_DUMP_NAME, None)
        return 0, ""

    def list(self) -> list[Volume]:
        return sorted(Volume(name, labels) for name, (labels, _) in self.kept.items())

    def create(self, volume: Volume) -> None:
        self.kept[volume.name] = (volume.labels, {})

    def remove(self, name: str) -> None:
        del self.kept[name]

    @contextmanager
    def mounted(self, volumes: Sequence[str]) -> Iterator[FakeMounted]:
        assert set(volumes) <= self.kept.keys()
        yield FakeMounted(self, volumes)


class FakeMounted:
    def __init__(self, host: FakeHost, volumes: Sequence[str]) -> None:
        self.host, self.volumes = host, volumes

    def read(self, volume: str, path: str, into: IO[bytes]) -> None:
        assert volume in self.volumes
        self.host.read.append(volume)
        self.host.while_read()
        _, files = self.host.kept[volume]
        if path:
            into.write(archive_of({path: files[path]}))
            return
        whole = archive_of({volume: None, **{f"{volume}/{name}": data for name, data in files.items()}})
        into.write(whole[:-9000] if self.host.cut else whole)

    def write(self, archive: IO[bytes]) -> None:
        for path, data in files_of(archive.read()).items():
            volume, _, name = path.partition("/")
            if volume == self.host.full:
                raise HostError("no space left on device")
            if name:
                self.host.kept[volume][1][name] = data


class World:
    """The files of stack `dev` below a directory, and its host."""

    def __init__(self, directory: Path) -> None:
        self.data = directory / "data"
        self.settings = directory / "Pulumi.dev.yaml"
        self.host = FakeHost()
        self.environment = {"RUNYARD_DATA": str(self.data)}

    def bring_up(self) -> None:
        """Make a stack whose secrets are no passphrase's: to ask whether one fits takes its time."""
        self.write_state({"type": "cloud", "state": {}})
        (self.data / "passphrase").write_text(f"{PASSPHRASE}\n")
        self.settings.write_text("config: {}\n")
        self.host.add("gateway", snapshot="routes")
        self.host.add("prometheus", block="metrics")
        self.host.add("meter", account="so far")
        self.host.add("postgres", PG_VERSION="15")
        self.host.add("volume.default.notes", names.ROLE_DATA, note="kept")
        self.host.add("volume.default.films", names.ROLE_DATA, film="long")

    def encrypt(self) -> None:
        """Have secrets in state and settings, by PASSPHRASE."""
        self.write_state({"type": "passphrase", "state": {"salt": SALT}})
        self.settings.write_text(f"encryptionsalt: {SALT}\n")

    def write_state(self, provider: object, resources: Sequence[object] = ({"type": "pulumi:pulumi:Stack"},)) -> None:
        self.place().state.parent.mkdir(parents=True, exist_ok=True)
        latest = {"secrets_providers": provider, "resources": resources}
        self.place().state.write_text(json.dumps({"version": 3, "checkpoint": {"latest": latest}}))

    def place(self, stack: str = "dev") -> Place:
        return Place(stack, self.settings, self.environment)

    def lock(self) -> Path:
        directory = Path(lock_directory(file_backend(self.data / "state"), "dev"))
        directory.mkdir(parents=True)
        (directory / "x.json").write_text("{}")
        return directory / "x.json"

    def files(self, volume: str) -> Any:
        return self.host.kept[f"runyard.dev.{volume}"][1]
