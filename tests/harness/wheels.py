"""Wheels that some tests alone need, unpacked once from a lock file of their own into the toolchain's cache."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from toolchain import CHECKOUT
from toolchain.cache import Cache, key, locate
from toolchain.step import Steps
from toolchain.wheels import unpack_command


def unpacked(subject: str, lock: Path) -> Path:
    """Give the directory that has what a lock file of the checkout names; ToolchainError where it cannot be brought."""
    cache = Cache(locate(os.environ))
    file = Path(CHECKOUT, lock)
    name = f"{subject}-{sys.version_info.major}.{sys.version_info.minor}-{key([file])}"
    found = cache.root / name
    if found.exists():
        return found
    steps = Steps(cache.logs)
    # Held, or whoever holds it next sweeps away what is half unpacked.
    with cache.held(lambda: steps.say(subject, f"another run is busy with {cache.root}: waiting for it")):
        if not found.exists():
            with steps.step(subject, f"bring what {lock.name} names from PyPI"), cache.staged(name) as stage:
                steps.run(
                    subject,
                    unpack_command(Path(sys.executable), file, stage),
                    environment={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
                )
    return found
