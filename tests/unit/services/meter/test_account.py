"""The account: lines, windows and batches in one state, from which a kill goes on as if nothing had been."""

from __future__ import annotations

from runyard.contracts import decode, encode
from services.meter.account import BATCH_WINDOWS, Account, Checkpoint, batches, first_checkpoint
from services.meter.tail import TailState
from services.meter.windows import GRACE_MS

from .story import MINUTE, SECOND, START, counters, instance, line


def account(now_ms: int = START) -> Account:
    return Account(first_checkpoint(now_ms))


def pass_minute(subject: Account, minute: int) -> None:
    now = START + minute * MINUTE + GRACE_MS
    subject.observe(lambda _: counters(minute * 1_000_000), now, known=True)
    subject.read_ms = now
    subject.close(now)


def test_windows_are_closed_into_batches_whose_sequences_are_moments() -> None:
    subject = account()
    subject.follow([instance()], START)
    subject.take([line(START + SECOND)], START + 2 * SECOND)
    pass_minute(subject, 1)
    pass_minute(subject, 2)
    first, second = subject.pending
    assert (first.sequence, second.sequence) == (START + MINUTE + GRACE_MS, START + 2 * MINUTE + GRACE_MS)
    assert [each.amounts.requests for each in (*first.windows, *second.windows)] == [1, 0]
    assert subject.windows_closed == 2


def test_window_stays_open_while_the_log_is_not_read_that_far() -> None:
    subject = account()
    subject.follow([instance()], START)
    subject.observe(lambda _: counters(1), START + 5 * MINUTE, known=True)
    subject.close(START + 5 * MINUTE)
    assert subject.pending == []
    subject.read_ms = START + 5 * MINUTE
    subject.close(START + 5 * MINUTE)
    assert len(subject.pending[0].windows) == 4


def test_clock_that_was_set_back_makes_no_sequence_twice() -> None:
    windows = tuple(Account(first_checkpoint(START)).pending)
    assert windows == ()
    subject = account()
    subject.sequence = START + 9 * MINUTE
    subject.follow([instance()], START)
    pass_minute(subject, 1)
    assert subject.pending[0].sequence == START + 9 * MINUTE + 1


def test_many_windows_are_several_batches() -> None:
    subject = account()
    subject.follow([instance()], START)
    pass_minute(subject, 1)
    (window,) = subject.pending[0].windows
    made = list(batches([window] * (2 * BATCH_WINDOWS + 1), 0, START))
    assert [(each.sequence - START, len(each.windows)) for each in made] == [(0, 1000), (1, 1000), (2, 1)]


def test_lines_that_cannot_be_read_are_counted_and_left_out() -> None:
    subject = account()
    subject.take([b"", b"{", b"\xff", line(START, version=2), line(START, more=1), line(START)], START)
    assert (subject.taken, subject.refused) == (1, 5)
    assert subject.refusal == "decode RequestLine: unknown field 'more'"
    assert sum(count for each in subject.requests.revisions() for _, count in each.statuses) == 1


def test_containers_that_cannot_be_read_are_not_among_the_readings() -> None:
    subject = account()
    subject.follow([instance()], START)
    assert subject.observe(lambda _: None, START + SECOND, known=True) == {}
    assert subject.observe(lambda _: counters(1), START + 2 * SECOND, known=True) == {"c1": counters(1)}


def test_instance_that_came_while_the_registry_was_away_is_told_from_its_start() -> None:
    subject = account()
    subject.follow([], START)
    for minute in range(1, 5):
        subject.observe(lambda _: counters(1), START + minute * MINUTE, known=False)
    assert subject.windows.seen_ms == START
    subject.observe(lambda _: counters(1), START + 5 * MINUTE, known=True)
    assert subject.windows.seen_ms == START + 5 * MINUTE


def test_kill_at_any_moment_goes_on_from_the_checkpoint_as_if_nothing_had_been() -> None:
    lines = [[line(START + second * SECOND, status=200 + second % 3)] for second in range(0, 120, 2)]

    def play(kill_at: int) -> Checkpoint:
        subject = account()
        subject.follow([instance()], START)
        kept, kept_at = subject.export(TailState()), 0
        number = killed = 0
        while number < len(lines):
            if number == kill_at and not killed:
                # What was taken in since the checkpoint is read again.
                subject, number, killed = Account(decode(Checkpoint, encode(kept))), kept_at, 1
            now = START + number * 2 * SECOND
            subject.take(lines[number], now)
            subject.observe(lambda _, now=now: counters((now - START) * 10), now, known=True)  # type: ignore[misc]
            subject.read_ms = now
            subject.close(START)
            number += 1
            if number % 5 == 0:
                kept, kept_at = subject.export(TailState()), number
        return subject.export(TailState())

    whole = play(-1)
    assert whole.pending
    assert all(play(kill_at) == whole for kill_at in range(1, 60, 7))
