"""Docker's containers, networks and volumes, as Pulumi's Docker provider takes them.

Its Python library has two thousand types, which take longer to import than a whole preview should; their names and
shapes are the provider's own here, and a test compares them with the library's.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

import pulumi


class DockerResource(pulumi.CustomResource):
    """A thing on the Docker host. Output: `name`."""

    name: pulumi.Output[str]

    def __init__(self, kind: str, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        """Declare a thing of one of Docker's kinds (`container`, `network`, `volume`) with the provider's arguments."""
        given = {key: value for key, value in props.items() if value is not None}
        # The plugin of the library's version, which the toolchain brings: Pulumi would look for a newer one.
        wanted = pulumi.ResourceOptions(version=_version())
        super().__init__(f"docker:index/{kind}:{kind.title()}", name, given, pulumi.ResourceOptions.merge(wanted, opts))


@cache
def _version() -> str:
    return version("pulumi-docker")


def docker_labels(labels: Mapping[str, str]) -> list[dict[str, str]]:
    """Write labels as the provider takes them, in a stable order."""
    return [{"label": label, "value": value} for label, value in sorted(labels.items())]
