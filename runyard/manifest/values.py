"""Values by key: what variables and files take from secrets and config maps, and those that manifests hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from runyard.location import Location

Source = Literal["secret", "configMap"]


@dataclass(frozen=True, slots=True)
class KeyReference:
    """One key of a secret or config map: what `secretKeyRef` and `configMapKeyRef` name."""

    source: Source
    name: str
    key: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class EnvVar:
    """An environment variable: a plain value, or a reference that is resolved when it is deployed."""

    name: str
    value: str = ""
    reference: KeyReference | None = None


@dataclass(frozen=True, slots=True)
class EnvFrom:
    """Every key of a secret or config map as environment variables, each with `prefix` before its name.

    What `env` says of a name counts more; of several sources the last does.
    """

    source: Source
    name: str
    prefix: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Values:
    """A ConfigMap or Secret that stands among the manifests: its values by key, for services of its tenant."""

    source: Source
    tenant: str
    name: str
    data: Mapping[str, str] = field(repr=False)
    location: Location | None = field(default=None, compare=False)
