"""Traffic of a stack as its gateway tells it: where it takes public requests, and the lines of its request log."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Protocol

from runyard import names
from runyard.codec import decode
from runyard.contracts import RequestLine
from runyard.errors import ContractError, HostError, NotFound

# Of nginx.conf (templates/gateway/nginx.conf.j2), whose first server is the public one of plain HTTP.
_LISTENER = re.compile(r'listen "([^"]+):([0-9]+)" default_server')
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - where to ask, not where to listen
# grep's own: nothing found.
_NONE = 1


class Host(Protocol):
    """As much of the engine as this needs."""

    def image(self, container: str) -> str | None:
        """Give the image of a running container; None if none of this name runs."""
        ...

    def execute(self, container: str, command: Sequence[str]) -> tuple[int, str]:
        """Run a command inside a running container and give its exit code and what it wrote."""
        ...


class Traffic:
    """The gateway of one stack, as far as its public traffic goes."""

    def __init__(self, host: Host, stack: str) -> None:
        self._host = host
        self._container = names.platform_container(stack, names.ROLE_GATEWAY)

    def address(self) -> str:
        """Give where a client on the gateway's host reaches it over plain HTTP, as `address:port`; NotFound if gone."""
        image = self._host.image(self._container)
        if image is None:
            raise NotFound(f"find the gateway: no container {self._container} runs")
        file = f"{names.GATEWAY_DIRECTORY}/{names.gateway_configuration(image)}"
        _, output = self._host.execute(self._container, ("grep", "-m", "1", "default_server", file))
        found = _LISTENER.search(output)
        if found is None:
            raise HostError(f"find the gateway's address in {file}: got {output.strip()!r}")
        return f"{_EVERYWHERE.get(found[1], found[1])}:{found[2]}"

    def requests(self, tenant: str, service: str, since_unix_s: float, until_unix_s: float) -> list[RequestLine]:
        """Give what the log has of a service's requests that ended between two times, in seconds since 1970.

        The log is written within a second, and its oldest files go; HostError or ContractError where it cannot be read.
        """
        # What both times begin with sorts out most of the log before it comes here.
        pairs = zip(str(int(since_unix_s)), str(int(until_unix_s)), strict=True)
        both = "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        sought = f'"unix_s":{both}.*"tenant":"{tenant}","service":"{service}"'
        command = ("grep", "-r", "-h", f"--include={names.REQUEST_LOG_NAME}*", sought, names.REQUESTS_DIRECTORY)
        code, output = self._host.execute(self._container, command)
        if code > _NONE:
            raise HostError(f"read the request log of {self._container}: {output.strip()[:200]}")
        lines = [_line(each) for each in output.splitlines()]
        return [line for line in lines if since_unix_s <= line.unix_s <= until_unix_s]


def _line(text: str) -> RequestLine:
    try:
        return decode(RequestLine, text)
    except ContractError as error:
        raise ContractError(f"read the request log: {error}") from error
