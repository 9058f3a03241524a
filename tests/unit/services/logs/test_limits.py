from __future__ import annotations

from services.logs.limits import SLOT_S, Limits

DAY = "2026-11-28T02:26:"


def test_lines_are_taken_up_to_the_mean_of_a_slot_and_again_in_the_next() -> None:
    limits = Limits(10, 10_000)
    assert [limits.take("shop/web", f"{DAY}01.5Z", 50) for _ in range(3)] == ["", "", "second"]
    assert limits.take("shop/web", f"{DAY}09.9Z", 1) == "second"
    assert limits.take("shop/web", f"{DAY}10.0Z", 10 * SLOT_S) == ""
    # Another service has what it has.
    assert limits.take("shop/cart", f"{DAY}01Z", 50) == ""


def test_day_has_its_limit_and_the_next_one_too() -> None:
    limits = Limits(1000, 100)
    assert [limits.take("shop/web", f"2026-11-28T0{hour}:00:00Z", 60) for hour in (1, 2)] == ["", "day"]
    assert limits.take("shop/web", "2026-11-29T00:00:00Z", 60) == ""


def test_what_was_taken_goes_on_after_a_restart_and_reading_again_changes_nothing() -> None:
    first = Limits(10, 150)
    first.take("shop/web", f"{DAY}01Z", 100)
    again = Limits(10, 150, first.export())
    assert again.take("shop/web", f"{DAY}02Z", 1) == "second"
    assert again.take("shop/web", f"{DAY}11Z", 51) == "day"


def test_service_that_is_gone_is_forgotten_on_another_day_and_slots_are_few() -> None:
    limits = Limits(10, 10_000)
    for minute in range(60):
        limits.take("shop/web", f"2026-11-28T03:{minute:02}:00Z", 1)
        limits.take("shop/web", f"2026-11-28T03:{minute:02}:10Z", 1)
    limits.keep(frozenset(), "2026-11-28")
    assert len(limits.export()["shop/web"].slots) == 60
    assert limits.export()["shop/web"].days == {"2026-11-28": 120}
    limits.keep(frozenset({"shop/web"}), "2026-11-29")
    assert "shop/web" in limits.export()
    limits.keep(frozenset(), "2026-11-29")
    assert limits.export() == {}
