"""A stack that was just updated: its checkout, its state in a file backend, and the host that agrees with it."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from runyard import contracts, names
from runyard.contracts import (
    ContainerDocument,
    Holdings,
    ImageIdentity,
    RevisionDocument,
    RolloutRequest,
    RouteRequest,
    ServiceHolding,
    SignedRevision,
    TrafficShare,
)
from runyard.manifest.sources import find_files, load_text
from runyard.uptodate.reads import VARIABLE, told_reads
from tests.unit.runyard.host.docker_api import DockerApi, serve
from toolchain.uptodate import UpToDate

STACK, DAY = "dev", "2026-11-27"
SECRET = "hunter2-in-the-environment"
CLAIM = '{"stack":"dev"}'
GATEWAY_IMAGE = "runyard/gateway:f2aaf819925d"
TRAFFIC = (TrafficShare("hello-00000001", 100),)
MANIFEST = "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: hello}\n"


def document(revision: str) -> RevisionDocument:
    return RevisionDocument(
        stack=STACK,
        tenant="default",
        service="hello",
        name=revision,
        identity=revision,
        digest=names.digest(revision),
        network="runyard.dev.tenant.default",
        gateway_address="10.0.0.1",
        containers=(ContainerDocument("user", "runyard/hello:1"),),
        images={"user": ImageIdentity("sha256:1")},
    )


def signed() -> list[SignedRevision]:
    found = [document("hello-00000001"), document("hello-00000000")]
    return [SignedRevision(contracts.encode(each), "c2lnbmVk") for each in found]


def service_resource() -> dict[str, Any]:
    route = RouteRequest("default", "hello", ("hello.localhost",))
    rollout = RolloutRequest("default", "hello", TRAFFIC)
    return {
        "type": "runyard:index:Service",
        "urn": "urn:pulumi:dev::runyard::runyard:index:Service::default.hello",
        "inputs": {
            **{"stack": STACK, "tenant": "default", "service": "hello"},
            # Not even what Pulumi would have encrypted gets into a record.
            "values": '{"digest":"hunter2-in-the-state"}',
            **{"route": contracts.encode_differing(route), "rollout": contracts.encode_differing(rollout)},
        },
        "outputs": {
            "documents": json.dumps([{"document": each.document, "signature": each.signature} for each in signed()])
        },
    }


def thing(kind: str, name: str, identity: str) -> dict[str, Any]:
    return {"type": f"docker:index/{kind.lower()}:{kind}", "id": identity, "inputs": {"name": name}}


def state() -> dict[str, Any]:
    """Give the checkpoint of a stack of one service, as Pulumi's file backend writes it."""
    resources = [
        {"type": "pulumi:pulumi:Stack", "outputs": {"urls": {"default/hello": "http://hello.localhost:3000/"}}},
        {"type": "pulumi:providers:docker", "inputs": {}},
        thing("Network", "runyard.dev.platform", "n1"),
        thing("Network", "runyard.dev.tenant.default", "n2"),
        thing("Volume", "runyard.dev.gateway", "runyard.dev.gateway"),
        thing("Container", "runyard.dev.gateway", "c1"),
        thing("Container", "runyard.dev.orchestrator", "c2"),
        {"type": "runyard:index:Claim", "inputs": {"claim": CLAIM}},
        service_resource(),
    ]
    return {"version": 3, "checkpoint": {"latest": {"resources": resources}}}


def holdings() -> Holdings:
    """Give what the orchestrator answers when it holds what the state says."""
    resource = service_resource()
    service = ServiceHolding(
        tenant="default",
        service="hello",
        documents={
            contracts.decode(RevisionDocument, each.document).identity: names.digest(each.document) for each in signed()
        },
        route=names.digest(contracts.encode(contracts.decode(RouteRequest, resource["inputs"]["route"]))),
        rollout=names.digest(contracts.encode(contracts.decode(RolloutRequest, resource["inputs"]["rollout"]))),
        goal=TRAFFIC,
        settled=True,
    )
    return Holdings(services=(service,), claim=names.digest(CLAIM), in_step=True)


def archive(content: bytes) -> bytes:
    """Give a file as the engine's archive call does."""
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        member = tarfile.TarInfo("nginx.conf")
        member.size = len(content)
        tar.addfile(member, BytesIO(content))
    return out.getvalue()


def listed(name: str, identity: str, role: str, image: str = "") -> dict[str, Any]:
    labels = {names.STACK: STACK, names.ROLE: role}
    return {"Names": [f"/{name}"], "Id": identity, "Labels": labels, "Image": image, "State": "running"}


class World:
    """A checkout, its environment and its engine; `compare` tells what `make up` would answer."""

    def __init__(self, root: Path) -> None:
        self.checkout = root / "checkout"
        self.backend = root / "state"
        self.manifests = self.checkout / "manifests"
        self.state_file = self.backend / ".pulumi" / "stacks" / "runyard" / f"{STACK}.json"
        self.locks = self.backend / ".pulumi" / "locks" / "organization" / "runyard" / STACK
        self.settings = self.checkout / "stacks" / f"Pulumi.{STACK}.yaml"
        self.code = self.checkout / "runyard" / "plan.py"
        self.day = DAY
        self.paths = str(self.manifests)
        self.environment = {
            "DOCKER_HOST": f"unix://{root}/docker.sock",
            "PULUMI_BACKEND_URL": f"file://{self.backend}?metadata=skip",
            "PULUMI_CONFIG_PASSPHRASE": SECRET,
            "HOME": str(root),
        }
        for file, text in {
            self.manifests / "hello.yaml": MANIFEST,
            self.manifests / "shop" / "cart.yaml": MANIFEST,
            self.state_file: json.dumps(state()),
            self.settings: "encryptionsalt: v1:salt\n",
            self.code: "PLAN = 1\n",
        }.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        self.holdings: dict[str, Any] = json.loads(contracts.encode(holdings()))
        self.api = DockerApi()
        self.api.relayed = [self.holdings]
        self.api.answers |= {
            "GET /info": {"ID": "engine-1", "NCPU": 2, "MemTotal": 8 << 30},
            "GET /containers/json": [
                listed("runyard.dev.gateway", "c1", names.ROLE_GATEWAY, GATEWAY_IMAGE),
                listed("runyard.dev.orchestrator", "c2", names.ROLE_ORCHESTRATOR),
                listed("runyard.dev.default.hello-00000001.user.i1", "c3", names.ROLE_INSTANCE),
            ],
            "GET /networks": [
                {"Name": "runyard.dev.platform", "Id": "n1"},
                {"Name": "runyard.dev.tenant.default", "Id": "n2"},
            ],
            "GET /volumes": {"Volumes": [{"Name": "runyard.dev.gateway"}]},
            "GET /images/json": [{"Id": "sha256:1", "RepoTags": ["runyard/hello:1"], "RepoDigests": None}],
            "GET /containers/c1/archive": archive(b"events {}"),
        }

    @property
    def record_file(self) -> Path:
        return Path(self.environment["HOME"], ".local", "share", "runyard", f"record.{STACK}.json")

    def uptodate(self) -> UpToDate:
        return UpToDate(str(self.checkout), str(self.checkout), self.environment, STACK, lambda: self.day)

    def update(self, meanwhile: Any = None) -> str:
        """Do what `make up` does around a Pulumi that changes nothing, and give why it was not recorded."""
        asked = self.uptodate()
        added = asked.begin(self.paths, ())
        with told_reads(added):
            for file in find_files([self.paths])[0]:
                load_text(file)
        assert VARIABLE in added
        if meanwhile:
            meanwhile()
        return asked.record(self.paths, (), self.environment["DOCKER_HOST"])

    def compare(self) -> list[str]:
        comparison = self.uptodate().compare(self.paths)
        return ["not judged"] if comparison is None else list(comparison.reasons)

    def containers(self) -> Any:
        return self.api.answers["GET /containers/json"]


@contextmanager
def updated(root: Path) -> Iterator[World]:
    """Give a world whose last update was recorded."""
    world = World(root)
    with serve(world.api, root / "docker.sock"):
        assert world.update() == ""
        yield world
