"""Budgeting: thresholds act once a month and budget, on what was spent or will be, and never on the want of data."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from runyard.contracts import Budget, Budgets, Restriction, Restrictions, Threshold, UsageWindow
from runyard.contracts.budget import BudgetAction, Spending
from runyard.database import connect
from services.billing.adapters.budgets import find_crossings
from services.billing.adapters.database import LedgerError, LedgerUnavailable, writing
from services.billing.adapters.orchestrator import Orchestrator, OrchestratorUnavailable
from services.billing.adapters.usage import note_sequence, take_windows
from services.billing.budgeting import REPEAT_S, Budgeting, Watch
from services.billing.domain.month import Month
from services.billing.invoicing import Invoicing, Issuer
from tests.harness.ports import free_port
from tests.harness.waiting import until
from tests.unit.services.billing.test_collector import Lines
from tests.unit.services.billing.world import ask, at, minutes, set_prices

# A minute of `BUSY` costs about 1.1 cents, so an hour 66 and a day of hours 15.97.
NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
NOVEMBER_UNIX_S = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())


def threshold(percent: int, action: BudgetAction = "warn", spending: Spending = "actual", most: int = 0) -> Threshold:
    return Threshold(percent, spending, action, most)


class Told:
    """An orchestrator that keeps what it is told, or refuses it."""

    def __init__(self) -> None:
        self.restrictions: list[Restrictions] = []
        self.refuses = False

    def restrict(self, restrictions: Restrictions) -> None:
        if self.refuses:
            raise OrchestratorUnavailable("away")
        self.restrictions.append(restrictions)

    @property
    def last(self) -> tuple[Restriction, ...]:
        return self.restrictions[-1].restrictions


class Scene:
    """A ledger with a budget of shop's, and whoever carries out what comes of it."""

    def __init__(self, engine: Engine, amount: str, *thresholds: Threshold) -> None:
        self.engine, self.now, self.seconds = engine, NOON, 0.0
        self.told, self.log, self.batch = Told(), Lines(), 0
        set_prices(engine)
        self.begin(amount, *thresholds)

    def begin(self, amount: str, *thresholds: Threshold) -> None:
        """Begin anew, as after an update of the manifests."""
        budgets = Budgets({"shop": Budget(Decimal(amount), "USD", thresholds)} if thresholds else {})
        invoicing = Invoicing(self.engine, Issuer("acme"), lambda: self.now)
        self.watch = Watch(Budgeting(self.engine, invoicing, budgets, self.log), self.told, lambda: self.seconds)

    def use(self, windows: Sequence[UsageWindow]) -> None:
        """Write a batch as the collector does."""
        self.batch += 1
        with writing(self.engine) as connection:
            take_windows(connection, [(each, "request") for each in windows])
            note_sequence(connection, "meter", self.batch)

    def crossings(self) -> list[tuple[int, str]]:
        return [(each["percent"], each["amount"]) for name, each in self.log.events if name == "budget crossed"]


def test_threshold_acts_once_when_spending_comes_to_it(engine: Engine) -> None:
    scene = Scene(engine, "0.66", threshold(50), threshold(100, "limit", most=1), threshold(200, "stop"))
    scene.use(minutes(29))
    scene.watch.step()
    assert (scene.crossings(), scene.told.last) == ([], ())
    scene.use(minutes(60))
    for _ in range(3):
        scene.watch.step()
    assert scene.crossings() == [(50, "0.67"), (100, "0.67")]
    reason = "actual cost of 2026-10 came to 100 % of its tenant's budget"
    assert scene.told.last == (Restriction("shop", 1, NOVEMBER_UNIX_S, reason),)
    scene.use(minutes(120))
    scene.watch.step()
    assert (scene.crossings()[2:], scene.told.last[0].most) == ([(200, "1.33")], 0)
    assert len(ask(engine, "SELECT id FROM crossings")) == 3
    (status,) = scene.watch.latest.budgets
    assert [(each.threshold.percent, each.amount) for each in status.crossings][2] == (200, Decimal("1.33"))


def test_new_process_goes_on_with_what_was_crossed(engine: Engine) -> None:
    scene = Scene(engine, "0.50", threshold(100, "stop"))
    scene.use(minutes(60))
    scene.watch.step()
    scene.begin("0.50", threshold(100, "stop"))
    scene.watch.step()
    assert (len(scene.crossings()), scene.told.last[0].most) == (1, 0)


def test_raised_budget_lifts_what_the_old_one_restricted_and_is_crossed_anew(engine: Engine) -> None:
    scene = Scene(engine, "0.50", threshold(100, "stop"))
    scene.use(minutes(60))
    scene.watch.step()
    scene.begin("1.00", threshold(100, "stop"))
    scene.watch.step()
    assert scene.told.last == ()
    scene.use(minutes(120))
    scene.watch.step()
    assert scene.told.last[0].most == 0
    # What was raised and lowered again is another budget than it was.
    scene.begin("0.50", threshold(100, "stop"))
    scene.watch.step()
    assert [amount for _, amount in scene.crossings()] == ["0.67", "1.33", "1.33"]


def test_budget_that_is_gone_restricts_nothing(engine: Engine) -> None:
    scene = Scene(engine, "0.50", threshold(100, "stop"))
    scene.use(minutes(60))
    scene.watch.step()
    scene.begin("0.50")
    scene.watch.step()
    assert scene.told.last == ()


def test_month_that_begins_lifts_what_the_one_before_restricted(engine: Engine) -> None:
    scene = Scene(engine, "0.50", threshold(100, "stop"))
    scene.use(minutes(60))
    scene.watch.step()
    scene.now = datetime(2026, 11, 1, tzinfo=UTC)
    scene.watch.step()
    assert scene.told.last == ()


def test_forecast_is_told_after_a_day_and_goes_on_as_the_month_did(engine: Engine) -> None:
    scene = Scene(engine, "20.00", threshold(100, "block", "forecast"))
    scene.use(minutes(60))
    scene.watch.step()
    assert scene.watch.latest.budgets[0].spend.forecast == Decimal("0.67")
    # Two hours in two days are 31 in the month.
    scene.now = NOON + timedelta(hours=36)
    scene.use(minutes(60, at(2)))
    scene.watch.step()
    (status,) = scene.watch.latest.budgets
    assert (status.spend.actual, status.spend.forecast) == (Decimal("1.33"), Decimal("20.62"))
    assert [(each.threshold.action, each.amount) for each in status.crossings] == [("block", Decimal("20.62"))]
    # To block is a policy's, not the orchestrator's.
    assert scene.told.last == ()


def test_ledger_without_usage_or_an_answer_changes_nothing(engine: Engine) -> None:
    scene = Scene(engine, "0.00", threshold(1, "stop"))
    scene.watch.step()
    assert scene.told.last == ()
    scene.use(minutes(1))
    scene.watch.step()
    assert scene.told.last[0].most == 0
    told = len(scene.told.restrictions)
    away = connect(f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/none")
    broken = Budgeting(away, scene.watch.budgeting.invoicing, scene.watch.budgeting.budgets, scene.log)
    with pytest.raises(LedgerUnavailable):
        Watch(broken, scene.told).step()
    assert len(scene.told.restrictions) == told


def test_orchestrator_that_was_away_is_told_later_and_now_and_then_again(engine: Engine) -> None:
    scene = Scene(engine, "0.50", threshold(100, "stop"))
    scene.use(minutes(60))
    scene.told.refuses = True
    with pytest.raises(OrchestratorUnavailable):
        scene.watch.step()
    scene.told.refuses = False
    for seconds in (0.0, REPEAT_S - 1, REPEAT_S):
        scene.seconds = seconds
        scene.watch.step()
    assert [len(each.restrictions) for each in scene.told.restrictions] == [1, 1]
    assert len(scene.crossings()) == 1


def test_crossing_is_never_changed(engine: Engine) -> None:
    scene = Scene(engine, "0.50", threshold(100, "stop"))
    scene.use(minutes(60))
    scene.watch.step()
    with pytest.raises(LedgerError, match="crossings is append-only: update is refused"), writing(engine) as connection:
        connection.execute(text("UPDATE crossings SET amount = 0"))


def test_watch_says_once_that_it_cannot_judge_and_that_it_can_again(engine: Engine) -> None:
    scene, ending = Scene(engine, "0.50", threshold(100, "stop")), threading.Event()
    scene.told.refuses = True
    runner = threading.Thread(target=scene.watch.run, args=(ending,))
    runner.start()
    try:
        until(lambda: bool(scene.log.events), "it said that it fails", within_s=30)
        scene.told.refuses = False
        until(lambda: len(scene.log.events) > 1, "it said that it goes on", within_s=30)
    finally:
        ending.set()
        runner.join()
    assert [name for name, _ in scene.log.events] == ["budgets not judged", "budgets judged again"]


def test_orchestrator_that_is_not_there_is_not_available(tmp_path: Path) -> None:
    with pytest.raises(OrchestratorUnavailable, match="tell the orchestrator of budgets: "):
        Orchestrator(tmp_path / "none.sock").restrict(Restrictions())


def test_crossing_is_told_in_utc_whatever_zone_the_database_has(engine: Engine) -> None:
    scene = Scene(engine, "1.00", threshold(50))
    scene.use(minutes(60))
    scene.watch.step()
    ((crossing,),) = [each.crossings for each in scene.watch.latest.budgets]
    with writing(engine) as connection:
        connection.execute(text("SET LOCAL TIME ZONE 'Asia/Tokyo'"))
        budget = connection.execute(text("SELECT id FROM budgets")).scalar_one()
        (found,) = find_crossings(connection, budget, Month(2026, 10))
    assert found == crossing
    assert found.at.endswith("+00:00")
