"""Owners: a container's networks and volumes are of its own stack."""

from __future__ import annotations

from typing import Any

import pytest

from policies.owner import Declared
from policies.resource import NETWORK, VOLUME
from tests.unit.policies.resources import container, resource

NETWORKS = {"networksAdvanced": [{"name": "mine"}]}


def told(**changes: Any) -> list[str]:
    """Declare a network and a volume called mine, and give what is said of a container."""
    subject = Declared()
    for kind in (NETWORK, VOLUME):
        assert list(subject.check(resource(kind, "mine", {"name": "mine"}))) == []
    return list(subject.check(container("batch", **changes)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"networksAdvanced": [{"name": "mine"}, {"name": "shop_default"}]}, "network {}, got shop_default"),
        ({"networkMode": "shop_default"}, "network {}, got shop_default"),
        ({"volumes": [{"volumeName": "shop_data", "containerPath": "/a"}]}, "volume {}, got shop_data"),
        ({"mounts": [{"type": "volume", "source": "shop_data", "target": "/a"}]}, "volume {}, got shop_data"),
    ],
)
def test_thing_of_somebody_else_on_the_host_is_refused(changes: dict[str, Any], message: str) -> None:
    assert told(**changes) == [message.format("must be one that this stack has declared before")]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"networkMode": "none"},
        {"networkMode": "bridge"},
        {**NETWORKS, "volumes": [{"volumeName": "mine", "containerPath": "/a"}, {"containerPath": "/b"}]},
        # These are judged by rules of their own.
        {"networkMode": "host"},
        {"networkMode": "container:other"},
        {"volumes": [{"volumeName": "/etc", "containerPath": "/a"}]},
    ],
)
def test_thing_of_its_own_stack_or_of_nobody_passes(changes: dict[str, Any]) -> None:
    assert told(**changes) == []


def test_network_that_registers_later_is_not_declared_yet() -> None:
    subject = Declared()
    assert len(list(subject.check(container("batch", **NETWORKS)))) == 1
    list(subject.check(resource(NETWORK, "mine", {"name": "mine"})))
    assert list(subject.check(container("batch", **NETWORKS))) == []
