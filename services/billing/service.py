"""Service: the ledger's parts joined: its schema, the collector's thread, the exporter and the sockets."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from runyard.journal import Journal
from services.billing.adapters.database import LedgerUnavailable, connect, migrate, writing
from services.billing.adapters.meter import Meter
from services.billing.adapters.prices import record_book
from services.billing.adapters.revisions import record_bases
from services.billing.api.control import make_control, make_statements
from services.billing.api.exporter import make_exporter
from services.billing.api.metrics import LedgerMetrics
from services.billing.collector import Collector
from services.billing.invoicing import Invoicing, Issuer
from services.billing.reports import gauges
from services.billing.settings import Settings

# Postgres begins beside this, and makes its files the first time.
DATABASE_PATIENCE_S = 120.0
RETRY_S = 0.25
# What is under way when the process is told to end.
END_S = 5


@dataclass(frozen=True)
class Service:
    """One ledger's process."""

    settings: Settings
    journal: Journal

    async def run(self) -> None:
        """Serve until cancelled; LedgerUnavailable when the database does not come."""
        engine = connect(self.settings.database)
        try:
            await asyncio.to_thread(self._prepare, engine)
            await self._serve(engine)
        finally:
            engine.dispose()

    def _prepare(self, engine: Engine) -> None:
        _when_it_answers(lambda: migrate(engine))
        billing = self.settings.billing
        with writing(engine) as connection:
            new = record_book(connection, billing.prices)
            record_bases(connection, (_split(each) for each in billing.by_instance))
        self.journal.write("ledger ready", book=billing.prices.name, new_prices=new)

    async def _serve(self, engine: Engine) -> None:
        collector, ending = Collector(engine, Meter(*self.settings.meter), self.journal), threading.Event()
        invoicing = Invoicing(engine, Issuer(self.settings.billing.issuer))
        registry = CollectorRegistry()
        read = functools.partial(gauges, engine, invoicing)
        registry.register(LedgerMetrics(lambda: read(datetime.now(UTC)), collector.counts, time.time))
        host, port = self.settings.address
        servers = [
            _server(make_exporter(engine, registry), host=host, port=port),
            _server(make_control(invoicing), uds=_free(self.settings.socket)),
            _server(make_statements(invoicing), uds=_free(self.settings.statements)),
        ]
        runner = threading.Thread(target=collector.run, args=(ending,), name="collector")
        runner.start()
        tasks = [asyncio.create_task(each.serve()) for each in servers]
        try:
            self.journal.write("serving", address=f"{host}:{port}")
            # Any that ends by itself takes the others along: the engine starts the process anew.
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ending.set()
            for each in servers:
                each.should_exit = True
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.to_thread(runner.join)


class _Server(uvicorn.Server):
    """A server that leaves the signals to the process, which has two of them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none."""
        yield


def _server(app: FastAPI, **place: str | int) -> _Server:
    limits = {"limit_concurrency": 64, "timeout_keep_alive": 15, "timeout_graceful_shutdown": END_S}
    return _Server(
        uvicorn.Config(app, **place, **limits, log_level="warning", access_log=False, lifespan="off", ws="none")  # type: ignore[arg-type]
    )


def _free(socket: Path) -> str:
    # Of a process that was killed.
    socket.unlink(missing_ok=True)
    return str(socket)


def _split(name: str) -> tuple[str, str, str]:
    tenant, service, revision = name.split("/")
    return tenant, service, revision


def _when_it_answers(action: Callable[[], None]) -> None:
    give_up = time.monotonic() + DATABASE_PATIENCE_S
    while True:
        try:
            return action()
        except LedgerUnavailable:
            if time.monotonic() >= give_up:
                raise
            time.sleep(RETRY_S)
