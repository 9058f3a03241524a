"""Secrets as a plan sees them: which of a tenant's keys there are, and the digest of each; values are never here.

A secret of one value has it under `latest` and `1`, the versions that Cloud Run's manifests name; it is one file, named
after the secret, where all of it is asked for, and no set of variables. What the stack has of a name and a key counts
more than a ConfigMap or Secret of the manifests, which may be of one name and are told apart by `configMap:` and
`secret:` before it.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterator, Mapping

from runyard.contracts import SecretValue
from runyard.manifest.model import Container, EnvFrom, FileSource, Manifests, Service, VolumeItem
from runyard.manifest.values import Source

# `name/key` of a tenant's secret to the digest of its value.
Digests = Mapping[str, str]

# Slow enough that a short hash of a guessable secret is no shortcut to it. The digest itself is never shown: it is
# one part of what a revision's 32-bit hash is made of. What a config map holds is no secret.
_ROUNDS = 100_000
_CONFIG_MAP = "configMap:"
# What a secret's only value is asked for by.
VERSIONS = frozenset({"latest", "1"})
# Kubernetes: what else a key may be has no place in an environment, or as a file's name.
_VARIABLE = re.compile(r"(?!\.{1,2}$|\.\.)[-._A-Za-z][-._A-Za-z0-9]*")
_FILE = re.compile(r"(?!\.{1,2}$)[-._A-Za-z0-9]{1,253}")


class LazyDigests(Mapping[str, str]):
    """The digests of a tenant's values by `name/key`; which keys there are costs nothing to tell.

    Each is hashed when it is asked for: most stacks keep more secrets than manifests name.
    """

    def __init__(self, tenant: str, values: Mapping[str, str]) -> None:
        """Take a tenant's values by `name/key`."""
        self._tenant = tenant
        self._values = values

    def __getitem__(self, key: str) -> str:
        return _digest(self._tenant, key, self._values[key])

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@functools.lru_cache(maxsize=4096)
def _digest(tenant: str, key: str, value: str) -> str:
    """Hash a value (PBKDF2-SHA256, salted by tenant and key), once in a process.

    It takes 25 ms, and a review plans what manifests hold on both sides. Whoever asks has the value in memory already.
    """
    rounds = 1 if key.startswith(_CONFIG_MAP) else _ROUNDS
    return hashlib.pbkdf2_hmac("sha256", value.encode(), f"{tenant}/{key}".encode(), rounds).hex()


def values_of_manifests(manifests: Manifests, tenant: str) -> dict[str, str]:
    """Give what a tenant's ConfigMaps and Secrets of the manifests hold, by `kind:name/key`."""
    own = (each for each in manifests.values if each.tenant == tenant)
    return {f"{each.source}:{each.name}/{key}": value for each in own for key, value in each.data.items()}


def secret_value(source: Source, name: str, key: str, digests: Digests) -> SecretValue:
    """Name a value by its digest, which is empty where the plan knows of none."""
    where = name if f"{name}/{key}" in digests or f"{source}:{name}/{key}" not in digests else f"{source}:{name}"
    return SecretValue(where, key, digests.get(f"{where}/{key}", ""))


def has_value(source: Source, name: str, key: str, digests: Digests) -> bool:
    """Tell whether a tenant's secret or config map has this key."""
    return f"{name}/{key}" in digests or f"{source}:{name}/{key}" in digests


def variables_of(source: EnvFrom, digests: Digests) -> dict[str, SecretValue]:
    """Give every key of a secret that can be a variable, by the variable's name."""
    keys = _keys(source.source, source.name, digests)
    named = {} if keys == VERSIONS else {source.prefix + key: key for key in sorted(keys)}
    return {
        variable: secret_value(source.source, source.name, key, digests)
        for variable, key in named.items()
        if _VARIABLE.fullmatch(variable)
    }


def files_of(source: FileSource, digests: Digests) -> tuple[VolumeItem, ...]:
    """Give the files of a source: those that it names, without optional ones that have no value, or all of its keys."""
    if source.items:
        return tuple(
            i for i in source.items if not source.optional or has_value(source.kind, source.name, i.key, digests)
        )
    keys = _keys(source.kind, source.name, digests)
    if keys == VERSIONS:
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
            what = "has one value and no keys" if _keys(source.source, source.name, digests) else "has no keys"
            hint = _hint(service.tenant, f"{source.name}/KEY")
            yield f"envFrom: {source.source} {source.name} {what} in this stack{hint}"
    for variable in container.env:
        found = variable.reference
        if found is not None and not found.optional and not has_value(found.source, found.name, found.key, digests):
            yield f"env {variable.name}: {describe_no_key(found.source, found.name, found.key, service.tenant)}"


def _missing_files(service: Service, source: FileSource, digests: Digests) -> Iterator[str]:
    if source.optional:
        return
    for item in source.items:
        if not has_value(source.kind, source.name, item.key, digests):
            yield describe_no_key(source.kind, source.name, item.key, service.tenant)
    if not source.items and not files_of(source, digests):
        yield f"{source.kind} {source.name} has no keys in this stack{_hint(service.tenant, source.name)}"


def describe_no_key(kind: str, name: str, key: str, tenant: str) -> str:
    """Say that a tenant's secret or config map lacks a key, and what gives it one."""
    path = name if key in VERSIONS else f"{name}/{key}"
    return f"{kind} {name} has no key {key} in this stack{_hint(tenant, path)}"


def _hint(tenant: str, path: str) -> str:
    return f" (runyard secret set {path} --tenant {tenant})"


def _keys(source: Source, name: str, digests: Digests) -> frozenset[str]:
    places = (f"{name}/", f"{source}:{name}/")
    return frozenset(each.partition("/")[2] for each in digests if each.startswith(places))
