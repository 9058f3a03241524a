"""The rules of a firewall as a resource: tried first, told where a host refuses them, and removed at the end."""

from __future__ import annotations

import pytest

from provider.firewall import FirewallRules
from provider.kind import Outputs, ResourceState
from runyard.errors import HostUnreachable, NotFound, RefusedConfiguration

INPUTS = {"stack": "dev", "image": "runyard/firewall:abc", "rules": "table ip runyard.dev {}"}


class Firewall:
    """A host that takes rules, or refuses them with an error."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.asked: list[tuple[str, ...]] = []

    def attempt(self, image: str, rules: str) -> None:
        self._ask("attempt", image, rules)

    def remove(self, image: str) -> None:
        self._ask("remove", image)

    def _ask(self, *asked: str) -> None:
        self.asked.append(asked)
        if self.failure is not None:
            raise self.failure


def kind(host: Firewall, told: list[str] | None = None) -> FirewallRules:
    return FirewallRules(lambda _stack: host, ([] if told is None else told).append)


def state(**outputs: str) -> ResourceState:
    return ResourceState("dev/firewall", INPUTS, outputs)


def test_rules_are_tried_when_they_are_made_and_when_they_change() -> None:
    host, told = Firewall(), list[str]()
    subject = kind(host, told)
    assert subject.identify(INPUTS) == "dev/firewall"
    assert subject.create(INPUTS) == subject.update(state(refused=""), INPUTS) == Outputs({"refused": ""})
    assert host.asked == [("attempt", "runyard/firewall:abc", "table ip runyard.dev {}")] * 2
    assert told == []


def test_host_that_refuses_them_is_told_in_one_line_and_stops_nothing() -> None:
    told: list[str] = []
    made = kind(Firewall(RefusedConfiguration("nft: not\n  permitted")), told).create(INPUTS)
    assert made == Outputs({"refused": "nft: not permitted"})
    assert told == [
        "firewall: this host does not take the stack's rules, so its instances have no limit of connections and reach "
        "what listens on the host: nft: not permitted"
    ]


def test_engine_that_is_away_is_an_error_of_the_update() -> None:
    with pytest.raises(HostUnreachable):
        kind(Firewall(HostUnreachable("no engine"))).create(INPUTS)


def test_rules_are_removed_with_the_stack() -> None:
    host = Firewall()
    kind(host).delete(state(refused=""))
    assert host.asked == [("remove", "runyard/firewall:abc")]


def test_removal_without_the_image_leaves_the_command_to_the_user() -> None:
    told: list[str] = []
    kind(Firewall(NotFound("no such image")), told).delete(state(refused=""))
    assert told == ["firewall: `nft delete table ip runyard.dev` is left for you to do: no such image"]


def test_removal_that_fails_is_not_taken_for_done_unless_the_host_never_had_them() -> None:
    failing = kind(Firewall(RefusedConfiguration("nft: not permitted")))
    with pytest.raises(RefusedConfiguration):
        failing.delete(state(refused=""))
    failing.delete(state(refused="nft: not permitted"))
    with pytest.raises(HostUnreachable):
        kind(Firewall(HostUnreachable("no engine"))).delete(state(refused="nft: not permitted"))
