"""Ending: the program tells the code of the error that ended it; Pulumi's own says only that it failed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from runyard import files
from runyard.errors import RunyardError

# Names the file in which `make up`'s program wants to be told.
VARIABLE = "RUNYARD_ENDING"


def tell_ending(environment: Mapping[str, str], error: RunyardError) -> None:
    """Write the error's exit code where the environment asks for it, if it does."""
    file = environment.get(VARIABLE)
    if file:
        files.write(Path(file), str(error.exit_code), mode=0o600, durable=False)
