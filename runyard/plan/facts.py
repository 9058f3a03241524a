"""Facts of a Service: its manifest as nested plain data, for previews to compare.

Lists become maps keyed by what names their entries, so that a changed environment variable is one changed key
and not a shifted list. A default that the manifest leaves out is shown as the default it is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from runyard.manifest.model import Container, EnvVar, Service, Values, VolumeMount
from runyard.manifest.routes import render_place

_LATEST = "latest"
_PERSISTENT = "persistent"
_TOLD_APART = {"containers", "init_containers", "volumes", "labels", "annotations", "free_annotations"}
_EMPTY: tuple[Any, ...] = (None, "", (), {}, [])


def describe_service(service: Service, values: Sequence[Values]) -> dict[str, Any]:
    """Describe what a Service says, without its metadata and location; empty values are left out.

    Of `values`, what the manifests hold, it shows the config maps that the service names; of secrets nothing.
    """
    template = service.template
    apart = {"name", "tenant", "location", "template", "traffic", "routes", "uses", "labels", "annotations"}
    apart |= {"persistent_volumes"}
    facts = _plain(service, leave_out=apart)
    facts |= _plain(template, leave_out=_TOLD_APART)
    # Of the two kinds of labels these are the ones that reach the instances.
    facts["templateLabels"] = dict(template.labels)
    facts["templateAnnotations"] = dict(template.free_annotations)
    kinds: dict[str, str] = {volume.name: volume.kind for volume in template.volumes}
    kinds |= {volume.name: _PERSISTENT for volume in service.persistent_volumes}
    facts["containers"] = {each.name: _describe_container(each, kinds) for each in template.containers}
    facts["initContainers"] = {each.name: _describe_container(each, kinds) for each in template.init_containers}
    # The map above has no order, and these run one after another.
    facts["initOrder"] = " -> ".join(facts["initContainers"]) if len(template.init_containers) > 1 else ""
    facts["persistentVolumes"] = {each.name: _plain(each, leave_out={"name"}) for each in service.persistent_volumes}
    facts["volumes"] = {volume.name: _plain(volume, leave_out={"name"}) for volume in template.volumes}
    facts["configMaps"] = _describe_config_maps(service, values)
    facts["traffic"] = _describe_shares(service)
    facts["tags"] = {target.tag: target.revision or _LATEST for target in service.traffic if target.tag}
    facts["uses"] = {callee: "declared" for callee in sorted(service.uses)}
    facts["routes"] = {render_place(route): route.rewrite or "as it is" for route in service.routes}
    return {key: value for key, value in sorted(facts.items()) if value not in _EMPTY}


def _describe_config_maps(service: Service, values: Sequence[Values]) -> dict[str, Mapping[str, str]]:
    template = service.template
    named = {each.name for volume in template.volumes for each in volume.sources if each.kind == "configMap"}
    for container in template.all_containers:
        named |= {each.name for each in container.env_from if each.source == "configMap"}
        found = (each.reference for each in container.env if each.reference is not None)
        named |= {each.name for each in found if each.source == "configMap"}
    own = (each for each in values if each.source == "configMap" and each.tenant == service.tenant)
    return {each.name: dict(sorted(each.data.items())) for each in own if each.name in named}


def _describe_container(container: Container, kinds: Mapping[str, str]) -> dict[str, Any]:
    facts = _plain(container, leave_out={"name", "env", "volume_mounts"})
    facts["env"] = {variable.name: _describe_variable(variable) for variable in container.env}
    facts["volumeMounts"] = {each.path: _describe_mount(each, kinds) for each in container.volume_mounts}
    return {key: value for key, value in sorted(facts.items()) if value not in _EMPTY}


def _describe_variable(variable: EnvVar) -> str:
    if variable.reference is None:
        return variable.value
    optional = ", optional" if variable.reference.optional else ""
    return f"[{variable.reference.source} {variable.reference.name}/{variable.reference.key}{optional}]"


def _describe_mount(mount: VolumeMount, kinds: Mapping[str, str]) -> str:
    # Only these can be written unless the mount says otherwise; what is the default goes without saying.
    usual = kinds[mount.name] not in ("emptyDir", _PERSISTENT)
    below = f", subPath {mount.sub_path}" if mount.sub_path else ""
    return mount.name + below + ("" if mount.read_only == usual else f", readOnly {str(mount.read_only).lower()}")


def _describe_shares(service: Service) -> dict[str, int]:
    """Sum up the percent of each revision: tags without a share name one a second time."""
    shares: dict[str, int] = {}
    for target in service.traffic:
        revision = target.revision or _LATEST
        shares[revision] = shares.get(revision, 0) + target.percent
    return shares


def _plain(value: Any, *, leave_out: set[str] = frozenset()) -> dict[str, Any]:  # type: ignore[assignment]
    kept = {each.name: getattr(value, each.name) for each in dataclasses.fields(value) if each.name not in leave_out}
    return {spell_field(name): plain for name, item in kept.items() if (plain := _plain_value(item)) not in _EMPTY}


def _plain_value(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return _plain(value)
    if isinstance(value, tuple):
        return [_plain_value(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain_value(item) for key, item in sorted(value.items())}
    return value


def spell_field(name: str) -> str:
    """Spell a field as the manifest does: `timeout_s` is `timeoutSeconds`, `cpu_millis` stays a unit in words."""
    head, *rest = name.removesuffix("_s").split("_")
    tail = "Seconds" if name.endswith("_s") else ""
    return head + "".join(word.capitalize() for word in rest) + tail
