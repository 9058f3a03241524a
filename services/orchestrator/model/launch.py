"""Launch: which containers the launcher starts, because it alone may bring them their secrets. Pure."""

from __future__ import annotations

from runyard import names
from runyard.contracts import ContainerDocument

LAUNCH = f"{names.LAUNCHER_MOUNT}/launch"


def has_secrets(container: ContainerDocument) -> bool:
    """Tell whether a container gets what only the launcher may bring: values of secrets, or the CA's certificate."""
    brought = any(each.files or each.authority for each in container.file_mounts)
    return brought or any(each.secret for each in container.environment)


def launched(container: ContainerDocument, command: tuple[str, ...]) -> tuple[str, ...]:
    """Give the command that runs another one inside a container with its secrets; itself where there are none."""
    return (LAUNCH, "--", *command) if has_secrets(container) else command
