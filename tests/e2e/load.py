"""Load at a fixed rate over keep-alive connections, open loop while the machine keeps up, from one asyncio thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from types import TracebackType

import aiohttp

# What is due while so many wait is not sent: a machine that is busy with others sends less, and no request runs out of
# its time in the client's own queue, which would look like the gateway's loss.
MOST_WAITING = 200


class Load:
    """Sends GETs, with `posts` every other one a POST, to one host while the `with` block runs, and counts answers."""

    def __init__(self, port: int, host: str, rate: int, path: str = "/", *, posts: bool = False) -> None:
        self._url = f"http://127.0.0.1:{port}{path}"
        self._headers = {"Host": host}
        self._rate = rate
        self._methods = ("GET", "POST") if posts else ("GET",)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self.results: Counter[str] = Counter()

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join(timeout=60)

    @property
    def failures(self) -> dict[str, int]:
        return {result: count for result, count in self.results.items() if result != "200"}

    @property
    def total(self) -> int:
        return sum(self.results.values())

    async def _run(self) -> None:
        connector = aiohttp.TCPConnector(limit=MOST_WAITING)
        timeout = aiohttp.ClientTimeout(total=20)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            start, sent, pending = time.monotonic(), 0, set()
            while not self._stopped.is_set():
                due = int((time.monotonic() - start) * self._rate)
                for number in range(max(sent, due - MOST_WAITING + len(pending)), due):
                    method = self._methods[number % len(self._methods)]
                    task = asyncio.create_task(self._ask(session, method))
                    pending.add(task)
                    task.add_done_callback(pending.discard)
                sent = due
                await asyncio.sleep(0.002)
            await asyncio.gather(*pending)

    async def _ask(self, session: aiohttp.ClientSession, method: str) -> None:
        data = b"x" * 100 if method == "POST" else None
        try:
            async with session.request(method, self._url, headers=self._headers, data=data) as answer:
                await answer.read()
                self.results[str(answer.status)] += 1
        except (aiohttp.ClientError, TimeoutError) as error:
            self.results[type(error).__name__] += 1
