"""Export of a stack's state: read where it lies, if that is a file of this machine, else by the Pulumi command."""

from __future__ import annotations

import gzip
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from runyard.errors import ContractError, HostError
from runyard.pulumi.backend import backend_directory, stack_file
from runyard.pulumi.state import parse_state

# An export reads one file or asks one service; longer means that the backend does not answer.
_EXPORT_TIMEOUT_S = 60
_BACKEND = "PULUMI_BACKEND_URL"


class Export:
    """The stack's state as `parse_state` takes it, asked for at once and read when it is needed; a context manager.

    A nested Pulumi takes half a second to start; meanwhile the manifests are loaded.
    """

    def __init__(self, stack: str, environment: Mapping[str, str] = os.environ) -> None:
        """Begin the export of a stack."""
        self._text: str | None = None
        self._process: subprocess.Popen[str] | None = None
        directory = backend_directory(environment.get(_BACKEND, ""))
        self._text = read_state(directory, stack) if directory else None
        if self._text is not None:
            return
        command = ["pulumi", "stack", "export", "--stack", stack]
        # The program's own monitor addresses must not reach a nested CLI.
        kept = {key: value for key, value in environment.items() if not key.startswith("PULUMI_CONFIG_SECRET")}
        try:
            self._process = subprocess.Popen(  # noqa: S603 - a fixed argument list
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=kept,
            )
        except OSError as error:
            raise HostError(f"export the stack's state: {error}") from error

    def __enter__(self) -> Export:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is None:
            return
        # One that was not read, because the manifests have problems, may be waiting for its pipe to empty.
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def read(self) -> str:
        """Wait for the export, once; HostError says why there is none."""
        if self._text is not None or self._process is None:
            return self._text or ""
        try:
            output, errors = self._process.communicate(timeout=_EXPORT_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise HostError(f"export the stack's state: {error}") from error
        if self._process.returncode:
            raise HostError(f"export the stack's state: {errors.strip()}")
        self._text = output
        return output


def read_state(directory: str, stack: str) -> str | None:
    """Read the state that lies in a backend's directory; None if it does not lie there.

    HostError names a file that cannot be read.
    """
    file = Path(stack_file(directory, stack))
    try:
        if not file.exists() and (packed := file.with_name(f"{file.name}.gz")).exists():
            text = gzip.decompress(packed.read_bytes()).decode()
        else:
            text = file.read_text(encoding="utf-8")
        # Here, where its file is known.
        parse_state(text)
    except FileNotFoundError:
        # As in a backend without projects, which is Pulumi's own to read.
        return None
    except (OSError, EOFError, ValueError, ContractError) as error:
        raise HostError(f"read the stack's state in {file}: {error!r}") from None
    return text
