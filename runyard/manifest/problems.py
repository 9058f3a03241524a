"""Problems found in manifests: one shape, one order, three renderings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from runyard.manifest.model import Location

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding: where, which field, which rule was broken, what was seen and, if one fix is right, a hint."""

    location: Location
    path: str
    message: str
    rule: str
    hint: str = ""
    severity: Severity = "error"

    def text(self) -> str:
        """Render as `file:line:column: path: message (hint)`."""
        hint = f" ({self.hint})" if self.hint else ""
        prefix = "warning: " if self.severity == "warning" else ""
        path = f"{self.path}: " if self.path else ""
        return f"{self.location}: {prefix}{path}{self.message}{hint}"
