"""What the hello does wrong when it is asked to."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.unit.services.hello.program import Hello, Start


def resident_bytes(hello: Hello) -> int:
    pages = int(Path(f"/proc/{hello.process.pid}/statm").read_text().split()[1])
    return pages * 4096


def processor_seconds(hello: Hello) -> float:
    fields = Path(f"/proc/{hello.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_sleep_answers_no_sooner_than_asked(hello: Hello) -> None:
    began = time.monotonic()
    answer = hello.get("/sleep?ms=60")
    assert answer.json() == {"slept_ms": 60}
    assert time.monotonic() - began >= 0.06


def test_fail_answers_the_status_asked_for(hello: Hello) -> None:
    assert hello.get("/fail").status == 500
    assert hello.get("/fail?status=429").status == 429


def test_fail_rate_is_exact_over_a_run(hello: Hello) -> None:
    statuses = [hello.get("/fail?status=503&rate=0.25").status for _ in range(20)]
    assert statuses == [200, 200, 200, 503] * 5


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/fail?status=99", 'status: must be a whole number from 200 to 599, got "99"'),
        ("/fail?rate=1.5", 'rate: must be a number from 0 to 1, got "1.5"'),
        ("/fail?rate=NaN", 'rate: must be a number from 0 to 1, got "NaN"'),
        ("/sleep?ms=-1", 'ms: must be a whole number from 0 to 3600000, got "-1"'),
        ("/burn?ms=x", 'ms: must be a whole number from 0 to 3600000, got "x"'),
        ("/allocate?mib=65537", 'mib: must be a whole number from 0 to 65536, got "65537"'),
        ("/exit?code=256", 'code: must be a whole number from 0 to 255, got "256"'),
        ("/write?mib=x", 'mib: must be a whole number from 0 to 65536, got "x"'),
        ("/stream?chunks=x", 'chunks: must be a whole number from 0 to 1000000, got "x"'),
        ("/events?interval_ms=x", 'interval_ms: must be a whole number from 0 to 3600000, got "x"'),
    ],
)
def test_parameter_out_of_range_is_refused_with_rule_and_value(hello: Hello, path: str, problem: str) -> None:
    answer = hello.get(path)
    assert (answer.status, answer.json()) == (400, {"error": problem})


def test_exit_answers_then_ends_the_process_with_the_code(hello: Hello) -> None:
    assert hello.get("/exit?code=42").status == 202
    assert hello.exit_code() == 42
    assert hello.log()["reason"] == "/exit was called"


def test_burn_uses_a_core_for_the_time_asked(hello: Hello) -> None:
    before = processor_seconds(hello)
    for _ in range(5):
        assert hello.get("/burn?ms=200").status == 200
    # A shared machine gives less than a whole core; an answer that only slept would use none.
    assert processor_seconds(hello) - before >= 0.1


def test_allocate_holds_real_memory_until_it_is_given_back(hello: Hello) -> None:
    before = resident_bytes(hello)
    assert hello.get("/allocate?mib=24").json() == {"held_mib": 24}
    assert hello.get("/allocate?mib=8").json() == {"held_mib": 32}
    assert resident_bytes(hello) - before >= 32 << 20
    assert hello.get("/allocate?mib=0").json() == {"held_mib": 0}


def test_write_makes_the_file(hello: Hello, tmp_path: Path) -> None:
    answer = hello.get("/write", {"path": str(tmp_path / "note"), "mib": "2"})
    assert answer.status == 200
    assert (tmp_path / "note").stat().st_size == 2 << 20


def test_write_that_fails_is_forbidden_with_the_reason(hello: Hello, tmp_path: Path) -> None:
    path = str(tmp_path / "absent" / "note")
    answer = hello.get("/write", {"path": path})
    assert answer.status == 403
    assert answer.json() == {"path": path, "error": f"open {path}: no such file or directory"}


def test_fail_start_ends_with_its_text_as_last_log_line(start: Start) -> None:
    hello = start(FAIL_START="database unreachable")
    assert hello.exit_code() == 1
    assert hello.log()["error"] == "database unreachable"


@pytest.mark.parametrize(("settings", "code"), [({}, 1), ({"EXIT_CODE": "0"}, 0), ({"EXIT_CODE": "42"}, 42)])
def test_exit_after_ends_with_a_failure_or_the_code_asked_for(
    start: Start, settings: dict[str, str], code: int
) -> None:
    hello = start(EXIT_AFTER_MS="30", **settings)
    assert hello.exit_code() == code
    assert hello.log()["event"] == "started"
    assert hello.log()["reason"] == "EXIT_AFTER_MS is over"


def test_listen_port_leaves_the_platforms_port_silent(start: Start) -> None:
    other = start()
    other.log()
    other.process.kill()
    other.process.wait()
    hello = start(LISTEN_PORT=str(other.port))
    assert hello.log()["address"].endswith(f":{other.port}")
    with pytest.raises(ConnectionRefusedError):
        hello.get("/")


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("PORT", "http", 'PORT: must be a whole number from 0 to 65535, got "http"'),
        ("START_DELAY_MS", "-5", 'START_DELAY_MS: must be a whole number from 0 to 3600000, got "-5"'),
        ("CALLS", "cart", 'CALLS: must be name=url pairs joined by commas, got "cart"'),
    ],
)
def test_setting_that_cannot_be_read_is_refused(start: Start, name: str, value: str, problem: str) -> None:
    hello = start(**{name: value})
    assert hello.exit_code() == 2
    assert hello.log()["error"] == problem
