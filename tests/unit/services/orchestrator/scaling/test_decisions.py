from __future__ import annotations

from services.orchestrator.scaling.decisions import KEPT, DecisionLog, Explanation

KNOWN = {"acme/shop-1": None, "acme/shop-2": None}


def explain(key: str, count: int) -> Explanation:
    return Explanation("shop", "manifest", f"{key} has {count}", {"least": 1})


def counts(log: DecisionLog) -> list[tuple[int, str, int, int]]:
    return [(each.number, each.revision, each.before, each.count) for each in log.decisions]


def test_changes_are_noted_in_order_with_their_reasons_and_what_stays_is_not() -> None:
    log = DecisionLog(lambda: 1000.0)
    log.follow({}, KNOWN, explain)
    log.follow({"acme/shop-2": 2, "acme/shop-1": 1}, KNOWN, explain)
    log.follow({"acme/shop-2": 2, "acme/shop-1": 1}, KNOWN, explain)
    log.follow({"acme/shop-2": 3}, KNOWN, explain)
    assert counts(log) == [(1, "shop-1", 0, 1), (2, "shop-2", 0, 2), (3, "shop-1", 1, 0), (4, "shop-2", 2, 3)]
    last = log.decisions[-1]
    assert (last.tenant, last.service, last.at_unix_s) == ("acme", "shop", 1000.0)
    assert (last.why, last.reason, last.inputs) == ("manifest", "acme/shop-2 has 3", {"least": 1})


def test_what_is_found_at_the_start_is_no_decision_and_what_differs_from_it_is() -> None:
    log = DecisionLog(lambda: 0.0)
    log.begin({"acme/shop-1": 2})
    log.follow({"acme/shop-1": 2}, KNOWN, explain)
    assert log.decisions == ()
    # Only what was found first is of a life before.
    log.begin({"acme/shop-1": 1})
    log.follow({"acme/shop-1": 1, "acme/shop-2": 1}, KNOWN, explain)
    assert counts(log) == [(1, "shop-1", 2, 1), (2, "shop-2", 0, 1)]


def test_last_ones_of_each_revision_are_kept_while_it_is_known() -> None:
    log = DecisionLog(lambda: 0.0)
    log.begin({"acme/shop-1": 1})
    log.follow({"acme/shop-1": 1, "acme/shop-2": 5}, KNOWN, explain)
    for count in range(2 * KEPT):
        log.follow({"acme/shop-1": count % 2, "acme/shop-2": 5}, KNOWN, explain)
    assert len(log.decisions) == KEPT + 1
    assert log.decisions[0].revision == "shop-2"
    log.follow({"acme/shop-2": 5}, {"acme/shop-2": None}, explain)
    assert {each.revision for each in log.decisions} == {"shop-2"}
