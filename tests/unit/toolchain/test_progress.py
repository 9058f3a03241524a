"""What Pulumi's events become: the lines are those that it writes with --json, cut to what is read of them."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from runyard.plan.outlook import describe_outlook
from toolchain.progress import SILENCE_S, Progress, clean

URN = "urn:pulumi:dev::runyard::runyard:index:Service::default."


def step(kind: str, op: str, name: str = "web", **more: Any) -> str:
    rollout = {"traffic": [{"percent": 100, "revision": "web-2"}], **more}
    inputs = {
        "tenant": "default",
        "service": name,
        "rollout": json.dumps(rollout),
        "history": json.dumps(["web-2", "web-1"]),
    }
    state = {"custom": True, "inputs": inputs}
    metadata = {"op": op, "urn": URN + name, "type": "runyard:index:Service", "new": state, "old": state}
    return json.dumps({kind: {"metadata": metadata}})


def part(kind: str, op: str, name: str) -> str:
    urn = f"urn:pulumi:dev::runyard::docker:index/container:Container::{name}"
    state = {"custom": True, "inputs": {}}
    metadata = {"op": op, "urn": urn, "type": "docker:index/container:Container", "new": state}
    return json.dumps({kind: {"metadata": metadata}})


def said(severity: str, message: str, urn: str = "") -> str:
    return json.dumps({"diagnosticEvent": {"severity": severity, "message": message, "urn": urn}})


class Told:
    def __init__(self, *, colour: bool = False) -> None:
        self.out = io.StringIO()
        self.now = 0.0
        self.progress = Progress(self.out, colour, lambda: self.now)

    def take(self, *lines: str, after: float = 0.0) -> None:
        for line in lines:
            self.now += after
            self.progress.take(line)

    @property
    def lines(self) -> list[str]:
        return self.out.getvalue().splitlines()


def test_each_service_is_one_line_with_its_time_and_its_share() -> None:
    told = Told()
    told.take(step("resourcePreEvent", "create"), step("resOutputsEvent", "create"), after=2.1)
    told.take(step("resourcePreEvent", "same", "cart"), step("resOutputsEvent", "same", "cart"))
    told.take(step("resourcePreEvent", "delete", "old"), step("resOutputsEvent", "delete", "old"), after=0.3)
    assert told.lines == ["web ✓ ready 2.1 s → 100 %", "old ✓ removed 0.3 s"]


def test_canarys_line_has_the_share_of_the_new_revision_and_how_long_it_moves() -> None:
    traffic = [{"percent": 90, "revision": "web-1"}, {"percent": 10, "revision": "web-2"}]
    told = Told()
    told.take(step("resourcePreEvent", "update"), step("resOutputsEvent", "update", traffic=traffic, duration_s=60))
    assert told.lines == ["web ✓ ready 0.0 s → 10 % within 60 s"]


def test_parts_of_the_platform_are_one_line_before_the_services() -> None:
    told = Told()
    for name in ("gateway.volume", "gateway.container", "platform.bridge", "tenant.default.bridge"):
        told.take(part("resourcePreEvent", "create", name), part("resOutputsEvent", "create", name), after=0.5)
    told.take(part("resourcePreEvent", "update", "claim"), part("resOutputsEvent", "update", "claim"))
    told.take(step("resourcePreEvent", "create"), step("resOutputsEvent", "create"))
    assert told.lines == ["platform ✓ 3.5 s: changed claim; made gateway, networks", "web ✓ ready 0.0 s → 100 %"]


def test_parts_that_come_last_are_told_at_the_end() -> None:
    told = Told()
    told.progress.follow([part("resourcePreEvent", "delete", "key"), part("resOutputsEvent", "delete", "key")])
    assert told.lines == ["platform ✓ 0.0 s: removed key"]


def test_failure_has_its_reason_once_and_its_name_for_the_end() -> None:
    told = Told()
    told.take(step("resourcePreEvent", "create"), said("error", "pull a:1: no such image\n", URN + "web"), after=0.2)
    told.take(step("resOpFailedEvent", "create"), said("error", "update failed\n"))
    told.take(said("error", "pull a:1: no such image\n"))
    assert told.lines == ["web ✗ failed 0.2 s", "error: web: pull a:1: no such image"]
    assert told.progress.failed == ["web"]


def test_messages_are_told_once_and_harmless_effects_and_debugging_not() -> None:
    told = Told()
    told.take(said("debug", "registering"), said("info", "read this"), said("info", "read this"))
    told.take(said("warning", "m.yaml:1:1: warning"), said("error", "m.yaml:2:1: must be a number"))
    (none,) = describe_outlook({}, {("Service", "default.web"): {}})
    (gap,) = describe_outlook({("Service", "default.web"): {"hosts": ["web.localhost"]}}, {})
    told.take(said("info", none), said("info", gap))
    assert told.lines == ["read this", "warning: m.yaml:1:1: warning", "error: m.yaml:2:1: must be a number", gap]


def test_policies_and_errors_of_the_engine_are_told() -> None:
    told = Told()
    for level, message in (("mandatory", "no host paths"), ("advisory", "pin it")):
        told.take(json.dumps({"policyEvent": {"enforcementLevel": level, "message": message}}))
    told.take(json.dumps({"errorEvent": {"error": "the disk is full"}}))
    assert told.lines == ["error: no host paths", "warning: pin it", "error: the disk is full"]


def test_words_that_are_no_events_are_told_too() -> None:
    told = Told()
    told.take("error: no such stack\n", "\n", "something else\n", "17\n")
    assert told.lines == ["error: no such stack", "something else", "17"]


def test_other_passphrase_is_told_with_the_way_out_and_an_end_without_a_reason_is_not_told() -> None:
    told = Told()
    told.take(said("error", "an unhandled error occurred: program exited with code 1"))
    told.take(said("error", "get stack secrets manager: incorrect passphrase"))
    assert told.lines[0] == "error: get stack secrets manager: incorrect passphrase"
    assert told.lines[1].startswith("  put back the one with which the stack's settings were encrypted")


def test_what_is_waited_for_is_told_after_a_silence() -> None:
    told = Told()
    told.take(step("resourcePreEvent", "create"), step("resourcePreEvent", "create", "cart"))
    told.now = SILENCE_S - 1
    told.progress.tell_waiting()
    assert told.lines == []
    told.now = SILENCE_S
    told.progress.tell_waiting()
    told.progress.tell_waiting()
    assert told.lines == ["waits for cart (10 s), web (10 s)"]


def test_colours_are_all_that_a_terminal_adds() -> None:
    told = Told(colour=True)
    told.take(step("resourcePreEvent", "create"), step("resOutputsEvent", "create"), said("info", "plain"))
    assert told.lines == ["\x1b[32mweb ✓ ready 0.0 s → 100 %\x1b[0m", "plain"]


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ("rpc error: code = Unknown desc = no room\n", "no room"),
        ("error: sdk-v2/provider2.go:521: Exception calling application: pull a:1: none", "pull a:1: none"),
        ("unhandled error: port 3000 is taken", "port 3000 is taken"),
        ("1 error occurred:\n\t* rollout default/web: it ended\n\n", "rollout default/web: it ended"),
        ("state error: stays", "state error: stays"),
    ],
)
def test_reason_is_left_of_what_was_put_around_it(given: str, left: str) -> None:
    assert clean(given) == left
