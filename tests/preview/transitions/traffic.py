"""Traffic: changes of a service's shares and tags over its revisions, named ones too."""

from __future__ import annotations

from typing import Any

from tests.preview.mutations import REVISION, ROLLOUT
from tests.preview.transitions.edit import Edit
from tests.preview.transitions.fields import Change
from tests.preview.transitions.world import Entry


def _past(entry: Entry) -> list[str]:
    """Name the revisions before its own that traffic can go to."""
    return [each for each in dict.fromkeys(entry.revisions[1:]) if each and each != entry.revision]


def _change_environment(edit: Edit, entry: Entry) -> None:
    name = f"V{edit.world.number()}"
    entry.container.setdefault("env", []).append({"name": name, "value": "new"})


def _name(edit: Edit) -> bool:
    """Give the revision a name of its own, which another content has never had."""
    if not (found := edit.pick(lambda key, entry: entry.plain and not entry.revision)):
        return False
    key, entry = found
    entry.template["metadata"]["name"] = f"{entry.name}-r{edit.world.number()}"
    edit.say(key, REVISION)
    return True


def _split(edit: Edit) -> bool:
    """Make a new revision, and leave a part of the traffic with the one before."""

    def fits(key: str, entry: Entry) -> bool:
        # One that another change of the step has renamed was never made.
        return entry.plain and bool(entry.revision) and not entry.revised

    if not (found := edit.pick(fits)):
        return False
    key, entry = found
    before, percent = entry.revision, edit.chance.choice((10, 50, 90))
    _change_environment(edit, entry)
    entry.earlier = None
    entry.manifest["spec"]["traffic"] = [
        {"revisionName": before, "percent": percent},
        {"latestRevision": True, "percent": 100 - percent},
    ]
    edit.say(key, REVISION)
    return True


def _shift(edit: Edit) -> bool:
    """Move shares between two revisions."""

    def fits(key: str, entry: Entry) -> bool:
        return entry.plain and len([each for each in entry.traffic if each.get("percent")]) == 2

    if not (found := edit.pick(fits)):
        return False
    key, entry = found
    one, two = [each for each in entry.traffic if each.get("percent")]
    percent = edit.chance.choice([each for each in (20, 40, 60, 80) if each != one["percent"]])
    one["percent"], two["percent"] = percent, 100 - percent
    edit.say(key, ROLLOUT)
    return True


def _pin(edit: Edit) -> bool:
    """Send all traffic to an earlier revision, which may have none now."""

    def targets(entry: Entry) -> list[str]:
        now = {each.get("revisionName") for each in entry.traffic if each.get("percent") == 100}
        return [each for each in _past(entry) if each not in now]

    if not (found := edit.pick(lambda key, entry: entry.plain and bool(targets(entry)))):
        return False
    key, entry = found
    entry.manifest["spec"]["traffic"] = [{"revisionName": edit.chance.choice(targets(entry)), "percent": 100}]
    edit.say(key, ROLLOUT)
    return True


def _latest(edit: Edit) -> bool:
    """Send all traffic to the newest revision."""

    def fits(key: str, entry: Entry) -> bool:
        return entry.plain and any("revisionName" in each or "tag" in each for each in entry.traffic)

    if not (found := edit.pick(fits)):
        return False
    key, entry = found
    del entry.manifest["spec"]["traffic"]
    edit.say(key, ROLLOUT)
    return True


def _tag(edit: Edit) -> bool:
    """Give a revision a tag beside its share, or take the tag away."""
    if not (found := edit.pick(lambda key, entry: entry.plain)):
        return False
    key, entry = found
    shares = entry.traffic or [{"latestRevision": True, "percent": 100}]
    tagged = [each for each in shares if "tag" in each]
    if tagged:
        shares = [each for each in shares if "tag" not in each]
    else:
        target: dict[str, Any] = {"latestRevision": True}
        if past := _past(entry):
            target = edit.chance.choice((target, {"revisionName": edit.chance.choice(past)}))
        shares.append({**target, "percent": 0, "tag": edit.chance.choice(("try", "old"))})
    entry.manifest["spec"]["traffic"] = shares
    edit.say(key, ROLLOUT)
    return True


CHANGES: dict[str, Change] = {
    "name": _name,
    "split": _split,
    "shift": _shift,
    "pin": _pin,
    "latest": _latest,
    "tag": _tag,
}
