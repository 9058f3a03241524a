"""Images of revisions: found on the engine, pulled where they are missing, and known by what they are from then on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from runyard.contracts import ImageIdentity
from runyard.errors import HostError, NotFound, PlanError
from runyard.reference import is_id


class ImageEngine(Protocol):
    """What this asks of an engine; `runyard.host.Engine` has it."""

    def image_identity(self, reference: str) -> ImageIdentity | None:
        """Tell which image a name, digest or id stands for; None if the engine has none."""
        ...

    def pull(self, image: str, credentials: str = "") -> None:
        """Have the engine pull an image."""
        ...


@dataclass
class _Look:
    """One image's turn: services that name the same image wait for one look at it."""

    turn: threading.Lock = field(default_factory=threading.Lock)
    at: float = float("-inf")
    found: ImageIdentity | None = None


class Images:
    """The images of one engine."""

    # As long as what orchestrators hold: a preview asks for the same images for many services.
    KNOWN_S = 5.0

    def __init__(
        self,
        engine: Callable[[], ImageEngine],
        credentials: Callable[[str], str],
        clock: Callable[[], float] = time.monotonic,
        reviewed: Mapping[str, ImageIdentity] | None = None,
    ) -> None:
        """Look at what `engine` connects to; `credentials` gives those for an image's registry.

        `reviewed` has what names stood for in the plan that this update is held to.
        """
        self._reviewed = reviewed or {}
        self._engine = engine
        self._credentials = credentials
        self._clock = clock
        self._looks: dict[str, _Look] = {}
        self._turn = threading.Lock()

    def find(self, reference: str) -> ImageIdentity | None:
        """Tell what a name or an id stands for on the engine now; None if it has no such image."""
        look = self._look(reference)
        with look.turn:
            return self._find(reference, look)

    def resolve(self, reference: str) -> ImageIdentity:
        """Tell what a name stands for, having pulled it if the engine lacks it; HostError says why that fails.

        An id is no name: it says of no registry that it has the image, and so passes for one of any.
        """
        if is_id(reference):
            raise HostError(f"find {reference}: an image must be named, got an id of the engine's")
        look = self._look(reference)
        with look.turn:
            found = self._find(reference, look)
            if found is None:
                self._engine().pull(reference, self._credentials(reference))
                look.at = float("-inf")
                found = self._find(reference, look)
        if found is None:
            raise NotFound(f"pull {reference}: the engine has no such image afterwards")
        reviewed = self._reviewed.get(reference)
        if reviewed is not None and not reviewed.is_same_as(found):
            raise PlanError(f"image {reference} must be what was reviewed, {_shown(reviewed)}, got {_shown(found)}")
        return found

    def restore(self, reference: str, identity: ImageIdentity) -> None:
        """Bring back the image that a revision was made of; HostError if its name stands for another by now."""
        if self.find(identity.id) is not None:
            return
        self._engine().pull(identity.digest or reference, self._credentials(reference))
        with self._turn:
            self._looks.pop(identity.id, None)
        if self.find(identity.id) is None:
            raise HostError(
                f"pull {reference} again: the image {identity.id[:19]} of the revision is gone from the engine, and "
                f"{identity.digest or 'its name'} stands for another; a new revision takes that one"
            )

    def _look(self, reference: str) -> _Look:
        with self._turn:
            return self._looks.setdefault(reference, _Look())

    def _find(self, reference: str, look: _Look) -> ImageIdentity | None:
        if self._clock() - look.at >= self.KNOWN_S:
            look.found = self._engine().image_identity(reference)
            look.at = self._clock()
        return look.found


def _shown(image: ImageIdentity) -> str:
    return image.id or image.digest
