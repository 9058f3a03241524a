"""The gateway's admin port: the snapshot that it has, the one it gets, and how many requests are in flight."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from runyard.contracts import GatewaySnapshot, encode
from runyard.errors import HostError, UsageError
from services.orchestrator.certificate import Pair
from services.orchestrator.journal import Journal

# The gateway answers from memory; past this it hangs, and asking again is better than waiting.
TIMEOUT_S = 3.0


class Gateway(Protocol):
    """Something that routes by snapshots; every method raises HostError."""

    async def generation(self) -> int:
        """Give the generation in force; 0 when it has none."""
        ...

    async def put(self, snapshot: GatewaySnapshot) -> bool:
        """Send a snapshot; False when the gateway has a newer one."""
        ...

    async def in_flight(self, address: str) -> int:
        """Count the requests that the instance at this address is working on."""
        ...


class GatewayClient:
    """The gateway behind its admin socket."""

    def __init__(self, socket: Path, journal: Journal) -> None:
        self._socket = socket
        self._journal = journal
        self._session: aiohttp.ClientSession | None = None

    async def generation(self) -> int:
        """Give the generation in force; 0 when it has none."""
        status, body = await self._call("GET", "/v1/snapshot")
        if status != 200:
            raise HostError(f"read the gateway's generation: answered {status}")
        return int(body["generation"])

    async def put(self, snapshot: GatewaySnapshot) -> bool:
        """Send a snapshot; False when the gateway has a newer one."""
        status, body = await self._call("PUT", "/v1/snapshot", encode(snapshot))
        if status == 409:
            return False
        if status not in (200, 204):
            raise HostError(f"send snapshot {snapshot.generation} to the gateway: answered {status}: {body}")
        if body and body.get("warning"):
            # In force, but a restarted gateway would not find it: it would be sent again.
            self._journal.write("snapshot not kept", level="warning", error=str(body["warning"]))
        return True

    async def in_flight(self, address: str) -> int:
        """Count the requests that the instance at this address is working on."""
        status, body = await self._call("GET", "/v1/inflight")
        if status != 200:
            raise HostError(f"read the gateway's requests in flight: answered {status}")
        counts = body["inflight"].items()
        return sum(int(count) for key, count in counts if key.rpartition(":")[0] == address)

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

    async def _call(self, method: str, path: str, data: str | None = None) -> tuple[int, Any]:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(str(self._socket)), timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)
            )
        try:
            headers = {"Content-Type": "application/json"}
            async with self._session.request(method, f"http://gateway{path}", data=data, headers=headers) as response:
                text = await response.text()
                return response.status, json.loads(text) if text else None
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            cause = str(error) or type(error).__name__
            raise HostError(f"ask the gateway at {self._socket}: {cause}") from error

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
