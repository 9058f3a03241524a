"""A console on a real Postgres, whose process is a thread of the test's, and the parts that it reads."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from runyard.ask import ask as ask_socket
from services.console.adapters.database import connect, migrate
from services.console.identity.passwords import Passwords
from services.console.service import Service
from services.console.settings import Settings
from tests.harness.client import Answer, answer_of, opened
from tests.harness.ports import free_port
from tests.harness.postgres import Postgres, postgres
from tests.harness.waiting import until
from tests.unit.services.console.parts import World, serving

# As safe as nothing, and over in a millisecond.
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse battery staple"


class Journal:
    """Keeps what was written."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def write(self, event: str, **fields: Any) -> None:
        self.events.append(event)


@dataclass
class Browser:
    """Somebody's browser: it keeps cookies, and says where its page came from."""

    port: int
    cookies: SimpleCookie = field(default_factory=SimpleCookie)

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        told = {"Origin": f"http://127.0.0.1:{self.port}", "Content-Type": "application/json"}
        told["Cookie"] = "; ".join(f"{each.key}={each.value}" for each in self.cookies.values())
        text = json.dumps(body) if body is not None else None
        with opened(self.port, path, method, text, {**told, **(headers or {})}) as response:
            for each in response.headers.get_all("Set-Cookie", []):
                self.cookies.load(each)
            return answer_of(response)

    def sign_in(self, email: str, password: str = PASSWORD) -> Answer:
        return self.ask("POST", "/api/v1/session", {"email": email, "password": password})


@dataclass
class Program:
    """A running console."""

    settings: Settings

    @property
    def port(self) -> int:
        return self.settings.address[1]

    def browser(self) -> Browser:
        return Browser(self.port)

    def control(self, path: str = "/v1/invitations", **body: str) -> tuple[int, Any]:
        status, answer = ask_socket(str(self.settings.socket), "POST", path, json.dumps(body))
        return status, json.loads(answer)

    def reset(self, email: str) -> str:
        status, answer = self.control("/v1/resets", email=email)
        assert status == 200, answer
        return str(answer["link"]).partition("/reset#")[2]

    def invite(self, email: str, tenant: str = "shop", role: str = "owner") -> str:
        status, answer = self.control(email=email, tenant=tenant, role=role)
        assert status == 200, answer
        return str(answer["link"]).partition("#")[2]

    def member(self, email: str, tenant: str = "shop", role: str = "owner") -> Browser:
        browser = self.browser()
        body = {"invitation": self.invite(email, tenant, role), "password": PASSWORD}
        assert browser.ask("POST", "/api/v1/registrations", body).status == 201
        return browser


@contextmanager
def running(settings: Settings) -> Iterator[Program]:
    """Run a console until the end of the block."""
    loops: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = Future()

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        loops.set_result((asyncio.get_running_loop(), task))
        await Service(settings, Journal(), Passwords(CHEAP)).run()

    def run() -> None:
        with suppress(asyncio.CancelledError):
            asyncio.run(main())

    thread = threading.Thread(target=run)
    thread.start()
    loop, task = loops.result(20)
    program = Program(settings)

    def serves() -> bool:
        assert thread.is_alive()
        return settings.socket.exists() and program.browser().ask("GET", "/healthz").status == 200

    try:
        until(serves, "the console serves")
        yield program
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    with postgres() as made:
        yield made


@pytest.fixture(scope="session")
def template(server: Postgres) -> str:
    """Name a database that has the schema and nothing in it, of which others are copies."""
    name = server.make_database()
    engine = connect(server.url(name))
    migrate(engine)
    engine.dispose()
    return name


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def program(
    server: Postgres, template: str, world: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Program]:
    """Give a console that all tests of a file share."""
    directory = tmp_path_factory.mktemp("console")
    web = directory / "web"
    (web / "assets").mkdir(parents=True)
    (web / "index.html").write_text("<!doctype html><title>Runyard</title>")
    (web / "assets" / "main-8d1f.js").write_text("1")
    with serving(world, directory) as (port, statements):
        settings = Settings(
            address=("127.0.0.1", free_port()),
            registry=("127.0.0.1", port),
            ledger=("127.0.0.1", port),
            statements=statements,
            database=server.url(server.make_database(template)),
            directory=Path(directory),
            web=web,
            prometheus=("127.0.0.1", port),
        )
        with running(settings) as made:
            yield made
