"""Outlook: what an update will do to running traffic, told service by service and part by part; pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from runyard.contracts import ServiceStatus, TrafficShare
from runyard.manifest.problems import render_path
from runyard.names import service_key
from runyard.plan.effect import Effect, worst
from runyard.plan.effect_table import Document, Operation, effect_of, with_one_writer

# What components were declared with, by kind and name.
Facts = Mapping[tuple[Document, str], Mapping[str, Any]]

# More make a line that nobody reads; the preview itself shows every one of them.
_SHOWN = 3


def describe_outlook(before: Facts, after: Facts) -> list[str]:
    """Give a line for each thing that changes, with its worst effect, why, and the fields that have it.

    Things that come new are told together. Equal facts give no line.
    """
    told = [(*_judge(key, before, after), key) for key in sorted(before.keys() | after.keys())]
    changed = [(effect, paths, key) for effect, paths, key in told if effect is not None]
    lines = [_line(effect, [_name(key)], paths) for effect, paths, key in changed if key in before]
    new = sorted(((effect, key) for effect, _, key in changed if key not in before), key=lambda each: each[0].reason)
    for effect, group in groupby(new, key=lambda each: each[0]):
        lines.append(_line(effect, [_name(key) for _, key in group], []))
    return lines


def describe_moved(applied: Mapping[str, Sequence[TrafficShare]], in_force: Iterable[ServiceStatus]) -> list[str]:
    """Give a line for each service whose traffic is not what the last update applied; `applied` is by `tenant/service`.

    A service that is not in force at all is not told of: what was never applied was not moved.
    """
    lines = []
    for each in in_force:
        key = service_key(each.tenant, each.service)
        if key in applied and tuple(applied[key]) != each.goal:
            was, now = render_shares(applied[key]), render_shares(each.goal)
            lines.append(
                f"traffic of {key} was moved since the last update: {now}; "
                f"an update moves it back to what its manifest says ({was} at the last one)"
            )
    return lines


def render_shares(traffic: Iterable[TrafficShare]) -> str:
    """Render traffic as one would say it: `90% web-2, 10% web-1 (old)`."""
    shares = [f"{share.percent}% {share.revision}" + (f" ({share.tag})" if share.tag else "") for share in traffic]
    return ", ".join(shares) or "no traffic"


def describe_differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Operation, Any]]:
    """Map the path of each field that differs to what happens to it and its new value, in the order of the paths."""
    old, new = dict(_flat(before)), dict(_flat(after))
    return {
        path: ("add" if path not in old else "change" if path in new else "remove", new.get(path))
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    }


def decide_effects(document: Document, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Effect]:
    """Map the path of each field that differs to its effect, in the order of the paths."""
    differing = describe_differences(before, after)
    effects = {path: effect_of(document, path, op, value) for path, (op, value) in differing.items()}
    held, wanted = ((facts.get("persistentVolumes") or {}).keys() for facts in (before, after))
    if held & wanted:
        return {path: with_one_writer(effect) for path, effect in effects.items()}
    return effects


def _judge(key: tuple[Document, str], before: Facts, after: Facts) -> tuple[Effect | None, list[str]]:
    document = key[0]
    if key not in before or key not in after:
        return effect_of(document, "", "remove" if key in before else "add"), []
    if not before[key]:
        # A state from before components had facts: nothing can be told of it, and Pulumi shows what changes.
        return None, []
    effects = decide_effects(document, before[key], after[key])
    hurting = worst(effects.values())
    return hurting, [path for path, effect in effects.items() if effect == hurting]


def _flat(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, (*path, str(key)))
    elif value not in (None, (), [], ""):
        # A state has lists where a plan has tuples.
        yield render_path(path), json.loads(json.dumps(value))


def _name(key: tuple[Document, str]) -> str:
    document, name = key
    return f"{document.lower()} {name}" if document in ("Network", "Service") else name


def _line(effect: Effect, things: list[str], paths: list[str]) -> str:
    who, why = _few(things), f" ({_few(paths)})" if paths else ""
    return f"effect on running traffic: {effect.kind}: {who}: {effect.reason}{why}"


def _few(texts: list[str]) -> str:
    rest = len(texts) - _SHOWN
    return ", ".join(texts[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
