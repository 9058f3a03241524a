"""The pack under the real Pulumi: found, asked before anything is made, and refusing when it fails itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runyard import contracts
from runyard.manifest import load
from runyard.plan import plan

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[3]
# A preview takes a second or two; one that takes this long hangs.
PATIENCE_S = 120
# Ignored by git, should a killed run leave its file behind.
STACK = "e2e-pack"
Pulumi = Callable[..., subprocess.CompletedProcess[str]]
FORGED = """
import pulumi_docker as docker

def label(key, value):
    return docker.ContainerLabelArgs(label=f"runyard.dev/{key}", value=value)

docker.Container(
    "forged", name="runyard.e2e-pack.orchestrator", image="evil/orchestrator:1", network_mode="host", memory=64,
    read_only=True, security_opts=["no-new-privileges"], capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"]),
    volumes=[docker.ContainerVolumeArgs(host_path="/var/run/docker.sock", container_path="/s")],
    labels=[label("stack", "e2e-pack"), label("role", "orchestrator")],
)
"""
TENANT = """\
apiVersion: runyard.dev/v1
kind: Tenant
metadata: {name: shop}
spec: {quotas: {memory: 1Gi}}
---
"""
WEB = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {annotations: {autoscaling.knative.dev/maxScale: "1"}}
    spec: {containers: [{image: "shop/web:1", resources: {limits: {memory: MEMORY}}}]}
"""


@pytest.fixture
def pulumi(tmp_path: Path) -> Pulumi:
    """Run Pulumi in a directory, on a backend of the test's own."""
    (tmp_path / "state").mkdir()
    environment = os.environ | {
        "PULUMI_BACKEND_URL": f"file://{tmp_path}/state",
        "PULUMI_CONFIG_PASSPHRASE": "x",
        "NO_COLOR": "1",
    }

    def run(directory: Path, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        command = ["pulumi", "--non-interactive", *arguments, "--stack", STACK]
        return subprocess.run(
            command, cwd=directory, env=environment, input=text, capture_output=True, text=True, timeout=PATIENCE_S
        )

    return run


def project(directory: Path, pack: Path, program: str) -> Path:
    directory.mkdir()
    (directory / "Pulumi.yaml").write_text(
        f"name: byhand\nruntime: {{name: python, options: {{virtualenv: {ROOT}/.venv}}}}\n"
        f"plugins: {{analyzers: [{{name: policy-runyard, path: {pack}}}]}}\n"
    )
    (directory / "__main__.py").write_text(program)
    return directory


@pytest.mark.parametrize("verb", [("preview",), ("up", "--yes", "--skip-preview")], ids=["preview", "up"])
def test_forged_part_of_the_platform_is_refused_before_it_is_made(
    pulumi: Pulumi, tmp_path: Path, verb: tuple[str, ...]
) -> None:
    where = project(tmp_path / "program", ROOT / "policies", FORGED)
    assert pulumi(where, "stack", "init").returncode == 0
    refused = pulumi(where, *verb, "--policy-pack", str(ROOT / "policies"))
    assert refused.returncode != 0
    for rule in ("no-engine-socket", "own-namespaces", "platform-names-kept", "container-limited"):
        assert f"{rule}: forged: " in refused.stdout
    assert "docker:index/container:Container" not in pulumi(where, "stack", "export").stdout


def test_pack_that_does_not_start_refuses(pulumi: Pulumi, tmp_path: Path) -> None:
    pack = tmp_path / "elsewhere" / "policies"
    pack.mkdir(parents=True)
    for file in ("PulumiPolicy.yaml", "pulumi-analyzer-policy-runyard"):
        shutil.copy(ROOT / "policies" / file, pack)
    where = project(tmp_path / "program", pack, "")
    assert pulumi(where, "stack", "init").returncode == 0
    refused = pulumi(where, "preview", "--policy-pack", str(pack))
    assert refused.returncode != 0
    assert ".venv/bin/python is missing: `toolchain/bootstrap environment` in" in refused.stdout + refused.stderr


@pytest.fixture
def own_stack(pulumi: Pulumi) -> Iterator[Path]:
    """The checkout's own project, with a stack for the test."""
    assert pulumi(ROOT, "stack", "init").returncode == 0
    yield ROOT
    (ROOT / "stacks" / f"Pulumi.{STACK}.yaml").unlink(missing_ok=True)


def write(file: Path, memory: str, more: str = "") -> Path:
    file.write_text(TENANT + WEB.replace("MEMORY", memory) + more)
    return file


# By hand, too: with the pack, which speaks before the program runs, and without it, where the program does.
PACK = ("--policy-pack", "policies")
UP = ("up", "--yes", "--skip-preview")


@pytest.mark.parametrize("verb", [("preview", *PACK), (*UP, *PACK), UP], ids=["preview", "up", "up-without-pack"])
@pytest.mark.parametrize("share", ["percent: 50", "tag: old"])
def test_earlier_revision_in_traffic_is_refused_before_anything_registers(
    pulumi: Pulumi, own_stack: Path, tmp_path: Path, verb: tuple[str, ...], share: str
) -> None:
    manifest = tmp_path / "web.yaml"
    (earlier,) = plan(load([write(manifest, "1920Mi")]).manifests, STACK).services
    urn = f"urn:pulumi:{STACK}::runyard::runyard:index:Service::shop.web"
    document = contracts.encode(earlier.revision.document)
    service = {
        "urn": urn,
        "custom": True,
        "id": "shop.web",
        "type": "runyard:index:Service",
        "inputs": {
            "tenant": "shop",
            "service": "web",
            "facts": "{}",
            "rollout": contracts.encode(earlier.rollout),
        },
        "outputs": {
            "documents": json.dumps([{"document": document, "signature": ""}]),
            "revision": earlier.revision.name,
        },
    }
    state = {"version": 3, "deployment": {"manifest": {}, "resources": [service]}}
    imported = pulumi(own_stack, "stack", "import", text=json.dumps(state))
    assert imported.returncode == 0, imported.stderr
    rest = 50 if "percent" in share else 100
    shares = f"{{latestRevision: true, percent: {rest}}}, {{revisionName: {earlier.revision.name}, {share}}}"
    write(manifest, "128Mi", f"  traffic: [{shares}]\n")
    refused = pulumi(own_stack, *verb, "-c", f"runyard:manifests={manifest}")
    assert refused.returncode != 0
    said = refused.stdout + refused.stderr
    assert "policies refuse the change, nothing was touched:" in said
    assert "tenant shop's quota of memory must be at least 2Gi at maxScale, got 1Gi" in said
    assert "Network" not in said
    assert "docker:index" not in pulumi(own_stack, "stack", "export").stdout
