from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.audit.checks import KNOWN, PYTHON_PACKAGES, ask_osv
from tests.audit.components import PYTHON, Component
from tests.audit.osv import BATCH, MOST_PAGES, Unanswered, find_advisories
from tests.harness.ports import free_ports
from tests.unit.audit.osv_server import Osv, serving

BAD, GOOD = Component(PYTHON, "bad", "1.0"), Component(PYTHON, "good", "1.0")
CONTROL = KNOWN[PYTHON]


def place(component: Component) -> tuple[str, str, str]:
    return component.ecosystem, component.name, component.version


@pytest.fixture
def osv() -> Iterator[Osv]:
    with serving(Osv({place(BAD): ["GHSA-1"], place(CONTROL): ["PYSEC-0"]})) as served:
        yield served


def test_advisory_is_told_with_its_other_names_and_its_summary(osv: Osv) -> None:
    (found,) = find_advisories([GOOD, BAD], osv.address)
    assert found.text() == "bad 1.0: GHSA-1 (CVE-of-GHSA-1): about GHSA-1"


def test_every_component_is_asked_about_once_in_batches(osv: Osv) -> None:
    many = [Component(PYTHON, f"p{index}", "1") for index in range(BATCH + 1)]
    assert find_advisories(many, osv.address) == []
    assert [each["package"]["name"] for each in osv.queries] == [each.name for each in many]


def test_further_pages_are_asked_for(osv: Osv) -> None:
    osv.known[place(BAD)] = ["A-1", "A-2", "A-3"]
    osv.page = 1
    assert [each.id for each in find_advisories([BAD, GOOD], osv.address)] == ["A-1", "A-2", "A-3"]


def test_pages_without_end_are_no_answer(osv: Osv) -> None:
    osv.known[place(BAD)] = [f"A-{index}" for index in range(MOST_PAGES + 1)]
    osv.page = 1
    with pytest.raises(Unanswered, match=f"bad 1.0 has more than {MOST_PAGES} pages"):
        find_advisories([BAD], osv.address)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (503, b"{}", "answered 503"),
        (429, b"{}", "answered 429"),
        (200, b"<html>", "something that is not JSON"),
        (200, b"[]", "must answer with a result for each of 2 queries"),
        (200, b"{}", "must answer with a result for each of 2 queries"),
        (200, b'{"results": [{}]}', "must answer with a result for each of 2 queries"),
        (200, b'{"results": [{}, null]}', "must answer with a result for each of 2 queries"),
        (200, b'{"results": [{}, {"vulns": [{}]}]}', "must name advisories by their id"),
    ],
)
def test_what_is_no_answer_is_never_taken_for_none(osv: Osv, status: int, body: bytes, said: str) -> None:
    osv.instead = (status, body)
    with pytest.raises(Unanswered, match=said):
        find_advisories([BAD, GOOD], osv.address)


def test_server_that_is_not_there_is_told() -> None:
    (port,) = free_ports(1)
    with pytest.raises(Unanswered, match=r"^ask http://127.0.0.1:\d+/v1/querybatch: .*[Rr]efused"):
        find_advisories([BAD], f"http://127.0.0.1:{port}")


def test_check_gives_what_was_found_about_what_is_ours_and_not_its_control(osv: Osv) -> None:
    looked_at, found = ask_osv(PYTHON_PACKAGES, [BAD, GOOD], osv.address)
    assert looked_at == f"2 packages, by {osv.address}"
    assert [(each.rule, each.subject) for each in found] == [("GHSA-1", "bad")]


def test_server_that_knows_nothing_has_checked_nothing(osv: Osv) -> None:
    # As a proxy would that answers everything alike, or a database that is empty.
    osv.known.clear()
    with pytest.raises(Unanswered, match=r"must tell of an advisory of jinja2 2\.4\.1, and did not"):
        ask_osv(PYTHON_PACKAGES, [GOOD], osv.address)


def test_ecosystem_without_a_control_is_not_checked(osv: Osv) -> None:
    with pytest.raises(Unanswered, match="nothing is known of Debian:13"):
        ask_osv(PYTHON_PACKAGES, [Component("Debian:13", "openssl", "1")], osv.address)


def test_query_is_of_the_form_that_osv_documents(osv: Osv) -> None:
    find_advisories([BAD], osv.address)
    assert json.dumps(osv.queries) == '[{"package": {"name": "bad", "ecosystem": "PyPI"}, "version": "1.0"}]'
