"""HTTP: one question to another part of the platform, on the loopback or a unix socket, and its answer."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from pathlib import Path

from runyard.ask import dial
from services.console.refusal import SourceUnavailable

# Parts answer in milliseconds; a month of a large ledger takes seconds.
TIMEOUT_S = 10.0
# The registry of a thousand services is under 2 MiB.
MOST_BYTES = 32 * 1024**2


@dataclass(frozen=True, slots=True)
class Part:
    """A part by what errors call it, and where it listens."""

    name: str
    place: tuple[str, int] | Path

    def ask(self, target: str) -> tuple[int, bytes]:
        """Ask for a path with its query; SourceUnavailable where nobody answers, or too much."""
        connection = self._connection()
        try:
            connection.request("GET", target)
            answer = connection.getresponse()
            body = answer.read(MOST_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise SourceUnavailable(f"ask the {self.name}: {error or type(error).__name__}") from error
        finally:
            connection.close()
        if len(body) > MOST_BYTES:
            raise SourceUnavailable(f"ask the {self.name}: its answer must be at most {MOST_BYTES} bytes")
        return answer.status, body

    def told(self, target: str) -> bytes:
        """Ask, and give an answer that is 200; SourceUnavailable for any other."""
        status, body = self.ask(target)
        if status != http.client.OK:
            raise SourceUnavailable(f"ask the {self.name}: it answered {status}")
        return body

    def _connection(self) -> http.client.HTTPConnection:
        if not isinstance(self.place, Path):
            return http.client.HTTPConnection(*self.place, timeout=TIMEOUT_S)
        try:
            return dial(str(self.place), TIMEOUT_S)
        except OSError as error:
            raise SourceUnavailable(f"ask the {self.name}: {error.strerror}") from error
