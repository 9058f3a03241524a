"""Rules of hand-written containers: what each passes and fails, and that nothing is judged twice."""

from __future__ import annotations

from typing import Any

import pytest

from policies.handwritten import RULES
from policies.resource import CONTAINER, Resource
from runyard import names
from runyard.images import image_reference

BY_ID = {rule.id: rule for rule in RULES}
DIGEST = "shop/web@sha256:" + "a" * 64
FORM = "ghp_" + "a" * 36


def labels(role: str, stack: str = "live") -> list[dict[str, str]]:
    return [{"label": names.STACK, "value": stack}, {"label": names.ROLE, "value": role}]


def told(properties: dict[str, Any], stack: str = "live") -> list[str]:
    return [f"{rule.id}: {message}" for rule in RULES for message in rule.check(properties, stack)]


FAILING: list[tuple[dict[str, Any], list[str]]] = [
    (
        {"image": "shop/web:latest"},
        [
            "own-image-not-latest: image must not be latest, got shop/web:latest",
            "own-image-pinned: image must be pinned by digest, got shop/web:latest",
        ],
    ),
    (
        {"image": "0123456789ab"},
        [
            "own-image-named: image must be named, got the id 0123456789ab",
            "own-image-not-latest: image must not be latest, got 0123456789ab",
            "own-image-pinned: image must name a tag or digest, got 0123456789ab",
        ],
    ),
    ({"image": "shop/web:1"}, ["own-image-pinned: image must be pinned by digest, got shop/web:1"]),
    ({"envs": ["DB_PASSWORD=a=b"]}, ["own-environment-plain: env DB_PASSWORD must hold no plain secret, got [secret]"]),
    ({"envs": ["CFG=password=a"]}, ["own-environment-plain: env CFG must hold no plain secret, got [secret]"]),
    ({"envs": [f"A={FORM}"]}, ["own-environment-plain: env A must hold no plain secret, got [secret]"]),
    ({"envs": ["A=redis://a:b@db"]}, ["own-environment-plain: env A must hold no plain secret, got [secret]"]),
    ({"command": ["--token", "a"]}, ["own-command-plain: command must hold no secret, got [secret]"]),
    ({"entrypoints": ["--token=a"]}, ["own-command-plain: entrypoints must hold no secret, got [secret]"]),
    (
        {"healthcheck": {"tests": ["CMD", "redis-cli", "--pass", "a"]}},
        ["own-command-plain: healthcheck must hold no secret, got [secret]"],
    ),
]
MINE: dict[str, Any] = {"image": DIGEST, "envs": ["A=1", "DB_PASSWORD="], "command": ["serve"], "start": True}


def test_every_rule_has_a_failing_case() -> None:
    assert {message.partition(":")[0] for _, messages in FAILING for message in messages} == set(BY_ID)


@pytest.mark.parametrize(("changes", "messages"), FAILING)
def test_rule_tells_what_breaks_it(changes: dict[str, Any], messages: list[str]) -> None:
    assert told(MINE | changes) == messages


def test_container_that_keeps_them_passes_and_development_asks_for_a_tag_alone() -> None:
    assert told(MINE) == []
    assert told(MINE | {"image": "shop/web:latest"}, "dev") == []
    assert told(MINE | {"image": "shop/web"}, "dev") == [
        "own-image-pinned: image must name a tag or digest, got shop/web"
    ]


def test_part_of_the_platform_is_not_judged_and_forged_labels_do_not_help() -> None:
    bad = MINE | {"envs": ["DB_PASSWORD=a"], "command": ["--token=a"]}
    image = image_reference(names.ROLE_GATEWAY)
    part = bad | {"labels": labels(names.ROLE_GATEWAY), "name": "runyard.live.gateway", "image": image}
    assert told(part) == []
    forged = [{"image": "shop/web:latest"}, {"labels": labels(names.ROLE_GATEWAY, "other")}, {"labels": labels("mine")}]
    assert [len(told(part | each)) for each in forged] == [4, 3, 3]


def test_rules_of_secrets_look_at_what_is_plain_alone() -> None:
    assert {rule.id for rule in RULES if rule.plain} == {"own-environment-plain", "own-command-plain"}
    sealed = Resource(CONTAINER, "web", "urn", MINE | {"envs": ["DB_PASSWORD=a"]}, MINE)
    assert [list(rule.broken_by(sealed, "live")) for rule in RULES] == [[]] * len(RULES)
