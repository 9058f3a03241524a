"""The filter as a program before an engine written by hand, and documents in the directory where it looks for them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from runyard import names
from runyard.contracts import RevisionDocument
from services.orchestrator.engine.docker.images import read_image
from services.orchestrator.engine.docker.making import container_config, placement_of
from services.orchestrator.model.entry import BookedContainer, container_name, entry_of
from services.orchestrator.model.revision import Revision
from services.orchestrator.store.documents import HeldDocument, encode
from tests.harness.client import UnixConnection
from tests.harness.waiting import PATIENCE_S, until
from tests.unit.runyard.host.docker_api import DockerApi, serve
from tests.unit.services.orchestrator.world import IMAGE, PUBLIC_KEY, STACK, sign

ROOT = Path(__file__).parents[4]
SOURCE = ROOT / "services" / "filter" / "command"
PROFILE = ROOT / "services" / "orchestrator" / "engine" / "docker" / "seccomp.json"
PARTS = ("gateway", "orchestrator", "standby", "filter", "spare")
# What the engine tells of the image that every document of these tests has.
IMAGE_SEEN = {
    "Id": IMAGE,
    "Config": {"Cmd": ["serve"], "Env": ["PATH=/bin", "A=image"], "Volumes": {"/cache/": {}}, "Labels": {"made": "by"}},
}
ADDRESS = "10.130.0.9"
INSTANCE = "1a21f293c4a"
Json = dict[str, Any]


def id_of(number: int) -> str:
    """Give an id as the engine gives them."""
    return f"{number:064x}"


@dataclass(frozen=True)
class Answer:
    """What the filter answered."""

    status: int
    text: str

    @property
    def message(self) -> str:
        return str(json.loads(self.text)["message"])


@dataclass
class Filter:
    """A filter that runs, the engine behind it, and where documents are put."""

    directory: Path
    api: DockerApi
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def socket(self) -> Path:
        return self.directory / "engine" / "engine.sock"

    @property
    def engine(self) -> Path:
        return self.directory / "docker.sock"

    def start(self, binary: Path, **variables: str) -> subprocess.Popen[str]:
        """Start a filter; the first one listens at once, others when it is their turn."""
        told = {
            "RUNYARD_STACK": STACK,
            "RUNYARD_PARTS": ",".join(PARTS),
            "RUNYARD_PUBLIC_KEY": PUBLIC_KEY,
            "RUNYARD_ENGINE": str(self.engine),
            "RUNYARD_SOCKET": str(self.socket),
            "RUNYARD_DOCUMENTS": str(self.directory / "documents"),
            "RUNYARD_SECCOMP": str(PROFILE),
        }
        with (self.directory / f"log-{len(self.processes)}").open("w") as log:
            started = subprocess.Popen([binary], env={**os.environ, **told, **variables}, stderr=log, text=True)
        self.processes.append(started)
        return started

    def log(self, number: int = 0) -> list[Json]:
        """Give the lines that a filter wrote."""
        return [json.loads(each) for each in (self.directory / f"log-{number}").read_text().splitlines()]

    def hold(self, *documents: RevisionDocument, **signed: Any) -> None:
        """Put documents where the orchestrator does, newest last."""
        for sequence, document in enumerate(documents):
            put = sign(document, **signed)
            held = HeldDocument(put.document, put.signature, sequence)
            (self.directory / "documents" / f"{document.tenant}.{document.identity}.json").write_text(encode(held))

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Ask in the version that the engine of these tests has."""
        return self.raw(method, f"/v1.41{path}", None if body is None else json.dumps(body).encode(), headers)

    def raw(
        self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask just so."""
        connection: HTTPConnection = UnixConnection(self.socket)
        try:
            connection.request(method, target, body, dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, answer.read().decode())
        finally:
            connection.close()

    def asked(self) -> list[str]:
        """Give what changed something at the engine."""
        return [each for each in self.api.asked if not each.startswith("GET ")]


@contextmanager
def filtering(directory: Path, binary: Path) -> Iterator[Filter]:
    """Give a filter that answers, before an engine that has the image."""
    api = DockerApi()
    api.answers |= {f"GET /images/{IMAGE}/json": IMAGE_SEEN, "GET /version": {"ApiVersion": "1.41"}}
    api.answers["POST /containers/create"] = (201, {"Id": id_of(1), "Warnings": []})
    found = Filter(directory, api)
    (directory / "engine").mkdir()
    (directory / "documents").mkdir()
    with serve(api, found.engine):
        try:
            found.start(binary)
            until(lambda: found.ask("GET", "/version").status == 200, "the filter answers")
            yield found
        finally:
            for each in found.processes:
                each.kill()
                each.wait(PATIENCE_S)


def made_by(subject: RevisionDocument | Revision, container: str, instance: str = INSTANCE) -> tuple[str, Json]:
    """Give name and configuration of a container as the orchestrator asks for it; its owner has the id 2."""
    revision = subject if isinstance(subject, Revision) else Revision(subject)
    booked = tuple(
        BookedContainer(each.document.name, "", id_of(2) if each.document.name == revision.owner else "")
        for each in revision.parts
    )
    entry = entry_of(revision, instance, ADDRESS, booked)
    part = revision.part(container)
    assert part is not None, container
    at = placement_of(entry, revision, container)
    config = container_config(revision, part.document, at, read_image(IMAGE_SEEN))
    return container_name(revision, container, instance), config


def described(number: int, name: str, config: Json, **host: Any) -> Json:
    """Describe a container as the engine does that made it of a configuration; `host` is what differs from that."""
    own = {"CgroupnsMode": "private", "Runtime": "runc", "MaskedPaths": ["/proc/kcore"], "ReadonlyPaths": ["/proc/bus"]}
    filled = {"PidMode": "", "UTSMode": "", "Devices": [], "Binds": None, "CapAdd": None, "NanoCpus": 0}
    networks = config.get("NetworkingConfig", {}).get("EndpointsConfig", {})
    return {
        "Id": id_of(number),
        "Name": f"/{name}",
        "Image": config.get("Image", ""),
        "Config": {key: value for key, value in config.items() if key not in ("HostConfig", "NetworkingConfig")},
        "HostConfig": {**filled, **config.get("HostConfig", {}), **own, **host},
        "Mounts": [
            {
                "Type": "volume",
                "Name": each["Source"],
                "Source": f"/var/lib/docker/volumes/{each['Source']}/_data",
                "Destination": each["Target"],
                "RW": not each["ReadOnly"],
            }
            for each in config.get("HostConfig", {}).get("Mounts", ())
        ],
        "NetworkSettings": {"Networks": networks},
    }


def part_of_the_platform(number: int, part: str, stack: str = STACK) -> Json:
    """Describe a part as the engine does."""
    config = {"Labels": {names.STACK: stack, names.ROLE: part}}
    return described(number, names.platform_container(stack, part), config)
