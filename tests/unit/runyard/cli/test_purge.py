"""What `runyard purge` asks of the gateway, and what it makes of the answer."""

from __future__ import annotations

import pytest

from runyard.cli.purge import check_answer, purge_request
from runyard.errors import HostError, UsageError


def test_request_names_the_service_and_the_path() -> None:
    assert purge_request("shop", "web", None) == '{"service": "shop/web"}'
    assert purge_request("shop", "web", "/a") == '{"path": "/a", "service": "shop/web"}'


@pytest.mark.parametrize("path", ["a", "", "/a?x=1", "/a#b"])
def test_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(UsageError, match=r"^purge shop/web: PATH must begin with / and have no query, got "):
        purge_request("shop", "web", path)


def test_good_answer_is_no_error() -> None:
    check_answer("shop/web", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ('HTTP/1.1 409 Conflict\r\n\r\n{"detail":"the service has no cache"}', "the service has no cache"),
        ("HTTP/1.1 500 Oh 200 no\r\n\r\nplain", "HTTP/1.1 500 Oh 200 no\r\n\r\nplain"),
        ("", "the gateway does not answer"),
    ],
)
def test_bad_answer_says_why(answer: str, reason: str) -> None:
    with pytest.raises(HostError) as caught:
        check_answer("shop/web", answer)
    assert str(caught.value) == f"purge shop/web: {reason}"
