import json
import socket
import struct
import threading

import pytest

from runyard.errors import HostError, RelayEnded
from runyard.host.relay import Relay, unframe
from runyard.host.transport import Stream

OUTPUT, ERRORS = 1, 2


def frame(kind, data):
    return struct.pack(">BxxxL", kind, len(data)) + data


def answer(status, body, *extra):
    head = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}", *extra]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


class Engine:
    """The engine's end of an attached command: it reads requests plain and writes scripted bytes."""

    def __init__(self, *scripts):
        ours, self.theirs = socket.socketpair()
        self.requests = []
        self.relay = Relay(Stream(ours, ours.makefile("rb")))
        self._scripts = scripts
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        for script in self._scripts:
            self.requests.append(self._read())
            self.theirs.sendall(script)

    def _read(self):
        received = b""
        while b"\r\n\r\n" not in received:
            data = self.theirs.recv(65536)
            if not data:
                return received
            received += data
        head, _, body = received.partition(b"\r\n\r\n")
        lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
        while len(body) < int(lengths[0] if lengths else 0):
            body += self.theirs.recv(65536)
        return head + b"\r\n\r\n" + body

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.relay.close()
        self._thread.join()
        self.theirs.close()


def test_request_and_answer_pass_through_frames():
    with Engine(frame(OUTPUT, answer(200, '{"a":1}'))) as engine:
        assert engine.relay.request("PUT", "/v1/routes/a/b", "body", 5) == (200, '{"a":1}')
    head = engine.requests[0].decode()
    assert head.startswith("PUT /v1/routes/a/b HTTP/1.1\r\n")
    assert "Content-Type: application/json\r\n" in head
    assert head.endswith("\r\n\r\nbody")


def test_connection_carries_one_request_after_another():
    with Engine(
        frame(OUTPUT, answer(200, "one")), frame(OUTPUT, answer(204, "")), frame(OUTPUT, answer(409, "x"))
    ) as e:
        answers = [e.relay.request(method, "/", "", 5) for method in ("GET", "DELETE", "PUT")]
    assert answers == [(200, "one"), (204, ""), (409, "x")]


def test_answer_may_come_in_any_pieces():
    body = json.dumps({"lines": ["x" * 50] * 40})
    whole = answer(200, body)
    pieces = [frame(OUTPUT, whole[at : at + 7]) for at in range(0, len(whole), 7)]
    with Engine(b"".join(pieces)) as engine:
        assert engine.relay.request("GET", "/", "", 5) == (200, body)


def test_what_the_command_says_on_its_error_output_is_no_answer():
    with Engine(frame(ERRORS, b"warning") + frame(OUTPUT, answer(200, "fine"))) as engine:
        assert engine.relay.request("GET", "/", "", 5) == (200, "fine")


def test_end_without_an_answer_says_why():
    with Engine(frame(ERRORS, b"control.sock: Connection refused\n")) as engine:
        engine._thread.join(0.01)
        threading.Thread(target=lambda: (engine._thread.join(), engine.theirs.shutdown(socket.SHUT_RDWR))).start()
        with pytest.raises(RelayEnded, match=r"^control\.sock: Connection refused$"):
            engine.relay.request("GET", "/", "", 5)


def test_end_within_an_answer_is_an_end_too():
    with Engine(frame(OUTPUT, answer(200, "whole"))[:-2]) as engine:
        threading.Thread(target=lambda: (engine._thread.join(), engine.theirs.shutdown(socket.SHUT_RDWR))).start()
        with pytest.raises(RelayEnded):
            engine.relay.request("GET", "/", "", 5)


def test_relay_whose_other_side_is_gone_says_so():
    with Engine() as engine:
        engine.theirs.close()
        with pytest.raises(RelayEnded):
            engine.relay.request("GET", "/", "", 5)


def test_silence_is_an_error_that_asking_anew_would_not_mend():
    with Engine(b"") as engine:
        with pytest.raises(HostError, match=r"^no answer within 0.05 s$") as caught:
            engine.relay.request("GET", "/", "", 0.05)
        assert not isinstance(caught.value, RelayEnded)


def test_frames_are_joined_whatever_output_they_are_of_and_a_cut_one_counts_as_far_as_it_goes():
    assert unframe(frame(OUTPUT, b"a\n") + frame(ERRORS, b"b\n") + frame(OUTPUT, b"cut")[:-1]) == b"a\nb\ncu"
    assert unframe(b"") == b""
