"""Command `status`: what each stack has claimed of the host, in one line each."""

from __future__ import annotations

from runyard.cli.status import render_claims
from runyard.host.claims import Claims
from runyard.plan.claim import Claim
from runyard.plan.quota import Use

GIB = 1024**3


def claim(stack: str, generation: int, most: int | None) -> Claim:
    best: dict[str, int | None] = {"services": 1, "instances": 1, "cpu": 500, "memory": GIB}
    worst = {"services": 1, "instances": most, "cpu": most and most * 500, "memory": most and most * GIB}
    return Claim(stack, generation, (Use(stack, "shop", "web", best, worst), Use(stack, "shop", "api", best, worst)))


def test_newest_claim_of_each_stack_is_a_line_with_its_sums() -> None:
    assert render_claims(Claims((claim("dev", 1, 9), claim("dev", 2, 3), claim("prod", 7, None)))).splitlines() == [
        "claim 2 of stack dev: services 2 to 2, instances 2 to 6, cpu 1 to 3, memory 2Gi to 6Gi",
        "claim 7 of stack prod: services 2 to 2, instances 2 to without limit, cpu 1 to without limit, "
        "memory 2Gi to without limit",
    ]


def test_update_that_has_the_turn_is_told_and_an_empty_host_too() -> None:
    assert render_claims(Claims(turn=claim("dev", 1, 1))) == "stack dev is about to claim"
    assert render_claims(Claims()) == "no stack has claimed anything of this host"
