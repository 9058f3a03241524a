"""Mutations of the example manifests: one change each, and which resources of the service it is to change.

A path is written from where it stands: `S` the Service's annotations, `T` the template's annotations, `P` the pod's
spec, `C` the container's fields, `R` the document's root. Every field that knative-fields.md marks M is in one of them
at least once.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

Manifest = dict[str, Any]

# Another image than the examples'; a test that applies it puts one in its place that is there.
OTHER_IMAGE = "runyard/hello:again"
MANIFESTS = Path(__file__).resolve().parents[2] / "manifests"
SERVICE_ANNOTATIONS = ("metadata", "annotations")
TEMPLATE = ("spec", "template")
POD = (*TEMPLATE, "spec")
_ROOTS: dict[str, tuple[str | int, ...]] = {
    "R": (),
    "S": SERVICE_ANNOTATIONS,
    "T": (*TEMPLATE, *SERVICE_ANNOTATIONS),
    "P": POD,
    "C": (*POD, "containers", 0),
}

# What may change: the Service's own facts, its templates, its rollout, its route.
NOTHING: frozenset[str] = frozenset()
FACTS = frozenset({"service"})
ROLLOUT = frozenset({"service", "rollout"})
ROUTE = frozenset({"service", "route"})
REVISION = frozenset({"service", "revision", "rollout"})

AUTO = "autoscaling.knative.dev/"
RUN = "run.googleapis.com/"
RUNYARD = "runyard.dev/"
KNATIVE = "serving.knative.dev/"
# What the stack's configuration `runyard:secrets.default` has for the mutations; the examples themselves need none.
SECRETS: dict[str, Any] = {
    "token": "a token",
    "other": "another token",
    "login": {"user": "ann", "word": "sesame"},
    "settings": {"COLOUR": "blue"},
}


@dataclass(frozen=True)
class Mutation:
    """One change of the example `base`; `changes` says which resources of the service it changes.

    `prepare` is what the example has to have before, so that the change is of the field at `path` alone.
    """

    id: str
    base: str
    path: str
    apply: Callable[[Manifest], None]
    changes: frozenset[str]
    prepare: Callable[[Manifest], None] = lambda manifest: None

    def make(self, name: str) -> tuple[Manifest, Manifest]:
        """Give the base and the mutated manifest, both of this service name."""
        before = example(self.base, name)
        self.prepare(before)
        after = copy.deepcopy(before)
        self.apply(after)
        return before, after


def example(base: str, name: str) -> Manifest:
    """Read an example and give it another name, so that many can stand beside each other."""
    manifest: Manifest = yaml.safe_load((MANIFESTS / f"{base}.yaml").read_text())
    manifest["metadata"]["name"] = name
    template = manifest["spec"]["template"]
    template.setdefault("metadata", {}).setdefault("annotations", {})
    manifest["metadata"].setdefault("annotations", {})
    # A deadline that a test can wait for, and little of the host: many run at a time.
    template["metadata"]["annotations"].pop(AUTO + "minScale", None)
    template["metadata"]["annotations"].setdefault(KNATIVE + "progress-deadline", "60s")
    for container in template["spec"]["containers"]:
        container.setdefault("resources", {"limits": {"cpu": "1", "memory": "128Mi"}})
    return manifest


def _parts(path: str) -> tuple[str | int, ...]:
    root, _, rest = path.partition(":")
    if root in ("S", "T"):
        return (*_ROOTS[root], rest)
    return (*_ROOTS[root], *(int(part) if part.isdigit() else part for part in rest.split(".")))


def read(path: str, manifest: Manifest) -> Any:
    """Give what a manifest has at a path; None where it has nothing."""
    node: Any = manifest
    for part in _parts(path):
        node = node[part] if isinstance(part, int) else node.get(part, {})
    return None if node == {} else node


def assign(path: str, value: Any) -> Callable[[Manifest], None]:
    """Make the change that sets a value; None takes the key away."""
    *parents, last = _parts(path)

    def apply(manifest: Manifest) -> None:
        node: Any = manifest
        for part in parents:
            node = node[part] if isinstance(part, int) else node.setdefault(part, {})
        # A copy, so that a change of this manifest is none of the next.
        node[last] = copy.deepcopy(value)
        if value is None:
            del node[last]

    return apply


def drop(path: str) -> Callable[[Manifest], None]:
    *parents, last = _parts(path)

    def apply(manifest: Manifest) -> None:
        node: Any = manifest
        for part in parents:
            node = node[part]
        del node[last]

    return apply


def append(path: str, value: Any) -> Callable[[Manifest], None]:
    *parents, last = _parts(path)

    def apply(manifest: Manifest) -> None:
        node: Any = manifest
        for part in parents:
            node = node[part] if isinstance(part, int) else node.setdefault(part, {})
        node.setdefault(last, []).append(copy.deepcopy(value))

    return apply


def both(*changes: Callable[[Manifest], None]) -> Callable[[Manifest], None]:
    def apply(manifest: Manifest) -> None:
        for change in changes:
            change(manifest)

    return apply


def _row(base: str, path: str, changes: frozenset[str], *values: Any) -> list[Mutation]:
    """Make a mutation of each value."""
    return [Mutation(f"{base}:{path}={value}"[:110], base, path, assign(path, value), changes) for value in values]


def _prepared(prepare: Callable[[Manifest], None], mutations: list[Mutation]) -> list[Mutation]:
    """Make these mutations of an example that has more."""
    return [replace(each, prepare=prepare) for each in mutations]


def _one(base: str, title: str, path: str, changes: frozenset[str], apply: Callable[[Manifest], None]) -> Mutation:
    return Mutation(f"{base}:{title}", base, path, apply, changes)


HELLO, CART, STOCK, WEB = "hello", "shop/cart", "shop/stock", "shop/web"
HTTP = {"httpGet": {"path": "/healthz"}, "periodSeconds": 1}
SIDECAR = {
    "name": "side",
    "image": "runyard/hello:1",
    "env": [{"name": "PORT", "value": "9100"}],
    "resources": {"limits": {"cpu": "1", "memory": "128Mi"}},
}
CACHE = {"name": "cache", "emptyDir": {"sizeLimit": "8Mi"}}
SECRET = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "token", "key": "latest"}}}
# Runs to its end at once.
FIRST = {
    "name": "first",
    "image": "runyard/hello:1",
    "env": [{"name": "EXIT_AFTER_MS", "value": "1"}, {"name": "EXIT_CODE", "value": "0"}],
    "resources": {"limits": {"cpu": "1", "memory": "128Mi"}},
}
_ABSENT = {"name": "absent", "optional": True}
_NAMED = both(assign("C:name", "main"), append("C:ports", {"containerPort": 8080}))


def _probe(kind: str, **fields: Any) -> Callable[[Manifest], None]:
    handler = {} if {"tcpSocket", "grpc"} & fields.keys() else HTTP
    return assign(f"C:{kind}", {"periodSeconds": 1, **handler, **fields})


def _scaling() -> list[Mutation]:
    return [
        *_row(HELLO, f"T:{AUTO}minScale", REVISION, "1"),
        *_row(HELLO, f"T:{AUTO}min-scale", REVISION, "1"),
        *_row(HELLO, f"T:{AUTO}maxScale", REVISION, "3", "10"),
        *_row(HELLO, f"T:{AUTO}max-scale", REVISION, "4"),
        *_row(HELLO, f"S:{RUN}minScale", ROLLOUT, "1", "2"),
        *_row(HELLO, f"S:{RUN}maxScale", ROLLOUT, "5", "8"),
        *_row(HELLO, f"S:{RUN}scalingMode", NOTHING, "automatic"),
        *_row(HELLO, "S:runyard.dev/schedule", ROLLOUT, "2 at 0 8 * * 1-5", "2 at 0 8 * * * Europe/Berlin"),
        _one(
            HELLO,
            "manual two",
            f"S:{RUN}manualInstanceCount",
            ROLLOUT,
            both(assign(f"S:{RUN}scalingMode", "manual"), assign(f"S:{RUN}manualInstanceCount", "2")),
        ),
        *_row(HELLO, f"T:{RUN}scaling-cpu-target", REVISION, "0.7", "80%"),
        *_row(HELLO, f"T:{RUN}scaling-concurrency-target", REVISION, "0.5", "90%"),
        *_row(HELLO, f"T:{AUTO}metric", REVISION, "rps", "cpu"),
        *_row(HELLO, f"T:{AUTO}target", REVISION, "50", "1.5"),
        *_row(HELLO, f"T:{AUTO}target-utilization-percentage", REVISION, "60", "99"),
        *_row(HELLO, f"T:{AUTO}window", REVISION, "30s", "6s"),
        *_row(HELLO, f"T:{AUTO}panic-window-percentage", REVISION, "20"),
        *_row(HELLO, f"T:{AUTO}panic-threshold-percentage", REVISION, "150"),
        *_row(HELLO, f"T:{AUTO}scale-down-delay", REVISION, "15s"),
        *_row(HELLO, f"T:{AUTO}scale-to-zero-pod-retention-period", REVISION, "1m"),
        *_row(HELLO, f"T:{AUTO}initial-scale", REVISION, "2"),
        *_row(HELLO, f"T:{AUTO}activation-scale", REVISION, "3"),
        *_row(HELLO, f"T:{RUNYARD}idle", REVISION, "freeze"),
        *_row(HELLO, f"T:{KNATIVE}progress-deadline", REVISION, "90s", "2m"),
        *_row(HELLO, f"T:{RUN}cpu-throttling", FACTS, "false"),
        *_row(HELLO, f"T:{RUN}sessionAffinity", ROUTE, "true"),
        *_row(HELLO, f"S:{KNATIVE}rollout-duration", ROLLOUT, "10s"),
    ]


def _service() -> list[Mutation]:
    return [
        *_row(HELLO, f"S:{RUN}ingress", ROUTE, "internal"),
        # The gateway is the load balancer, so nothing but the word changes.
        *_row(HELLO, f"S:{RUN}ingress", FACTS, "internal-and-cloud-load-balancing"),
        *_row(HELLO, f"S:{RUN}invoker-iam-disabled", FACTS, "false"),
        *_row(HELLO, f"S:{RUN}iap-enabled", NOTHING, "true"),
        *_row(HELLO, f"S:{RUN}custom-audiences", FACTS, '["https://a.example.com"]'),
        *_row(HELLO, f"S:{RUN}description", NOTHING, "Says hello"),
        *_row(HELLO, f"S:{RUN}client-name", NOTHING, "gcloud"),
        *_row(HELLO, "R:metadata.labels", NOTHING, {"team": "front"}),
        *_row(HELLO, "S:example.com/note", NOTHING, "free"),
        *_row(HELLO, "R:metadata.generation", NOTHING, 7),
        *_row(HELLO, "R:metadata.uid", NOTHING, "4-5-6"),
        *_row(HELLO, "R:status", NOTHING, {"url": "http://somewhere"}),
        *_row(HELLO, "R:spec.template.metadata.labels", REVISION, {"tier": "web"}, {"tier": "web", "zone": "a"}),
        *_row(HELLO, "T:example.com/note", REVISION, "free"),
        *_row(CART, "S:runyard.dev/uses", REVISION, "stock,cart", "cart"),
        *_row(HELLO, "S:runyard.dev/max-requests-per-second", ROUTE, "50", "500"),
        _one(HELLO, "all to latest", "R:spec.traffic", NOTHING, assign("R:spec.traffic", [{"percent": 100}])),
        _one(
            HELLO,
            "latest named",
            "R:spec.traffic[].latestRevision",
            NOTHING,
            assign("R:spec.traffic", [{"latestRevision": True, "percent": 100}]),
        ),
        _one(
            HELLO,
            "tagged",
            "R:spec.traffic[].tag",
            frozenset({"service", "rollout"}),
            assign("R:spec.traffic", [{"latestRevision": True, "percent": 100, "tag": "now"}]),
        ),
        _one(
            HELLO,
            "tag without share",
            "R:spec.traffic[].percent",
            frozenset({"service", "rollout"}),
            assign("R:spec.traffic", [{"percent": 100}, {"latestRevision": True, "percent": 0, "tag": "try"}]),
        ),
    ]


def _name_revision(manifest: Manifest) -> None:
    manifest["spec"]["template"]["metadata"]["name"] = f"{manifest['metadata']['name']}-first"


def _name_revision_in_traffic(manifest: Manifest) -> None:
    _name_revision(manifest)
    manifest["spec"]["traffic"] = [{"revisionName": f"{manifest['metadata']['name']}-first", "percent": 100}]


def _template() -> list[Mutation]:
    return [
        _one(HELLO, "named revision", "R:spec.template.metadata.name", REVISION, _name_revision),
        _one(HELLO, "traffic by name", "R:spec.traffic[].revisionName", REVISION, _name_revision_in_traffic),
        *_row(HELLO, "P:containerConcurrency", REVISION, 1, 10, 1000, 0),
        *_row(HELLO, "P:timeoutSeconds", ROUTE, 30, 60, 3600),
        *_row(HELLO, "P:enableServiceLinks", NOTHING, False),
        _one(HELLO, "sidecar", "P:containers", REVISION, both(_NAMED, append("P:containers", SIDECAR))),
        _one(WEB, "sidecar goes", "P:containers", REVISION, drop("P:containers.1")),
        _one(
            WEB,
            "start order",
            f"T:{RUN}container-dependencies",
            REVISION,
            assign(f"T:{RUN}container-dependencies", '{"web":["session"]}'),
        ),
        _one(HELLO, "volume unused", "P:volumes", FACTS, append("P:volumes", CACHE)),
    ]


def _volumes() -> list[Mutation]:
    mounted = append("C:volumeMounts", {"name": "cache", "mountPath": "/cache"})
    cached = both(append("P:volumes", CACHE), mounted)
    two = both(cached, append("P:volumes", {"name": "other", "emptyDir": {"sizeLimit": "8Mi"}}))
    again = append("C:volumeMounts", {"name": "cache", "mountPath": "/again"})
    return [
        _one(HELLO, "cache", "P:volumes[].emptyDir", REVISION, cached),
        *_prepared(
            cached,
            [
                *_row(HELLO, "P:volumes.0.emptyDir.sizeLimit", REVISION, "16Mi"),
                # Memory of the instance is what each of them is.
                *_row(HELLO, "P:volumes.0.emptyDir.medium", NOTHING, "Memory"),
                *_row(HELLO, "C:volumeMounts.0.mountPath", REVISION, "/var/cache/app"),
                *_row(HELLO, "C:volumeMounts.0.readOnly", REVISION, True),
                *_row(HELLO, "C:volumeMounts.0.readOnly", NOTHING, False),
                *_row(HELLO, "C:volumeMounts.0.subPath", REVISION, "part"),
                _one(HELLO, "cache in two places", "C:volumeMounts", REVISION, again),
            ],
        ),
        *_prepared(two, _row(HELLO, "C:volumeMounts.0.name", FACTS, "other")),
    ]


def _file_volumes() -> list[Mutation]:
    rows: list[Mutation] = []
    for kind, source, name in (
        ("secret", "", "secretName"),
        ("configMap", "", "name"),
        ("projected", ".sources.0.secret", "name"),
        ("projected", ".sources.0.configMap", "name"),
    ):
        field = f"P:volumes.0.{kind}{source}"
        content = {"sources": [{source.rpartition(".")[2]: {name: "token"}}]} if source else {name: "token"}
        mount = append("C:volumeMounts", {"name": "files", "mountPath": "/files"})
        volume = both(append("P:volumes", {"name": "files", kind: content}), mount)
        item = both(volume, assign(f"{field}.items", [{"key": "latest", "path": "dir/token"}]))
        inside = assign("C:volumeMounts.0.subPath", "dir")
        rows += [
            _one(HELLO, f"files of {kind}{source}", f"P:volumes[].{kind}", REVISION, volume),
            *_prepared(
                volume,
                [
                    *_row(HELLO, f"{field}.{name}", REVISION, "other", "login"),
                    *_row(HELLO, f"{field}.items", REVISION, [{"key": "1", "path": "token"}]),
                    # It is what there is without them.
                    *_row(HELLO, f"{field}.items", FACTS, [{"key": "latest", "path": "token"}]),
                    *_row(HELLO, f"{field}.optional", FACTS, True),
                ],
            ),
            *_prepared(
                item,
                [
                    *_row(HELLO, f"{field}.items.0.key", REVISION, "1"),
                    *_row(HELLO, f"{field}.items.0.path", REVISION, "other"),
                    *_row(HELLO, f"{field}.items.0.mode", REVISION, 0o400),
                    _one(HELLO, f"a directory of {kind}{source}", "C:volumeMounts.0.subPath", REVISION, inside),
                ],
            ),
        ]
        if not source.endswith("configMap"):
            rows += _prepared(volume, _row(HELLO, f"P:volumes.0.{kind}.defaultMode", REVISION, 0o400))
    return rows


def _init_containers() -> list[Mutation]:
    first = append("P:initContainers", FIRST)
    two = both(first, append("P:initContainers", {**FIRST, "name": "second"}))
    shared = both(
        first,
        append("P:volumes", CACHE),
        append("C:volumeMounts", {"name": "cache", "mountPath": "/cache"}),
    )
    mounted = append("P:initContainers.0.volumeMounts", {"name": "cache", "mountPath": "/out"})
    return [
        _one(HELLO, "init container", "P:initContainers", REVISION, first),
        *_prepared(
            first,
            [
                *_row(HELLO, "P:initContainers.0.image", REVISION, OTHER_IMAGE),
                *_row(HELLO, "P:initContainers.0.name", REVISION, "other"),
                *_row(HELLO, "P:initContainers.0.args", REVISION, ["unused"]),
                *_row(HELLO, "P:initContainers.0.envFrom", REVISION, [{"secretRef": {"name": "login"}}]),
                *_row(HELLO, "P:initContainers.0.resources.limits.memory", REVISION, "256Mi"),
                *_row(HELLO, "P:initContainers.0.terminationMessagePath", NOTHING, "/dev/termination-log"),
                _one(HELLO, "init container goes", "P:initContainers", REVISION, drop("P:initContainers")),
            ],
        ),
        *_prepared(two, [_one(HELLO, "init containers in another order", "P:initContainers", REVISION, _turn_around)]),
        *_prepared(shared, [_one(HELLO, "init container with the cache", "P:initContainers", REVISION, mounted)]),
    ]


def _turn_around(manifest: Manifest) -> None:
    manifest["spec"]["template"]["spec"]["initContainers"].reverse()


def _persistent_volumes() -> list[Mutation]:
    # One name each: all mutated services are of one tenant, and a volume is of one service.
    place = f"S:{RUNYARD}volumes"
    alone = assign(f"T:{AUTO}maxScale", "1")
    return [
        *_prepared(alone, _row(HELLO, place, REVISION, "made=8Mi:/data")),
        *_prepared(both(alone, assign(place, "sized=8Mi:/data")), _row(HELLO, place, REVISION, "sized=16Mi:/data")),
        *_prepared(both(alone, assign(place, "moved=8Mi:/data")), _row(HELLO, place, REVISION, "moved=8Mi:/other")),
        *_prepared(both(alone, assign(place, "more=8Mi:/data")), _row(HELLO, place, NOTHING, " more=8Mi:/data ")),
        *_prepared(
            both(alone, assign(place, "gone=8Mi:/data")), [_one(HELLO, "volume goes", place, REVISION, drop(place))]
        ),
    ]


def _container() -> list[Mutation]:
    return [
        *_row(HELLO, "C:name", REVISION, "main", "app"),
        *_row(HELLO, "C:image", REVISION, OTHER_IMAGE),
        *_row(HELLO, "C:command", REVISION, ["/hello"]),
        *_row(HELLO, "C:args", REVISION, ["unused"], ["--unused", "a b", "$(x); `y`"]),
        *_row(HELLO, "C:workingDir", REVISION, "/tmp"),
        *_row(HELLO, "C:imagePullPolicy", FACTS, "IfNotPresent"),
        *_row(HELLO, "C:ports", REVISION, [{"containerPort": 9000}], [{"containerPort": 8081, "protocol": "TCP"}]),
        *_row(HELLO, "C:ports", NOTHING, [{"containerPort": 8080}], [{"name": "http1", "containerPort": 8080}]),
        *_row(WEB, "C:ports.0.containerPort", REVISION, 8081),
        # The sample speaks both on one port; probes go on over HTTP/1.
        *_row(WEB, "C:ports.0.name", REVISION, "h2c"),
        *_row(WEB, "C:ports.0.name", NOTHING, "http1"),
        *_row(WEB, "C:ports.0.protocol", NOTHING, "TCP"),
        *_row(HELLO, "C:resources.limits", REVISION, {"cpu": "2", "memory": "128Mi"}, {"cpu": "2", "memory": "256Mi"}),
        *_row(HELLO, "C:resources.limits.cpu", NOTHING, "1000m", 1),
        *_row(HELLO, "C:resources.limits.cpu", REVISION, "2"),
        *_row(HELLO, "C:resources.limits.memory", REVISION, "129Mi", "256Mi", "200M", "1Gi"),
        *_row(HELLO, "C:resources.limits.memory", NOTHING, "131072Ki"),
        *_row(HELLO, "C:resources.requests", NOTHING, {"memory": "64Mi"}),
        *_row(HELLO, "C:resources.requests", REVISION, {"cpu": "500m", "memory": "64Mi"}),
        *_row(HELLO, "C:securityContext.runAsUser", REVISION, 10001, 65532),
        *_row(HELLO, "C:securityContext.readOnlyRootFilesystem", NOTHING, True),
        *_row(HELLO, "C:terminationMessagePath", NOTHING, "/dev/termination-log"),
    ]


def _environment() -> list[Mutation]:
    return [
        *_row(
            HELLO,
            "C:env",
            REVISION,
            [{"name": "A", "value": "b"}],
            [{"name": "A", "value": ""}],
            [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}],
            [{"name": "QUOTED", "value": "a\"b'c$d`e;{}\nf"}],
            [{"name": "UNICODE", "value": "grüße 🚀"}],
            [{"name": f"V{number}", "value": str(number)} for number in range(40)],
        ),
        *_row(CART, "C:env.0.value", REVISION, "stock=http://stock.internal/healthz"),
        *_row(CART, "C:env.1.name", REVISION, "MONEY"),
        *_prepared(
            append("C:env", SECRET),
            [
                *_row(HELLO, "C:env.0.valueFrom.secretKeyRef.name", REVISION, "other"),
                *_row(HELLO, "C:env.0.valueFrom.secretKeyRef.key", REVISION, "1"),
                # Its value is there.
                *_row(HELLO, "C:env.0.valueFrom.secretKeyRef.optional", FACTS, True),
            ],
        ),
        _one(HELLO, "secret", "C:env", REVISION, append("C:env", SECRET)),
        *_row(HELLO, "C:env", FACTS, [{"name": "A", "valueFrom": {"secretKeyRef": _ABSENT | {"key": "b"}}}]),
        *_row(HELLO, "C:envFrom", REVISION, [{"secretRef": {"name": "login"}}], [{"configMapRef": {"name": "login"}}]),
        *_row(HELLO, "C:envFrom", FACTS, [{"secretRef": _ABSENT}]),
        *_prepared(
            append("C:envFrom", {"secretRef": {"name": "login"}}),
            [
                *_row(HELLO, "C:envFrom.0.prefix", REVISION, "LOGIN_"),
                *_row(HELLO, "C:envFrom.0.secretRef.name", REVISION, "settings"),
                *_row(HELLO, "C:envFrom.0.secretRef.optional", FACTS, True),
            ],
        ),
        _one(CART, "env in another order", "C:env", NOTHING, lambda manifest: _container_of(manifest)["env"].reverse()),
        _one(CART, "env goes", "C:env", REVISION, drop("C:env")),
    ]


def _probes() -> list[Mutation]:
    rows = [
        _one(HELLO, f"{kind} {title}", f"C:{kind}{field}", REVISION, _probe(kind, **fields))
        for kind in ("startupProbe", "livenessProbe", "readinessProbe")
        for title, field, fields in (
            ("http", ".httpGet.path", {}),
            ("delayed", ".initialDelaySeconds", {"initialDelaySeconds": 1}),
            ("slower", ".periodSeconds", {"periodSeconds": 3}),
            ("patient", ".timeoutSeconds", {"periodSeconds": 3, "timeoutSeconds": 2}),
            ("lenient", ".failureThreshold", {"failureThreshold": 5}),
            ("port", ".httpGet.port", {"httpGet": {"path": "/healthz", "port": 8080}}),
            ("scheme", ".httpGet.scheme", {"httpGet": {"path": "/healthz", "scheme": "HTTP"}}),
            ("headers", ".httpGet.httpHeaders", {"httpGet": {"httpHeaders": [{"name": "X-Probe", "value": "1"}]}}),
            ("tcp", ".tcpSocket.port", {"tcpSocket": {"port": 8080}}),
            ("grpc", ".grpc.port", {"grpc": {"port": 8080}}),
            ("grpc service", ".grpc.service", {"grpc": {"service": ""}}),
        )
    ]
    return [
        *rows,
        *_row(HELLO, "C:startupProbe", REVISION, {"tcpSocket": {"port": 8080}, "periodSeconds": 1}),
        *_row(HELLO, "C:readinessProbe", REVISION, {"tcpSocket": {}, "periodSeconds": 1}, {"grpc": {}}),
        *_row(HELLO, "C:livenessProbe", REVISION, {"grpc": {"port": 8080}}, {"grpc": {"service": ""}}),
        *_row(STOCK, "C:startupProbe.grpc", NOTHING, {"port": 8080}),
        *_row(STOCK, "C:startupProbe.failureThreshold", REVISION, 20, 40),
        *_row(STOCK, "C:startupProbe.successThreshold", NOTHING, 1),
        *_row(WEB, "C:livenessProbe.successThreshold", NOTHING, 1),
        *_row(CART, "C:readinessProbe.successThreshold", REVISION, 2),
        *_row(CART, "C:readinessProbe.httpGet.path", REVISION, "/healthz"),
        *_row(CART, "C:readinessProbe.periodSeconds", REVISION, 2),
        _one(CART, "no readiness probe", "C:readinessProbe", REVISION, drop("C:readinessProbe")),
    ]


def _container_of(manifest: Manifest) -> Manifest:
    found: Manifest = manifest["spec"]["template"]["spec"]["containers"][0]
    return found


def _examples() -> list[Mutation]:
    """Make the same small changes to each of the shop's services."""
    return [
        mutation
        for base in (CART, STOCK, WEB)
        for mutation in (
            *_row(base, "P:containerConcurrency", REVISION, 5),
            *_row(base, "P:timeoutSeconds", ROUTE, 45),
            *_row(base, "C:resources.limits", REVISION, {"cpu": "1", "memory": "160Mi"}),
            *_row(base, "C:workingDir", REVISION, "/"),
            *_row(base, f"S:{RUN}ingress", ROUTE, "internal"),
            *_row(base, f"T:{AUTO}maxScale", REVISION, "6"),
            _one(base, "one more variable", "C:env[].value", REVISION, append("C:env", {"name": "NEW", "value": "x"})),
        )
    ]


MUTATIONS: tuple[Mutation, ...] = (
    *_scaling(),
    *_service(),
    *_template(),
    *_volumes(),
    *_file_volumes(),
    *_init_containers(),
    *_persistent_volumes(),
    *_container(),
    *_environment(),
    *_probes(),
    *_examples(),
)
