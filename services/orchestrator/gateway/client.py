"""The gateway's admin port: the snapshot that it has, the one it gets, and how many requests are in flight."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from runyard.contracts import GatewayDelta, GatewayLoad, GatewaySnapshot, decode, encode
from runyard.errors import ContractError, HostError, UsageError
from runyard.journal import Journal
from services.orchestrator.model.pair import Pair

# The gateway answers from memory; past this it hangs, and asking again is better than waiting.
TIMEOUT_S = 3.0
# What the gateway lets one request wait for an instance to be idle.
LONGEST_WAIT_S = 30.0


class Gateway(Protocol):
    """Something that routes by snapshots; every method raises HostError."""

    async def generation(self) -> int:
        """Give the generation in force; 0 when it has none."""
        ...

    async def put(self, snapshot: GatewaySnapshot) -> bool:
        """Send a snapshot; False when the gateway has a newer one."""
        ...

    async def amend(self, delta: GatewayDelta) -> bool:
        """Send what changed of a snapshot; False when the gateway does not have the one that it is based on."""
        ...

    async def drained(self, address: str, wait_s: float) -> bool:
        """Wait until the instance at this address has no requests, at most so long; tell whether it has none."""
        ...

    async def in_flight(self, address: str) -> int:
        """Count the requests that the instance at this address has now."""
        ...

    async def load(self, after: int, life: str) -> GatewayLoad:
        """Give the load of what moved since this generation of this life of the gateway."""
        ...


class GatewayClient:
    """The gateway behind its admin socket."""

    def __init__(self, socket: Path, journal: Journal) -> None:
        self._socket = socket
        self._journal = journal
        self._session: aiohttp.ClientSession | None = None
        self._warning = ""

    async def generation(self) -> int:
        """Give the generation in force; 0 when it has none."""
        status, body = await self._call("GET", "/v1/snapshot")
        if status != 200:
            raise HostError(f"read the gateway's generation: answered {status}")
        self._note(str(body.get("warning", "")))
        return int(body["generation"])

    def _note(self, warning: str) -> None:
        """Write down, once, that a snapshot is in force and not in the gateway's file: a restart would not find it."""
        if warning and warning != self._warning:
            self._journal.write("snapshot not kept", level="warning", error=warning)
        self._warning = warning

    async def put(self, snapshot: GatewaySnapshot) -> bool:
        """Send a snapshot; False when the gateway has a newer one."""
        status, body = await self._call("PUT", "/v1/snapshot", encode(snapshot))
        if status == 409:
            return False
        if status != 200:
            raise HostError(f"send snapshot {snapshot.generation} to the gateway: answered {status}: {body}")
        return True

    async def amend(self, delta: GatewayDelta) -> bool:
        """Send what changed of a snapshot; False when the gateway does not have the one that it is based on."""
        status, body = await self._call("PATCH", "/v1/snapshot", encode(delta))
        if status == 409:
            return False
        if status != 200:
            raise HostError(f"send change {delta.generation} to the gateway: answered {status}: {body}")
        return True

    async def drained(self, address: str, wait_s: float) -> bool:
        """Wait until the instance at this address has no requests, at most so long; tell whether it has none."""
        return await self._in_flight(address, min(wait_s, LONGEST_WAIT_S)) == 0

    async def in_flight(self, address: str) -> int:
        """Count the requests that the instance at this address has now."""
        return await self._in_flight(address, 0)

    async def _in_flight(self, address: str, wait_s: float) -> int:
        path = f"/v1/inflight/{address}?wait={wait_s:.3f}"
        status, body = await self._call("GET", path, timeout_s=wait_s + TIMEOUT_S)
        if status != 200:
            raise HostError(f"read the gateway's requests in flight: answered {status}")
        return int(body["inflight"])

    async def load(self, after: int, life: str) -> GatewayLoad:
        """Give the load of what moved since this generation of this life of the gateway; of all, in another life."""
        status, body = await self._call("GET", f"/v1/load?after={after}&life={life}" if life else "/v1/load")
        if status != 200:
            raise HostError(f"read the gateway's load: answered {status}")
        try:
            return decode(GatewayLoad, json.dumps(body))
        except ContractError as error:
            raise HostError(f"read the gateway's load: {error}") from error

    async def certificates(self) -> Mapping[str, str]:
        """Give the digest of each certificate in force, by name."""
        status, body = await self._call("GET", "/v1/certificates")
        if status != 200:
            raise HostError(f"read the gateway's certificates: answered {status}")
        return {str(name): str(digest) for name, digest in body["certificates"].items()}

    async def put_certificate(self, name: str, pair: Pair) -> None:
        """Put a certificate in force; UsageError if the gateway finds it broken, and the one before stays."""
        status, body = await self._call("PUT", f"/v1/certificates/{name}", pair.message())
        if status == 422:
            raise UsageError(f"certificate {name}: refused by the gateway: {body['detail']}")
        if status != 200:
            raise HostError(f"send certificate {name} to the gateway: answered {status}")

    async def delete_certificate(self, name: str) -> None:
        """Take a certificate out of force; one that is not there is no error."""
        status, _ = await self._call("DELETE", f"/v1/certificates/{name}")
        if status != 200:
            raise HostError(f"remove certificate {name} from the gateway: answered {status}")

    async def caller_keys(self) -> str:
        """Give the digest of the keys by which callers are named; empty without any."""
        status, body = await self._call("GET", "/v1/caller-identity")
        if status != 200:
            raise HostError(f"read the gateway's caller keys: answered {status}")
        return str(body["digest"])

    async def put_caller_keys(self, text: str) -> None:
        """Name callers by these keys; UsageError if the gateway finds them broken, and those before stay."""
        status, body = await self._call("PUT", "/v1/caller-identity", text)
        if status == 422:
            raise UsageError(f"caller keys: refused by the gateway: {body['detail']}")
        if status != 200:
            raise HostError(f"send caller keys to the gateway: answered {status}")

    async def put_challenge(self, token: str, answer: str) -> None:
        """Answer an ACME server that asks for this token."""
        status, _ = await self._call("PUT", f"/v1/challenges/{token}", answer)
        if status != 200:
            raise HostError(f"send an ACME challenge to the gateway: answered {status}")

    async def delete_challenge(self, token: str) -> None:
        """Answer this token no longer."""
        status, _ = await self._call("DELETE", f"/v1/challenges/{token}")
        if status != 200:
            raise HostError(f"remove an ACME challenge from the gateway: answered {status}")

    async def _call(
        self, method: str, path: str, data: str | None = None, *, timeout_s: float = TIMEOUT_S
    ) -> tuple[int, Any]:
        if self._session is None:
            # No limit: each instance that drains holds a connection, and nothing else must wait for those.
            self._session = aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(self._socket), limit=0))
        try:
            async with self._session.request(
                method,
                f"http://gateway{path}",
                data=data,
                headers={"Content-Type": "application/json"},
                timeout=aiohttp.ClientTimeout(total=timeout_s),
            ) as response:
                text = await response.text()
                return response.status, json.loads(text) if text else None
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            cause = str(error) or type(error).__name__
            raise HostError(f"ask the gateway at {self._socket}: {cause}") from error

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
