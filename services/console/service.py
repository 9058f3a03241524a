"""Service: the console's parts joined: its schema, the API with the page, and the control socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine

from runyard.journal import Journal
from services.console.adapters.audit import AuditLog
from services.console.adapters.database import connect, migrate
from services.console.adapters.http import Part
from services.console.adapters.ledger import Ledger
from services.console.adapters.registry import Registry
from services.console.api.app import make_app
from services.console.api.control import make_control
from services.console.identity.accounts import Accounts
from services.console.identity.passwords import Passwords
from services.console.identity.throttle import Throttle
from services.console.refusal import SourceUnavailable
from services.console.scope import Sources
from services.console.settings import Settings

# Postgres begins beside this, and makes its files the first time.
DATABASE_PATIENCE_S = 120.0
RETRY_S = 0.25
# What is under way when the process is told to end.
END_S = 5


@dataclass(frozen=True)
class Service:
    """One console's process."""

    settings: Settings
    journal: Journal
    passwords: Passwords = field(default_factory=Passwords)

    async def run(self) -> None:
        """Serve until cancelled; SourceUnavailable when the database does not come."""
        engine = connect(self.settings.database)
        try:
            await asyncio.to_thread(_when_it_answers, lambda: migrate(engine))
            await self._serve(engine)
        finally:
            engine.dispose()

    async def _serve(self, engine: Engine) -> None:
        audit = AuditLog(engine)
        accounts = Accounts(engine, self.passwords, Throttle(time.monotonic), audit)
        exporter, statements = Part("ledger", self.settings.ledger), Part("ledger", self.settings.statements)
        registry = Registry(Part("registry", self.settings.registry))
        sources = Sources(registry, Ledger(exporter, statements), audit)
        host, port = self.settings.address
        # Of a process that was killed.
        self.settings.socket.unlink(missing_ok=True)
        servers = [
            _server(make_app(accounts, sources, self.settings.web), host=host, port=port),
            _server(make_control(accounts, f"http://{host}:{port}"), uds=str(self.settings.socket)),
        ]
        tasks = [asyncio.create_task(each.serve()) for each in servers]
        try:
            self.journal.write("serving", address=f"{host}:{port}")
            # Either that ends by itself takes the other along: the engine starts the process anew.
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in servers:
                each.should_exit = True
            await asyncio.gather(*tasks, return_exceptions=True)


class _Server(uvicorn.Server):
    """A server that leaves the signals to the process, which has two of them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none."""
        yield


def _server(app: FastAPI, **place: str | int) -> _Server:
    limits = {"limit_concurrency": 64, "timeout_keep_alive": 15, "timeout_graceful_shutdown": END_S}
    # Who says that it stands between is believed by nobody: anybody on the host could.
    quiet = {"log_level": "warning", "access_log": False, "lifespan": "off", "ws": "none", "proxy_headers": False}
    return _Server(uvicorn.Config(app, **place, **limits, **quiet, server_header=False))  # type: ignore[arg-type]


def _when_it_answers(action: Callable[[], None]) -> None:
    give_up = time.monotonic() + DATABASE_PATIENCE_S
    while True:
        try:
            return action()
        except SourceUnavailable:
            if time.monotonic() >= give_up:
                raise
            time.sleep(RETRY_S)
