"""Request message: the line that the gateway logs for each request, as templates/gateway/log.conf.j2 writes it."""

from __future__ import annotations

from dataclasses import dataclass

from runyard.codec import VERSION


@dataclass(frozen=True, slots=True)
class RequestLine:
    """A request that has ended.

    `unix_s` is when it did, in seconds since 1970, and `duration_s` how long it took from the first byte that was read
    of it to the last that was sent. `held_s` of that it waited for an instance. `tenant`, `service` and `revision` are
    those that the gateway's snapshot has for it, empty where there was none; `caller` is the service of an instance
    that asked. `instance` is the address that answered, `instances` all that were tried, with nginx's own times for
    each, and `retries` counts the tries after the first. `bytes_in` and `bytes_out` count what went over the client's
    connection, headers included. A line of a newer version is refused by an older reader.
    """

    time: str
    unix_s: float
    request_id: str
    listener: str
    client: str
    caller: str
    host: str
    tenant: str
    service: str
    revision: str
    instance: str
    method: str
    path: str
    status: int
    bytes_in: int
    bytes_out: int
    duration_s: float
    instances: str
    connect_s: str
    header_s: str
    response_s: str
    retries: int
    held_s: float
    version: int = VERSION
