from __future__ import annotations

import pytest

from runyard.contracts import MOST_ENTRIES
from runyard.errors import UsageError
from services.logs.query import LogQuery, in_order, parse_query


def test_everything_that_is_asked_is_in_the_query() -> None:
    asked = [
        *(("revision", "web-1"), ("instance", "a1"), ("request", "0123456789abcdef"), ("severity", "CRITICAL")),
        *(("field", "jsonPayload.order=7"), ("field", "trace=t"), ("grep", "no s.*k"), ("limit", "7")),
        *(("since", "2026-11-28T02:26:00Z"), ("until", "2026-11-28T03:00:00+01:00")),
    ]
    query = parse_query("web", asked)
    assert (query.since, query.until, query.limit) == ("2026-11-28T02:26:00Z", "2026-11-28T03:00:00+01:00", 7)
    assert query.logsql() == (
        '{service="web",revision="web-1",instance="a1"} _msg:"0123456789abcdef" '
        'severity:in("CRITICAL","ALERT","EMERGENCY") "jsonPayload.order":="7" "trace":="t" _msg:~"no s.*k"'
    )
    assert LogQuery("web").logsql() == '{service="web"}'


def test_what_is_asked_stays_a_text_whatever_it_holds() -> None:
    query = parse_query("web", [("grep", '" or * | delete'), ("field", 'jsonPayload.a"b=\\ "x')])
    assert query.logsql() == '{service="web"} "jsonPayload.a\\"b":="\\\\ \\"x" _msg:~"\\" or * | delete"'


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("since", "yesterday"), "log: since: must be a time with an offset (RFC 3339), got 'yesterday'"),
        (("until", "2026-11-28T02:26:00"), "log: until: must be a time with an offset (RFC 3339)"),
        (("revision", 'a"} or {'), "log: revision: must be a DNS label"),
        (("instance", "../x"), "log: instance: must be an instance's number, got '../x'"),
        (("request", "short"), "log: request: must be 8 to 128 letters, digits, dots and dashes, got 'short'"),
        (("severity", "error"), "log: severity: must be one of DEFAULT, DEBUG"),
        (("field", "service=web"), "log: field: must be NAME=VALUE, of jsonPayload.*"),
        (("field", "jsonPayload.x"), "log: field: must be NAME=VALUE"),
        (("grep", "x" * 1001), "log: grep: must be at most 1000 characters"),
        (("limit", "0"), f"log: limit: must be a number from 1 to {MOST_ENTRIES}, got '0'"),
        (("limit", "-1"), "log: limit: must be a number"),
        (("tenant", "other"), "log: tenant: must be one of since, until"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_was_seen(asked: tuple[str, str], told: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_query("web", [asked])
    assert str(raised.value).startswith(told)


def test_what_is_given_twice_or_of_no_service_is_refused() -> None:
    with pytest.raises(UsageError, match="log: grep: must be given once"):
        parse_query("web", [("grep", "a"), ("grep", "b")])
    with pytest.raises(UsageError, match="log: service: must be a DNS label"):
        parse_query("We b", [])


def record(time: str, offset: int, **others: str) -> dict[str, str]:
    own = {"service": "web", "revision": "web-1", "instance": "a1", "container": "app", "output": "stdout"}
    named = {"id": "c" * 64, "file": "f" * 16, "offset": str(offset), "_stream": "{}", "_stream_id": "0"}
    return {"_time": time, "_msg": f"at {offset}", **own, **named, **others}


def test_entries_are_in_the_order_of_time_and_of_the_file_where_that_is_the_same() -> None:
    times = ("2026-11-28T02:26:00.5Z", "2026-11-28T02:26:00.123456789Z", "2026-11-28T02:26:00Z")
    found = in_order([*(record(time, 7) for time in times), record(times[0], 0), record(times[0], 10, severity="INFO")])
    assert [(each.time, each.text) for each in found] == [
        (times[2], "at 7"), (times[1], "at 7"), (times[0], "at 0"), (times[0], "at 7"), (times[0], "at 10"),
    ]  # fmt: skip
    assert (found[-1].id, found[-1].fields, found[-1].severity) == (
        "cccccccccccc-ffffffff-10",
        {"severity": "INFO"},
        "INFO",
    )
