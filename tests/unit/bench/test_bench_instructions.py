"""What callgrind's dump says of a request."""

from __future__ import annotations

import pytest

from tests.bench.bench_instructions import per_request

DUMP = """\
summary: 90000

fn=(1) ngx_http_finalize_request
1 40
cfn=(7) ngx_http_free_request
calls=2 0
1 500

fn=(2) ngx_http_keepalive
cfn=(8) ngx_destroy_pool
calls=9 0
1 10
cfn=(7)
calls=1 0
1 250

totals: 90000
"""


def test_instructions_are_divided_by_the_requests_that_ended() -> None:
    assert per_request(DUMP) == 90000 / 3


def test_dump_without_requests_is_refused() -> None:
    with pytest.raises(ValueError, match="calls of ngx_http_free_request"):
        per_request(DUMP.replace("free_request", "other"))
