"""Cloning: the engine's configuration of an instance's container, made from its template's."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from runyard import names
from services.orchestrator.state import Json, Revision, Template

# Enough to see what went wrong, little enough that a thousand chatty instances do not fill the disk.
LOG_CONFIG = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
# For a template that names no memory limit: as much as the plan gives /tmp.
VOLUME_SIZE_BYTES = 64 * 1024 * 1024
# What Docker refuses for a container that lives in another's network namespace (it has the owner's).
OWNERS_CONFIG = ("Hostname", "Domainname", "ExposedPorts", "MacAddress")
OWNERS_HOST_CONFIG = ("Dns", "DnsOptions", "DnsSearch", "ExtraHosts", "Links", "PortBindings", "PublishAllPorts")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a clone lives: an address of its own, or the namespace of the container `owner`."""

    instance: str
    address: str = ""
    owner: str = ""


def clone_config(template: Template, placement: Placement, revision: Revision) -> Json:
    """Describe the clone of a template for the engine; equal arguments give equal descriptions."""
    config = {key: value for key, value in template.config.items() if key != "Hostname" or _named(template)}
    host = dict(template.host_config)
    config["Image"] = template.image
    config["Labels"] = {
        **(template.config.get("Labels") or {}),
        names.ROLE: names.ROLE_INSTANCE,
        names.CONTAINER: template.spec.container,
        names.INSTANCE: placement.instance,
    }
    # Docker's own health check would only do again what the orchestrator's probes do.
    config["Healthcheck"] = {"Test": ["NONE"]}
    # The orchestrator restarts instances; an engine that did so too would bring a withdrawn one back.
    host |= {
        "RestartPolicy": {"Name": "no"},
        "AutoRemove": False,
        "LogConfig": LOG_CONFIG,
        "PidsLimit": template.spec.pids_limit,
        **_memory(template),
        **_tmpfs(template),
    }
    if placement.owner:
        config = {key: value for key, value in config.items() if key not in OWNERS_CONFIG}
        host = {key: value for key, value in host.items() if key not in OWNERS_HOST_CONFIG}
        return {**config, "HostConfig": {**host, "NetworkMode": f"container:{placement.owner}"}}
    # Whoever owns the namespace owns its hosts file: the names that the revision may call must be in it.
    known = {entry for each in revision.templates for entry in each.host_config.get("ExtraHosts") or ()}
    host |= {"NetworkMode": revision.templates[0].network, "ExtraHosts": sorted(known)}
    endpoint = {"IPAMConfig": {"IPv4Address": placement.address}}
    return {
        **config,
        "HostConfig": host,
        "NetworkingConfig": {"EndpointsConfig": {revision.templates[0].network: endpoint}},
    }


def clone_name(stack: str, template: Template, instance: str) -> str:
    """Name the clone of a template."""
    return names.instance_container(stack, template.tenant, template.revision, template.spec.container, instance)


def _memory(template: Template) -> Json:
    """Give the exact memory limit, where the template's is rounded; the swap on top of it stays the same."""
    exact = template.spec.memory_bytes
    if not exact:
        return {}
    rounded, swap = template.host_config.get("Memory") or 0, template.host_config.get("MemorySwap") or 0
    # Docker counts memory and swap together; 0 and -1 are its words for "twice as much" and "no limit".
    return {"Memory": exact, "MemorySwap": exact + max(0, swap - rounded) if swap > 0 else swap}


def _tmpfs(template: Template) -> Json:
    """Put memory where the image declares a VOLUME.

    Docker would make an anonymous volume there: a writable place on the host's disk without a limit, in a container
    whose manifest and root are read-only. Memory counts against the instance's own limit, as on Cloud Run.
    """
    mounts = dict(template.host_config.get("Tmpfs") or {})
    size = template.spec.memory_bytes or VOLUME_SIZE_BYTES
    for declared in template.config.get("Volumes") or {}:
        # Docker compares with the cleaned path. One that is not absolute is left so: Docker refuses it in a tmpfs.
        path = posixpath.normpath(declared)
        path = f"/{path.lstrip('/')}" if path.startswith("/") else path
        mounts.setdefault(path, f"rw,nosuid,nodev,mode=1777,size={size}")
    return {"Tmpfs": mounts} if mounts else {}


def _named(template: Template) -> bool:
    # Docker fills the hostname with the container's short id unless one was asked for.
    hostname = template.config.get("Hostname") or ""
    return bool(hostname) and not template.id.startswith(hostname)
