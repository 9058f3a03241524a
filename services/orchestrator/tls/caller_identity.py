"""Caller identity: the keys by which the gateway names callers, and the CA of the hosts at which they call."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from runyard import names
from runyard.errors import HostError, UsageError
from runyard.journal import Journal
from services.orchestrator.model.pair import Pair
from services.orchestrator.timing import Timing
from services.orchestrator.tls.caller_keys import CallerKey, describe_keys, parse_keys, render_keys, renew_keys
from services.orchestrator.tls.certificates import CHECK_S, Admin, Certificates
from services.orchestrator.tls.vault import Vault

KEYS_FILE = "caller-keys.json"


class KeyAdmin(Protocol):
    """The gateway's side; every method raises HostError."""

    async def caller_keys(self) -> str:
        """Give the digest of the keys in force; empty without any."""
        ...

    async def put_caller_keys(self, text: str) -> None:
        """Put keys in force; UsageError if the gateway finds them broken."""
        ...


class CallerKeys:
    """The keys of a stack, kept in a file that only the orchestrator's user may read; `now` is the wall clock."""

    def __init__(self, vault: Vault, stack: str, admin: KeyAdmin, now: Callable[[], float], journal: Journal) -> None:
        self._vault, self._stack, self._admin, self._now, self._journal = vault, stack, admin, now, journal
        self._path = vault.directory / KEYS_FILE
        self._keys = self._load()
        self._trouble = ""

    async def sync(self) -> None:
        """Renew the keys if it is time, and see that the gateway has them; what fails is tried again the next time."""
        now, trouble = self._now(), ""
        try:
            self._renew(now)
            text = describe_keys(self._stack, self._keys, now)
            # As the gateway does, to see whether it has them.
            digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
            if await self._admin.caller_keys() != digest:
                await self._admin.put_caller_keys(text)
        except (HostError, UsageError, OSError) as error:
            trouble = str(error)
        if trouble and trouble != self._trouble:
            self._journal.write("caller keys not sent", level="warning", error=trouble)
        self._trouble = trouble

    def _renew(self, now: float) -> None:
        keys = renew_keys(self._keys, now)
        if keys == self._keys:
            return
        # Before the gateway has it: a key that was shown and then forgotten would leave tokens that nobody can check.
        self._vault.write(self._path, render_keys(keys))
        if keys[0] not in self._keys:
            self._journal.write("caller key made", kid=keys[0].kid)
        self._keys = keys

    def _load(self) -> tuple[CallerKey, ...]:
        try:
            return parse_keys(self._path.read_text())
        except FileNotFoundError:
            return ()
        except (UsageError, ValueError) as error:
            # Made anew, as if there had been none: tokens hold for five minutes.
            self._journal.write("caller keys corrupt", level="error", error=str(error))
            return ()


class OneSide:
    """The certificates of the gateway on one side of `.internal`, so that who keeps one leaves the other alone."""

    def __init__(self, gateway: Admin, *, internal: bool) -> None:
        self._gateway, self._internal = gateway, internal

    async def certificates(self) -> Mapping[str, str]:
        """Give the digest of each certificate in force on this side, by name."""
        found = await self._gateway.certificates()
        return {name: digest for name, digest in found.items() if is_internal(name) == self._internal}

    async def put_certificate(self, name: str, pair: Pair) -> None:
        """Put a certificate in force; UsageError if it is of the other side, or the gateway finds it broken."""
        if is_internal(name) != self._internal:
            raise UsageError(f"certificate {name}: hosts of .{names.INTERNAL_DOMAIN} have the stack's own CA alone")
        await self._gateway.put_certificate(name, pair)

    async def delete_certificate(self, name: str) -> None:
        """Take a certificate out of force."""
        await self._gateway.delete_certificate(name)


@dataclass(frozen=True, slots=True)
class CallerIdentity:
    """What makes callers and callees known to each other: keys for the tokens, certificates for the hosts."""

    keys: CallerKeys
    certificates: Certificates
    timing: Timing

    async def run(self) -> None:
        """Keep keys and certificates in order until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._run_keys())
            group.create_task(self.certificates.run())

    async def _run_keys(self) -> None:
        while True:
            await self.keys.sync()
            await self.timing.sleep(CHECK_S)


def is_internal(host: str) -> bool:
    """Tell whether a host is one by which instances call."""
    return host.endswith(f".{names.INTERNAL_DOMAIN}")


def internal_hosts(callees: Iterable[Sequence[str]]) -> frozenset[str]:
    """Name the hosts that instances call: of the callees of each revision, and the metadata server's."""
    called = {names.internal_host(each) for some in callees for each in some}
    return frozenset({*called, names.internal_host(names.METADATA)})
