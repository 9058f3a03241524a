"""Reviews for people: plain text, and Markdown for one sticky comment of a pull request."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import accumulate, groupby, takewhile
from typing import Any

from runyard import names
from runyard.forecast.report import render_money
from runyard.forecast.usage import MONTH_HOURS
from runyard.plan.quota import Headroom, render_amount
from runyard.pulumi.preview import UNKNOWN, Group
from runyard.readable import readable
from runyard.review.change import Change
from runyard.review.load import LoadChange
from runyard.review.review import CostChange, Judged, Review, Room
from runyard.review.warning import KEPT
from runyard.units import render_count

# By this line a bot finds the comment that it is to replace.
TAG = "<!-- runyard-review -->"
# Forges take about 65,536 characters.
MARKDOWN_LIMIT = 65_000
# Longer values are files or keys, and asked to be looked at in the manifest; what runs is shown whole.
VALUE_LIMIT = 120
# So many digits of SHA-256 as nobody finds another text of: 64 bits.
DIGEST_LENGTH = 16
# So much of what is equal tells where in a value the difference is.
VALUE_CONTEXT = 20
# A line of a comment is read at a glance; the longest that Runyard itself writes are findings, of some 300. What is
# longer goes on in the next line among the details, and is cut above them.
LINE_LIMIT = 1000
# Of what is refused and of what asks for a look; a comment with more of them in sight is not read.
HEAD_LINES = 20
# What each section gets however much the others have to say: forty lines or so.
LEAST_ROOM = 4_000
# What is written where something is left out, and looked for to tell that it was.
_CUT = "lines are cut here"
_CUT_VALUE = "… ("
_NOT_ALL = "Not all fits into this comment; read `runyard review -o text` before this is approved."
_SYMBOLS = {"add": "+", "remove": "-", "change": "~"}
_STEP_SYMBOLS = {"create": "+", "delete": "-", "update": "~", "replace": "+-"}


@dataclass(frozen=True, slots=True)
class _Section:
    """One topic: how many things there are to tell, and the lines that tell them."""

    title: str
    count: int
    lines: list[str]


def render_text(review: Review) -> str:
    """Render all of it, a section a topic, the counts last."""
    lines: list[str] = []
    for section in _sections(review):
        lines += [section.title, *(f"  {readable(line)}" for line in section.lines), ""]
    return "\n".join([*lines, _summary(review)]) + "\n"


def render_markdown(review: Review) -> str:
    """Render a comment with the summary in sight and the details folded, below the forges' limit."""
    head = [
        TAG,
        f"### Runyard review: {_plain(review.before)} → {_plain(review.after)}",
        "",
        f"**{_summary(review)}**",
        "",
    ]
    flagged = [line for change in review.changes if _asks(change) for line in _change_lines(change, named=True)]
    refused = [_finding_line(each) for each in review.policy if _refuses(each)]
    flagged += [_group_line(each) for each in _groups(review) if each.effect is None or each.effect.kind != "none"]
    flagged += [problem.text() for problem in review.warnings if problem.rule != KEPT]
    for title, body, place in (("Refused", refused, "Policies"), ("Look at", flagged, "the details")):
        if body:
            more = [f"- and {len(body) - HEAD_LINES} more, under {place}"] if len(body) > HEAD_LINES else []
            head += [f"{title}:", "", *(f"- {_code(_head_line(line))}" for line in body[:HEAD_LINES]), *more, ""]
    sections = [replace(each, lines=list(_wrapped(each.lines))) for each in _sections(review)]
    text = "\n".join(head)
    folded = _folded_to(sections, MARKDOWN_LIMIT - 1 - len(text))
    if any(_CUT in each for each in folded):
        text += f"\n**{_NOT_ALL}**\n"
        folded = _folded_to(sections, MARKDOWN_LIMIT - 1 - len(text))
    return text + "".join(folded)


def _folded_to(sections: list[_Section], room: int) -> list[str]:
    """Fold sections into this room: the last takes what it needs first, and each leaves some for those before it.

    So cost, quotas and policies are in sight of every review, and the changes, of any length, get what is left.
    """
    needs = [len(_folded(section)) for section in sections]
    rooms = [0] * len(sections)
    for at in reversed(range(len(sections))):
        kept_free = sum(min(need, LEAST_ROOM) for need in needs[:at])
        rooms[at] = min(needs[at], room - kept_free)
        room -= rooms[at]
    return [_folded(section, given) for section, given in zip(sections, rooms, strict=True)]


def _folded(section: _Section, room: int | None = None) -> str:
    """Fold a section, cut to a room, which is said with how much is left out."""
    start = f"\n<details><summary>{section.title} ({section.count})</summary>\n\n```diff\n"
    end = "```\n\n</details>\n"
    lines = [line + "\n" for line in section.lines]
    if room is None or len(start) + sum(map(len, lines)) + len(end) <= room:
        return start + "".join(lines) + end
    note = f"… {{}} of {{}} {_CUT}; `runyard review -o text` shows all\n"
    room -= len(start) + len(note.format(len(lines), len(lines))) + len(end)
    kept = list(takewhile(lambda total: total <= room, accumulate(map(len, lines))))
    return start + "".join(lines[: len(kept)]) + note.format(len(lines) - len(kept), len(lines)) + end


def _wrapped(lines: Iterable[str]) -> Iterator[str]:
    """Give all of long lines, in pieces."""
    for line in lines:
        safe = _safe(line)
        yield safe[:LINE_LIMIT]
        for at in range(LINE_LIMIT, len(safe), LINE_LIMIT):
            yield f"    …{safe[at : at + LINE_LIMIT]}"


def _head_line(line: str) -> str:
    return _cut(_safe(line), LINE_LIMIT)


def _safe(line: str) -> str:
    # Three backticks would end the block.
    return readable(line).replace("```", "'''")


def _sections(review: Review) -> list[_Section]:
    basis = f"{review.costs_after.currency} a month of {MONTH_HOURS} hours, price book {review.costs_after.book}"
    sections = [_Section("Changes", len(review.changes), list(_changes(review)) or ["no changes"])]
    if review.preview:
        steps = list(_steps(review)) or ["no changes"]
        sections.append(_Section(f"Pulumi (stack {review.preview.stack})", len(review.preview.groups), steps))
    findings = [_finding_line(each) for each in review.policy]
    warnings = [problem.text() for problem in review.warnings]
    rooms = [_room_line(room) for room in review.quotas]
    costs = [_cost_line(cost) for cost in review.costs]
    loads = [_load_line(each) for each in review.load.services] if review.load else []
    return [
        *sections,
        _Section("Policies", len(findings), findings or ["no findings"]),
        _Section("New warnings", len(warnings), warnings or ["no new warnings"]),
        _Section("Quotas", len(rooms), rooms or ["no quotas"]),
        _Section(f"Cost ({basis})", len(costs), [*costs, *review.cost_basis]),
        *([_Section("Recorded load", len(loads), loads)] if loads else []),
    ]


def _changes(review: Review) -> Iterator[str]:
    for (document, name), changes in groupby(review.changes, key=lambda each: (each.document, each.name)):
        listed = list(changes)
        whole = listed[0] if not listed[0].path else None
        yield f"{_SYMBOLS[whole.op if whole else 'change']} {document} {name}"
        for change in listed:
            if change.path:
                yield from (f"    {line}" for line in _change_lines(change))


def _change_lines(change: Change, *, named: bool = False) -> Iterator[str]:
    where = f"{change.document} {change.name} " if named else ""
    flag = " (look at this)" if not named and _asks(change) else ""
    what = f"{change.path}: {' -> '.join(_values(change))}" if change.path else ""
    yield f"{_SYMBOLS[change.op]} {where}{what}{flag}".rstrip()


def _asks(change: Change) -> bool:
    """Tell whether a reviewer should look: not all of what changed is shown, or the change itself asks for it."""
    return change.flagged or any(_CUT_VALUE in each for each in _values(change))


def _groups(review: Review) -> tuple[Group, ...]:
    return review.preview.groups if review.preview else ()


def _steps(review: Review) -> Iterator[str]:
    for group in _groups(review):
        yield _group_line(group)
        for step in group.steps:
            paths = f": {', '.join(step.paths)}" if step.paths else ""
            yield f"    {_STEP_SYMBOLS[step.op]} {step.type} {step.name}{paths}"


def _group_line(group: Group) -> str:
    what = group.kind.lower() if group.kind != "Other" else "resource"
    effect = f"{group.effect.kind} ({group.effect.reason})" if group.effect else f"unknown ({UNKNOWN})"
    return f"{what} {group.name}: effect on traffic: {effect}"


def _finding_line(judged: Judged) -> str:
    return f"{judged.state} {judged.finding.severity}: {judged.finding.text()}"


def _refuses(judged: Judged) -> bool:
    return judged.state in ("new", "open") and judged.finding.severity == "mandatory"


def _room_line(room: Room) -> str:
    return f"{room.tenant} {room.resource}: {_used(room.before)} -> {_used(room.after)}"


def _used(side: Headroom | None) -> str:
    if side is None:
        return "no limit"
    best, worst, limit = (render_amount(each, side.unit) for each in (side.best, side.worst, side.limit))
    return f"{best} to {worst} of {limit}"


def _cost_line(cost: CostChange) -> str:
    before = "unknown" if cost.before is None else render_money(cost.before[1])
    change = "" if cost.delta is None else f"{_signed(cost.delta)}; "
    between = f"{render_money(cost.after[0])} idle, {render_money(cost.after[2])} busy"
    name = "total" if cost.kind == "total" else f"{cost.kind} {cost.name}"
    return f"{name}: {before} -> {render_money(cost.after[1])} ({change}{between})"


def _load_line(change: LoadChange) -> str:
    before, after = change.before, change.after
    peaks, starts = (
        _instead([render_count(getattr(each.outcome, name), what) for each in (before, after)])
        for name, what in (("peak", "instance"), ("cold_starts", "cold start"))
    )
    money = _instead([render_money(each.month_cost) for each in (before, after)])
    return f"service {change.service}: with {after.load.name}: peak {peaks}, {starts}, {money} a month"


def _instead(sides: Sequence[str]) -> str:
    before, after = sides
    return after if before == after else f"{after} instead of {before.partition(' ')[0]}"


def _signed(amount: Decimal) -> str:
    return f"{'+' if amount >= 0 else '-'}{render_money(abs(amount))}"


def _summary(review: Review) -> str:
    counts = {state: sum(each.state == state for each in review.policy) for state in ("new", "open", "waived", "fixed")}
    found = ", ".join(f"{count} {state}" for state, count in counts.items())
    changes = render_count(len(review.changes), "change") if review.changes else "no changes"
    total = review.costs[-1]
    cost = f"unknown -> {render_money(total.after[1])}" if total.delta is None else _signed(total.delta)
    verdict = "refused" if review.refused else "allowed"
    parts = [f"{verdict}: {changes}", f"policies: {found}", f"cost {cost} a month"]
    if review.warnings:
        parts.append(f"warnings: {len(review.warnings)} new")
    if review.preview is not None:
        effects = [each.effect.kind if each.effect else "unknown" for each in review.preview.groups]
        told = [f"{count} {kind}" for kind in ("gap", "restart", "unknown") if (count := effects.count(kind))]
        parts.append(f"effect on traffic: {', '.join(told) or 'none'}")
    return "; ".join(parts)


def _values(change: Change) -> list[str]:
    """Show what was and what is, both whole if it runs; else long ones from shortly before where they differ."""
    texts = [_text(each) for each in _sides(change)]
    if change.runs:
        return texts
    equal = next((at for at, each in enumerate(zip(*texts, strict=False)) if len(set(each)) > 1), min(map(len, texts)))
    cut = len(texts) > 1 and max(map(len, texts)) > VALUE_LIMIT
    start = max(0, equal - VALUE_CONTEXT) if cut else 0
    return [("…" if start else "") + _cut(text, VALUE_LIMIT, start) for text in texts]


def _sides(change: Change) -> tuple[Any, ...]:
    return {"add": (change.after,), "remove": (change.before,), "change": (change.before, change.after)}[change.op]


def _text(value: Any) -> str:
    # JSON's escapes keep a value on its line and its control characters harmless.
    return value if isinstance(value, str) and value.isprintable() else json.dumps(value, ensure_ascii=True)


def _cut(text: str, limit: int, start: int = 0) -> str:
    """Cut what is too long, and say how long it is and which text."""
    if len(text) - start <= limit:
        return text[start:]
    digest = names.digest(text)[:DIGEST_LENGTH]
    return f"{text[start : start + limit]}{_CUT_VALUE}{len(text)} characters, sha256 {digest})"


def _code(text: str) -> str:
    return "`" + text.replace("`", "'") + "`"


def _plain(text: str) -> str:
    return _code(text) if text else "nothing"
