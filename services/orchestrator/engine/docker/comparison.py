"""Comparison: a container as the engine describes it, held against what its document makes. Pure.

`difference` is for a container that nobody remembers: everything must be as we would have made it. `describe_edit` is
for one of ours: what `docker update`, `rename` and `network` can change after it was made.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runyard.contracts import ContainerDocument
from services.orchestrator.engine.docker.json import Json, name_of
from services.orchestrator.engine.docker.making import cpu_quota

# What the engine adds to every container's host configuration by itself, whatever its value.
_ENGINES_OWN = frozenset({"CgroupnsMode", "ConsoleSize", "Isolation", "ContainerIDFile", "MemorySwappiness"})
# Hidden from every container unless somebody asked for the opposite, which leaves the list empty.
_HIDDEN_PATHS = ("MaskedPaths", "ReadonlyPaths")
_EDITABLE = (
    "Memory",
    "MemorySwap",
    "MemoryReservation",
    "CpuPeriod",
    "CpuQuota",
    "CpuShares",
    "CpusetCpus",
    "CpusetMems",
    "NanoCpus",
    "BlkioWeight",
    "PidsLimit",
    "RestartPolicy",
)


def difference(inspection: Json, config: Json, name: str) -> str:
    """Name the first thing in which a container is not what this configuration makes; empty when there is none."""
    seen = inspection["Config"]
    checks: list[tuple[str, Any, Any]] = [
        ("name", name_of(inspection), name),
        ("image", inspection["Image"], config["Image"]),
        ("environment", sorted(seen.get("Env") or ()), sorted(config["Env"])),
        ("labels", seen.get("Labels") or {}, config["Labels"]),
        ("mounts", sorted(_mounted(inspection)), sorted(_mounts(config))),
        ("networks", _networks(inspection), _wanted_networks(config)),
    ]
    for key in ("Entrypoint", "Cmd"):
        checks.append((key, list(seen.get(key) or ()), list(config[key])))
    for key in ("WorkingDir", "User", "Tty", "OpenStdin", "StdinOnce"):
        checks.append((key, seen.get(key) or False, config[key] or False))
    found = next((what for what, here, there in checks if here != there), "")
    return found or _first_of_host(inspection["HostConfig"], config["HostConfig"])


def _first_of_host(seen: Json, wanted: Json) -> str:
    for key in sorted({*seen, *wanted}):
        if key in _HIDDEN_PATHS:
            if not seen[key]:
                return key
        # A runtime that nobody asked for is the engine's default, by whatever name.
        elif (
            key not in _ENGINES_OWN
            and (key != "Runtime" or wanted.get(key))
            and _plain(key, seen.get(key)) != _plain(key, wanted.get(key))
        ):
            return key
    return ""


def describe_edit(inspection: Json, config: Json, name: str) -> str:
    """Describe what of a container of ours was changed from outside; empty when it is as it was made."""
    if name_of(inspection) != name:
        return f"was renamed to {inspection['Name'].lstrip('/')}"
    seen, wanted = inspection["HostConfig"], config["HostConfig"]
    for key in _EDITABLE:
        here, there = _plain(key, seen.get(key)), _plain(key, wanted.get(key))
        # An engine whose kernel does not count swap drops this limit by itself.
        if here != there and not (key == "MemorySwap" and here == -1):
            return f"was edited: {key} is {here or 0} and must be {there or 0}"
    here, there = _networks(inspection), _wanted_networks(config)
    return "" if here == there else f"is on {_told(here)} and must be on {_told(there)}"


def is_boosted(inspection: Json, document: ContainerDocument) -> bool:
    """Tell whether a container still may take the CPU of its start."""
    boosted = document.startup_cpu_millis
    return bool(boosted) and inspection["HostConfig"].get("CpuQuota") == cpu_quota(boosted)


def describe_fault(inspection: Json, config: Json, *, may_pause: bool = False) -> str:
    """Describe why a container of ours that lives cannot serve; empty when it can, or is paused as it may be."""
    if inspection["State"]["Status"] == "paused" and not may_pause:
        return "was paused"
    here, there = _networks(inspection), _wanted_networks(config)
    return "" if here.items() >= there.items() else f"is on {_told(here)} and must be on {_told(there)}"


def _plain(key: str, value: Any) -> Any:
    """Give a value of a host configuration so that what the engine fills in makes no difference."""
    if key == "RestartPolicy":
        return (value or {}).get("Name") or "no"
    if key == "LogConfig":
        return (value or {}).get("Type"), (value or {}).get("Config") or {}
    if key == "Mounts":
        return sorted((each["Type"], each.get("Source"), each["Target"]) for each in value or ())
    if key == "Ulimits":
        return sorted((each["Name"], each["Soft"], each["Hard"]) for each in value or ())
    return value or None


def _mounted(inspection: Json) -> Iterable[tuple[str, str, bool]]:
    for each in inspection.get("Mounts") or ():
        yield each.get("Name") or each.get("Source") or "", each["Destination"], not each.get("RW", True)


def _mounts(config: Json) -> Iterable[tuple[str, str, bool]]:
    for each in config["HostConfig"]["Mounts"]:
        yield each["Source"], each["Target"], bool(each.get("ReadOnly"))


def _networks(inspection: Json) -> dict[str, str]:
    found = inspection["NetworkSettings"]["Networks"] or {}
    return {name: ((each or {}).get("IPAMConfig") or {}).get("IPv4Address") or "" for name, each in found.items()}


def _wanted_networks(config: Json) -> dict[str, str]:
    if config["HostConfig"]["NetworkMode"] == "none":
        return {"none": ""}
    found = config.get("NetworkingConfig", {}).get("EndpointsConfig", {})
    return {name: each["IPAMConfig"]["IPv4Address"] for name, each in found.items()}


def _told(networks: dict[str, str]) -> str:
    return ", ".join(f"{name} ({address})" for name, address in sorted(networks.items())) or "no network"
