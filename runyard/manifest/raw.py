"""Raw manifest data, read defensively: rules run on data that may still be of the wrong shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Raw = dict[str, Any]
CONTAINERS = ("spec", "template", "spec", "containers")
INIT_CONTAINERS = ("spec", "template", "spec", "initContainers")
VOLUMES = ("spec", "template", "spec", "volumes")
SERVICE_ANNOTATIONS = ("metadata", "annotations")
TEMPLATE_ANNOTATIONS = ("spec", "template", "metadata", "annotations")
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


def value_at(data: Any, *keys: str) -> Any:
    """Give the value below these keys, or None."""
    for key in keys:
        if type(data) is not dict:
            return None
        data = data.get(key)
    return data


def mapping_at(data: Any, *keys: str) -> Raw:
    """Give the mapping below these keys; an empty one if there is none."""
    found = value_at(data, *keys)
    return found if type(found) is dict else {}


def mappings_at(data: Any, *keys: str) -> Iterator[tuple[int, Raw]]:
    """Give the mappings in the list below these keys, each with its index in the list."""
    found = value_at(data, *keys)
    if type(found) is list:
        for index, item in enumerate(found):
            if type(item) is dict:
                yield index, item


def all_containers(service: Any) -> Iterator[tuple[tuple[str | int, ...], Raw]]:
    """Give every container, those that run before the others first, each with its path."""
    for base in (INIT_CONTAINERS, CONTAINERS):
        for index, container in mappings_at(service, *base):
            yield (*base, index), container


def text_at(data: Any, *keys: str) -> str:
    """Give the text below these keys, or an empty one."""
    found = value_at(data, *keys)
    return found if type(found) is str else ""


def number_at(data: Any, *keys: str) -> int | None:
    """Give the whole number below these keys, or None."""
    found = value_at(data, *keys)
    return found if type(found) is int else None
