"""The store by itself, in a small nginx: a writer that is killed or has no room changes nothing."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from runyard.gateway import GatewayConfig
from tests.harness.client import ask
from tests.harness.ports import free_ports
from tests.harness.programs import nginx
from tests.harness.waiting import PATIENCE_S, until
from tests.unit.services.gateway.nginx import LUA

MODULES = GatewayConfig().modules_directory
CONFIGURATION = """
load_module {modules}/ndk_http_module.so;
load_module {modules}/ngx_http_lua_module.so;
user {user};
worker_processes 2;
daemon off;
pid {directory}/nginx.pid;
error_log stderr error;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    lua_package_path "{lua}/?.lua;;";
    lua_shared_dict snapshot {room};
    lua_shared_dict health 1m;
    init_by_lua_block {{
        cjson = require "cjson.safe"
        store = require "runyard.store"
        store.start()
    }}
    server {{
        listen 127.0.0.1:{port};
        client_body_buffer_size 8m;
        client_max_body_size 8m;
        location / {{
            content_by_lua_block {{
                ngx.req.read_body()
                local fate, text = ngx.var.arg_fate, ngx.req.get_body_data()
                local ffi = require "ffi"
                local count = 0
                local function breathe()
                    count = count + 1
                    if fate == "killed" then
                        ffi.cdef "int kill(int pid, int signal);"
                        ffi.C.kill(ngx.worker.pid(), 9)
                    elseif fate == "failing" and count == 1 then
                        error("failed", 0)
                    end
                end
                local entries = text and cjson.decode(text)
                local before = store.epoch()
                if ngx.var.uri == "/recover" then
                    store.recover()
                end
                local done, failure = pcall(store.change, entries or {{}}, breathe)
                local seen, lost = {{}}, false
                for name in pairs(store.names(store.epoch())) do
                    seen[name] = store.read(store.epoch(), name)
                end
                ngx.print(cjson.encode({{ seen = seen, failure = not done and failure or "", before = before }}))
            }}
        }}
    }}
}}
"""
# More than the writer writes before others have their turn.
MANY = {f"a:{number}": "new" for number in range(1200)}


class Store:
    """A store behind HTTP; each request changes entries and gives what is there then."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, path: str, entries: dict[str, Any]) -> Any:
        return ask(self.port, path, "POST", json.dumps(entries)).json()

    def change(self, entries: dict[str, Any], fate: str = "") -> Any:
        return self.ask(f"/?fate={fate}", entries)

    def answers(self) -> bool:
        try:
            return bool(self.ask("/", {})["failure"] == "")
        except OSError:
            return False


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    (port,) = free_ports(1)
    path = tmp_path / "nginx.conf"
    user = pwd.getpwuid(os.getuid()).pw_name
    text = CONFIGURATION.format(modules=MODULES, user=user, directory=tmp_path, lua=LUA, room="1m", port=port)
    path.write_text(text)
    with (tmp_path / "errors").open("wb") as errors:
        process = subprocess.Popen([nginx(), "-c", str(path)], stderr=errors)
    made = Store(port)
    until(made.answers, "nginx answers")
    yield made
    process.terminate()
    process.wait(PATIENCE_S)


def test_change_adds_replaces_and_removes(store: Store) -> None:
    assert store.change({"a:1": "one", "a:2": "two"})["seen"] == {"a:1": "one", "a:2": "two"}
    assert store.change({"a:1": False, "a:2": "three"})["seen"] == {"a:2": "three"}


def test_writer_that_fails_in_the_middle_changes_nothing(store: Store) -> None:
    store.change({"a:1": "old", "b:1": "old"})
    answer = store.change({**MANY, "b:1": False}, "failing")
    assert (answer["failure"], answer["seen"]) == ("failed", {"a:1": "old", "b:1": "old"})
    assert store.change({"c:1": "new"})["seen"] == {"a:1": "old", "b:1": "old", "c:1": "new"}


def test_writer_that_is_killed_in_the_middle_is_never_seen_and_undone_by_the_next(store: Store) -> None:
    store.change({"a:1": "old", "b:1": "old"})
    with pytest.raises((OSError, HTTPException)):
        store.change({**MANY, "b:1": False}, "killed")
    # What stands there is half of it; a reader is told what it was.
    answer = store.ask("/recover", {"c:1": "new"})
    assert (answer["failure"], answer["seen"]) == ("", {"a:1": "old", "b:1": "old", "c:1": "new"})


def test_change_without_room_changes_nothing(store: Store) -> None:
    store.change({"a:1": "old"})
    answer = store.change({"a:1": False, **{f"b:{number}": "x" * 10_000 for number in range(200)}})
    assert answer["failure"].startswith("write b:")
    assert answer["failure"].endswith(" to shared memory: no memory")
    assert answer["seen"] == {"a:1": "old"}


def test_old_undos_make_room(store: Store) -> None:
    # Each leaves an undo of 50 kB: together three times what there is room for.
    for number in range(60):
        answer = store.change({"a:1": str(number) * 25_000})
        assert answer["failure"] == ""
        assert answer["seen"]["a:1"] == str(number) * 25_000
