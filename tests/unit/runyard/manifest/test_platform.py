"""Platform and Tenant as typed data."""

from __future__ import annotations

from pathlib import Path

import pytest

from runyard.errors import ManifestError
from runyard.manifest import load
from runyard.manifest.model import Firewall, Gateway, Idle, Location, Logs, Observability, Platform, Tenant
from runyard.plan import plan


def test_platform_and_tenants_take_everything_over(tmp_path: Path) -> None:
    file = tmp_path / "platform.yaml"
    file.write_text(
        "apiVersion: runyard.dev/v1\nkind: Platform\nmetadata: {name: here}\nspec:\n  domain: example.com\n"
        "  gateway: {address: 0.0.0.0, port: 80, connectTimeoutSeconds: 3, holdTimeoutSeconds: 0, maxBodySize: 1Mi,\n"
        "    securityHeaders: false}\n"
        "  orchestratorPort: 4001\n  addressPool: 172.16.0.0/12\n"
        "  firewall: {enabled: false, flowsPerInstance: 64, newFlowsPerSecond: 10}\n"
        "---\napiVersion: runyard.dev/v1\nkind: Tenant\nmetadata: {name: team}\nspec: {subnet: 172.20.0.0/24}\n"
        "---\napiVersion: runyard.dev/v1\nkind: Tenant\nmetadata: {name: bare}\n"
    )
    manifests = load([file]).manifests
    assert manifests.platform == Platform(
        name="here",
        domain="example.com",
        gateway=Gateway("0.0.0.0", 80, 3, 0, 1024**2, security_headers=False),
        orchestrator_port=4001,
        address_pool="172.16.0.0/12",
        firewall=Firewall(enabled=False, flows=64, new_flows_per_second=10),
        location=Location(str(file), 1, 1),
    )
    assert manifests.tenants == (
        Tenant("bare", None, Location(str(file), 17, 1)),
        Tenant("default"),
        Tenant("team", "172.20.0.0/24", Location(str(file), 12, 1)),
    )


def test_observability_is_off_unless_it_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "platform.yaml"
    head = "apiVersion: runyard.dev/v1\nkind: Platform\nspec:\n  observability: "
    for said, expected in (
        ("{}", Observability()),
        ("{level: none, meterPort: 3001}", Observability(meter_port=3001)),
        ("{level: basic}", Observability("basic", 3005, 9090, 15)),
        (
            "{level: basic, meterPort: 4005, prometheusPort: 4090, retentionDays: 2}",
            Observability("basic", 4005, 4090, 2),
        ),
        ("{level: full}", Observability("full", logs=Logs(3006, 7, 1024**2, 1024**3))),
        (
            "{level: full, logs: {port: 4006, retentionDays: 2, bytesPerSecond: 2Mi, bytesPerDay: 5000}}",
            Observability("full", logs=Logs(4006, 2, 2 * 1024**2, 5000)),
        ),
    ):
        file.write_text(head + said + "\n")
        found = load([file]).manifests.platform.observability
        assert (found, found.on, found.has_logs) == (expected, expected.level != "none", expected.level == "full")


def test_empty_platform_has_every_default(tmp_path: Path) -> None:
    file = tmp_path / "platform.yaml"
    file.write_text("apiVersion: runyard.dev/v1\nkind: Platform\n")
    assert load([file]).manifests.platform == Platform(location=Location(str(file), 1, 1))


def test_swarm_is_told_not_to_be_carried_out_yet(tmp_path: Path) -> None:
    file = tmp_path / "platform.yaml"
    file.write_text("apiVersion: runyard.dev/v1\nkind: Platform\nspec: {engine: swarm}\n")
    (warning,) = load([file]).warnings
    assert warning.text().endswith("3:8: warning: spec.engine: swarm is accepted, not carried out yet: docker is used")


def test_limits_of_logs_that_nobody_keeps_are_told_of(tmp_path: Path) -> None:
    file = tmp_path / "platform.yaml"
    file.write_text(
        "apiVersion: runyard.dev/v1\nkind: Platform\nspec: {observability: {level: basic, logs: {retentionDays: 2}}}\n"
    )
    (warning,) = load([file]).warnings
    told = "warning: spec.observability.logs: keeps nothing unless spec.observability.level is full"
    assert warning.text().endswith(told)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("{gateway: {port: 3001}}", "spec.gateway.port: must differ from the gateway's port, got 3001 for both"),
        ("{gateway: {maxBodySize: 0.5}}", "spec.gateway.maxBodySize: must be 1 byte to 1Ti, got 0.5"),
        ("{gateway: {maxBodySize: 2Ti}}", 'spec.gateway.maxBodySize: must be 1 byte to 1Ti, got "2Ti"'),
        ("{addressPool: 10.0.0.0/24}", 'spec.addressPool: must be of /8 to /20, got "10.0.0.0/24"'),
        (
            "{observability: {level: basic, meterPort: 3000}}",
            "spec.observability.meterPort: must differ from the other ports of the platform, got 3000",
        ),
        (
            "{observability: {level: basic, prometheusPort: 3005}}",
            "spec.observability.prometheusPort: must differ from the other ports of the platform, got 3005",
        ),
        (
            "{observability: {level: all}}",
            'spec.observability.level: must be one of none, basic, full, got "all"',
        ),
        (
            "{observability: {level: full, meterPort: 3001}}",
            "spec.observability.meterPort: must differ from the other ports of the platform, got 3001",
        ),
        (
            "{observability: {level: full, logs: {port: 9090}}}",
            "spec.observability.logs.port: must differ from the other ports of the platform, got 9090",
        ),
        (
            "{observability: {level: full, logs: {bytesPerSecond: 10}}}",
            "spec.observability.logs.bytesPerSecond: must be 1Ki to 1Ti, got 10",
        ),
        (
            "{observability: {level: full, logs: {bytesPerDay: 2000.5}}}",
            "spec.observability.logs.bytesPerDay: must be 1Ki to 1Ti, got 2000.5",
        ),
        (
            "{observability: {retentionDays: 0}}",
            "spec.observability.retentionDays: must be at least 1, got 0",
        ),
        ("{domain: internal}", 'spec.domain: must not be internal, by which services call each other, got "internal"'),
    ],
)
def test_platform_refuses_what_cannot_work(tmp_path: Path, spec: str, told: str) -> None:
    file = tmp_path / "platform.yaml"
    file.write_text(f"apiVersion: runyard.dev/v1\nkind: Platform\nspec: {spec}\n")
    with pytest.raises(ManifestError) as raised:
        load([file])
    (problem,) = str(raised.value).splitlines()
    assert problem.endswith(told)


SLEEPER = """---
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {{name: {name}}}
spec:
  template:
    metadata: {{annotations: {{{annotations}}}}}
    spec: {{containers: [{{image: "a:1"}}]}}
"""


def test_services_that_say_nothing_of_idleness_have_the_platforms_word(tmp_path: Path) -> None:
    file = tmp_path / "platform.yaml"
    own = 'runyard.dev/idle: stop, autoscaling.knative.dev/scale-to-zero-pod-retention-period: "0s"'
    services = SLEEPER.format(name="quiet", annotations="") + SLEEPER.format(name="own", annotations=own)
    file.write_text(
        "apiVersion: runyard.dev/v1\nkind: Platform\nspec: {idle: {mode: freeze, retentionSeconds: 90}}\n" + services
    )
    manifests = load([file]).manifests
    assert manifests.platform.idle == Idle("freeze", 90)
    said, quiet = manifests.services
    assert (said.template.scaling.idle, said.template.scaling.retention_period_s) == ("stop", 0)
    assert (quiet.template.scaling.idle, quiet.template.scaling.retention_period_s) == ("freeze", 90)
    # An instance that is frozen holds its memory, so it counts.
    assert (said.scale[0], quiet.scale[0]) == (0, 1)
    documents = {each.name: each.revision.document.scaling for each in plan(manifests).services}
    assert (documents["quiet"].idle, documents["quiet"].retention_s) == ("freeze", 90)
    file.write_text("apiVersion: runyard.dev/v1\nkind: Platform\n" + services)
    assert load([file]).manifests.services[1].template.scaling == said.template.scaling


@pytest.mark.parametrize(
    ("idle", "problem"),
    [
        ("{mode: sleep}", 'spec.idle.mode: must be one of stop, freeze, got "sleep"'),
        ("{retentionSeconds: 3601}", "spec.idle.retentionSeconds: must be at most 3600, got 3601"),
        ("{keep: 1}", "spec.idle.keep: unknown key"),
    ],
)
def test_idleness_that_nothing_can_be_is_named(tmp_path: Path, idle: str, problem: str) -> None:
    file = tmp_path / "platform.yaml"
    file.write_text(f"apiVersion: runyard.dev/v1\nkind: Platform\nspec: {{idle: {idle}}}\n")
    with pytest.raises(ManifestError) as caught:
        load([file])
    assert problem in str(caught.value)
