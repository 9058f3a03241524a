"""Fields: changes of one service alone, its revision, scale, annotations, routes and traffic."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from tests.preview.mutations import (
    AUTO,
    CACHE,
    FACTS,
    FIRST,
    KNATIVE,
    NOTHING,
    OTHER_IMAGE,
    REVISION,
    ROLLOUT,
    ROUTE,
    RUN,
    RUNYARD,
    SECRET,
    SIDECAR,
    assign,
    read,
)  # fmt: skip
from tests.preview.transitions.edit import Edit
from tests.preview.transitions.world import (
    BACKEND,
    DURATION,
    EGRESS,
    FALLBACK,
    INGRESS,
    MANUAL,
    MODE,
    ROUTES,
    USES,
    Entry,
    Words,
)  # fmt: skip

HEALTHY = {"httpGet": {"path": "/healthz"}, "periodSeconds": 1}
# Each field with values of which no two mean the same, None being no field, and what a change of it changes.
FIELDS: dict[str, tuple[str, tuple[Any, ...], Words]] = {
    "image": ("C:image", ("runyard/hello:1", OTHER_IMAGE), REVISION),
    "args": ("C:args", (None, ["unused"], ["--unused", "a b", "$(x); `y`"]), REVISION),
    "directory": ("C:workingDir", (None, "/tmp", "/"), REVISION),
    "user": ("C:securityContext", (None, {"runAsUser": 10001}, {"runAsUser": 65532, "runAsGroup": 7}), REVISION),
    "memory": ("C:resources.limits.memory", ("128Mi", "160Mi", "256Mi"), REVISION),
    "cpu": ("C:resources.limits.cpu", ("1", "2"), REVISION),
    "startup": ("C:startupProbe", (None, HEALTHY, {"grpc": {}, "periodSeconds": 2}), REVISION),
    "liveness": ("C:livenessProbe", (None, HEALTHY, {**HEALTHY, "failureThreshold": 5}), REVISION),
    "readiness": ("C:readinessProbe", (None, HEALTHY, {"tcpSocket": {}, "periodSeconds": 1}), REVISION),
    "labels": ("R:spec.template.metadata.labels", (None, {"tier": "web"}, {"tier": "web", "zone": "a"}), REVISION),
    "concurrency": ("P:containerConcurrency", (None, 1, 10, 0), REVISION),
    "least": (f"T:{AUTO}minScale", (None, "1", "2"), REVISION),
    "most": (f"T:{AUTO}maxScale", (None, "3", "10"), REVISION),
    "deadline": (f"T:{KNATIVE}progress-deadline", ("60s", "90s", "2m"), REVISION),
    "service-least": (f"S:{RUN}minScale", (None, "1", "2"), ROLLOUT),
    "service-most": (f"S:{RUN}maxScale", (None, "5", "8"), ROLLOUT),
    "timeout": ("P:timeoutSeconds", (None, 30, 60, 900), ROUTE),
    "response-start": ("P:responseStartTimeoutSeconds", (None, 20, 25), ROUTE),
    "idle": ("P:idleTimeoutSeconds", (None, 15, 20), ROUTE),
    "affinity": (f"T:{RUN}sessionAffinity", (None, "true"), ROUTE),
    "client-rate": (f"S:{RUNYARD}client-requests-per-second", (None, "50", "60"), ROUTE),
    "at-once": (f"S:{RUNYARD}max-concurrent-requests", (None, "40", "50"), ROUTE),
    "queue": (f"S:{RUNYARD}queue-size", (None, "10", "20"), ROUTE),
    "queue-time": (f"S:{RUNYARD}queue-timeout", (None, "5s", "7s"), ROUTE),
    "request-size": (f"S:{RUNYARD}max-request-size", (None, "1Mi", "2Mi"), ROUTE),
    "response-size": (f"S:{RUNYARD}max-response-size", (None, "1Mi", "2Mi"), ROUTE),
    "buffering": (f"S:{RUNYARD}request-buffering", (None, "off"), ROUTE),
    "cache": (f"S:{RUNYARD}cache", (None, "true"), ROUTE),
    "audiences": (f"S:{RUN}custom-audiences", (None, '["https://a.example.com"]'), FACTS),
    "target": (f"T:{AUTO}target", (None, "50", "1.5"), REVISION),
    "throttling": (f"T:{RUN}cpu-throttling", (None, "false"), FACTS),
    "pull": ("C:imagePullPolicy", (None, "IfNotPresent"), FACTS),
    "note": ("S:example.com/note", (None, "free", "other"), NOTHING),
    "description": (f"S:{RUN}description", (None, "Says hello", "Says more"), NOTHING),
    "metadata-labels": ("R:metadata.labels", (None, {"team": "front"}), NOTHING),
    "requests": ("C:resources.requests", (None, {"cpu": "250m", "memory": "64Mi"}), REVISION),
}

_USUAL_PORT = [{"containerPort": 8080}]
# The sample speaks HTTP/2 on the port on which it speaks HTTP/1.
_PORTS = (None, [{"containerPort": 9000}], [{"containerPort": 8080, "name": "h2c"}])

Change = Callable[[Edit], bool]


def field_change(title: str) -> Change:
    """Make the change of a field to another value than it has."""
    path, values, words = FIELDS[title]

    def change(edit: Edit) -> bool:
        if not (found := edit.pick(lambda key, entry: entry.plain)):
            return False
        key, entry = found
        before = read(path, entry.manifest)
        remember(entry)
        assign(path, edit.chance.choice([each for each in values if each != before]))(entry.manifest)
        edit.say(key, words)
        return True

    return change


def remember(entry: Entry) -> None:
    """Keep a template, for a later step to go back to it."""
    entry.earlier = copy.deepcopy(entry.template)


def _env(edit: Edit) -> bool:
    if not (found := edit.pick(lambda key, entry: entry.plain)):
        return False
    key, entry = found
    remember(entry)
    variables: list[Any] = entry.container.setdefault("env", [])
    if variables and edit.chance.random() < 0.4:
        variables.pop(edit.chance.randrange(len(variables)))
    else:
        variables.append({"name": f"V{edit.world.number()}", "value": edit.chance.choice(("", "b", "grüße 🚀"))})
    edit.say(key, REVISION)
    return True


def _env_order(edit: Edit) -> bool:
    def fits(key: str, entry: Entry) -> bool:
        return entry.plain and len(entry.container.get("env", [])) > 1

    if not (found := edit.pick(fits)):
        return False
    found[1].container["env"].reverse()
    edit.say(found[0], NOTHING)
    return True


def _toggled(place: Callable[[Entry], dict[str, Any]], name: str, item: dict[str, Any]) -> Change:
    """Make the change that puts an item into a list of the service, or takes it out again."""

    def change(edit: Edit) -> bool:
        if not (found := edit.pick(lambda key, entry: entry.plain)):
            return False
        key, entry = found
        remember(entry)
        _toggle(place(entry), name, item)
        edit.say(key, REVISION)
        return True

    return change


def _toggle(owner: dict[str, Any], name: str, item: dict[str, Any]) -> None:
    items: list[Any] = owner.setdefault(name, [])
    if item in items:
        items.remove(item)
    else:
        items.append(copy.deepcopy(item))
    if not items:
        del owner[name]


def _spec(entry: Entry) -> dict[str, Any]:
    found: dict[str, Any] = entry.template["spec"]
    return found


def _volume(volume: dict[str, Any]) -> Change:
    """Make the change that mounts a volume, or takes it away."""

    def change(edit: Edit) -> bool:
        if not (found := edit.pick(lambda key, entry: entry.plain)):
            return False
        key, entry = found
        remember(entry)
        _toggle(_spec(entry), "volumes", volume)
        _toggle(entry.container, "volumeMounts", {"name": volume["name"], "mountPath": f"/{volume['name']}"})
        edit.say(key, REVISION)
        return True

    return change


def _sidecar(edit: Edit) -> bool:
    if not (found := edit.pick(lambda key, entry: entry.plain)):
        return False
    key, entry = found
    remember(entry)
    containers = _spec(entry)["containers"]
    if len(containers) > 1:
        containers.pop()
        if entry.container["ports"] == _USUAL_PORT:
            del entry.container["ports"]
    else:
        entry.container["name"] = "main"
        entry.container.setdefault("ports", copy.deepcopy(_USUAL_PORT))
        containers.append(copy.deepcopy(SIDECAR))
    edit.say(key, REVISION)
    return True


def _port(edit: Edit) -> bool:
    # Beside a sidecar the port tells which container gets the requests, so it has to be there.
    if not (found := edit.pick(lambda key, entry: entry.plain and len(_spec(entry)["containers"]) == 1)):
        return False
    key, entry = found
    remember(entry)
    before = entry.container.pop("ports", None)
    after = edit.chance.choice([each for each in _PORTS if each != before])
    if after:
        entry.container["ports"] = copy.deepcopy(after)
    edit.say(key, REVISION)
    return True


def _back(edit: Edit) -> bool:
    """Give a service the template that it had before its last change."""

    def fits(key: str, entry: Entry) -> bool:
        return entry.plain and entry.earlier is not None and entry.earlier != entry.template

    if not (found := edit.pick(fits)):
        return False
    key, entry = found
    assert entry.earlier is not None
    now, entry.manifest["spec"]["template"] = entry.template, entry.earlier
    # A name stands for one content, which more than the template shapes.
    entry.template["metadata"].pop("name", None)
    entry.earlier = now
    edit.say(key, None)
    return True


def _manual(edit: Edit) -> bool:
    if not (found := edit.pick(lambda key, entry: entry.plain)):
        return False
    key, entry = found
    before = entry.annotations.get(MANUAL)
    after = edit.chance.choice([each for each in (None, "0", "1", "2") if each != before])
    entry.annotations.update({MODE: "manual", MANUAL: after or ""})
    if after is None:
        del entry.annotations[MODE], entry.annotations[MANUAL]
    edit.say(key, ROLLOUT)
    return True


def _duration(edit: Edit) -> bool:
    if not (found := edit.pick(lambda key, entry: entry.plain)):
        return False
    key, entry = found
    before = entry.annotations.pop(DURATION, None)
    if before != "5s":
        entry.annotations[DURATION] = "5s"
    # What goes by name is moved at once.
    edit.say(key, ROLLOUT if entry.follows_latest else FACTS)
    return True


def _ingress(edit: Edit) -> bool:
    def fits(key: str, entry: Entry) -> bool:
        return entry.plain and not entry.routes and edit.world.gateway.get(BACKEND) != key

    if not (found := edit.pick(fits)):
        return False
    key, entry = found
    if entry.annotations.pop(INGRESS, None) is None:
        entry.annotations[INGRESS] = "internal"
    edit.say(key, ROUTE)
    return True


def _route(edit: Edit) -> bool:
    if not (found := edit.pick(lambda key, entry: entry.plain and INGRESS not in entry.annotations)):
        return False
    key, entry = found
    routes = entry.routes
    if routes and edit.chance.random() < 0.4:
        routes.pop(edit.chance.randrange(len(routes)))
    else:
        place = edit.chance.choice(("r{0}.example.com", "*.r{0}.example.com", "r{0}.example.com/in/it -> /healthz"))
        routes.append(place.format(edit.world.number()))
    entry.note(ROUTES, routes, ", ")
    edit.say(key, ROUTE)
    return True


def _fallback(edit: Edit) -> bool:
    if not (found := edit.pick(lambda key, entry: entry.plain)):
        return False
    key, entry = found
    tenant = key.partition("/")[0]
    others = [f"service:{each.name}" for other, each in edit.world.of(tenant) if other != key]
    before = entry.annotations.pop(FALLBACK, None)
    after = edit.chance.choice([each for each in (None, "be back soon", *others) if each != before])
    entry.note(FALLBACK, [after] if after else [])
    edit.say(key, ROUTE)
    return True


def _uses(edit: Edit) -> bool:
    if not (found := edit.pick(lambda key, entry: entry.plain and EGRESS not in entry.annotations)):
        return False
    key, entry = found
    others = [each.name for other, each in edit.world.of(key.partition("/")[0]) if other != key]
    if not others:
        return False
    remember(entry)
    entry.note(USES, sorted({*entry.callees} ^ {edit.chance.choice(others)}))
    edit.say(key, REVISION)
    return True


def _egress(edit: Edit) -> bool:
    if not (found := edit.pick(lambda key, entry: entry.plain and USES not in entry.annotations)):
        return False
    key, entry = found
    if entry.annotations.pop(EGRESS, None) is None:
        entry.annotations[EGRESS] = "none"
    edit.say(key, REVISION)
    return True


CHANGES: dict[str, Change] = {
    **{f"field-{title}": field_change(title) for title in FIELDS},
    "env": _env,
    "env-order": _env_order,
    "sidecar": _sidecar,
    "init": _toggled(_spec, "initContainers", FIRST),
    "secret-env": _toggled(lambda entry: entry.container, "env", SECRET),
    "secret-all": _toggled(lambda entry: entry.container, "envFrom", {"secretRef": {"name": "login"}}),
    "volume-cache": _volume(CACHE),
    "volume-secret": _volume({"name": "files", "secret": {"secretName": "token"}}),
    "volume-config": _volume({"name": "settings", "configMap": {"name": "settings"}}),
    "port": _port,
    "back": _back,
    "manual": _manual,
    "duration": _duration,
    "ingress": _ingress,
    "route": _route,
    "fallback": _fallback,
    "uses": _uses,
    "egress": _egress,
}
