"""Service: the console's parts joined: its schema, the API with the page, and the control socket."""

from __future__ import annotations

import asyncio
import functools
import time
from dataclasses import dataclass, field

from fastapi import FastAPI
from sqlalchemy import Engine

from runyard.database import when_it_answers
from runyard.journal import Journal
from runyard.serving import Server, make_server, serve_together
from services.console.adapters.audit import AuditLog
from services.console.adapters.database import connect, migrate
from services.console.adapters.http import Part
from services.console.adapters.ledger import Ledger
from services.console.adapters.metrics import Metrics
from services.console.adapters.registry import Registry
from services.console.api.app import make_app
from services.console.api.control import make_control
from services.console.identity.accounts import Accounts
from services.console.identity.passwords import Passwords
from services.console.identity.throttle import Throttle
from services.console.refusal import SourceUnavailable
from services.console.scope import Sources
from services.console.settings import Settings


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
            await asyncio.to_thread(when_it_answers, lambda: migrate(engine), SourceUnavailable)
            await self._serve(engine)
        finally:
            engine.dispose()

    async def _serve(self, engine: Engine) -> None:
        audit = AuditLog(engine)
        accounts = Accounts(engine, self.passwords, Throttle(time.monotonic), audit)
        exporter, statements = Part("ledger", self.settings.ledger), Part("ledger", self.settings.statements)
        registry = Registry(Part("registry", self.settings.registry))
        metrics = Metrics(Part("Prometheus", self.settings.prometheus)) if self.settings.prometheus else None
        sources = Sources(registry, Ledger(exporter, statements), audit, metrics)
        host, port = self.settings.address
        # Of a process that was killed.
        self.settings.socket.unlink(missing_ok=True)
        servers = [
            _server(make_app(accounts, sources, self.settings.web), host=host, port=port),
            _server(make_control(accounts, f"http://{host}:{port}"), uds=str(self.settings.socket)),
        ]
        begun = functools.partial(self.journal.write, "serving", address=f"{host}:{port}")
        await serve_together(servers, begun)


def _server(app: FastAPI, **place: str | int) -> Server:
    # Who says that it stands between is believed by nobody: anybody on the host could.
    return make_server(app, **place, proxy_headers=False, server_header=False)
