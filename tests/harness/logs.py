"""The engine's log files, as Docker's json-file driver writes and rotates them, and the store that the part starts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from tests.harness.programs import go_program

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGE = "github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs"


def store_program() -> str:
    """Give the store as the image has it; built once and kept."""
    return str(go_program("tests/victoria-logs", _ROOT / "services" / "logs" / "store", _PACKAGE))


def written(text: str, at: datetime | None = None, output: str = "stdout") -> bytes:
    """Write a line as the engine does; `text` with its line end, if it has one."""
    moment = (at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
    return json.dumps({"log": text, "stream": output, "time": moment}, separators=(",", ":")).encode() + b"\n"


class EngineLog:
    """The log of one container below a directory of the engine's; `kept` is how many old files there are at most."""

    def __init__(self, directory: Path, container: str, kept: int = 2) -> None:
        self.directory, self._kept = directory / container, kept
        self.directory.mkdir(parents=True)
        self.file = self.directory / f"{container}-json.log"
        self.file.touch()

    def write(self, *texts: str, at: datetime | None = None, output: str = "stdout") -> None:
        """Write lines, each with its end."""
        with self.file.open("ab") as file:
            file.write(b"".join(written(f"{text}\n", at, output) for text in texts))

    def rotate(self) -> None:
        """Put the file aside: the numbers of the older ones grow, and the oldest goes."""
        for number in range(self._kept, 0, -1):
            older = self.file.with_name(f"{self.file.name}.{number}")
            if older.exists():
                if number == self._kept:
                    older.unlink()
                else:
                    older.rename(self.file.with_name(f"{self.file.name}.{number + 1}"))
        self.file.rename(self.file.with_name(f"{self.file.name}.1"))
        self.file.touch()

    def remove(self) -> None:
        """Remove all of it, as with its container."""
        for each in self.directory.iterdir():
            each.unlink()
        self.directory.rmdir()
