"""The window's contract: what the ledger may rely on, whoever writes it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from runyard.contracts import WINDOW_MS, UsageAmounts, UsageBatch, UsageWindow, decode, encode, fields_of
from runyard.errors import ContractError

WINDOW = UsageWindow(
    tenant="shop",
    service="web",
    revision="web-1",
    instance="a1",
    container="f" * 64,
    started_ms=1_795_435_200_123,
    start_ms=1_795_435_200_000,
    end_ms=1_795_435_260_000,
    kind="usage",
    amounts=UsageAmounts(cpu_us=1, requests=2, estimated=True),
)


def changed(**fields: Any) -> str:
    batch = json.loads(encode(UsageBatch(7, (WINDOW,))))
    batch["windows"][0] |= fields
    return json.dumps(batch)


def test_windows_are_whole_minutes_of_utc() -> None:
    assert WINDOW_MS == 60_000
    # Since 1970, so the border of an hour, a day and a month is the border of a window.
    assert 86_400_000 % WINDOW_MS == 0
    assert (WINDOW.start_ms % WINDOW_MS, WINDOW.end_ms - WINDOW.start_ms) == (0, WINDOW_MS)


def test_amounts_are_whole_numbers_and_one_mark() -> None:
    kinds = {each.name: each.type for each in dataclasses.fields(UsageAmounts)}
    assert {name for name, kind in kinds.items() if kind != "int"} == {"estimated"}
    assert fields_of(UsageAmounts) >= {
        *("cpu_us", "memory_byte_ms", "memory_peak_bytes", "active_ms", "allocated_ms", "frozen_ms"),
        *("requests", "egress_bytes", "cpu_limit_millis", "memory_limit_bytes"),
    }


def test_amounts_that_are_left_out_are_none() -> None:
    text = changed(amounts={"cpu_us": 5})
    (window,) = decode(UsageBatch, text).windows
    assert window.amounts == UsageAmounts(cpu_us=5)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "money"}, "decode UsageBatch.windows[0].kind: must be one of usage, got 'money'"),
        ({"started_ms": 1.5}, "decode UsageBatch.windows[0].started_ms: must be of type int, got 1.5"),
        ({"amounts": {"cpu_us": "1"}}, "decode UsageBatch.windows[0].amounts.cpu_us: must be of type int, got '1'"),
        ({"amounts": {"watts": 1}}, "decode UsageBatch.windows[0].amounts: unknown field 'watts'"),
        ({"container": None}, "decode UsageBatch.windows[0].container: must be of type str, got None"),
    ],
)
def test_window_that_does_not_fit_is_refused_with_its_place(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractError) as caught:
        decode(UsageBatch, changed(**fields))
    assert str(caught.value) == message


def test_amounts_beyond_any_machine_stay_exact() -> None:
    # 64 TiB for a minute in byte-milliseconds is more than a float keeps.
    amount = 64 * 1024**4 * WINDOW_MS + 1
    batch = UsageBatch(1, (dataclasses.replace(WINDOW, amounts=UsageAmounts(memory_byte_ms=amount)),))
    assert decode(UsageBatch, encode(batch)).windows[0].amounts.memory_byte_ms == amount


def test_batch_with_nothing_new_is_its_sequence_alone() -> None:
    assert decode(UsageBatch, '{"sequence":7}') == UsageBatch(7, ())


def test_window_without_its_run_is_refused() -> None:
    batch = json.loads(encode(UsageBatch(7, (WINDOW,))))
    del batch["windows"][0]["started_ms"]
    with pytest.raises(ContractError, match=r"windows\[0\]: field 'started_ms' is missing$"):
        decode(UsageBatch, json.dumps(batch))
