"""Progress of an update: Pulumi's events, a JSON object a line, told as a line for each service.

The events are those of `pulumi up --json` and `destroy --json` (pulumi/pulumi, sdk/go/common/apitype/events.go).
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

from runyard.names import DEFAULT_TENANT, service_key
from runyard.pulumi.state import SERVICE

# How long nothing is said while something is waited for: as a user wonders by then.
SILENCE_S = 10.0
# What each ends as; whatever is not here, such as `same`, changes nothing.
_DONE = {
    **{"create": "made", "update": "changed", "delete": "removed", "replace": "made anew"},
    **{"create-replacement": "made anew", "delete-replaced": "removed", "discard": "removed"},
}
# Of what runs the services; the rest of a resource's name is what the part needs.
_PLATFORM = "platform"
# Said of each change, and only worth a line where running traffic is touched (runyard/plan/outlook.py).
_HARMLESS = "effect on running traffic: none: "
# Pulumi's own last word, after the reason has been told.
_EMPTY_WORDS = re.compile(
    r"(update|destroy|preview|refresh|resource) (failed|cancell?ed)|an unhandled error occurred: program exited with .*"
)
# What Pulumi and gRPC put around a reason: where in their own source it passed, and that it is an error.
_WRAPPING = re.compile(
    r"^(?:error: |rpc error: code = \w+ desc = |Exception calling application: |unhandled error: "
    r"|\w+2?\.go:\d+: |sdk-v\d+/provider2\.go:\d+: |1 error occurred:\s+\* )+"
)
_OTHER_PASSPHRASE = "incorrect passphrase"  # noqa: S105 - a message, no secret
_HINT = (
    "\n  put back the one with which the stack's settings were encrypted: in the file of PULUMI_CONFIG_PASSPHRASE_FILE,"
    " or `passphrase` in the user's data"
)


@dataclass
class Progress:
    """Tells of one run of Pulumi on `out`; `colour` where that is a terminal that shows some."""

    out: TextIO
    colour: bool = False
    clock: Callable[[], float] = time.monotonic
    # Begun and not ended yet, by URN, with the moment.
    _begun: dict[str, float] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)
    _parts: dict[str, str] = field(default_factory=dict)
    _parts_since: float | None = None
    # Why what is under way fails, told with its end.
    _reasons: dict[str, str] = field(default_factory=dict)
    # The names of what failed.
    failed: list[str] = field(default_factory=list)
    _said: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _spoke: float = field(init=False)

    def __post_init__(self) -> None:
        """Begin with the silence of now."""
        self._spoke = self.clock()

    def follow(self, lines: Iterable[str]) -> None:
        """Tell what the lines of Pulumi's output say, until they end, and what is waited for meanwhile."""
        ended = threading.Event()
        heart = threading.Thread(target=self._beat, args=(ended,), daemon=True)
        heart.start()
        try:
            for line in lines:
                self.take(line)
        finally:
            ended.set()
            heart.join()
            with self._lock:
                self._tell_parts()

    def take(self, line: str) -> None:
        """Tell what one line of Pulumi's output says, an event or its own words."""
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        with self._lock:
            if isinstance(event, dict):
                self._tell_event(event)
            elif line.strip():
                self._tell_words(line)

    def tell_waiting(self) -> None:
        """Say what is waited for, if nothing was said for long."""
        with self._lock:
            now = self.clock()
            if self._begun and now - self._spoke >= SILENCE_S:
                waiting = {self._name(urn): now - since for urn, since in self._begun.items()}
                self._say("waits for " + ", ".join(f"{name} ({s:.0f} s)" for name, s in sorted(waiting.items())))

    def _beat(self, ended: threading.Event) -> None:
        while not ended.wait(1.0):
            self.tell_waiting()

    def _tell_event(self, event: Mapping[str, Any]) -> None:
        if found := event.get("diagnosticEvent"):
            self._tell_diagnostic(found)
        elif found := event.get("policyEvent"):
            severity = "error" if found["enforcementLevel"] == "mandatory" else "warning"
            self._tell_message(severity, found["message"], "")
        elif found := event.get("errorEvent"):
            self._tell_message("error", found["error"], "")
        elif found := event.get("resourcePreEvent"):
            self._begin(found["metadata"])
        elif found := event.get("resOutputsEvent"):
            self._end(found["metadata"])
        elif found := event.get("resOpFailedEvent"):
            self._fail(found["metadata"])

    def _tell_diagnostic(self, found: Mapping[str, Any]) -> None:
        if found["severity"] == "debug" or found.get("ephemeral"):
            return
        self._tell_message(found["severity"].removeprefix("info#"), found["message"], found.get("urn", ""))

    def _tell_message(self, severity: str, message: str, urn: str) -> None:
        text = clean(message)
        if not text or text.startswith(_HARMLESS) or text in self._said:
            return
        if severity == "error" and _EMPTY_WORDS.fullmatch(text):
            return
        self._said.add(text)
        if text.endswith(_OTHER_PASSPHRASE):
            text += _HINT
        if severity != "error":
            self._say(f"warning: {text}" if severity == "warning" else text, "33" if severity == "warning" else "")
            return
        if urn and urn in self._begun:
            self._reasons[urn] = text
            return
        self._say(f"error: {text}", "31")

    def _tell_words(self, line: str) -> None:
        text = clean(line)
        if line.startswith("error:"):
            self._tell_message("error", text, "")
        elif text and text not in self._said:
            self._said.add(text)
            self._say(text)

    def _begin(self, metadata: Mapping[str, Any]) -> None:
        if metadata["op"] not in _DONE or metadata["type"].startswith("pulumi:"):
            return
        urn = metadata["urn"]
        state = metadata.get("new") or metadata.get("old") or {}
        if not state.get("custom"):
            return
        self._begun[urn] = self.clock()
        if metadata["type"] == SERVICE:
            self._names[urn] = short_name(state["inputs"]["tenant"], state["inputs"]["service"])
        elif self._parts_since is None:
            self._parts_since = self.clock()

    def _end(self, metadata: Mapping[str, Any]) -> None:
        urn = metadata["urn"]
        began = self._begun.pop(urn, None)
        if began is None:
            return
        if metadata["type"] != SERVICE:
            self._parts[part_of(urn)] = _DONE[metadata["op"]]
            return
        self._tell_parts()
        took = f"{self.clock() - began:.1f} s"
        inputs = (metadata.get("new") or {}).get("inputs")
        if inputs is None or _DONE[metadata["op"]] == "removed":
            self._say(f"{self._name(urn)} ✓ removed {took}", "32")
        else:
            self._say(f"{self._name(urn)} ✓ ready {took} → {describe_traffic(inputs)}", "32")

    def _fail(self, metadata: Mapping[str, Any]) -> None:
        urn = metadata["urn"]
        began = self._begun.pop(urn, None)
        reason = self._reasons.pop(urn, "")
        self._tell_parts()
        name = self._name(urn)
        self.failed.append(name)
        took = f" {self.clock() - began:.1f} s" if began is not None else ""
        self._say(f"{name} ✗ failed{took}", "31")
        if reason:
            self._say(f"error: {name}: {reason}", "31")

    def _tell_parts(self) -> None:
        """Say in one line what was done to the platform until now."""
        if self._parts and self._parts_since is not None:
            done: dict[str, list[str]] = {}
            for name, what in sorted(self._parts.items()):
                done.setdefault(what, []).append(name)
            told = "; ".join(f"{what} {', '.join(names)}" for what, names in sorted(done.items()))
            self._say(f"{_PLATFORM} ✓ {self.clock() - self._parts_since:.1f} s: {told}", "32")
        self._parts, self._parts_since = {}, None

    def _name(self, urn: str) -> str:
        return self._names.get(urn) or part_of(urn)

    def _say(self, text: str, code: str = "") -> None:
        self._spoke = self.clock()
        print(f"\x1b[{code}m{text}\x1b[0m" if self.colour and code else text, file=self.out, flush=True)


def clean(text: str) -> str:
    """Cut from a reason what Pulumi and gRPC have put around it."""
    return _WRAPPING.sub("", text.strip()).strip()


def short_name(tenant: str, service: str) -> str:
    """Name a service for people: without its tenant where that is the one that needs no naming."""
    return service if tenant == DEFAULT_TENANT else service_key(tenant, service)


def part_of(urn: str) -> str:
    """Name the part of the platform that a resource belongs to: `gateway` of `…::gateway.volume`."""
    name = urn.rpartition("::")[2].partition(".")[0]
    return "networks" if name in ("platform", "tenant") else name


def describe_traffic(inputs: Mapping[str, Any]) -> str:
    """Say what part of the traffic goes to the revision of a service's inputs, and how long it takes to move."""
    rollout = json.loads(inputs["rollout"])
    newest = json.loads(inputs["history"])[0]
    percent = sum(each["percent"] for each in rollout["traffic"] if each["revision"] == newest)
    within = f" within {rollout['duration_s']} s" if rollout.get("duration_s") else ""
    return f"{percent} %{within}"
