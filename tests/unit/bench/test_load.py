"""How the reports of wrk and vegeta are read, and that no failure in them is lost."""

from __future__ import annotations

import pytest

from tests.bench import load

WRK = """Running 1s test @ http://127.0.0.1:1/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.02ms    1.55ms  20.94ms   91.35%
    Req/Sec    51.02k     9.77k   65.33k    80.00%
  50771 requests in 1.00s, 12.30MB read
{trouble}Requests/sec:  50658.08
Transfer/sec:     12.27MB
"""
# Timestamp, status, latency, bytes out and in, error, body, attack, number, method, address, headers.
HITS = [
    "1700000001000000000,200,350000,100,100,,,,1,POST,http://c1.bench:80/,",
    "1700000000000000000,200,250000,0,100,,,,0,GET,http://c0.bench:80/,",
    "1700000002000000000,503,1000000,0,100,503 Service Unavailable,,,2,GET,http://c2.bench:80/,",
    '1700000003000000000,0,5000000000,100,0,"Post ""http://c3.bench:80/"": read tcp 1->2: connection reset by peer",'
    ",,3,POST,http://c3.bench:80/,",
]


def test_wrk_report_gives_requests_and_rate() -> None:
    assert load.parse_wrk(WRK.format(trouble="")) == load.Throughput(50771, 50658.08)


@pytest.mark.parametrize(
    "text",
    [
        WRK.format(trouble="  Non-2xx or 3xx responses: 3\n"),
        WRK.format(trouble="  Socket errors: connect 0, read 1, write 0, timeout 0\n"),
        "unable to connect to 127.0.0.1:1 Connection refused",
    ],
)
def test_wrk_report_with_failures_is_refused(text: str) -> None:
    with pytest.raises(load.Failed, match="wrk said"):
        load.parse_wrk(text)


def test_hits_are_in_the_order_in_which_they_were_sent() -> None:
    hits = load.parse_hits(HITS)
    assert [(hit.at_s, hit.took_s, hit.status, hit.method) for hit in hits[:2]] == [
        (1700000000, 0.00025, 200, "GET"),
        (1700000001, 0.00035, 200, "POST"),
    ]
    assert [hit.failed for hit in hits] == [False, False, True, True]


def test_failures_are_counted_by_method_status_and_error() -> None:
    hits = load.parse_hits([*HITS, HITS[-1]])
    assert load.failures(hits) == "3 (2 POST connection reset by peer, 1 GET 503)"
    assert load.failures(hits[:2]) == "0"
