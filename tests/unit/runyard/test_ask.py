"""Ask: one request to a unix socket, printed, and what its end says."""

from __future__ import annotations

import json
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from runyard.ask import ask
from tests.unit.checkout import ROOT


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    """Answers with what it was asked, and with the status that the path's last part says."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        told = {"method": self.command, "path": self.path, "body": body, "type": self.headers.get("Content-Type")}
        data = json.dumps(told).encode()
        self.send_response(int(self.path.rpartition("/")[2]))
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 - names of the library's

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[Path]:
    with _Server(str(tmp_path / "s"), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield tmp_path / "s"
        server.shutdown()
        thread.join()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runyard.ask", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_body_is_sent_as_json_and_none_without_one(socket: Path) -> None:
    status, answer = ask(str(socket), "PUT", "/v1/200", '{"a": 1}')
    told = json.loads(answer)
    assert (status, told["method"], told["path"], told["body"], told["type"]) == (
        *(200, "PUT", "/v1/200"),
        *('{"a": 1}', "application/json"),
    )
    assert json.loads(ask(str(socket), "GET", "/v1/200", "")[1])["type"] is None


@pytest.mark.parametrize(("status", "code"), [(200, 0), (399, 0), (400, 1), (503, 1)])
def test_command_prints_the_answer_and_ends_as_it_was(socket: Path, status: int, code: int) -> None:
    done = run(str(socket), "POST", f"/v1/{status}", "{}")
    assert (done.returncode, json.loads(done.stdout)["path"]) == (code, f"/v1/{status}")


def test_socket_that_is_not_there_is_an_error_with_a_last_line(tmp_path: Path) -> None:
    done = run(str(tmp_path / "nobody"), "GET", "/")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("FileNotFoundError")
