"""Pictures of a run: well-formed SVG that shows what there is, where it is."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest

from runyard.workload import pictures
from runyard.workload.outcome import Capacity, Outcome
from tests.unit.runyard.workload.made import outcome

EMPTY = replace(outcome(), stretches=tuple(replace(each, counts=()) for each in outcome().stretches))


def drawn(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def texts(svg: str) -> list[str]:
    return [each.text or "" for each in drawn(svg).iter("text")]


def cells(made: Outcome) -> list[ElementTree.Element]:
    return [each for each in drawn(pictures.draw_heat_map(made)).iter("rect") if each.find("title") is not None]


def darkness(cell: ElementTree.Element) -> int:
    return 255 * 3 - sum(int(cell.attrib["fill"][at : at + 2], 16) for at in (1, 3, 5))


def slower_from(second: int, made: Outcome) -> Outcome:
    """Make every third request four times as slow from a second on, as if of one instance in three."""
    changed = []
    for stretch in made.stretches:
        counts = stretch.counts
        if stretch.at_s >= second:
            slow = [(bucket + 40, count // 3) for bucket, count in counts]
            counts = (*((bucket, count - count // 3) for bucket, count in counts), *slow)
        changed.append(replace(stretch, counts=tuple(counts)))
    return replace(made, stretches=tuple(changed))


def test_rates_have_a_curve_each_and_say_which() -> None:
    svg = pictures.draw_rates(outcome(failing=2))
    assert {"attempted", "sent", "served", "requests a second", "0 s", "20"} <= set(texts(svg))
    # Three curves, and three marks in the legend.
    assert len([each for each in drawn(svg).iter("path") if each.attrib.get("stroke-width")]) == 6


def test_served_lies_half_as_high_where_half_fails() -> None:
    paths = [each.attrib["d"] for each in drawn(pictures.draw_rates(outcome(failing=2))).iter("path")]
    curves = [path for path in paths if path.count("L") > 10]
    heights = [{float(y) for y in re.findall(r",([0-9.]+)", path)} for path in curves]
    bottom = 220 - 30
    (attempted,), (sent,), (served,) = heights
    assert attempted == sent
    assert bottom - served == pytest.approx((bottom - attempted) / 2, abs=0.1)


def test_warm_up_is_shaded_in_its_width() -> None:
    svg = pictures.draw_rates(replace(outcome(), warm_up_s=5.0))
    (shade,) = drawn(svg).iter("rect")
    assert float(shade.attrib["width"]) == pytest.approx((920 - 66 - 16) / 4, abs=0.1)
    assert "warm-up" in texts(svg)
    assert not list(drawn(pictures.draw_rates(outcome())).iter("rect"))


def test_heat_map_counts_every_request_once() -> None:
    made = outcome()
    told = [each.findtext("title") or "" for each in cells(made)]
    assert sum(int(re.search(r"ms: ([0-9,]+) of", each)[1]) for each in told) == 400  # type: ignore[index]
    assert all(re.fullmatch(r"[0-9.]+ s, [0-9.e+]+ to [0-9.e+]+ ms: [0-9,]+ of 20", each) for each in told)


def test_second_band_of_a_heat_map_is_there_from_when_one_instance_is_slow() -> None:
    even, split = outcome(spread_ms=0.0), slower_from(10, outcome(spread_ms=0.0))
    assert (len(cells(even)), len(cells(split))) == (20, 30)
    late = [each for each in cells(split) if float(each.attrib["x"]) > 920 / 2]
    rows = {each.attrib["y"] for each in late}
    assert len(rows) == 2
    # What two thirds of the requests are in is darker than what a third is in, and lies lower.
    low, high = (next(each for each in late if each.attrib["y"] == y) for y in sorted(rows, key=float, reverse=True))
    assert darkness(low) > darkness(high) > 0


def test_heat_map_of_nothing_is_none() -> None:
    assert pictures.draw_heat_map(EMPTY) == ""


def test_curve_has_both_clocks_and_the_nines() -> None:
    svg = pictures.draw_curve(outcome())
    assert {"from the send", "from the intended start", "0 %", "90 %", "99 %", "99.9 %", "99.99 %"} <= set(texts(svg))


def test_curve_of_nothing_is_none() -> None:
    none = replace(outcome().intended, curve=())
    assert pictures.draw_curve(replace(outcome(), intended=none, from_send=none)) == ""


def test_instances_are_steps_on_the_axis_of_the_run() -> None:
    made = replace(outcome(), capacities=(Capacity("shop/web", ((-0.5, 1), (10.0, 3), (90.0, 2)), 2, 10.0),))
    svg = pictures.draw_instances(made)
    (path,) = (each.attrib["d"] for each in drawn(svg).iter("path") if "V" in each.attrib["d"])
    # From the left edge, whatever was seen before it; half-way up to three; and at the end of the run down to two.
    assert re.fullmatch(r"M66\.0,90\.0H485\.0V30\.0H904\.0V60\.0H904", path)
    assert "shop/web" in texts(svg)


def test_instances_that_nobody_watched_are_not_drawn() -> None:
    assert pictures.draw_instances(outcome()) == ""
    assert pictures.draw_instances(replace(outcome(), capacities=(Capacity("shop/web", (), 0, 0.0),))) == ""


def test_names_are_text_in_a_picture() -> None:
    made = replace(outcome(), capacities=(Capacity("<b>&", ((0.0, 1),), 0, 0.0),))
    assert "<b>" not in pictures.draw_instances(made)
    assert "<b>&" in texts(pictures.draw_instances(made))


@pytest.mark.parametrize("seconds", [0.4, 1.0, 7.0, 3600.0])
def test_axis_of_time_has_round_numbers_and_not_too_many(seconds: float) -> None:
    ticks = [each for each in texts(pictures.draw_rates(replace(outcome(), seconds=seconds))) if each.endswith(" s")]
    assert 3 <= len(ticks) <= 11
