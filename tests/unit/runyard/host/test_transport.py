"""Transport: what is asked, kept, asked again and handed over, whatever the way to the engine."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

import runyard.host
from runyard.errors import Conflict, HostError, HostUnreachable, NotFound
from runyard.host.transport import FOREIGN, Answer, Stream, Transport, translate
from tests.unit import checkout
from tests.unit.runyard.host.conftest import Place
from tests.unit.runyard.host.docker_api import OUTPUT, DockerApi, Last, Pieces, ScriptedEngine, frame

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"


def foreign_exceptions() -> list[type[Exception]]:
    found = {
        each
        for module in (http.client, socket, ssl, json)
        for name, each in vars(module).items()
        if not name.startswith("_") and isinstance(each, type) and issubclass(each, Exception)
    }
    return sorted(found, key=lambda each: each.__name__)


@pytest.mark.parametrize("foreign", foreign_exceptions(), ids=lambda each: each.__name__)
def test_every_exception_of_the_libraries_becomes_ours(foreign: type[Exception]) -> None:
    rows = [ours for each, ours in FOREIGN if issubclass(foreign, each)]
    assert rows, f"no row of FOREIGN covers {foreign}"
    assert issubclass(rows[0], HostError)


@pytest.mark.parametrize(
    ("error", "ours", "text"),
    [
        (ConnectionRefusedError("refused"), HostUnreachable, "refused"),
        (ConnectionResetError(), HostUnreachable, "ConnectionResetError"),
        (http.client.BadStatusLine("HTPP"), HostError, "the engine's answer cannot be read: HTPP"),
        (RecursionError("too deep"), HostError, "the engine's answer cannot be read: too deep"),
    ],
)
def test_translation_keeps_the_librarys_words(error: Exception, ours: type[HostError], text: str) -> None:
    made = translate(error)
    assert (type(made), str(made)) == (ours, text)


def test_transport_imports_the_errors_and_nothing_else_of_ours_but_the_way() -> None:
    graph = checkout.import_graph()
    needed = {each for name in ("transport", "address", "connection", "ssh") for each in graph[f"runyard.host.{name}"]}
    others = {each for each in needed if each.split(".")[0] not in sys.stdlib_module_names}
    assert others <= {"runyard.errors", "runyard.host.address", "runyard.host.connection", "runyard.host.ssh"}
    script = "import sys, runyard.host.transport as t; print(sorted(m for m in sys.modules if m.startswith('runyard')))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    host = [f"runyard.host{each}" for each in ("", ".address", ".connection", ".transport")]
    assert loaded.strip() == str(["runyard", "runyard.errors", *host])


def test_host_has_what_it_names_and_no_more() -> None:
    assert all(getattr(runyard.host, name).__name__ == name for name in ("Engine", "Orchestrator"))
    with pytest.raises(AttributeError, match=r"^module runyard.host has no attribute Nothing$"):
        getattr(runyard.host, "Nothing")  # noqa: B009 - what is not there by any other name either


@pytest.mark.parametrize(
    ("answer", "ours", "text"),
    [
        (Answer(404, b'{"message":"No such image: a"}'), NotFound, "No such image: a"),
        (Answer(409, b'{"message":"in use"}'), Conflict, "in use"),
        (Answer(500, b"plain words\n"), HostError, "plain words"),
        (Answer(500, b"[]"), HostError, "[]"),
        (Answer(503, b""), HostError, "the engine answered 503"),
    ],
)
def test_refusal_is_told_in_the_engines_own_words(answer: Answer, ours: type[HostError], text: str) -> None:
    with pytest.raises(ours) as caught:
        answer.checked()
    assert (type(caught.value), str(caught.value)) == (ours, text)


def test_answer_that_is_no_json_says_so() -> None:
    with pytest.raises(HostError, match=r"^the engine's answer cannot be read: Expecting value: line 1 column 1"):
        Answer(200, b"<html>").json()


def test_request_carries_a_body_and_headers_and_gives_any_answer(place: Place) -> None:
    place.api.answers["POST /things"] = (201, {"Id": "x"})
    with closing(Transport(place.address)) as transport:
        answer = transport.request("POST", "/things?a=1", {"b": [2]}, headers={"X-More": "yes"})
        assert (answer.status, answer.json()) == (201, {"Id": "x"})
        assert transport.request("GET", "/nothing").status == 404
        assert transport.request("HEAD", "/_ping") == Answer(404, b"")
    assert place.api.targets[0] == "POST /things?a=1"
    assert place.api.bodies["POST /things"] == {"b": [2]}
    assert place.api.headers["POST /things"]["X-More"] == "yes"
    # One after another they share a connection.
    assert place.api.connections == 1


def test_body_of_bytes_is_sent_as_it_is(docker_api: DockerApi) -> None:
    docker_api.answers["POST /things"] = b""
    with closing(Transport()) as transport:
        transport.request("POST", "/things", b' {"a" : 1} ', headers={"Content-Type": "text/plain"})
    assert docker_api.bodies["POST /things"] == {"a": 1}
    assert docker_api.headers["POST /things"]["Content-Length"] == "11"
    assert docker_api.headers["POST /things"]["Content-Type"] == "text/plain"


def test_answer_in_chunks_is_read_whole_or_line_by_line(place: Place) -> None:
    place.api.answers |= {"POST /told": Pieces([b'{"a"', b':1}\n{"b":2}', b"\n"]), "GET /told": Pieces([b"x" * 9])}
    with closing(Transport(place.address)) as transport:
        assert list(transport.lines("POST", "/told")) == [b'{"a":1}\n', b'{"b":2}\n']
        assert transport.request("GET", "/told").data == b"x" * 9
        with pytest.raises(NotFound, match=r"^no such thing: GET /nothing$"):
            list(transport.lines("GET", "/nothing"))


def test_answer_is_given_in_pieces_as_it_comes_and_refusals_in_the_engines_words(place: Place) -> None:
    place.api.answers |= {"GET /told": Pieces([b"on", b"e\ntwo"]), "GET /short": b"whole"}
    with closing(Transport(place.address)) as transport:
        assert b"".join(transport.pieces("/told")) == b"one\ntwo"
        assert list(transport.pieces("/short", silent=True)) == [b"whole"]
        with pytest.raises(NotFound, match=r"^no such thing: GET /nothing$"):
            list(transport.pieces("/nothing"))


def test_pieces_take_no_turn_from_those_that_ask(place: Place) -> None:
    place.api.answers["GET /told"] = Pieces([b"one", b"two"])
    with closing(Transport(place.address)) as transport:
        # More than any way has turns, each begun and none read to its end.
        open_ones = [transport.pieces("/told") for _ in range(30)]
        assert {next(each)[:3] for each in open_ones} == {b"one"}
        assert transport.request("GET", "/_ping").data == b"OK"
        for each in open_ones:
            each.close()


def test_threads_have_a_connection_each_and_keep_it(place: Place) -> None:
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            for _ in range(20):
                assert transport.request("GET", "/_ping").data == b"OK"
        except BaseException as error:
            failures.append(error)

    with closing(Transport(place.address)) as transport:
        threads = [threading.Thread(target=ask) for _ in range(5)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    assert failures == []
    assert len(place.api.asked) == 100
    assert place.api.connections <= 5


def test_connection_that_the_engine_ended_while_idle_is_replaced(tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path / "s", [Last(OK)], [OK]) as engine, closing(Transport(engine.address)) as transport:
        transport.request("GET", "/1")
        assert transport.request("POST", "/2", {}).data == b"ok"
    assert engine.asked == [(0, "GET /1"), (1, "POST /2")]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_request_that_a_kept_connection_did_not_answer_is_asked_once_more(tmp_path: Path, method: str) -> None:
    with ScriptedEngine(tmp_path / "s", [OK, None], [OK]) as engine, closing(Transport(engine.address)) as transport:
        transport.request("GET", "/1")
        assert transport.request(method, "/2").data == b"ok"
    assert engine.asked == [(0, "GET /1"), (0, f"{method} /2"), (1, f"{method} /2")]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_answer_that_was_cut_is_asked_for_again_only_where_that_is_the_same(tmp_path: Path, method: str) -> None:
    with ScriptedEngine(tmp_path / "s", [OK, Last(CUT)], [OK]) as engine, closing(Transport(engine.address)) as subject:
        subject.request("GET", "/1")
        if method == "GET":
            assert subject.request(method, "/2").data == b"ok"
        else:
            with pytest.raises(HostError, match=r"^the engine's answer cannot be read: IncompleteRead\(2 bytes read"):
                subject.request(method, "/2")
            subject.request("GET", "/3")
    assert engine.asked[1:] == [(0, f"{method} /2"), (1, "GET /2" if method == "GET" else "GET /3")]


def test_silence_is_not_met_with_the_same_question(tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path / "s", [OK, b""], [OK]) as engine, closing(Transport(engine.address)) as transport:
        transport.request("GET", "/1")
        with pytest.raises(HostError, match=r"^no answer within 0.05 s$"):
            transport.request("GET", "/2", timeout_s=0.05)
        assert transport.request("GET", "/3").data == b"ok"
    assert engine.asked == [(0, "GET /1"), (0, "GET /2"), (1, "GET /3")]


def test_new_connection_that_ends_without_an_answer_is_no_engine(tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path / "s", [None]) as engine, pytest.raises(HostUnreachable) as caught:
        Transport(engine.address).request("GET", "/1")
    assert str(caught.value) == (
        f"no Docker engine answers at {engine.address}: Remote end closed connection without response; is it running, "
        "is DOCKER_HOST right?"
    )


def test_connection_that_an_answer_ends_is_not_kept(tmp_path: Path) -> None:
    closes = Last(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end")
    with ScriptedEngine(tmp_path / "s", [closes], [OK]) as engine, closing(Transport(engine.address)) as transport:
        assert transport.request("GET", "/1").data == b"to the end"
        assert transport.request("POST", "/2").data == b"ok"


def test_request_under_way_while_the_transport_closes_ends_with_its_connection(tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path / "s", [OK]) as engine:
        transport = Transport(engine.address)
        transport.close()
        # The engine's thread ends when the asker has gone, which this block waits for.
        assert transport.request("GET", "/1").data == b"ok"


def test_stream_carries_both_ways_and_what_came_with_the_head(place: Place) -> None:
    place.api.commands.append(["python3"])
    place.api.relayed = ["x" * 300_000]
    with closing(Transport(place.address)) as transport:
        stream = transport.hijack("POST", "/exec/e1/start", {"Tty": False})
        with closing(stream):
            for _ in range(2):
                stream.settimeout(5)
                stream.sendall(b"GET /status HTTP/1.1\r\n\r\n")
                wanted, received = 8 + len(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n") + 300_000, b""
                while len(received) < wanted:
                    received += stream.recv(65536)
                assert received[:1] == bytes([OUTPUT])
                assert received.endswith(b"x" * 300_000)
        assert place.api.left.wait(5)


def test_stream_begins_with_what_came_in_the_same_packet_as_the_head(tmp_path: Path) -> None:
    head = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
    with ScriptedEngine(tmp_path / "s", [Last(head + frame(OUTPUT, b"first"))]) as engine:
        stream = Transport(engine.address).hijack("POST", "/attach")
        assert [stream.recv(64), stream.recv(64)] == [frame(OUTPUT, b"first"), b""]
        stream.close()


def test_stream_that_is_closed_ends_for_the_thread_that_reads(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    stream = Stream(ours, ours.makefile("rb"))
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(stream.recv(1)))
    reader.start()
    stream.close()
    reader.join()
    theirs.close()
    assert received == [b""]
    assert stream.recv(1) == b""


@pytest.mark.parametrize(
    ("answer", "ours", "text"),
    [
        (b'409 Conflict\r\nContent-Length: 17\r\n\r\n{"message":"off"}', Conflict, "off"),
        (b"204 No\r\n\r\n", HostError, "the engine answered 204 and kept the connection"),
        (b"twenty\r\n\r\n", HostError, "the engine's answer cannot be read: HTTP/1.1 twenty\r\n"),
    ],
)
def test_connection_that_is_not_handed_over_says_why(
    tmp_path: Path, answer: bytes, ours: type[HostError], text: str
) -> None:
    with ScriptedEngine(tmp_path / "s", [b"HTTP/1.1 " + answer]) as engine, pytest.raises(ours) as caught:
        Transport(engine.address).hijack("POST", "/exec/e1/start", {})
    assert str(caught.value) == text


def test_lines_that_end_too_early_are_no_answer(tmp_path: Path) -> None:
    cut = Last(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\none\n")
    with (
        ScriptedEngine(tmp_path / "s", [cut]) as engine,
        pytest.raises(HostError, match=r"^the engine's answer cannot be read: "),
    ):
        list(Transport(engine.address).lines("POST", "/images/create"))


def test_pieces_that_end_too_early_are_no_whole_answer(tmp_path: Path) -> None:
    cut = Last(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\none\n")
    with (
        ScriptedEngine(tmp_path / "s", [cut]) as engine,
        pytest.raises(HostError, match=r"^the engine's answer cannot be read: "),
    ):
        list(Transport(engine.address).pieces("/containers/c1/logs"))
