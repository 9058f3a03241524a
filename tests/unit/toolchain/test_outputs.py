from __future__ import annotations

from toolchain.outputs import flatten


def test_outputs_are_flattened_in_order_of_their_names() -> None:
    assert flatten({"b": {"y": [1, 2], "x": True}, "a": "[secret]"}) == [
        ("a", "[secret]"),
        ("b.x", "True"),
        ("b.y", "1 2"),
    ]
