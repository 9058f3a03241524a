"""A dashboard as lines: what is wrong first, whatever the width."""

from __future__ import annotations

import pytest

from runyard.cli.screen import ASCII, BLOCKS, MOST_LINES, Screen, draw_course, render_screen
from runyard.dashboards import Line, Panel, PanelReading, Unit


def panel(title: str, unit: Unit, **lines: tuple[float | None, ...]) -> PanelReading:
    found = tuple(Line(name, {}, values) for name, values in lines.items())
    return PanelReading(Panel(title.lower(), title, unit, ()), found)


REQUESTS = panel("Requests", "requests/s", ok=(0, 4, 8, 2) * 4, bad=(None,) * 12 + (0.5,) * 4)
LATENCY = panel("Latency", "s", p50=(0.01,) * 16)
EMPTY = panel("Cold starts", "count")
SCREEN = Screen(
    ["shop/web  1 of 1 instance ready", "web.shop.localhost"],
    ["critical: shop/web answers errors"],
    [REQUESTS, LATENCY, EMPTY],
    30,
)


def lines(width: int, screen: Screen = SCREEN, signs: str = BLOCKS) -> list[str]:
    return [each.plain.rstrip() for each in render_screen(screen, width, signs)]


def test_what_is_wrong_stands_above_the_panels_whose_lines_have_last_value_course_and_most() -> None:
    assert lines(80) == [
        "shop/web  1 of 1 instance ready",
        "web.shop.localhost",
        "problem: critical: shop/web answers errors",
        "",
        "                             now  last 30 min                        most",
        "Requests     ok              2/s  ▁▅█▃▁▅█▃▁▅█▃▁▅█▃                   8/s",
        "             bad           0.5/s              ────                   0.5/s",
        "Latency      p50           10 ms  ────────────────                   10 ms",
        "Cold starts  nothing yet",
    ]


def test_narrow_terminal_has_titles_above_their_lines() -> None:
    assert lines(50)[4:8] == [
        "                  now  last 30 min     most",
        "Requests",
        "  ok              2/s  ▁▅█▃▁▅█▁▅█▃▁▅█  8/s",
        "  bad           0.5/s             ───  0.5/s",
    ]


def test_terminal_without_room_for_courses_has_values_alone() -> None:
    assert lines(36)[5:9] == ["                  now", "Requests", "  ok              2/s", "  bad           0.5/s"]


def test_wide_terminal_has_two_panels_beside_each_other() -> None:
    head, first, second, *_ = lines(160)[4:]
    assert head.count("last 30 min") == 2
    assert [first.split()[0], *(word for word in first.split() if word == "Latency")] == ["Requests", "Latency"]
    assert second.split()[0] == "bad"
    assert "Cold starts" in second


@pytest.mark.parametrize("width", [20, 33, 50, 73, 74, 100, 139, 140, 250])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    many = panel("Requests", "requests/s", **{"a" * 40: (123_456.0,) * 121, "b": (1.0, None) * 60})
    screen = Screen(["x" * 300], ["word " * 80], [many, LATENCY, EMPTY], 30)
    assert max(len(each) for each in lines(width, screen)) <= width


def test_panel_of_many_lines_shows_the_greatest_in_their_order() -> None:
    many = panel("Requests", "count", **{f"s{at:02}": (float(at % 10),) for at in range(20)})
    found = lines(80, Screen(["x"], [], [many], 30))[3:]
    found[0] = found[0].removeprefix("Requests")
    assert [line.split()[0] for line in found[:-1]] == [f"s{at:02}" for at in (6, 7, 8, 9, 16, 17, 18, 19)]
    assert found[-1].strip() == f"and {20 - MOST_LINES} more"


def test_line_that_has_ended_is_no_zero() -> None:
    (line,) = lines(80, Screen(["x"], [], [panel("R", "requests/s", gone=(3.0, None))], 30))[3:]
    assert line.split() == ["R", "gone", "-", "─", "3/s"]


def test_signs_that_move_a_terminals_cursor_are_shown_as_escapes() -> None:
    screen = Screen(["a\x1b[2J"], ["b\x07"], [panel("R", "count", **{"c\x1b[m": (1.0,)})], 30)
    text = "\n".join(lines(80, screen))
    assert "\x1b" not in text
    for shown in (r"a\x1b[2J", r"problem: b\x07", r"c\x1b[m"):
        assert shown in text


def test_terminal_without_blocks_has_signs_of_ascii() -> None:
    assert all(each.isascii() for each in lines(80, signs=ASCII))


@pytest.mark.parametrize(
    ("values", "width", "drawn"),
    [
        ((), 8, ""), ((None, None), 8, "  "), ((0, 0), 8, "──"), ((5, 5), 8, "──"), ((5, None), 8, "─ "),
        ((0, 1, 2, 3, 4, 5, 6, 7), 8, "▁▂▃▄▅▆▇█"), ((0, 9, 0, 0), 2, "█▁"), ((0, None, None, None, 8, 1), 3, "▁ █"),
        ((-3, 3), 2, "▁█"), ((-3, -1), 2, "▁▁"),
    ],
)  # fmt: skip
def test_course_is_drawn_from_nothing_to_its_most(values: tuple[float | None, ...], width: int, drawn: str) -> None:
    assert draw_course(values, width) == drawn
