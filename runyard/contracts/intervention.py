"""Intervention messages: what somebody asks of a running service by hand, for a while."""

from __future__ import annotations

from dataclasses import dataclass

from runyard.codec import VERSION


@dataclass(frozen=True, slots=True)
class ScaleRequest:
    """Ask for `count` instances of a service for `for_s` seconds, whatever its load.

    Every revision has its part of them by its share of the traffic, rounded up, as of a count by hand in the manifest.
    """

    tenant: str
    service: str
    count: int
    for_s: int
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Override:
    """A number of instances that was asked for by hand, until a time in seconds since 1970."""

    tenant: str
    service: str
    count: int
    until_unix_s: int
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class PauseRequest:
    """Ask for the requests of a service to be kept from its instances for `for_s` seconds."""

    tenant: str
    service: str
    for_s: int
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Pause:
    """A service whose requests are kept from its instances, until a time in seconds since 1970."""

    tenant: str
    service: str
    until_unix_s: int
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class RestartRequest:
    """Ask for these instances of a service to be replaced, one after the other in each revision.

    They are named so that a request can be repeated: what took their place is not replaced again.
    """

    tenant: str
    service: str
    instances: tuple[str, ...]
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class RestartAccepted:
    """The instances that are being replaced; those that are gone already are not among them."""

    instances: tuple[str, ...]
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class DrainRequest:
    """Ask for these instances of a service to get no more requests, end those that they have, and be replaced.

    All at once, whatever serves beside them; they are named for the reason that a restart names them.
    """

    tenant: str
    service: str
    instances: tuple[str, ...]
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class DrainAccepted:
    """The instances that are being drained; those that are gone already are not among them."""

    instances: tuple[str, ...]
    version: int = VERSION
