"""The console as the client's side asks it: a command in its container, and what becomes of the answer."""

from __future__ import annotations

import json

import pytest

from runyard.errors import HostError, NotFound, UsageError
from runyard.host.console import Console
from runyard.names import CONSOLE_ASK
from tests.unit.runyard.host.test_ledger import BareHost, FakeHost


def test_invitation_is_asked_for_in_the_container_of_the_stack() -> None:
    host = FakeHost(0, '{"link": "http://127.0.0.1:3003/register#t"}')
    assert Console(host, "prod").invite("ann@example.org", "shop", "owner") == "http://127.0.0.1:3003/register#t"
    ((container, command),) = host.asked
    assert (container, tuple(command[:-1])) == ("runyard.prod.console", (*CONSOLE_ASK, "POST", "/v1/invitations"))
    assert json.loads(command[-1]) == {"email": "ann@example.org", "tenant": "shop", "role": "owner"}


def test_reset_is_asked_for_by_the_address_alone() -> None:
    host = FakeHost(0, '{"link": "http://127.0.0.1:3003/reset#t"}')
    assert Console(host, "prod").reset("ann@example.org") == "http://127.0.0.1:3003/reset#t"
    ((container, command),) = host.asked
    assert (container, tuple(command[:-1])) == ("runyard.prod.console", (*CONSOLE_ASK, "POST", "/v1/resets"))
    assert json.loads(command[-1]) == {"email": "ann@example.org"}


def test_what_does_not_fit_is_an_error_of_its_kind() -> None:
    refused = FakeHost(1, '{"status": 400, "detail": "tenant: must be a DNS label, got \'No\'"}')
    with pytest.raises(UsageError, match=r"^tenant: must be a DNS label, got 'No'$"):
        Console(refused, "dev").invite("ann@example.org", "No", "owner")
    with pytest.raises(HostError, match=r"^ask runyard\.dev\.console: ConnectionRefusedError: no$"):
        Console(FakeHost(1, "ConnectionRefusedError: no\n"), "dev").invite("a@b.c", "shop", "owner")


def test_stack_without_a_console_is_told_how_it_gets_one() -> None:
    with pytest.raises(NotFound, match=r'^stack prod has no console: `console: "on"` in its Platform'):
        Console(BareHost(0, ""), "prod").reset("ann@example.org")
