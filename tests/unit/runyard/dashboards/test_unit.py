"""Values as people read them."""

from __future__ import annotations

import pytest

from runyard.dashboards import Unit, render_value


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        (None, "s", "-"), (12.345, "requests/s", "12.3/s"), (12_345.6, "requests/s", "12,346/s"),
        (0.04213, "ratio", "4.21 %"), (1, "ratio", "100 %"), (0.00001, "ratio", "0.001 %"),
        (0, "requests/s", "0/s"), (0, "s", "0 ms"),
        (0.01234, "s", "12.3 ms"), (0.9996, "s", "1,000 ms"), (1.5, "s", "1.5 s"), (119, "s", "119 s"),
        (600, "s", "10 min"), (7200, "s", "2 h"), (604_800, "s", "7 d"), (-86_400 * 3, "s", "-3 d"),
        (0, "bytes", "0 B"), (1023, "bytes", "1,023 B"), (1536, "bytes", "1.5 KiB"), (2**50, "bytes", "1,024 TiB"),
        (2**20, "bytes/s", "1 MiB/s"), (0.25, "cores", "0.25"), (3, "instances", "3"), (2.4, "count", "2.4"),
        (0.0123456, "money", "0.0123"), (7, "requests", "7"),
    ],
)  # fmt: skip
def test_value_has_three_digits_and_the_unit_that_fits_it(value: float | None, unit: Unit, told: str) -> None:
    assert render_value(value, unit) == told
