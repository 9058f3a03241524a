"""Command `status`: what each stack has claimed of the host, in one line each."""

from __future__ import annotations

from runyard.cli.status import (
    Beside,
    describe_claims,
    find_gone,
    render_claims,
    render_markdown,
    render_status,
)
from runyard.contracts import (
    CertificateStatus,
    OrchestratorStatus,
    PartStatus,
    RevisionStatus,
    ScheduleStatus,
    ServiceStatus,
    ShiftStatus,
    TrafficShare,
)
from runyard.host.claims import Claims
from runyard.plan.claim import Claim, Standing
from runyard.plan.quota import Use

GIB = 1024**3


def claim(stack: str, most: int | None) -> Claim:
    best: dict[str, int | None] = {"services": 1, "instances": 1, "cpu": 500, "memory": GIB}
    worst = {"services": 1, "instances": most, "cpu": most and most * 500, "memory": most and most * GIB}
    return Claim(stack, (Use(stack, "shop", "web", best, worst), Use(stack, "shop", "api", best, worst)))


def test_claim_of_each_stack_is_a_line_with_its_sums() -> None:
    assert render_claims(Claims((claim("dev", 3),), (claim("prod", None),))).splitlines() == [
        "claim of stack dev: services 2 to 2, instances 2 to 6, cpu 1 to 3, memory 2Gi to 6Gi",
        "claim of stack prod, about to be made: services 2 to 2, instances 2 to without limit, "
        "cpu 1 to without limit, memory 2Gi to without limit",
    ]


def test_claims_as_data_say_how_they_are_known() -> None:
    told = describe_claims(Claims((claim("prod", 1), claim("dev", 1)), (claim("prod", 2),)))
    assert [(each["stack"], each["state"]) for each in told] == [
        ("dev", "kept"),
        ("prod", "kept"),
        ("prod", "pending"),
    ]


def test_stack_that_tells_no_claim_is_a_line_with_what_counts_and_why() -> None:
    standing = Standing("b", "shop", "web", "a1", 500, GIB)
    claims = Claims(silent={"b": "its orchestrator does not run"}, standing=(standing,), strangers=("forged",))
    assert render_claims(claims).splitlines() == [
        "stack b counts by its containers, services 1 to 1, instances 1 to 1, cpu 500m to 500m, memory 1Gi to 1Gi: "
        "its orchestrator does not run",
        "not believed, by its name: container forged",
    ]


def test_update_that_has_the_turn_is_told_and_an_empty_host_too() -> None:
    assert render_claims(Claims(turn="dev")) == "stack dev is about to claim"
    assert render_claims(Claims()) == "no stack has claimed anything of this host"


def test_status_tells_problems_strangers_the_firewall_and_images_that_are_gone() -> None:
    found = OrchestratorStatus(3, True, problems=("read the document of web-1: it was changed",))
    beside = Beside(("runyard.dev.forged",), ("shop:1 (0123456789ab)",), "nft: not permitted")
    assert render_status(found, beside).splitlines()[:4] == [
        "problem: read the document of web-1: it was changed",
        "stranger: runyard.dev.forged has the stack's labels, is not served and is left alone",
        "firewall not in force: nft: not permitted",
        "image gone: shop:1 (0123456789ab): what runs goes on, and what starts next or an update brings it back from "
        "its registry",
    ]


def test_status_tells_parts_that_were_started_again_and_that_the_stand_by_leads() -> None:
    parts = (PartStatus("gateway", "running", 2, "it was paused"), PartStatus("orchestrator", "running"))
    found = OrchestratorStatus(3, True, leader="standby", parts=parts)
    told = ["part gateway  started again 2 x: it was paused", "the stand-by leads"]
    assert render_status(found, Beside()).splitlines()[:-1] == told
    assert [f"- {each}" for each in told] == render_markdown(found, Beside(), Claims()).splitlines()[-3:-1]
    usual = OrchestratorStatus(3, True, leader="orchestrator", parts=parts[1:])
    assert len(render_status(usual, Beside()).splitlines()) == 1


def moving(*, stalled: bool) -> OrchestratorStatus:
    shift = ShiftStatus((TrafficShare("web-2", 100),), 75, stalled)
    shares = (TrafficShare("web-2", 25), TrafficShare("web-1", 75))
    service = ServiceStatus("default", "web", ("web.localhost",), (), shares, shift=shift)
    revision = RevisionStatus("default", "web", "web-2", 3, 3, held_s=135)
    return OrchestratorStatus(7, True, (service,), (revision,))


def test_status_of_a_gradual_rollout_has_its_goal_its_time_and_what_is_held() -> None:
    assert render_status(moving(stalled=False), Beside()).splitlines() == [
        "default/web  web.localhost  25% web-2, 75% web-1",
        "  shifting to 100% web-2, done in 75 s",
        "  web-2  3/3 ready, 0 restarts, capacity taken over is kept for 135 s",
        "1 services, in step with the gateway at generation 7",
    ]


def test_status_of_a_stalled_rollout_says_why() -> None:
    stalled = "  shift to 100% web-2 stalled: a new revision has no ready instance; begins again when it has one"
    assert stalled in render_status(moving(stalled=True), Beside()).splitlines()


def test_certificate_is_a_line_with_its_end_and_its_problem() -> None:
    good = CertificateStatus("a.localhost", "local", 1_795_435_200)
    bad = CertificateStatus("b.localhost", "acme", 0, "the server could not prove it")
    assert render_status(OrchestratorStatus(3, True, certificates=(good, bad)), Beside()).splitlines()[:2] == [
        "certificate of a.localhost  local, until 2026-11-23",
        "certificate of b.localhost  acme, until none, the server could not prove it",
    ]


def test_gone_are_the_images_that_the_engine_does_not_have_by_their_ids() -> None:
    images = {f"sha256:{digit * 64}": name for digit, name in (("1", "shop:1"), ("2", "cart:1"), ("3", "api:1"))}
    there = {f"sha256:{'2' * 64}": "cart"}
    assert find_gone(images, there.get) == ("api:1 (333333333333)", "shop:1 (111111111111)")


def test_status_calls_a_sleeping_revision_asleep() -> None:
    service = ServiceStatus("default", "web", ("web.localhost",), (), (TrafficShare("web-1", 100),))
    revision = RevisionStatus("default", "web", "web-1", 0, 0, asleep=True)
    found = OrchestratorStatus(7, True, (service,), (revision,))
    assert "  web-1  asleep, 0 restarts" in render_status(found, Beside()).splitlines()
    assert "| default/web | web-1 | asleep |  |" in render_markdown(found, Beside(), Claims(()))


def test_status_tells_what_a_schedule_asks_for_under_its_service() -> None:
    service = ServiceStatus("shop", "web", ("web.shop.localhost",), (), (TrafficShare("web-1", 100),))
    scheduled = ServiceStatus("shop", "api", ("api.shop.localhost",), (), (), schedule=ScheduleStatus(3, 60, 120, 1))
    lines = render_status(OrchestratorStatus(3, True, (scheduled, service)), Beside()).splitlines()
    assert lines[1] == (
        "  at least 3 instances by schedule since 1970-01-01 00:01:00Z, at least 1 from 1970-01-01 00:02:00Z"
    )
    assert not any("schedule" in line for line in lines[2:])
