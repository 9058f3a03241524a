"""Whom a stack tells: receivers as Alertmanager reads them, and the secrets that they need."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from runyard.accounts import Quotas
from runyard.manifest.model import Observability, Platform, Receiver, Tenant
from runyard.manifest.observability import SecretKey
from runyard.plan import plan
from runyard.plan.alerting import (
    PLATFORM,
    Alerting,
    describe_receivers,
    missing_secrets,
    plan_alerting,
    render_receivers,
)
from tests.unit.runyard.plan.example import manifests

PAGER = Receiver("pager", "webhook", url_from=SecretKey("pager"))
CHAT = Receiver("chat", "slack", url="https://chat.example/hooks/a", channel="#shop")
MAIL = Receiver(
    "mail", "email", to=("a@b.example", "c@d.example"), sender="r@b.example", server="mail.example:587",
    username="runyard", password_from=SecretKey("mail", "password"),
)  # fmt: skip
SECRETS = {PLATFORM: {"pager/latest": "https://pager.example/token\n"}, "shop": {"mail/password": "hunter2"}}


def subject(*receivers: Receiver, **tenants: Any) -> Alerting:
    platform = Platform(observability=Observability("basic", group_wait_s=3, repeat_s=120, receivers=receivers))
    listed = tuple(Tenant(name, receivers=tuple(said)) for name, said in tenants.items())
    return plan_alerting(dataclasses.replace(manifests(), platform=platform, tenants=listed))


def rendered(alerting: Alerting) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(render_receivers(alerting, SECRETS))
    return found


def test_platforms_receivers_are_told_of_all_and_a_tenants_of_its_own() -> None:
    whole = rendered(subject(PAGER, shop=[CHAT]))
    assert whole["route"]["routes"] == [
        {"receiver": "pager", "continue": True},
        {"receiver": "shop/chat", "continue": True, "matchers": ['tenant="shop"']},
    ]
    assert (whole["route"]["group_wait"], whole["route"]["repeat_interval"]) == ("3s", "120s")
    assert [each["name"] for each in whole["receivers"]] == ["nobody", "pager", "shop/chat"]


def test_receivers_of_one_name_are_told_apart_by_whose_they_are() -> None:
    names = [each["name"] for each in rendered(subject(CHAT, acme=[CHAT], shop=[CHAT]))["receivers"]]
    assert names == ["nobody", "chat", "acme/chat", "shop/chat"]


def test_each_kind_has_what_alertmanager_needs_of_it() -> None:
    pager, chat, mail = rendered(subject(PAGER, shop=[CHAT, MAIL]))["receivers"][1:]
    # A line's end that an editor left behind is no part of a URL.
    assert pager["webhook_configs"] == [{"url": "https://pager.example/token", "send_resolved": True}]
    (slack,) = chat["slack_configs"]
    assert (slack["api_url"], slack["channel"]) == ("https://chat.example/hooks/a", "#shop")
    assert "runbook" in slack["text"]
    assert mail["email_configs"] == [
        {
            "to": "a@b.example, c@d.example",
            "from": "r@b.example",
            "smarthost": "mail.example:587",
            "send_resolved": True,
            "auth_username": "runyard",
            "auth_password": "hunter2",
        }
    ]


def test_previews_show_of_receivers_what_is_not_secret() -> None:
    shown = describe_receivers(subject(PAGER, shop=[CHAT, MAIL]))
    assert shown == {
        "pager": "webhook [secret pager/latest]",
        "shop/chat": "slack https://chat.example/hooks/a",
        "shop/mail": "email a@b.example, c@d.example over mail.example:587",
    }


def test_secret_that_is_missing_is_named_with_what_gives_it_a_value() -> None:
    assert list(missing_secrets(subject(PAGER, shop=[MAIL]), {})) == [
        "receiver pager: secret pager has no key latest in this stack "
        "(pulumi config set --secret --path 'runyard:receiverSecrets.pager' VALUE)",
        "receiver shop/mail: secret mail has no key password in this stack "
        "(runyard secret set mail/password --tenant shop)",
    ]
    keyed = dataclasses.replace(PAGER, url_from=SecretKey("pager", "on.call"))
    assert list(missing_secrets(subject(keyed), {})) == [
        "receiver pager: secret pager has no key on.call in this stack "
        "(pulumi config set --secret --path 'runyard:receiverSecrets.pager[\"on.call\"]' VALUE)"
    ]
    assert list(missing_secrets(subject(PAGER, shop=[MAIL]), SECRETS)) == []
    # What a tenant has is not the platform's, nor another's.
    assert len(list(missing_secrets(subject(PAGER), {"shop": SECRETS[PLATFORM]}))) == 1


def test_stack_without_observability_tells_nobody_whatever_its_tenants_say() -> None:
    said = dataclasses.replace(manifests(), tenants=(Tenant("shop", receivers=(MAIL,), quotas=Quotas(instances=1)),))
    assert plan(said).alerting == Alerting()
    assert list(missing_secrets(plan(said).alerting, {})) == []


def test_tenants_without_quotas_are_judged_by_none() -> None:
    said = dataclasses.replace(
        manifests(),
        platform=Platform(observability=Observability("basic")),
        tenants=(Tenant("acme"), Tenant("shop", quotas=Quotas(instances=1))),
    )
    assert plan_alerting(said).quotas == (("shop", Quotas(instances=1)),)
