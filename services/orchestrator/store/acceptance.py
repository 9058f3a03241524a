"""Acceptance: what a signed document may say. Pure.

The provider signs what the plan made, and the plan what the manifest reader let pass. A document that came about in
another way must not make more of it: its instances stay in their tenant's network and away from what is ours.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from runyard import names
from runyard.contracts import ContainerDocument, RevisionDocument, RolloutRequest
from runyard.errors import UsageError
from services.orchestrator.model.parts import data_volumes

# What follows the name where the manifest chose it.
_IDENTITY = re.compile(r"\.[0-9a-z]{1,64}")
# The kernel's and the engine's own, and the launcher's.
_RESERVED = ("/proc", "/sys", "/dev", names.LAUNCHER_MOUNT)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PORTS = range(1, 65536)
_MODES = range(0o1000)
# Field, value and what it must be.
Finding = tuple[str, Any, str]


def check_document(spec: RevisionDocument, stack: str) -> None:
    """Refuse a document that asks for what no plan of this stack does; UsageError has the field and its value."""
    for field, value, rule in _findings(spec, stack):
        raise UsageError(f"revision document {spec.identity}: {field}: must be {rule}, got {value!r}")


def check_writers(request: RolloutRequest, revisions: Iterable[RevisionDocument]) -> None:
    """Refuse traffic over revisions that write to one volume: each would need an instance, and one may be there."""
    named = {share.revision for share in request.traffic}
    writers = Counter(volume for each in revisions if each.name in named for volume in data_volumes(each))
    for volume, count in sorted(writers.items()):
        if count > 1:
            where = f"rollout {request.tenant}/{request.service}"
            raise UsageError(f"{where}: traffic must name one revision of those that have volume {volume}, got {count}")


def _findings(spec: RevisionDocument, stack: str) -> Iterator[Finding]:
    yield from _identity(spec, stack)
    yield from _surroundings(spec, stack)
    yield from _counts(spec)
    yield from _volumes(spec)
    if not spec.containers:
        yield "containers", spec.containers, "one or more"
    for kind in ("containers", "init_containers"):
        for number, each in enumerate(getattr(spec, kind)):
            for field, value, rule in (*_container(each), *_mounts(spec, each)):
                yield f"{kind}[{number}].{field}", value, rule
    yield from _once("containers", [each.name for each in (*spec.containers, *spec.init_containers)])


def _identity(spec: RevisionDocument, stack: str) -> Iterator[Finding]:
    if spec.stack != stack:
        yield "stack", spec.stack, stack
    for field in ("tenant", "service", "name"):
        yield from _label(field, getattr(spec, field))
    if spec.identity != spec.name and not _IDENTITY.fullmatch(spec.identity.removeprefix(spec.name)):
        yield "identity", spec.identity, "its name, or its name and a hash"
    for label in spec.labels:
        if label.startswith(names.LABEL_PREFIX):
            yield "labels", label, f"without labels of {names.LABEL_PREFIX}*"


def _surroundings(spec: RevisionDocument, stack: str) -> Iterator[Finding]:
    networks = [names.tenant_network(stack, spec.tenant, internal=each) for each in (False, True)]
    if spec.network not in networks:
        yield "network", spec.network, f"one of its tenant's ({', '.join(networks)})"
    yield from _callees(spec)


def _counts(spec: RevisionDocument) -> Iterator[Finding]:
    if spec.port not in _PORTS:
        yield "port", spec.port, "from 1 to 65535"
    for field in ("min_instances", "max_instances", "concurrency", "progress_deadline_s", "termination_grace_s"):
        if getattr(spec, field) < 0:
            yield field, getattr(spec, field), "0 or more"


def _callees(spec: RevisionDocument) -> Iterator[Finding]:
    for callee in spec.callees:
        yield from _label("callees", callee)
    # Who calls nobody needs no address.
    if spec.callees or spec.metadata or spec.gateway_address:
        try:
            ipaddress.IPv4Address(spec.gateway_address)
        except ValueError:
            yield "gateway_address", spec.gateway_address, "an IPv4 address"


def _volumes(spec: RevisionDocument) -> Iterator[Finding]:
    for number, volume in enumerate(spec.volumes):
        yield from _label(f"volumes[{number}].name", volume.name)
        yield from _positive(f"volumes[{number}].size_bytes", volume.size_bytes)
    yield from _once("volumes", [each.name for each in spec.volumes])


def _container(container: ContainerDocument) -> Iterator[Finding]:
    yield from _label("name", container.name)
    for field in ("cpu_millis", "memory_bytes", "pids_limit"):
        yield from _positive(field, getattr(container, field))
    for variable in container.environment:
        if not variable.name or "=" in variable.name or "\0" in variable.name + variable.value:
            yield "environment", variable.name, "names without = and values without NUL"


def _mounts(spec: RevisionDocument, container: ContainerDocument) -> Iterator[Finding]:
    for memory in container.memory_mounts:
        yield from _path("memory_mounts.path", memory.path)
        yield from _positive("memory_mounts.size_bytes", memory.size_bytes)
    for files in container.file_mounts:
        yield from _path("file_mounts.path", files.path)
        for file in files.files:
            yield from _relative("file_mounts.files.path", file.path)
            if file.mode not in _MODES:
                yield "file_mounts.files.mode", file.mode, "permission bits"
    for mount in container.volume_mounts:
        yield from _path("volume_mounts.path", mount.path)
        if mount.sub_path:
            yield from _relative("volume_mounts.sub_path", mount.sub_path)
        if mount.volume not in [each.name for each in spec.volumes]:
            yield "volume_mounts.volume", mount.volume, "one of the document's volumes"
    paths = [each.path for each in container.memory_mounts] + [each.path for each in container.file_mounts]
    yield from _once("mounts", [*paths, *(each.path for each in container.volume_mounts)])


def _label(field: str, value: str) -> Iterator[Finding]:
    if not names.DNS_LABEL.fullmatch(value):
        yield field, value, "a DNS label"


def _positive(field: str, value: int) -> Iterator[Finding]:
    if value <= 0:
        yield field, value, "positive"


def _path(field: str, path: str) -> Iterator[Finding]:
    if not path.startswith("/") or not _is_plain(path[1:]):
        yield field, path, "absolute, below /, without . and .. and double slashes"
    if any(path == each or path.startswith(f"{each}/") for each in _RESERVED):
        yield field, path, f"at none of {', '.join(_RESERVED)}"


def _relative(field: str, path: str) -> Iterator[Finding]:
    if not _is_plain(path):
        yield field, path, "relative, without . and .. and double slashes"


def _is_plain(path: str) -> bool:
    """Tell whether a path stays below where it begins, in one spelling."""
    normal = posixpath.normpath(path) == path and not path.startswith("/")
    return normal and path.partition("/")[0] not in ("", ".", "..") and not _CONTROL.search(path)


def _once(field: str, values: list[str]) -> Iterator[Finding]:
    for value, count in Counter(values).items():
        if count > 1:
            yield field, value, "named once each"
