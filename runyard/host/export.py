"""Export of a stack's state, by the Pulumi command."""

from __future__ import annotations

import os
import subprocess
from types import TracebackType

from runyard.errors import HostError

# An export reads one file or asks one service; longer means that the backend does not answer.
_EXPORT_TIMEOUT_S = 60


class Export:
    """The stack's state as Pulumi exports it, asked for at once and read when it is needed.

    A nested Pulumi takes half a second to start; meanwhile the manifests are loaded. Use it as a context manager.
    """

    def __init__(self, stack: str) -> None:
        """Begin the export of a stack."""
        self._text: str | None = None
        command = ["pulumi", "stack", "export", "--stack", stack]
        # The program's own monitor addresses must not reach a nested CLI.
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_CONFIG_SECRET")}
        try:
            self._process = subprocess.Popen(  # noqa: S603 - a fixed argument list
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
            )
        except OSError as error:
            raise HostError(f"export the stack's state: {error}") from error

    def __enter__(self) -> Export:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # One that was not read, because the manifests have problems, may be waiting for its pipe to empty.
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def read(self) -> str:
        """Wait for the export, once; HostError says why there is none."""
        if self._text is not None:
            return self._text
        try:
            output, errors = self._process.communicate(timeout=_EXPORT_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise HostError(f"export the stack's state: {error}") from error
        if self._process.returncode:
            raise HostError(f"export the stack's state: {errors.strip()}")
        self._text = output
        return output
