"""What nginx says of a configuration, in the words of the manifest."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from provider.refusal import explain, fields_by_line
from runyard.gateway import GatewayConfig, Listener, render

CONFIG = GatewayConfig(
    listeners=(Listener("edge", "127.0.0.1:3000"), Listener("internal", "172.30.0.1:80")), hold_timeout_ms=2500
)
PLACES = {
    "listeners[0]": "p.yaml:6:14: spec.gateway.address",
    "max_body_bytes": "p.yaml:7:18: spec.gateway.maxBodySize",
}


def line_of(text: str) -> int:
    """Find the only line of the rendered configuration that begins with a text."""
    found = [number for number, line in enumerate(render(CONFIG).splitlines(), 1) if line.strip().startswith(text)]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("client_max_body_size 33554432", ("max_body_bytes",)),
        ("hold_timeout_s =", ("hold_timeout_ms",)),
        ("worker_processes", ("workers",)),
        ('pid "', ("temporary_directory",)),
        ("state_file =", ("directory",)),
        ('access_log "', ("requests_directory",)),
        ('listen "172.30.0.1:80"', ("listeners[1]",)),
        ('listen "unix:/var/lib/runyard/gateway', ("directory",)),
        ('listen "unix:/var/lib/runyard/requests', ("requests_directory",)),
    ],
)
def test_line_tells_the_fields_that_stand_in_it(text: str, names: tuple[str, ...]) -> None:
    found = fields_by_line(CONFIG)[line_of(text)]
    assert tuple(name for name in found if name in names) == names


def test_every_field_stands_in_some_line() -> None:
    # HSTS is said over TLS alone.
    config = replace(CONFIG, hsts_s=1, listeners=(*CONFIG.listeners, Listener("edge", "127.0.0.1:3443", tls=True)))
    found = {field.partition("[")[0] for each in fields_by_line(config).values() for field in each}
    assert found == {each.name for each in fields(GatewayConfig)}


def test_line_of_nginx_becomes_the_line_of_the_manifest() -> None:
    line = line_of("client_max_body_size 33554432")
    output = (
        f'nginx: [emerg] "client_max_body_size" directive invalid value in /var/x/nginx.conf.new:{line}\nnginx: bad'
    )
    assert explain(output, CONFIG, PLACES) == (
        'p.yaml:7:18: spec.gateway.maxBodySize: nginx refuses it: "client_max_body_size" directive invalid value'
    )


def test_address_that_cannot_be_had_is_the_one_that_was_said() -> None:
    for output in (
        "nginx: [emerg] bind() to 127.0.0.1:3000 failed (99: Cannot assign requested address)",
        "2026/11/23 11:00:00 [emerg] 1#1: bind() to 127.0.0.1:3000 failed (99: Cannot assign requested address)",
    ):
        assert explain(output, CONFIG, PLACES) == (
            "p.yaml:6:14: spec.gateway.address: nginx refuses it: "
            "bind() to 127.0.0.1:3000 failed (99: Cannot assign requested address)"
        )


@pytest.mark.parametrize(
    ("output", "said"),
    [
        # Nobody said it: the platform's own listener, a field that has its default, and nothing of either.
        ("[emerg] bind() to 172.30.0.1:80 failed (98)", "bind() to 172.30.0.1:80 failed (98)"),
        ("[emerg] no port in /x:1", "no port"),
        ("[emerg] bind() to 127.0.0.1:30001 failed", "bind() to 127.0.0.1:30001 failed"),
        ("exec: nginx: not found", "exec: nginx: not found"),
        ("", "nginx gave no reason"),
    ],
)
def test_reason_without_a_place_is_told_as_it_is(output: str, said: str) -> None:
    assert explain(output, CONFIG, PLACES) == f"gateway: nginx refuses the configuration: {said}"


def test_rendering_for_the_lines_is_the_rendering_itself() -> None:
    last = max(fields_by_line(replace(CONFIG, workers=2)))
    assert last <= len(render(CONFIG).splitlines())
