"""Ask: one request to a unix socket, for whoever may execute a command in its container; the answer is printed.

Standard library alone and no imports of ours: it must start in a few milliseconds.
"""

from __future__ import annotations

import http.client
import socket
import sys

# The largest month takes seconds to be rated.
TIMEOUT_S = 120.0
# How a command ends whose answer is a problem.
REFUSED = 1


def dial(path: str, timeout_s: float) -> http.client.HTTPConnection:
    """Connect to the server at a unix socket, each step within `timeout_s`; OSError without one."""
    connection = http.client.HTTPConnection("localhost", timeout=timeout_s)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(timeout_s)
    try:
        connection.sock.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def ask(path: str, method: str, target: str, body: str) -> tuple[int, str]:
    """Ask the server at a unix socket and give status and body; OSError without one."""
    connection = dial(path, TIMEOUT_S)
    try:
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request(method, target, body or None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def main() -> int:
    """Ask as the arguments say: SOCKET METHOD TARGET [BODY]."""
    path, method, target, *rest = sys.argv[1:]
    status, text = ask(path, method, target, rest[0] if rest else "")
    print(text)
    return 0 if status < http.client.BAD_REQUEST else REFUSED


if __name__ == "__main__":
    sys.exit(main())
