"""Recording of a worker: a row for each request in columns of plain numbers, small in memory and quick to hand over."""

from __future__ import annotations

import io
import json
import math
from array import array
from dataclasses import dataclass, field
from typing import IO, Any, NamedTuple

# Of X-Request-Id; the gateway's are 32 hexadecimal digits.
ID_BYTES = 36
# What a row holds until something else is known: the request never began, or has no answer.
NEVER = math.nan
NO_STATUS = 0
_TIMES = ("due", "begun", "sent", "ended")
# By the type code of its array.
_NUMBERS = {"target": "H", "status": "H", "cause": "H", "sends": "H", "received": "q"}
SERVED, _CUT_OFF = 0, 2
UNSENT = "not sent: too many in flight"
CUT_OFF = "no answer when the run was over"


class Row(NamedTuple):
    """A request: seconds since the run began, NaN for what never happened; `cause` is empty if it was served."""

    due: float
    begun: float
    sent: float
    ended: float
    target: int
    status: int
    cause: str
    sends: int
    received: int
    request_id: str


@dataclass
class Usage:
    """What a worker used and wanted: its processor time, the time it waited for a core, and how long it ran."""

    cpu_s: float = 0.0
    waited_s: float = 0.0
    elapsed_s: float = 0.0


@dataclass
class Recording:
    """The rows of one worker. `causes` names why a request was not served; the first stands for those that were."""

    causes: list[str] = field(default_factory=lambda: ["", UNSENT, CUT_OFF])
    usage: Usage = field(default_factory=Usage)
    times: dict[str, array[float]] = field(default_factory=lambda: {name: array("d") for name in _TIMES})
    numbers: dict[str, array[int]] = field(
        default_factory=lambda: {name: array(code) for name, code in _NUMBERS.items()}
    )
    ids: bytearray = field(default_factory=bytearray)

    def __len__(self) -> int:
        return len(self.times["due"])

    def add(self, due: float, target: int) -> int:
        """Add a request that is due, and give its row's number; it counts as cut off until it has ended."""
        for name, moment in zip(_TIMES, (due, NEVER, NEVER, NEVER), strict=True):
            self.times[name].append(moment)
        for name, number in zip(_NUMBERS, (target, NO_STATUS, _CUT_OFF, 0, 0), strict=True):
            self.numbers[name].append(number)
        self.ids.extend(bytes(ID_BYTES))
        return len(self) - 1

    def cause(self, text: str) -> int:
        """Give the number of a cause, a new one where it is the first of its kind."""
        try:
            return self.causes.index(text)
        except ValueError:
            self.causes.append(text)
            return len(self.causes) - 1

    def name(self, row: int, request_id: str) -> None:
        """Keep the id that the answer told; one that is no plain short text is none."""
        if request_id.isascii() and len(request_id) <= ID_BYTES:
            at = row * ID_BYTES
            self.ids[at : at + len(request_id)] = request_id.encode()

    def rows(self) -> list[Row]:
        """Give all rows."""
        names = [self.ids[at : at + ID_BYTES].rstrip(b"\0").decode("ascii") for at in range(0, len(self.ids), ID_BYTES)]
        causes = [self.causes[number] for number in self.numbers["cause"]]
        columns: dict[str, Any] = {**self.times, **self.numbers, "cause": causes, "request_id": names}
        return [Row(*fields) for fields in zip(*(columns[name] for name in Row._fields), strict=True)]

    def dump(self, stream: IO[bytes]) -> None:
        """Write it all: a line of JSON, then the columns."""
        head = {"causes": self.causes, "rows": len(self), "usage": vars(self.usage)}
        stream.write(json.dumps(head).encode() + b"\n")
        for moments in self.times.values():
            stream.write(moments.tobytes())
        for numbers in self.numbers.values():
            stream.write(numbers.tobytes())
        stream.write(self.ids)


def read_recording(stream: IO[bytes]) -> Recording:
    """Read what `dump` wrote; ValueError if there is less."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise ValueError("the recording is missing")
    head = json.loads(line)
    found = Recording(causes=head["causes"], usage=Usage(**head["usage"]))
    rest = io.BytesIO(stream.read())
    for moments in found.times.values():
        moments.frombytes(rest.read(moments.itemsize * head["rows"]))
    for numbers in found.numbers.values():
        numbers.frombytes(rest.read(numbers.itemsize * head["rows"]))
    found.ids.extend(rest.read())
    if len(found.ids) != head["rows"] * ID_BYTES:
        raise ValueError(f"the recording ends early: {head['rows']} rows are said, {len(found)} begun")
    return found
