"""A program of Google's cloud that prints an ID token for an audience, sent from an address of an instance.

Where it asks is told by GCE_METADATA_HOST and GCE_METADATA_IP, as in an instance.
"""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import urlsplit

import google.auth.transport
from google.oauth2 import id_token

from tests.harness.client import Answer, answer_of, connect


class _Response(google.auth.transport.Response):  # type: ignore[misc]
    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    status = property(lambda self: self._answer.status)
    # Which the library finds whatever their case.
    headers = property(lambda self: {name.lower(): value for name, value in self._answer.headers.items()})
    data = property(lambda self: self._answer.body)


class _Request(google.auth.transport.Request):  # type: ignore[misc]
    def __init__(self, source: str) -> None:
        self._source = source

    def __call__(self, url: str, method: str = "GET", body: Any = None, headers: Any = None, **_: Any) -> _Response:
        place = urlsplit(url)
        path = (place.path or "/") + (f"?{place.query}" if place.query else "")
        with connect(place.port or 80, self._source) as connection:
            connection.request(method, path, body, headers)
            return _Response(answer_of(connection.getresponse()))


if __name__ == "__main__":
    print(id_token.fetch_id_token(_Request(sys.argv[2]), sys.argv[1]))
