"""Pools: the gateway keeps its connections to many instances, more than one pool of nginx's would hold."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

import pytest

from tests.harness.client import answer_of
from tests.harness.waiting import PATIENCE_S
from tests.unit.services.gateway.conftest import MakeGateway
from tests.unit.services.gateway.nginx import endpoints, service, settled

# More than the 256 of a pool; a file each for the gateway and for the instances.
COUNT = 400


class Many:
    """Instances on ports of their own, in one loop, which count the connections that they get."""

    def __init__(self) -> None:
        self.ports: list[int] = []
        self.connections: list[int] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(PATIENCE_S)

    async def _listen(self) -> None:
        self._servers = [await asyncio.start_server(self._serve, "127.0.0.1", 0) for _ in range(COUNT)]
        self.ports = [each.sockets[0].getsockname()[1] for each in self._servers]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = writer.get_extra_info("sockname")[1]
        self.connections.append(port)
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                body = str(port).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()
        await writer.wait_closed()

    async def _close(self) -> None:
        for each in self._servers:
            each.close()
        # The gateway is gone, so each of them ends by itself.
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))

    def stop(self) -> None:
        """End when the gateway has ended."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(PATIENCE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()


@pytest.fixture
def many() -> Iterator[Many]:
    made = Many()
    yield made
    made.stop()


def test_every_instance_keeps_its_connection(start_gateway: MakeGateway, many: Many) -> None:
    gateway = start_gateway(workers=1, worker_connections=4096)
    keys = [f"default/s{number}" for number in range(COUNT)]
    gateway.push(
        services={key: service((f"{key[8:]}-1", 100)) for key in keys},
        hosts={f"{key[8:]}.localhost": key for key in keys},
        endpoints={f"{key}-1": endpoints(port) for key, port in zip(keys, many.ports, strict=True)},
    )
    with gateway.connect() as connection:
        for _ in range(3):
            for number, port in enumerate(many.ports):
                connection.request("GET", "/", headers={"Host": f"s{number}.localhost"})
                assert answer_of(connection.getresponse()).body == str(port).encode()
    assert sorted(many.connections) == sorted(many.ports)
    assert "idle connections elsewhere" not in gateway.errors()
    settled(gateway)
    gateway.stop()
