"""Admission on the real engine: what breaks a quota is refused before any container is touched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from runyard.host import Engine, Orchestrator
from runyard.host.claims import Claims, Desk, observe_claims, release, reserve
from runyard.images import image_reference
from runyard.plan.claim import Claim
from runyard.plan.quota import Use
from tests.harness.stack import ROOT, Stack, docker, service

MIB = 1024**2
HELLO = "runyard/hello:1"
LIMITS = {"cpu": "1", "memory": "128Mi"}
CANARY = "canary-7c1e55"
# What the service below takes at its maxScale, by quota.
TAKEN: dict[str, Any] = {"instances": 2, "memory": "256Mi"}
ONE_LESS: dict[str, Any] = {"instances": 1, "memory": str(256 * MIB - 1)}


def write(stack: Stack, **quotas: Any) -> None:
    """Write a tenant of the test's own with these quotas, and a service of it with one to two instances."""
    metadata = {"name": stack.name}
    stack.write(
        "tenant", {"apiVersion": "runyard.dev/v1", "kind": "Tenant", "metadata": metadata, "spec": {"quotas": quotas}}
    )
    stack.write("web", service("web", namespace=stack.name, template=scale(1, 2), limits=LIMITS))


def scale(least: int, most: int) -> dict[str, str]:
    return {"autoscaling.knative.dev/minScale": str(least), "autoscaling.knative.dev/maxScale": str(most)}


def test_update_one_unit_over_a_quota_touches_nothing(stack: Stack) -> None:
    for resource, one_less in ONE_LESS.items():
        write(stack, **{**TAKEN, resource: one_less})
        refused = stack.up(check=False)
        assert refused.returncode != 0
        assert f"quota-kept: tenant {stack.name}'s quota of {resource} must be at least" in refused.stdout
        assert stack.left_on_host() == []
    # Raised in the same change, it passes; the policy pack counts the same.
    write(stack, **TAKEN)
    stack.preview("--policy-pack", str(ROOT / "policies"))


def claimed(stack: str, tenant: str, instances: int) -> Claim:
    amounts: dict[str, int | None] = {"instances": instances}
    return Claim(stack, (Use(stack, tenant, "batch", amounts, amounts),))


def claims_of(engine: Engine) -> Claims:
    return observe_claims(engine, lambda stack: Orchestrator(engine, stack))


def test_what_another_stack_has_claimed_counts_and_an_update_is_held_to_its_plan(stack: Stack) -> None:
    write(stack, instances=3)
    other = f"{stack.name}x"
    with Engine() as engine:
        desk = Desk(engine, lambda name: Orchestrator(engine, name), image_reference("orchestrator"))
        reserve(desk, claimed(other, stack.name, 2), lambda _: None)
        try:
            refused = [stack.up(check=False), stack.preview(check=False)]
            assert stack.left_on_host() == []
            found = claims_of(engine)
            mine = [each.stack for each in (*found.kept, *found.pending) if each.stack in (other, stack.name)]
            assert mine == [other]
        finally:
            release(engine, other)
    said = f"quota of instances must be at least 4 at maxScale, got 3, 1 over: batch of stack {other} 2 + web 2"
    assert [done.stdout for done in refused if done.returncode == 0 or said not in done.stdout] == []

    stack.pulumi(
        "config", "set", "--secret", "--path", f"runyard:secrets.{stack.name}.api", CANARY, "--stack", stack.name
    )
    stack.up()
    told = stack.runyard("status").stdout
    assert f"claim of stack {stack.name}: services 1 to 1, instances 1 to 2, cpu 1 to 2" in told
    image = f"runyard/held:{stack.name}"
    docker("tag", HELLO, image)
    try:
        hold_to_a_plan(stack, image)
    finally:
        docker("image", "rm", image)

    stack.destroy()
    with Engine() as engine:
        found = claims_of(engine)
        assert [each for each in (*found.kept, *found.pending) if each.stack == stack.name] == []


def hold_to_a_plan(stack: Stack, image: str) -> None:
    """Review a change with Pulumi's own preview, apply what was reviewed, and be refused when it is no longer that."""
    old, saved = stack.directory / "old", stack.directory / "plan.json"
    shutil.copytree(stack.manifests, old)
    reference = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "api", "key": "latest"}}}
    template = scale(1, 2)
    web = service("web", image=image, namespace=stack.name, template=template, env=[reference], limits=LIMITS)
    stack.write("web", web)
    review = ["review", str(old), str(stack.manifests), "--config-file", str(stack.directory / "stack.yaml")]
    review += ["--save", str(saved)]
    reports = [stack.runyard(*review) for _ in range(2)]
    assert [report.stderr for report in reports] == ["", ""]
    # What Runyard writes itself is the same bytes, as text and as JSON; nothing is put in order here.
    assert reports[0].stdout == reports[1].stdout
    first, second = (stack.runyard(*review, "--output", "json").stdout for _ in range(2))
    assert first == second
    assert json.loads(first)["pulumi"]["stack"] == stack.name
    assert f"service {stack.name}/web: effect on traffic: none (a new revision is ready" in reports[0].stdout
    assert CANARY not in reports[0].stdout + saved.read_text()

    stack.write("late", service("late", namespace=stack.name, template=scale(0, 1)))
    refused = stack.up(check=False, RUNYARD_PLAN=str(saved))
    assert refused.returncode != 0
    assert f"manifest: Service {stack.name}/late (late.yaml) was added" in refused.stdout
    stack.remove("late")
    docker("tag", image_reference("gateway"), image)
    refused = stack.up(check=False, RUNYARD_PLAN=str(saved))
    assert refused.returncode != 0
    assert f"image: {image} stood for " in refused.stdout
    docker("tag", HELLO, image)
    stack.up(RUNYARD_PLAN=str(saved))
    again = stack.up(check=False, RUNYARD_PLAN=str(saved))
    assert again.returncode != 0
    assert f"state: {stack.name}.web (Service) changed" in again.stdout


HAND_WRITTEN = """
import pulumi_docker as docker

docker.Container(
    "bad", image="shop/web:1", privileged=True, pid_mode="host", network_mode="host",
    capabilities=docker.ContainerCapabilitiesArgs(adds=["NET_ADMIN"]),
    ports=[docker.ContainerPortArgs(internal=80, external=8080)],
    volumes=[
        docker.ContainerVolumeArgs(host_path="/var/run/docker.sock", container_path="/s"),
        docker.ContainerVolumeArgs(host_path="/etc", container_path="/etc"),
    ],
)
"""
BROKEN = (
    "not-privileged", "capabilities-dropped", "own-namespaces", "no-engine-socket", "no-host-paths",
    "container-limited", "no-published-ports", "no-new-privileges", "read-only-root",
)  # fmt: skip


# Each of the two keeps every rule of a container; together, and in their stack, they break those of stacks.
HARDENED = """
import pulumi_docker as docker

for name in ("one", "two"):
    docker.Container(
        name, name="shop", image="shop/web:1", memory=64, cpu_quota=10000, read_only=True,
        security_opts=["no-new-privileges"], capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"]),
        labels=[docker.ContainerLabelArgs(label="runyard.dev/tenant", value="shop")],
        networks_advanced=[docker.ContainerNetworksAdvancedArgs(name="runyard.byhand.tenant.shop")],
    )
"""
SAID_OF_THE_STACK = (
    "stack-labelled: one: label runyard.dev/stack must be byhand, got none",
    "runyard.byhand.tenant.shop",
)


def with_pack(directory: Path, program: str, *command: str) -> str:
    """Run a Pulumi command on a hand-written program, beside the pack; it must be refused with nothing made."""
    (directory / "Pulumi.yaml").write_text(
        f"name: byhand\nruntime: {{name: python, options: {{virtualenv: {ROOT}/.venv}}}}\n"
        f"plugins: {{analyzers: [{{name: policy-runyard, path: {ROOT}/policies}}]}}\n"
    )
    (directory / "__main__.py").write_text(program)
    (directory / "state").mkdir()
    environment = os.environ | {
        "PULUMI_BACKEND_URL": f"file://{directory}/state", "PULUMI_CONFIG_PASSPHRASE": "x", "NO_COLOR": "1",
    }  # fmt: skip

    def pulumi(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pulumi", "--non-interactive", *arguments], cwd=directory, env=environment, capture_output=True,
            text=True, timeout=120, check=False,
        )  # fmt: skip

    assert pulumi("stack", "init", "byhand").returncode == 0
    refused = pulumi(*command, "--policy-pack", str(ROOT / "policies"))
    assert refused.returncode != 0
    assert pulumi("stack", "--show-ids").stdout.count("docker:index/container:Container") == 0
    return refused.stdout


def test_pack_refuses_a_hand_written_container_in_any_program(tmp_path: Path) -> None:
    said = with_pack(tmp_path, HAND_WRITTEN, "up", "--yes", "--skip-preview")
    assert [rule for rule in BROKEN if f"{rule}: bad: " not in said] == []


def test_pack_refuses_in_the_preview_what_only_the_whole_stack_shows(tmp_path: Path) -> None:
    said = with_pack(tmp_path, HARDENED, "preview")
    assert [rule for rule in BROKEN if f"{rule}: " in said] == []
    assert [sentence for sentence in SAID_OF_THE_STACK if sentence not in said] == []
    # Pulumi registers the two in an order of its own, and the second is told of.
    orders = (("one", "two"), ("two", "one"))
    shared = "names-apart: {1}: the container name shop must not be shared, got {0} and {1}"
    assert any(shared.format(*order) in said for order in orders)
