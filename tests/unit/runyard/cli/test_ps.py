"""What `ps`, `scale` and `why` render of what they were told, without anybody to ask."""

from __future__ import annotations

import itertools
from dataclasses import replace

import click
import pytest
from click.testing import CliRunner

from runyard.cli.live import Duration, Target, find_service, of_service, override_of
from runyard.cli.ps import choose, describe, render_text, rows
from runyard.cli.scale import render_text as render_scale
from runyard.contracts import (
    InstanceList,
    InstanceStatus,
    OrchestratorStatus,
    Override,
    RevisionStatus,
    ServiceList,
    ServiceStatus,
)
from runyard.errors import NotFound, UsageError

WEB, CART = (ServiceStatus("shop", name, (), (), ()) for name in ("web", "cart"))
BY_HAND = Override("shop", "web", 1, 0)


def instance(revision: str, identity: str, state: str = "ready", **fields: object) -> InstanceStatus:
    service = revision.rpartition("-")[0]
    return InstanceStatus("shop", service, revision, identity, state, **fields)  # type: ignore[arg-type]


def revision(name: str, desired: int = 1, ready: int = 0, reason: str = "") -> RevisionStatus:
    return RevisionStatus("shop", name.rpartition("-")[0], name, desired, ready, reason=reason)


def test_run_is_told_as_one_and_its_revision_still_has_no_instance() -> None:
    ran = instance("web-1", "ab12", "running", run=True, reason="late")
    assert rows(ServiceList(), [revision("web-1", desired=0)], [ran]) == [
        ("shop/web", "web-1", "ab12", "running", "", "run; late"),
        ("shop/web", "web-1", "-", "none wanted", "-", ""),
    ]


def test_rows_are_by_service_and_revision_and_instances_of_one_by_age() -> None:
    instances = [instance("web-2", "b"), instance("web-2", "a"), instance("cart-1", "c")]
    asleep = replace(revision("cart-0", 0), asleep=True)
    found = rows(ServiceList(), [revision("web-1", 0), revision("web-2"), revision("cart-1"), asleep], instances)
    assert [row[1:4] for row in found] == [
        ("cart-0", "-", "asleep"),
        ("cart-1", "c", "ready"),
        ("web-1", "-", "none wanted"),
        ("web-2", "b", "ready"),
        ("web-2", "a", "ready"),
    ]


@pytest.mark.parametrize(
    ("state", "restarting", "reason", "note"),
    [
        ("ready", False, "", ""),
        ("ready", True, "", "to be restarted"),
        ("ending", True, "", ""),
        ("failed", False, "container app: exited with code 3", "container app: exited with code 3"),
        ("starting", True, "tcp probe", "tcp probe; to be restarted"),
    ],
)
def test_note_says_what_is_wrong_and_what_will_happen(state: str, restarting: bool, reason: str, note: str) -> None:
    listed = [instance("web-1", "a", state, reason=reason, restarting=restarting)]
    assert rows(ServiceList(), [], listed)[0][-1] == note


def test_same_name_of_another_tenant_is_another_service() -> None:
    other = InstanceStatus("acme", "web", "web-1", "a", "ready")
    status = OrchestratorStatus(1, True, (), (revision("web-1"), RevisionStatus("acme", "web", "web-1", 1, 1)))
    listed = ServiceList((WEB,), (BY_HAND, Override("acme", "web", 2, 0)))
    services, revisions, instances = choose(listed, status, InstanceList((other,)), "shop/web")
    assert (services.overrides, [each.tenant for each in revisions], instances) == ((BY_HAND,), ["shop"], ())
    everything = choose(listed, status, InstanceList((other,)), None)
    assert (everything[0], everything[1], everything[2]) == (listed, status.revisions, (other,))


def test_text_is_aligned_and_nothing_stands_behind_the_last_word() -> None:
    text = render_text(ServiceList(), [], [instance("web-1", "a", address="10.130.0.4"), instance("web-1", "bbbb")])
    lines = text.splitlines()
    assert all(line == line.rstrip() for line in lines)
    assert {line.index(word) for line, word in zip(lines, ("state", "ready", "ready"), strict=True)} == {30}


def test_data_has_every_field_of_what_is_listed() -> None:
    data = describe(ServiceList((), (BY_HAND,)), [revision("web-1")], [instance("web-1", "a")])
    assert data["instances"][0]["state"] == "ready"
    assert data["revisions"][0]["desired"] == 1
    assert data["overrides"] == [{"tenant": "shop", "service": "web", "count": 1, "until_unix_s": 0, "version": 1}]


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (None, None, "shop/web: as many instances as manifest and load ask for"),
        (
            BY_HAND, None,
            "shop/web: as many instances as manifest and load ask for; before: 1 instance by hand until "
            "1970-01-01 00:00:00Z",
        ),
        (
            None, BY_HAND,
            "shop/web: 1 instance by hand until 1970-01-01 00:00:00Z; before: as many instances as manifest and load "
            "ask for",
        ),
    ],
)  # fmt: skip
def test_scaling_says_what_holds_and_what_held(before: Override | None, after: Override | None, text: str) -> None:
    assert render_scale(WEB, before, after) == text


def test_override_of_a_service_is_its_own() -> None:
    listed = ServiceList((WEB, CART), (BY_HAND,))
    assert (override_of(listed, WEB), override_of(listed, CART)) == (BY_HAND, None)


def test_service_is_found_by_tenant_and_name() -> None:
    listed = ServiceList((CART, WEB))
    assert find_service("ps", listed, Target("shop", "web", "dev")) == WEB
    with pytest.raises(NotFound, match=r"^ps acme/web: must be a service of the stack \(shop/cart, shop/web\)$"):
        find_service("ps", listed, Target("acme", "web", "dev"))
    with pytest.raises(NotFound, match=r"\(none\)$"):
        find_service("ps", ServiceList(), Target("acme", "web", "dev"))
    for tenant, service in itertools.product(("shop", "Shop"), ("a/b", "web?x", "")):
        with pytest.raises(UsageError, match=r"must be a DNS label, got '"):
            find_service("ps", listed, Target(tenant, service, "dev"))


def test_command_of_a_service_gets_it_as_one_thing() -> None:
    seen: list[Target] = []

    @click.command()
    @of_service
    def command(target: Target) -> None:
        """Keep what was given."""
        seen.append(target)

    assert CliRunner().invoke(command, ["web", "-t", "shop", "--stack", "prod"]).exit_code == 0
    assert CliRunner().invoke(command, ["web"]).exit_code == 0
    assert seen == [Target("shop", "web", "prod"), Target("default", "web", "dev")]
    assert seen[0].name == "shop/web"


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("1h", 3600), ("45", 45)])
def test_durations_are_those_of_manifests(text: str, seconds: int) -> None:
    assert Duration().convert(text, None, None) == seconds == Duration().convert(seconds, None, None)
