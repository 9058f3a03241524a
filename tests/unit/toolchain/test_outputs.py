from __future__ import annotations

from toolchain.outputs import flatten, list_outputs


def test_outputs_are_flattened_in_order_of_their_names() -> None:
    assert flatten({"b": {"y": [1, 2], "x": True}, "a": "[secret]"}) == [
        ("a", "[secret]"),
        ("b.x", "True"),
        ("b.y", "1 2"),
    ]


def test_addresses_have_the_names_of_their_services() -> None:
    urls = {"default/hello": "http://hello.localhost/", "shop/web": "http://web.shop.localhost/"}
    assert list_outputs({"urls": urls, "more": 1}) == [
        ("more", "1"),
        ("hello", "http://hello.localhost/"),
        ("shop/web", "http://web.shop.localhost/"),
    ]
