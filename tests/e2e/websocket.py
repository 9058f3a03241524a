"""WebSocket of a client, by the gateway to a service of a stack."""

from __future__ import annotations

import asyncio
from types import TracebackType

import aiohttp


class Socket:
    """A WebSocket to the sample service, which sends back what it gets."""

    def __init__(self, port: int, host: str) -> None:
        self._url, self._host = f"http://127.0.0.1:{port}/socket", host
        self._runner = asyncio.Runner()

    def __enter__(self) -> Socket:
        self._runner.run(self._connect())
        return self

    async def _connect(self) -> None:
        self._session = aiohttp.ClientSession()
        self._socket = await self._session.ws_connect(self._url, headers={"Host": self._host})

    def echo(self, text: str) -> str:
        """Send a message and give the one that comes back."""

        async def turn() -> str:
            await self._socket.send_str(text)
            return await self._socket.receive_str(timeout=10)

        return self._runner.run(turn())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.run(self._session.close())
        self._runner.close()
