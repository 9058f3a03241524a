"""Hosts: what may be asked without being named, and how names of this machine are asked."""

from __future__ import annotations

import pytest

from runyard.workload.hosts import at_loopback, host_of, is_allowed


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/",
        "http://hello.localhost:3000/",
        "http://127.0.0.1:8080/",
        "http://127.8.9.10/",
        "https://[::1]:8443/",
        "http://LOCALHOST/",
    ],
)
def test_this_machine_may_be_asked(url: str) -> None:
    assert is_allowed(url, ())


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "http://10.0.0.1/",
        "http://localhost.example.com/",
        "http://notlocalhost/",
        "http://127.0.0.1.example.com/",
        "http://0.0.0.0/",
        "http://[2001:db8::1]/",
        "http://169.254.169.254/",
    ],
)
def test_others_may_not_be_asked_unless_they_are_named(url: str) -> None:
    assert not is_allowed(url, ())
    assert not is_allowed(url, ("other.example",))
    assert is_allowed(url, (host_of(url).upper(),))


def test_name_of_this_machine_is_asked_at_the_loopback_whatever_a_resolver_says() -> None:
    assert at_loopback("http://shop.localhost:3000/a?b=c") == (
        "http://127.0.0.1:3000/a?b=c",
        "shop.localhost:3000",
    )
    assert at_loopback("http://localhost/") == ("http://127.0.0.1/", "localhost")


def test_other_names_are_left_to_the_resolver() -> None:
    assert at_loopback("https://example.com:8443/x") == ("https://example.com:8443/x", "example.com:8443")
