"""Service: the ledger's parts joined: its schema, the threads of collector and budgets, exporter and sockets."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from runyard.database import connect, when_it_answers
from runyard.journal import Journal
from runyard.serving import make_server, serve_together
from services.billing.adapters.database import LedgerUnavailable, migrate, writing
from services.billing.adapters.meter import Meter
from services.billing.adapters.orchestrator import Orchestrator
from services.billing.adapters.prices import record_book
from services.billing.adapters.revisions import record_bases
from services.billing.api.control import make_control, make_statements
from services.billing.api.exporter import make_exporter
from services.billing.api.metrics import BudgetMetrics, LedgerMetrics
from services.billing.budgeting import Budgeting, Watch
from services.billing.collector import Collector
from services.billing.invoicing import Invoicing, Issuer
from services.billing.reports import gauges
from services.billing.settings import Settings


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
        when_it_answers(lambda: migrate(engine), LedgerUnavailable)
        billing = self.settings.billing
        with writing(engine) as connection:
            new = record_book(connection, billing.prices)
            record_bases(connection, (_split(each) for each in billing.by_instance))
        self.journal.write("ledger ready", book=billing.prices.name, new_prices=new)

    async def _serve(self, engine: Engine) -> None:
        collector, ending = Collector(engine, Meter(*self.settings.meter), self.journal), threading.Event()
        invoicing = Invoicing(engine, Issuer(self.settings.billing.issuer))
        budgeting = Budgeting(engine, invoicing, self.settings.budgets, self.journal)
        watch = Watch(budgeting, Orchestrator(self.settings.restrictions))
        registry = CollectorRegistry()
        read = functools.partial(gauges, engine, invoicing)
        registry.register(LedgerMetrics(lambda: read(datetime.now(UTC)), collector.counts, time.time))
        registry.register(BudgetMetrics(lambda: watch.latest))
        host, port = self.settings.address
        servers = [
            make_server(make_exporter(engine, registry), host=host, port=port),
            make_server(make_control(invoicing, budgeting), uds=_free(self.settings.socket)),
            make_server(make_statements(invoicing), uds=_free(self.settings.statements)),
        ]
        runners = [
            threading.Thread(target=work, args=(ending,), name=name)
            for name, work in (("collector", collector.run), ("budgets", watch.run))
        ]
        for each in runners:
            each.start()
        begun = functools.partial(self.journal.write, "serving", address=f"{host}:{port}")
        try:
            await serve_together(servers, begun, ending.set)
        finally:
            for each in runners:
                await asyncio.to_thread(each.join)


def _free(socket: Path) -> str:
    # Of a process that was killed.
    socket.unlink(missing_ok=True)
    return str(socket)


def _split(name: str) -> tuple[str, str, str]:
    tenant, service, revision = name.split("/")
    return tenant, service, revision
