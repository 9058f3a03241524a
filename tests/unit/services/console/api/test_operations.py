"""Every operation of the API, walked by its document: described, refused to strangers and to nobody, and answered."""

from __future__ import annotations

import re
from typing import Any

import pytest

from services.console.scope import RIGHTS
from tests.unit.services.console.conftest import PASSWORD, Browser, Program

PARAMETERS = {"tenant": "shop", "service": "web", "month": "2026-11"}
QUERIES = {"/api/v1/tenants/{tenant}/usage": "?from=2026-11-01&until=2026-11-02"}
# What anybody may ask: it makes them somebody, or tells that the process serves.
OPEN = {("get", "/healthz")} | {("post", f"/api/v1/{each}") for each in ("session", "registrations", "passwords")}
# What may be read by whom (services/console/scope.py), by the end of the path.
NEEDED = {
    "services": "services",
    "{service}": "services",
    "panels": "services",
    "usage": "usage",
    "{month}": "invoices",
    "audit": "audit",
}

Operation = tuple[str, str, dict[str, Any]]


@pytest.fixture(scope="module")
def operations(program: Program) -> list[Operation]:
    document = program.browser().ask("GET", "/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


@pytest.fixture(scope="module")
def document(program: Program) -> Any:
    return program.browser().ask("GET", "/api/v1/openapi.json").json()


def target(path: str) -> str:
    return path.format_map(PARAMETERS) + QUERIES.get(path, "")


def test_every_operation_has_a_summary_an_example_and_its_errors(operations: list[Operation], document: Any) -> None:
    lacking = []
    for method, path, operation in operations:
        answers = {code: each for code, each in operation["responses"].items() if code < "400"}
        problems = {code: each for code, each in operation["responses"].items() if code >= "400"}
        if not operation.get("summary", "").endswith("."):
            lacking.append(f"{method} {path}: summary")
        if path != "/healthz" and not {"503"} <= problems.keys():
            lacking.append(f"{method} {path}: errors")
        if any(list(each["content"]) != ["application/problem+json"] for each in problems.values()):
            lacking.append(f"{method} {path}: errors that are no problems")
        for code, each in answers.items():
            if code != "204" and not has_example(each["content"]["application/json"], document):
                lacking.append(f"{method} {path}: example of {code}")
        if "requestBody" in operation and not has_example(
            operation["requestBody"]["content"]["application/json"], document
        ):
            lacking.append(f"{method} {path}: example of the body")
        lacking += [f"{method} {path}: {each['name']}" for each in operation.get("parameters", ()) if lacks(each)]
    assert lacking == []
    assert len(operations) > 10


def lacks(parameter: dict[str, Any]) -> bool:
    return parameter["required"] and not (parameter.get("description") and "examples" in parameter["schema"])


def has_example(node: dict[str, Any], document: Any) -> bool:
    """Tell whether a shape says an example, itself or in every field."""
    if "example" in node or "examples" in node:
        return True
    if "schema" in node:
        return has_example(node["schema"], document)
    if "$ref" in node:
        return has_example(document["components"]["schemas"][node["$ref"].rpartition("/")[2]], document)
    if node.get("format") == "date-time":
        return True
    if "items" in node:
        return has_example(node["items"], document)
    fields = node.get("properties", {})
    return bool(fields) and all(has_example(each, document) for each in fields.values())


def test_example_that_lacks_is_found() -> None:
    assert not has_example({"properties": {"a": {"examples": ["x"]}, "b": {"type": "string"}}}, {})


def test_nobody_is_answered_nothing(program: Program, operations: list[Operation]) -> None:
    walked = 0
    for method, path, operation in operations:
        if (method, path) in OPEN:
            continue
        answer = program.browser().ask(method.upper(), target(path))
        assert (answer.status, answer.headers["content-type"]) == (401, "application/problem+json"), path
        assert "401" in operation["responses"]
        walked += 1
    assert walked == len(operations) - len(OPEN)


@pytest.mark.parametrize("role", ["owner", "developer", "viewer", "billing"])
def test_member_of_another_tenant_is_answered_nothing_whatever_the_role(
    program: Program, operations: list[Operation], role: str
) -> None:
    stranger = program.member(f"{role}@bank.example", "bank", role)
    paths = [(method, path) for method, path, _ in operations if "{tenant}" in path]
    assert len(paths) == 6
    for method, path in paths:
        answer = stranger.ask(method.upper(), target(path))
        assert answer.status == 404, path
        assert "web" not in answer.text.replace(target(path), "")
        # Their own is answered, or refused for the role.
        own = stranger.ask(method.upper(), target(path).replace("/shop/", "/bank/").replace("/web", "/vault"))
        right = NEEDED[path.rpartition("/")[2]]
        assert own.status == (200 if role in RIGHTS[right] else 403), path  # type: ignore[index,comparison-overlap]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://attacker.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Host": "attacker.example", "Origin": "http://attacker.example"}, 400),
    ],
)
def test_change_from_elsewhere_is_refused(
    program: Program, operations: list[Operation], headers: dict[str, str], status: int
) -> None:
    browser = program.member(f"csrf{abs(hash(str(headers)))}@shop.example")
    for method, path, _ in operations:
        if method != "get":
            assert browser.ask(method.upper(), target(path), {}, headers).status == status, path
    assert browser.ask("GET", "/api/v1/session").status == 200


def test_answers_tell_browsers_what_they_may_do_with_them(program: Program) -> None:
    for path in ("/", "/services/web", "/api/v1/session", "/assets/main-8d1f.js"):
        answer = program.browser().ask("GET", path)
        policy = answer.headers["content-security-policy"]
        assert re.search(r"default-src 'none'; script-src 'self';", policy)
        assert (answer.headers["x-content-type-options"], answer.headers["referrer-policy"]) == (
            *("nosniff", "no-referrer"),
        )


def test_page_is_answered_on_its_own_paths_and_files_are_kept_for_ever(program: Program) -> None:
    browser = program.browser()
    for path in ("/", "/register", "/tenants/shop/services/web"):
        answer = browser.ask("GET", path)
        assert (answer.status, answer.headers["cache-control"]) == (200, "no-cache")
        assert "<title>Runyard" in answer.text
    assert "immutable" in browser.ask("GET", "/assets/main-8d1f.js").headers["cache-control"]
    assert browser.ask("GET", "/assets/none.js").status == 404
    assert browser.ask("GET", "/api/v1/nothing").status == 404
    assert browser.ask("GET", "/assets/../index.html").status == 404 or "secret" not in browser.ask("GET", "/").text


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("GET", "/api/v1/tenants/No/services", None, "tenant: string should match pattern"),
        ("GET", "/api/v1/tenants/shop/usage?from=x&until=2026-11-02", None, "from: input should be a valid date"),
        ("GET", "/api/v1/tenants/shop/statements/november", None, "month: string should match pattern"),
        ("GET", "/api/v1/tenants/shop/audit?limit=0", None, "limit: input should be greater than or equal to 1"),
        ("POST", "/api/v1/session", {"email": "a", "password": PASSWORD, "x": 1}, "x: extra inputs are not permitted"),
        ("POST", "/api/v1/session", {"email": "a"}, "password: field required"),
    ],
)
def test_question_that_does_not_fit_is_a_problem_that_shows_no_value(
    program: Program, method: str, path: str, body: Any, said: str
) -> None:
    browser = program.member(f"asks{abs(hash(path + said))}@shop.example")
    answer = browser.ask(method, path, body)
    assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json()["detail"].startswith(said)
    assert PASSWORD not in answer.text


def test_another_browser_keeps_its_own_session(program: Program) -> None:
    browser = program.member("two@shop.example")
    other = Browser(program.port)
    assert other.sign_in("two@shop.example").status == 201
    assert browser.ask("DELETE", "/api/v1/session").status == 204
    assert [each.ask("GET", "/api/v1/session").status for each in (browser, other)] == [401, 200]
