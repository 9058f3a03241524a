"""Secrets as a plan sees them: which of a tenant's keys there are, and the digest of each; values are never here.

A secret of one value has it under `latest` and `1`, the versions that Cloud Run's manifests name; it is one file, named
after the secret, where all of it is asked for, and no set of variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from runyard.contracts import SecretValue
from runyard.manifest.model import Container, EnvFrom, FileSource, Service, VolumeItem

# `name/key` of a tenant's secret to the digest of its value.
Digests = Mapping[str, str]

_VERSIONS = frozenset({"latest", "1"})
# Kubernetes: what else a key may be has no place in an environment, or as a file's name.
_VARIABLE = re.compile(r"(?!\.{1,2}$|\.\.)[-._A-Za-z][-._A-Za-z0-9]*")
_FILE = re.compile(r"(?!\.{1,2}$)[-._A-Za-z0-9]{1,253}")


def secret_value(name: str, key: str, digests: Digests) -> SecretValue:
    """Name a value by its digest, which is empty where the plan knows of none."""
    return SecretValue(name, key, digests.get(f"{name}/{key}", ""))


def has_value(name: str, key: str, digests: Digests) -> bool:
    """Tell whether a tenant's secret has this key."""
    return f"{name}/{key}" in digests


def variables_of(source: EnvFrom, digests: Digests) -> dict[str, SecretValue]:
    """Give every key of a secret that can be a variable, by the variable's name."""
    keys = _keys(source.name, digests)
    named = {} if keys == _VERSIONS else {source.prefix + key: key for key in sorted(keys)}
    return {
        variable: secret_value(source.name, key, digests)
        for variable, key in named.items()
        if _VARIABLE.fullmatch(variable)
    }


def files_of(source: FileSource, digests: Digests) -> tuple[VolumeItem, ...]:
    """Give the files of a source: those that it names, without optional ones that have no value, or all of its keys."""
    if source.items:
        return tuple(i for i in source.items if not source.optional or has_value(source.name, i.key, digests))
    keys = _keys(source.name, digests)
    if keys == _VERSIONS:
        return (VolumeItem("latest", source.name),)
    return tuple(VolumeItem(key, key) for key in sorted(keys) if _FILE.fullmatch(key))


def describe_missing(service: Service, digests: Digests) -> Iterator[str]:
    """Say what a service needs of secrets that its tenant's do not have, in the order of its manifest.

    `digests` may as well map to the values: only the keys count.
    """
    kinds = {volume.name: volume for volume in service.template.volumes}
    used = {mount.name for each in service.template.all_containers for mount in each.volume_mounts}
    for container in service.template.all_containers:
        yield from (f"{service.location}: {each}" for each in _missing_variables(service, container, digests))
    for name, volume in kinds.items():
        # What nobody mounts is not needed.
        for source in volume.sources if name in used else ():
            yield from (
                f"{service.location}: volume {name}: {each}" for each in _missing_files(service, source, digests)
            )


def _missing_variables(service: Service, container: Container, digests: Digests) -> Iterator[str]:
    for source in container.env_from:
        if not source.optional and not variables_of(source, digests):
            what = "has one value and no keys" if _keys(source.name, digests) else "has no keys"
            yield f"envFrom: {source.source} {source.name} {what} in this stack{_hint(service, f'{source.name}/KEY')}"
    for variable in container.env:
        found = variable.reference
        if found is not None and not found.optional and not has_value(found.name, found.key, digests):
            yield f"env {variable.name}: {_no_key(service, found.source, found.name, found.key)}"


def _missing_files(service: Service, source: FileSource, digests: Digests) -> Iterator[str]:
    if source.optional:
        return
    for item in source.items:
        if not has_value(source.name, item.key, digests):
            yield _no_key(service, source.kind, source.name, item.key)
    if not source.items and not files_of(source, digests):
        yield f"{source.kind} {source.name} has no keys in this stack{_hint(service, source.name)}"


def _no_key(service: Service, kind: str, name: str, key: str) -> str:
    # A secret's only value is what these two keys ask for.
    path = name if key in ("latest", "1") else f"{name}/{key}"
    return f"{kind} {name} has no key {key} in this stack{_hint(service, path)}"


def _hint(service: Service, path: str) -> str:
    return f" (runyard secret set {path} --tenant {service.tenant})"


def _keys(name: str, digests: Digests) -> frozenset[str]:
    return frozenset(each.removeprefix(f"{name}/") for each in digests if each.startswith(f"{name}/"))
