"""Meter: asked over HTTP, on the loopback, for the windows after a batch."""

from __future__ import annotations

import http.client

from runyard.contracts import UsageBatch, decode
from runyard.errors import ContractError, RunyardError

# A meter answers from its spool, in milliseconds.
TIMEOUT_S = 10.0
# A batch of a minute of a thousand containers is half a MiB; what is much more is no batch.
MOST_BYTES = 64 * 1024**2


class MeterUnavailable(RunyardError):
    """The meter does not answer, or with something else than a batch; what it keeps may be asked for later."""


class Meter:
    """The meter at an address and port."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port

    def windows_after(self, sequence: int) -> UsageBatch:
        """Ask for the oldest batch after a sequence; one without windows when there is none. MeterUnavailable."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
        try:
            connection.request("GET", f"/v1/windows?after={sequence}")
            answer = connection.getresponse()
            body = answer.read(MOST_BYTES + 1)
            if answer.status != http.client.OK or len(body) > MOST_BYTES:
                raise MeterUnavailable(f"ask the meter for windows: it answered {answer.status}, {len(body)} bytes")
            return decode(UsageBatch, body)
        except (OSError, http.client.HTTPException, ContractError) as error:
            raise MeterUnavailable(f"ask the meter for windows: {error}") from error
        finally:
            connection.close()
