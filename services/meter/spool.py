"""Spool: batches of closed windows in files, kept for readers until newer ones need the room."""

from __future__ import annotations

import re
from pathlib import Path

from runyard import files
from runyard.contracts import UsageBatch, encode

# Windows of a hundred containers for two weeks, at some 450 bytes each.
MOST_BYTES = 1024**3
_NAME = re.compile(r"([0-9]{20})\.json")


class Spool:
    """The batches in a directory, by their sequences; `dropped` counts those that made room before they were old."""

    def __init__(self, directory: Path, most_bytes: int = MOST_BYTES) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        files.clear(directory)
        self._directory, self._most_bytes = directory, most_bytes
        found = sorted((int(match[1]), each) for each in directory.iterdir() if (match := _NAME.fullmatch(each.name)))
        self._sizes = {sequence: each.stat().st_size for sequence, each in found}
        self.bytes = sum(self._sizes.values())
        self.dropped = 0

    @property
    def last(self) -> int:
        """The highest sequence; 0 without any."""
        return max(self._sizes, default=0)

    def put(self, batch: UsageBatch) -> None:
        """Keep a batch, for good when this returns; one that is there already stays as it is."""
        if batch.sequence in self._sizes:
            return
        text = encode(batch)
        files.write(self._path(batch.sequence), text)
        self._sizes[batch.sequence] = len(text)
        self.bytes += len(text)
        while self.bytes > self._most_bytes and len(self._sizes) > 1:
            oldest = min(self._sizes)
            files.remove(self._path(oldest))
            self.bytes -= self._sizes.pop(oldest)
            self.dropped += 1

    def after(self, sequence: int) -> str:
        """Give the first batch after a sequence, as JSON; one without windows and of that sequence if there is none."""
        newer = min((each for each in self._sizes if each > sequence), default=None)
        if newer is None:
            return encode(UsageBatch(sequence))
        return self._path(newer).read_text(encoding="utf-8")

    def _path(self, sequence: int) -> Path:
        return self._directory / f"{sequence:020d}.json"
