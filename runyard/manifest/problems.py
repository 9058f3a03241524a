"""Problems found in manifests: one shape, one order, three renderings."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from runyard.manifest.model import Location
from runyard.readable import readable

Severity = Literal["error", "warning"]
Path = tuple[str | int, ...]

PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
# Long enough to recognise a value, short enough for one line of a terminal.
VALUE_LIMIT = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding: where, which field, which rule was broken, what was seen and, if one fix is right, a hint.

    `justification` says why one that was waived does not count.
    """

    location: Location
    path: str
    message: str
    rule: str
    hint: str = ""
    severity: Severity = "error"
    justification: str = ""

    def text(self) -> str:
        """Render as `file:line:column: path: message (hint)`."""
        hint = f" ({self.hint})" if self.hint else ""
        prefix = "warning: " if self.severity == "warning" else ""
        path = f"{self.path}: " if self.path else ""
        return readable(f"{self.location}: {prefix}{path}{self.message}{hint}")


# Between two problems of one place, the one that was found first is shown first; `sort` is stable.
def ordered(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Order problems by file, line, column and path, each once."""
    unique = dict.fromkeys(problems)
    return tuple(sorted(unique, key=lambda problem: (problem.location, problem.path)))


def render_path(path: Path) -> str:
    """Render a path as `spec.template.spec.containers[0].image`; odd keys stand as `["a.b/c"]`."""
    parts: list[str] = []
    for part in path:
        if isinstance(part, int):
            parts.append(f"[{part}]")
        elif PLAIN_KEY.fullmatch(part):
            parts.append(f".{part}" if parts else part)
        else:
            parts.append(f"[{json.dumps(_cut(part))}]")
    return "".join(parts)


def render_value(value: object, path: Path = ()) -> str:
    """Render a value for a message: strings quoted and cut, containers by kind, secrets hidden."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if is_secret(path):
        return "[hidden]"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(_cut(value)) if isinstance(value, str) else str(value)


def is_secret(path: Path) -> bool:
    """Tell whether a value at this path may be a secret: anything of an environment variable but its name.

    So is whatever a Secret or ConfigMap holds.
    """
    if path and path[0] in ("data", "stringData", "binaryData"):
        return True
    if "env" not in path:
        return False
    below = path[path.index("env") + 1 :]
    return not (len(below) >= 2 and below[-1] in ("name", "key", "optional", "fieldPath"))


def _cut(text: str) -> str:
    return text if len(text) <= VALUE_LIMIT else text[:VALUE_LIMIT] + "…"


@dataclass(frozen=True, slots=True)
class Findings:
    """A collector of the problems of one document; `locate` turns a path into a place in its file."""

    locate: Callable[[Path, bool], Location]
    problems: list[Problem] = field(default_factory=list)

    def error(self, path: Path, rule: str, message: str, hint: str = "", *, at_key: bool = False) -> None:
        """Add an error at the value at this path, or at its key."""
        self._add(path, rule, message, hint, "error", at_key)

    def warning(self, path: Path, rule: str, message: str, hint: str = "") -> None:
        """Add a warning at the key at this path."""
        self._add(path, rule, message, hint, "warning", True)

    def _add(self, path: Path, rule: str, message: str, hint: str, severity: Severity, at_key: bool) -> None:
        location = self.locate(path, at_key)
        self.problems.append(Problem(location, render_path(path), message, rule, hint, severity))
