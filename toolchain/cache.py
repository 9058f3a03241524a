"""Cache of what was downloaded or built, outside the checkout, so that the next run or clone finds it ready."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

# Twelve hexadecimal digits: 2^48 values, far more than one cache will ever hold, and still readable in a path.
KEY_LENGTH = 12
# Begins the name of every directory that is not finished yet.
STAGE = ".stage-"


def locate(environment: Mapping[str, str]) -> Path:
    """Find the cache directory: RUNYARD_CACHE, or `runyard` in the user's XDG cache."""
    own = environment.get("RUNYARD_CACHE")
    if own:
        return Path(own).absolute()
    shared = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME", "/root")) / ".cache"
    return Path(shared).absolute() / "runyard"


def key(paths: Iterable[Path], *facts: str) -> str:
    """Hash files (by name and content, in the order of their names) and facts to a short key."""
    hasher = hashlib.sha256()
    for path in sorted(paths):
        content = path.read_bytes()
        hasher.update(f"{path.name} {len(content)}\n".encode())
        hasher.update(content)
    for fact in facts:
        hasher.update(f"{len(fact)} {fact}\n".encode())
    return hasher.hexdigest()[:KEY_LENGTH]


class Cache:
    """A directory of finished things: what is at its final path is whole, because it was renamed there."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def logs(self) -> Path:
        """Directory of the commands' own output."""
        return self.root / "logs"

    @contextmanager
    def staged(self, name: str) -> Iterator[Path]:
        """Yield an empty directory that becomes `name` when the block ends well and vanishes when it does not."""
        final = self.root / name
        final.parent.mkdir(parents=True, exist_ok=True)
        # Beside the final place: a rename is atomic only within one file system.
        stage = Path(tempfile.mkdtemp(prefix=STAGE, dir=final.parent))
        # mkdtemp's 0700 would keep other users out of a cache that is shared on purpose.
        stage.chmod(0o755)
        try:
            yield stage
            if final.exists():
                shutil.rmtree(final)
            stage.rename(final)
        finally:
            shutil.rmtree(stage, ignore_errors=True)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Yield an empty directory that vanishes when the block ends."""
        self.root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=STAGE, dir=self.root) as directory:
            yield Path(directory)

    @contextmanager
    def held(self, waiting: Callable[[], None]) -> Iterator[None]:
        """Hold the cache alone; `waiting` is called once when somebody else has it.

        Two runs at once would build the same thing twice on the same cores. The kernel lets the lock go when its
        holder dies, so there is no stale one.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    @contextmanager
    def held_if_needed(self, waiting: Callable[[], None]) -> Iterator[Callable[[], None]]:
        """Yield what holds the cache until the block ends, once it is called; nothing is locked before.

        A run that lacks nothing waits for nobody. What killed runs left goes when the cache is held.
        """
        with ExitStack() as stack:
            held: list[bool] = []

            def hold() -> None:
                if not held:
                    stack.enter_context(self.held(waiting))
                    held.append(True)
                    self.sweep()

            yield hold

    def sweep(self) -> None:
        """Remove what killed runs left half made; call it while the cache is held."""
        for left in [*self.root.glob(f"{STAGE}*"), *self.root.glob(f"*/{STAGE}*")]:
            _unmount_below(left)
            shutil.rmtree(left, ignore_errors=True)


def _unmount_below(directory: Path) -> None:
    """Unmount what a killed debootstrap left mounted (its chroot's /proc), innermost first."""
    # The kernel writes spaces as octal; our own directories have none.
    points = [Path(line.split()[1]) for line in Path("/proc/self/mounts").read_text().splitlines()]
    for point in sorted((each for each in points if directory in each.parents), reverse=True):
        # Lazily: a process that died a moment ago may still hold it.
        subprocess.run(["umount", "--lazy", point], capture_output=True, check=False)
