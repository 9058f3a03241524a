from __future__ import annotations

from pathlib import Path

from runyard.contracts import UsageAmounts, UsageBatch, UsageWindow, decode
from services.meter.spool import Spool

from .story import MINUTE, START


def batch(sequence: int, windows: int = 1) -> UsageBatch:
    window = UsageWindow("shop", "web", "web-1", "a", "c", 1, START, START + MINUTE, "usage", UsageAmounts(1))
    return UsageBatch(sequence, (window,) * windows)


def after(spool: Spool, sequence: int) -> UsageBatch:
    return decode(UsageBatch, spool.after(sequence))


def test_batches_come_one_by_one_in_their_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for each in (batch(7), batch(9)):
        spool.put(each)
    assert (after(spool, 0), after(spool, 7), after(spool, 8)) == (batch(7), batch(9), batch(9))
    # Nothing is newer.
    assert after(spool, 9) == UsageBatch(9)
    assert spool.last == 9


def test_batches_outlive_a_restart_and_half_a_file_is_none(tmp_path: Path) -> None:
    Spool(tmp_path).put(batch(7))
    (tmp_path / "00000000000000000009.json.draft").write_text("{")
    again = Spool(tmp_path)
    assert (after(again, 0), again.last, again.bytes) == (batch(7), 7, len((tmp_path / f"{7:020}.json").read_text()))
    assert not list(tmp_path.glob("*.draft"))


def test_batch_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.put(batch(7))
    spool.put(batch(7, windows=2))
    assert after(spool, 0) == batch(7)


def test_oldest_make_room_and_are_counted(tmp_path: Path) -> None:
    spool = Spool(tmp_path, most_bytes=1000)
    for sequence in range(1, 11):
        spool.put(batch(sequence))
    assert spool.bytes <= 1000
    assert spool.dropped == 10 - len(list(tmp_path.iterdir())) > 0
    assert after(spool, 0).sequence == spool.dropped + 1
    # One is always kept, however large.
    spool.put(batch(11, windows=50))
    assert after(spool, 10) == batch(11, windows=50)
