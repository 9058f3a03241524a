"""Service: what a manifest says, as typed data with every default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from runyard.contracts import ScalingSignal, ScheduledMinimum
from runyard.manifest import load
from runyard.manifest.model import (
    Container,
    ContainerPort,
    EnvFrom,
    EnvVar,
    Fallback,
    FileSource,
    KeyReference,
    Location,
    Manifests,
    PersistentVolume,
    Probe,
    RequestLimits,
    RevisionTemplate,
    Scaling,
    Service,
    TrafficTarget,
    Volume,
    VolumeItem,
    VolumeMount,
)


@pytest.fixture
def build(tmp_path: Path) -> Any:
    def _build(*, pod: Any = None, container: Any = None, **parts: Any) -> Service:
        containers = [{"image": "shop:1", **(container or {})}, *parts.get("sidecars", [])]
        template = {"spec": {"containers": containers, **(pod or {})}, "metadata": parts.get("template", {})}
        document = {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": {"name": "shop", **parts.get("metadata", {})},
            "spec": {"template": template, **parts.get("spec", {})},
        }
        file = tmp_path / "service.yaml"
        file.write_text(yaml.safe_dump(document, default_style='"' if parts.get("quoted") else None), encoding="utf-8")
        return load([file]).manifests.services[0]

    return _build


def test_smallest_service_has_every_default(build: Any, tmp_path: Path) -> None:
    container = Container(name="user-container", image="shop:1", port=ContainerPort())
    assert build() == Service(
        name="shop",
        tenant="default",
        template=RevisionTemplate(containers=(container,)),
        location=Location(str(tmp_path / "service.yaml"), 1, 1),
    )


def test_container_takes_everything_over(build: Any) -> None:
    service = build(
        container={
            "name": "web",
            "command": ["/bin/a"],
            "args": ["-b", "c d"],
            "workingDir": "/srv",
            "imagePullPolicy": "Never",
            "ports": [{"containerPort": 9000, "name": "h2c"}],
            "resources": {"limits": {"cpu": 2, "memory": "1Gi", "nvidia.com/gpu": "1"}},
            "securityContext": {"runAsUser": 10001, "runAsGroup": 10002, "runAsNonRoot": True},
        }
    )
    assert service.template.containers == (
        Container(
            name="web",
            image="shop:1",
            command=("/bin/a",),
            args=("-b", "c d"),
            working_dir="/srv",
            image_pull_policy="Never",
            port=ContainerPort(9000, "h2c"),
            cpu_millis=2000,
            memory_bytes=1024**3,
            gpu=1,
            run_as_user=10001,
            run_as_group=10002,
            run_as_non_root=True,
        ),
    )


def test_environment_keeps_the_last_of_one_name(build: Any) -> None:
    env = [
        {"name": "A", "value": "first"},
        {"name": "B"},
        {"name": "A", "value": "last"},
        {"name": "S", "valueFrom": {"secretKeyRef": {"name": "token", "key": "latest"}}},
        {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k", "optional": True}}},
    ]
    sources = [{"prefix": "P_", "configMapRef": {"name": "m"}}, {"secretRef": {"name": "s", "optional": True}}]
    container = build(container={"env": env, "envFrom": sources}).template.containers[0]
    assert container.env == (
        EnvVar("B"),
        EnvVar("A", "last"),
        EnvVar("S", reference=KeyReference("secret", "token", "latest")),
        EnvVar("C", reference=KeyReference("configMap", "m", "k", optional=True)),
    )
    assert container.env_from == (EnvFrom("configMap", "m", "P_"), EnvFrom("secret", "s", "", optional=True))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"httpGet": {}}, Probe("http", port=9000)),
        ({"httpGet": {"path": "healthz", "port": 81}}, Probe("http", port=81, path="/healthz")),
        ({"httpGet": {"httpHeaders": [{"name": "A", "value": "b"}]}}, Probe("http", port=9000, headers=(("A", "b"),))),
        ({"tcpSocket": {}}, Probe("tcp", port=9000)),
        ({"grpc": {"service": "s"}}, Probe("grpc", port=9000, service="s")),
        ({"exec": {"command": ["a", "b"]}}, Probe("exec", command=("a", "b"))),
        ({"periodSeconds": 0}, Probe("tcp", port=9000, period_s=0)),
        (
            {"initialDelaySeconds": 1, "periodSeconds": 20, "timeoutSeconds": 3, "failureThreshold": 4},
            Probe("tcp", port=9000, initial_delay_s=1, period_s=20, timeout_s=3, failure_threshold=4),
        ),
    ],
)
def test_probe_asks_the_containers_own_port_by_default(build: Any, given: Any, expected: Probe) -> None:
    container = {"ports": [{"containerPort": 9000}], "readinessProbe": given}
    assert build(container=container).template.containers[0].readiness_probe == expected


def test_volumes_of_every_kind(build: Any) -> None:
    items = {"items": [{"key": "k", "path": "k"}], "optional": True}
    volumes = [
        {"name": "a", "emptyDir": {"sizeLimit": "64Mi"}},
        {
            "name": "b",
            "secret": {"secretName": "s", "items": [{"key": "1", "path": "x/p", "mode": 256}], "optional": True},
        },
        {"name": "c", "configMap": {"name": "m", "defaultMode": 256}},
        {"name": "e", "projected": {"sources": [{"secret": {"name": "s"}}, {"configMap": {"name": "m", **items}}]}},
    ]
    mounts = [{"name": "a", "mountPath": "/a"}, {"name": "b", "mountPath": "/b", "subPath": "x"}]
    template = build(container={"volumeMounts": mounts}, pod={"volumes": volumes}).template
    assert template.volumes == (
        Volume("a", "emptyDir", size_limit_bytes=64 * 1024**2),
        Volume("b", "secret", (FileSource("secret", "s", (VolumeItem("1", "x/p", 256),), optional=True),)),
        Volume("c", "configMap", (FileSource("configMap", "m"),), default_mode=256),
        Volume(
            "e",
            "projected",
            (FileSource("secret", "s"), FileSource("configMap", "m", (VolumeItem("k", "k"),), optional=True)),
        ),
    )
    assert template.containers[0].volume_mounts == (
        VolumeMount("a", "/a", read_only=False),
        VolumeMount("b", "/b", read_only=True, sub_path="x"),
    )


def test_init_containers_have_no_port_and_count_by_the_largest(build: Any) -> None:
    first = {"name": "first", "image": "a:1", "command": ["/migrate"], "resources": {"limits": {"memory": "1Gi"}}}
    second = {"name": "second", "image": "b:1", "resources": {"limits": {"cpu": "2"}}}
    template = build(pod={"initContainers": [first, second]}).template
    assert template.init_containers == (
        Container("first", "a:1", command=("/migrate",), memory_bytes=1024**3),
        Container("second", "b:1", cpu_millis=2000),
    )
    assert template.all_containers == (*template.init_containers, *template.containers)
    assert (template.cpu_millis, template.memory_bytes) == (2000, 1024**3)


def test_containers_together_count_where_they_are_more_than_each_before_them(build: Any) -> None:
    before = {"name": "before", "image": "a:1"}
    sidecars = [{"name": "db", "image": "db:1"}]
    template = build(container={"name": "web", "ports": [{}]}, sidecars=sidecars, pod={"initContainers": [before]})
    assert (template.template.cpu_millis, template.template.memory_bytes) == (2000, 1024**3)


def test_persistent_volumes_stand_beside_the_pods_and_allow_one_instance(build: Any) -> None:
    annotations = {"runyard.dev/volumes": "data=1Gi:/var/lib/data, logs=64Mi:/logs"}
    mounts = [{"name": "data", "mountPath": "/old", "subPath": "old"}, {"name": "s", "mountPath": "/s"}]
    service = build(
        metadata={"annotations": annotations},
        container={"volumeMounts": mounts},
        pod={"volumes": [{"name": "s", "secret": {"secretName": "s"}}]},
    )
    assert service.persistent_volumes == (
        PersistentVolume("data", 1024**3, "/var/lib/data"),
        PersistentVolume("logs", 64 * 1024**2, "/logs"),
    )
    assert service.persistent_bytes == 1024**3 + 64 * 1024**2
    assert service.template.containers[0].volume_mounts == (
        VolumeMount("data", "/old", read_only=False, sub_path="old"),
        VolumeMount("s", "/s", read_only=True),
    )
    assert service.template.scaling.max_scale == 1
    assert service.scale == (0, 1)


def test_sidecars_have_no_port_and_start_in_order(build: Any) -> None:
    service = build(
        container={"name": "web", "ports": [{}]},
        sidecars=[{"name": "db", "image": "db:1"}],
        template={"annotations": {"run.googleapis.com/container-dependencies": '{"web":["db","db"]}'}},
    )
    web, database = service.template.containers
    assert (web.port, database.port) == (ContainerPort(), None)
    assert service.template.ingress_container is web
    assert service.template.container_dependencies == {"web": ("db",)}


@pytest.mark.parametrize(
    ("pod", "cpu", "expected"),
    [({}, "1", 80), ({}, "500m", 1), ({"containerConcurrency": 0}, "1", 0), ({"containerConcurrency": 7}, "2", 7)],
)
def test_concurrency_is_one_below_one_cpu_unless_said(build: Any, pod: Any, cpu: str, expected: int) -> None:
    template = build(pod=pod, container={"resources": {"limits": {"cpu": cpu}}}).template
    assert template.container_concurrency == expected


def test_scaling_reads_both_spellings_and_every_annotation(build: Any) -> None:
    own = {
        "min-scale": "2",
        "maxScale": "9",
        "metric": "rps",
        "target": "12.5",
        "target-utilization-percentage": "80",
        "window": "2m",
        "panic-window-percentage": "20",
        "panic-threshold-percentage": "150",
        "scale-down-delay": "30s",
        "scale-to-zero-pod-retention-period": "1m",
        "initial-scale": "3",
        "activation-scale": "4",
        "target-burst-capacity": "-1",
        "metric-aggregation-algorithm": "weighted-exponential",
    }
    annotations = {f"autoscaling.knative.dev/{name}": value for name, value in own.items()}
    annotations |= {
        "run.googleapis.com/scaling-cpu-target": "75%",
        "run.googleapis.com/scaling-concurrency-target": "0.5",
        "run.googleapis.com/cpu-throttling": "false",
        "run.googleapis.com/startup-cpu-boost": "true",
        "run.googleapis.com/sessionAffinity": "true",
        "serving.knative.dev/progress-deadline": "2m",
        "runyard.dev/idle": "freeze",
    }
    template = build(template={"annotations": annotations}).template
    # Cloud Run's two, of the 80 that an instance takes at once, and Knative's.
    signals = (
        *(ScalingSignal("concurrency", 80.0, 0.5), ScalingSignal("cpu", 1.0, 0.75)),
        ScalingSignal("rps", 12.5, 0.8),
    )
    assert template.scaling == Scaling(2, 9, signals, 120, 20.0, 150.0, 30, 60, 3, 4, "weighted-exponential", "freeze")
    assert (template.cpu_throttling, template.startup_cpu_boost, template.session_affinity) == (False, True, True)
    assert template.progress_deadline_s == 120


def test_schedule_is_read_with_its_zones(build: Any) -> None:
    text = "3 at 0 8 * * 1-5 Europe/Berlin; 0 at 0 18 * * 1-5"
    service = build(metadata={"annotations": {"runyard.dev/schedule": text}})
    assert service.schedule == (
        ScheduledMinimum(3, "0 8 * * 1-5", "Europe/Berlin"),
        ScheduledMinimum(0, "0 18 * * 1-5", "UTC"),
    )
    assert build().schedule == ()


def test_priority_is_read_and_is_in_the_middle_where_nothing_is_said(build: Any) -> None:
    assert build(metadata={"annotations": {"runyard.dev/priority": "9"}}).priority == 9
    assert build().priority == 5


def test_limits_of_requests_are_read(build: Any) -> None:
    own = {
        "max-requests-per-second": "100",
        "max-concurrent-requests": "9",
        "client-requests-per-second": "5",
        "client-burst": "7",
        "client-header": "X-Api-Key",
        "queue-size": "3",
        "queue-timeout": "2m",
    }
    service = build(metadata={"annotations": {f"runyard.dev/{name}": value for name, value in own.items()}})
    assert service.max_requests_per_second == 100
    assert service.request_limits == RequestLimits(5, 7, "X-Api-Key", 9, 3, 120)


@pytest.mark.parametrize(
    ("text", "fallback"), [("<p>soon</p>\n", Fallback(page="<p>soon</p>\n")), ("service of the shop", None)]
)
def test_fallback_that_names_no_service_is_a_page(build: Any, text: str, fallback: Fallback | None) -> None:
    built = build(metadata={"annotations": {"runyard.dev/fallback": text}})
    assert built.fallback == (fallback or Fallback(page=text))


def test_default_maximum_gives_way_to_a_larger_minimum(build: Any) -> None:
    annotations = {"autoscaling.knative.dev/minScale": "150"}
    assert build(template={"annotations": annotations}).template.scaling.max_scale == 150


def test_annotations_of_the_service(build: Any) -> None:
    annotations = {
        "run.googleapis.com/minScale": "1",
        "run.googleapis.com/maxScale": "5",
        "run.googleapis.com/scalingMode": "manual",
        "run.googleapis.com/manualInstanceCount": "3",
        "run.googleapis.com/ingress": "internal",
        "run.googleapis.com/invoker-iam-disabled": "false",
        "run.googleapis.com/custom-audiences": '["a", "b"]',
        "serving.knative.dev/rollout-duration": "90s",
        "runyard.dev/egress": "none",
    }
    service = build(metadata={"annotations": annotations, "namespace": "team", "labels": {"x": "1"}})
    assert (service.tenant, service.labels, service.annotations) == ("team", {"x": "1"}, annotations)
    assert (service.min_scale, service.max_scale, service.manual_instance_count) == (1, 5, 3)
    assert (service.ingress, service.egress, service.require_caller_auth) == ("internal", "none", True)
    assert (service.custom_audiences, service.rollout_duration_s) == (("a", "b"), 90)


@pytest.mark.parametrize("label", ["networking.knative.dev/visibility", "serving.knative.dev/visibility"])
def test_cluster_local_label_of_knative_is_internal_ingress(build: Any, label: str) -> None:
    assert build(metadata={"labels": {label: "cluster-local"}}).ingress == "internal"
    assert build(metadata={"labels": {label: "other"}}).ingress == "all"


def test_traffic_names_revisions_and_tags(build: Any) -> None:
    traffic = [{"percent": 90, "latestRevision": True}, {"percent": 10, "revisionName": "shop-a", "tag": "old"}]
    assert build(spec={"traffic": traffic}).traffic == (TrafficTarget(90), TrafficTarget(10, "shop-a", "old"))


def test_template_says_its_name_times_and_identity(build: Any) -> None:
    pod = {
        "timeoutSeconds": 20,
        "responseStartTimeoutSeconds": 10,
        "idleTimeoutSeconds": 5,
        "serviceAccountName": "me",
        "imagePullSecrets": [{"name": "r"}],
        "nodeSelector": {"a": "b"},
    }
    template = build(pod=pod, template={"name": "shop-x", "labels": {"l": "m"}}).template
    assert (template.name, template.labels) == ("shop-x", {"l": "m"})
    assert (template.timeout_s, template.response_start_timeout_s, template.idle_timeout_s) == (20, 10, 5)
    assert (template.service_account, template.image_pull_secrets, template.node_selector) == ("me", ("r",), {"a": "b"})


def test_timeout_of_zero_is_the_default(build: Any) -> None:
    assert build(pod={"timeoutSeconds": 0}).template.timeout_s == 300


def test_set_is_ordered_with_named_tenants_made(tmp_path: Path) -> None:
    text = "apiVersion: serving.knative.dev/v1\nkind: Service\n"
    text += "metadata: {{name: {}, namespace: {}, annotations: {{{}}}}}\n"
    text += "spec: {{template: {{spec: {{containers: [{{image: a}}]}}}}}}\n"
    uses = "runyard.dev/uses: 'a , b,a'"
    (tmp_path / "z.yaml").write_text(text.format("b", "team", "") + "---\n" + text.format("a", "team", ""))
    (tmp_path / "a.yaml").write_text(text.format("c", "team", uses) + "---\n" + text.format("a", "alpha", ""))
    manifests: Manifests = load([tmp_path]).manifests
    assert [(each.tenant, each.name) for each in manifests.services] == [
        ("alpha", "a"),
        ("team", "a"),
        ("team", "b"),
        ("team", "c"),
    ]
    assert [tenant.name for tenant in manifests.tenants] == ["alpha", "default", "team"]
    assert manifests.services[3].uses == ("a", "b")
    assert manifests.platform.domain == "localhost"
