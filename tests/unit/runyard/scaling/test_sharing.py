"""Sharing of a full host: fair between tenants by what they were promised, and by priority within one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runyard.scaling.sharing import Claimant, share

MIB = 2**20


def claim(tenant: str = "a", wanted: int = 10, *, least: int = 0, priority: int = 5, size: int = 100) -> Claimant:
    return Claimant(tenant, priority, size * MIB, least, max(least, wanted))


def test_room_for_all_gives_everyone_what_they_want() -> None:
    assert share({"a/1": claim(wanted=3), "b/1": claim("b", 7)}, {}, 1000 * MIB) == {"a/1": 3, "b/1": 7}


def test_tenants_share_by_what_their_quotas_promise() -> None:
    claims = {"a/1": claim("a", 20), "b/1": claim("b", 20)}
    assert share(claims, {"a": 3000 * MIB, "b": 1000 * MIB}, 1200 * MIB) == {"a/1": 9, "b/1": 3}


def test_what_a_tenant_does_not_want_is_the_others() -> None:
    claims = {"a/1": claim("a", 2), "b/1": claim("b", 20)}
    assert share(claims, {"a": 3000 * MIB, "b": 1000 * MIB}, 1200 * MIB) == {"a/1": 2, "b/1": 10}


def test_tenant_without_a_quota_has_as_much_promised_as_the_one_that_has_the_most() -> None:
    claims = {"a/1": claim("a", 20), "b/1": claim("b", 20), "c/1": claim("c", 20)}
    assert share(claims, {"a": 400 * MIB, "b": 100 * MIB}, 900 * MIB) == {"a/1": 4, "b/1": 1, "c/1": 4}


def test_many_services_get_a_tenant_no_more() -> None:
    claims = {f"a/{each}": claim("a") for each in range(9)} | {"b/1": claim("b", 20)}
    found = share(claims, {}, 1800 * MIB)
    assert found["b/1"] == 9
    assert {each for key, each in found.items() if key != "b/1"} == {1}


def test_higher_priority_of_a_tenant_comes_first_and_equals_share() -> None:
    claims = {"a/low": claim(priority=1), "a/one": claim(priority=9, wanted=4), "a/two": claim(priority=9)}
    assert share(claims, {}, 700 * MIB) == {"a/low": 0, "a/one": 4, "a/two": 3}
    assert share(claims, {}, 1600 * MIB) == {"a/low": 2, "a/one": 4, "a/two": 10}


def test_least_is_kept_whatever_the_room_and_counts_as_given() -> None:
    claims = {"a/1": claim("a", 20, least=6), "b/1": claim("b", 20)}
    assert share(claims, {}, 1000 * MIB) == {"a/1": 6, "b/1": 4}
    assert share(claims, {}, 0) == {"a/1": 6, "b/1": 0}


def test_smaller_one_fits_where_a_larger_does_not() -> None:
    assert share({"a/1": claim(size=700), "a/2": claim(size=100)}, {}, 600 * MIB) == {"a/1": 0, "a/2": 6}


CLAIMS = st.dictionaries(
    st.sampled_from([f"{tenant}/{number}" for tenant in "abc" for number in range(4)]),
    st.tuples(st.integers(0, 5), st.integers(0, 12), st.integers(0, 9), st.integers(1, 4)),
    max_size=12,
)


@given(CLAIMS, st.dictionaries(st.sampled_from("abc"), st.integers(0, 50)), st.integers(0, 100))
def test_nobody_has_less_than_the_least_or_more_than_is_wanted_and_all_fit(
    told: dict[str, tuple[int, int, int, int]], promises: dict[str, int], room: int
) -> None:
    claims = {
        key: Claimant(key[0], priority, size, least, least + more)
        for key, (least, more, priority, size) in told.items()
    }
    found = share(claims, promises, room)
    assert all(each.least <= found[key] <= each.wanted for key, each in claims.items())
    kept = sum(each.least * each.size_bytes for each in claims.values())
    taken = sum(found[key] * each.size_bytes for key, each in claims.items())
    assert taken <= max(kept, room)
    # Nothing is left that somebody could use.
    unmet = [each.size_bytes for key, each in claims.items() if found[key] < each.wanted]
    assert not unmet or room - taken < min(unmet)
