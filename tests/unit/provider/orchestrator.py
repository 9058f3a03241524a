"""An orchestrator by hand: it keeps what it is asked, and ends rollouts as its script says."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runyard.contracts import (
    CertificateRequest,
    Holdings,
    RolloutAccepted,
    RolloutOutcome,
    RolloutOutcomes,
    ServiceRequest,
    SignedRevision,
)
from runyard.errors import RunyardError


class FakeOrchestrator:
    """Ends every rollout at once as `end` says; None leaves it open."""

    def __init__(self, end: Callable[[ServiceRequest, int], RolloutOutcome | None] | None = None) -> None:
        self.end = end or (lambda request, number: ended(request, number))
        self.epoch = "first"
        self.put: list[ServiceRequest] = []
        self.removed: list[str] = []
        self.claims: list[str] = []
        self.certificates: dict[str, CertificateRequest] = {}
        self.held: Holdings | None = Holdings()
        self.asked: list[int] = []
        self.failure: RunyardError | None = None
        self.lent: list[str] = []
        self.watching = 0
        self.most_watching = 0
        self._outcomes: list[RolloutOutcome] = []
        self._news = threading.Condition()

    @contextmanager
    def lend(self, stack: str) -> Iterator[FakeOrchestrator]:
        self.lent.append(stack)
        yield self

    def put_service(self, request: ServiceRequest) -> RolloutAccepted:
        if self.failure is not None:
            raise self.failure
        with self._news:
            self.put.append(request)
            number = len(self.put)
            accepted = RolloutAccepted(self.epoch, number)
            if (outcome := self.end(request, number)) is not None:
                self._outcomes.append(outcome)
            self._news.notify_all()
        return accepted

    def restart(self) -> None:
        """Forget every rollout, as one that starts anew does."""
        with self._news:
            self.epoch, self._outcomes = "second", []
            self._news.notify_all()

    def finish(self, outcome: RolloutOutcome) -> None:
        with self._news:
            self._outcomes.append(outcome)
            self._news.notify_all()

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds that comes of what it is asked."""
        with self._news:
            assert self._news.wait_for(holds, timeout=10)

    def outcomes(self, after: int, wait_s: float) -> RolloutOutcomes:
        with self._news:
            self.asked.append(after)
            self._news.notify_all()
            if self.failure is not None:
                raise self.failure
            epoch = self.epoch
            self.watching += 1
            self.most_watching = max(self.watching, self.most_watching)
            # A watcher's patience, far beyond what a test takes.
            self._news.wait_for(lambda: len(self._outcomes) > after or self.epoch != epoch, wait_s)
            self.watching -= 1
            return RolloutOutcomes(self.epoch, len(self._outcomes), tuple(self._outcomes[after:]))

    def remove_service(self, tenant: str, service: str) -> None:
        self.removed.append(f"{tenant}/{service}")

    def holdings(self, patience_s: float = 0) -> Holdings:
        if self.failure is not None:
            raise self.failure
        assert self.held is not None
        return self.held

    def claim(self, patience_s: float = 0) -> str | None:
        return self.claims[-1] if self.claims else None

    def close(self) -> None:
        return

    def put_claim(self, text: str) -> None:
        self.claims.append(text)

    def apply_certificate(self, request: CertificateRequest) -> None:
        self.certificates[request.name] = request

    def remove_certificate(self, name: str) -> None:
        del self.certificates[name]

    def running(self) -> bool:
        return self.held is not None


def ended(request: ServiceRequest, number: int, outcome: str = "ready", **more: object) -> RolloutOutcome:
    return RolloutOutcome(number, request.route.tenant, request.route.service, outcome, **more)  # type: ignore[arg-type]


def is_signed(private: str, signed: SignedRevision) -> bool:
    """Tell, as the orchestrator does, whether a document was signed with this key."""
    public = Ed25519PrivateKey.from_private_bytes(base64.b64decode(private)).public_key()
    try:
        public.verify(base64.b64decode(signed.signature), signed.document.encode())
    except InvalidSignature:
        return False
    return True
