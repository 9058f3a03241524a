"""Accounts over HTTP, on a real database: invitations, sessions, cookies, and what is kept of secrets."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from services.console.adapters.database import connect, transaction
from services.console.identity.throttle import BY_USER
from tests.harness.client import opened
from tests.unit.services.console.conftest import PASSWORD, Program


def test_invitation_works_once_and_makes_a_member(program: Program) -> None:
    token = program.invite("Ann@Example.org", "shop", "developer")
    browser = program.browser()
    body = {"invitation": token, "password": PASSWORD}
    registered = browser.ask("POST", "/api/v1/registrations", body)
    who = {"email": "ann@example.org", "tenants": [{"tenant": "shop", "role": "developer"}]}
    assert (registered.status, registered.json()) == (201, who)
    assert browser.ask("GET", "/api/v1/session").json() == who
    again = program.browser().ask("POST", "/api/v1/registrations", body)
    assert (again.status, again.json()["detail"]) == (
        *(404, "invitation: must be one that was not used and is not over"),
    )


def test_invitation_whose_password_is_refused_can_be_used_still(program: Program) -> None:
    token = program.invite("short@example.org")
    refused = program.browser().ask("POST", "/api/v1/registrations", {"invitation": token, "password": "short"})
    assert refused.status == 400
    body = {"invitation": token, "password": PASSWORD}
    assert program.browser().ask("POST", "/api/v1/registrations", body).status == 201


def test_second_invitation_gives_an_account_another_tenant_and_only_with_its_password(program: Program) -> None:
    program.member("two@example.org", "shop", "viewer")
    token = program.invite("two@example.org", "bank", "billing")
    taken = program.browser().ask("POST", "/api/v1/registrations", {"invitation": token, "password": "another one 123"})
    assert taken.status == 401
    joined = program.browser().ask("POST", "/api/v1/registrations", {"invitation": token, "password": PASSWORD})
    assert [each["tenant"] for each in joined.json()["tenants"]] == ["bank", "shop"]


@pytest.mark.parametrize(
    ("email", "tenant", "role", "said"),
    [
        ("nobody", "shop", "owner", "email: must be an e-mail address such as ann@example.org, got 'nobody'"),
        ("a b@example.org", "shop", "owner", "email: must be an e-mail address such as ann@example.org, got"),
        ("a@example.org", "No", "owner", "tenant: must be a DNS label, got 'No'"),
        ("a@example.org", "shop", "root", "role: input should be 'owner', 'developer', 'viewer' or 'billing'"),
    ],
)
def test_invitation_that_does_not_fit_is_refused(
    program: Program, email: str, tenant: str, role: str, said: str
) -> None:
    status, answer = program.control(email=email, tenant=tenant, role=role)
    assert (status, answer["detail"].startswith(said)) == (400, True), answer


def test_cookies_are_for_this_host_and_no_script(program: Program) -> None:
    program.member("cookie@example.org")
    headers = {"Origin": f"http://127.0.0.1:{program.port}", "Content-Type": "application/json"}
    body = f'{{"email": "cookie@example.org", "password": "{PASSWORD}"}}'
    with opened(program.port, "/api/v1/session", "POST", body, headers) as response:
        set_cookies = response.headers.get_all("Set-Cookie", [])
    assert len(set_cookies) == 2
    for each in set_cookies:
        assert {"httponly", "samesite=strict", "path=/"} <= {word.strip().lower() for word in each.split(";")}
        assert "domain" not in each.lower()


def test_sign_out_everywhere_ends_every_session_of_one_user_alone(program: Program) -> None:
    first, other = program.member("out@example.org"), program.member("stays@example.org")
    second = program.browser()
    assert second.sign_in("out@example.org").status == 201
    assert second.ask("DELETE", "/api/v1/sessions").status == 204
    assert [each.ask("GET", "/api/v1/session").status for each in (first, second, other)] == [401, 401, 200]


def test_reset_sets_another_password_once_and_signs_out_everywhere_else(program: Program) -> None:
    before = program.member("lost@example.org", "lost")
    other = program.member("keeps@example.org", "lost")
    body = {"reset": program.reset("Lost@example.org"), "password": "another horse battery"}
    browser = program.browser()
    done = browser.ask("POST", "/api/v1/passwords", body)
    assert (done.status, done.json()["email"]) == (201, "lost@example.org")
    assert [each.ask("GET", "/api/v1/session").status for each in (browser, before, other)] == [200, 401, 200]
    signed_in = [program.browser().sign_in("lost@example.org", each).status for each in (PASSWORD, body["password"])]
    assert signed_in == [401, 201]
    again = program.browser().ask("POST", "/api/v1/passwords", body)
    assert (again.status, again.json()["detail"]) == (404, "reset: must be one that was not used and is not over")
    entries = other.ask("GET", "/api/v1/tenants/lost/audit").json()["entries"]
    assert [(each["email"], each["action"], each["detail"]) for each in entries[:2]] == [
        ("lost@example.org", "set password", ""),
        ("administrator", "reset password", "lost@example.org"),
    ]


def test_reset_is_for_an_account_the_newest_alone_and_outlives_a_password_that_is_refused(program: Program) -> None:
    status, answer = program.control("/v1/resets", email="nobody@example.org")
    assert (status, answer["detail"]) == (400, "email: must be that of an account, got 'nobody@example.org'")
    program.member("twice@example.org")
    old, new = program.reset("twice@example.org"), program.reset("twice@example.org")
    answers = [
        program.browser().ask("POST", "/api/v1/passwords", {"reset": token, "password": password}).status
        for token, password in ((old, "another horse battery"), (new, "short"), (new, "another horse battery"))
    ]
    assert answers == [404, 400, 201]


def test_reset_is_in_the_log_of_each_tenant_of_the_account_and_of_no_other(program: Program) -> None:
    owners = {tenant: program.member(f"owner@{tenant}.example", tenant) for tenant in ("north", "south", "east")}
    program.member("both@example.org", "north", "viewer")
    body = {"invitation": program.invite("both@example.org", "south", "billing"), "password": PASSWORD}
    assert program.browser().ask("POST", "/api/v1/registrations", body).status == 201
    token = program.reset("both@example.org")
    done = program.browser().ask("POST", "/api/v1/passwords", {"reset": token, "password": "another horse battery"})
    assert [(each["tenant"], each["role"]) for each in done.json()["tenants"]] == [
        ("north", "viewer"),
        ("south", "billing"),
    ]
    for tenant, owner in owners.items():
        entries = owner.ask("GET", f"/api/v1/tenants/{tenant}/audit").json()["entries"]
        told = [each["action"] for each in entries if "password" in each["action"]]
        assert told == ([] if tenant == "east" else ["set password", "reset password"]), tenant


def test_reset_that_is_over_sets_nothing(program: Program) -> None:
    program.member("late@example.org")
    token = program.reset("late@example.org")
    engine = connect(program.settings.database)
    with transaction(engine) as connection:
        connection.execute(text("UPDATE console.resets SET expires_at = now() - interval '1 second'"))
    engine.dispose()
    body = {"reset": token, "password": "another horse battery"}
    assert program.browser().ask("POST", "/api/v1/passwords", body).status == 404


def test_user_and_password_that_do_not_fit_are_refused_in_the_same_words(program: Program) -> None:
    program.member("real@example.org")
    wrong, absent = (program.browser().sign_in(each, "wrong password") for each in ("real@example.org", "no@x.org"))
    assert (wrong.status, wrong.body) == (absent.status, absent.body)
    assert wrong.json()["detail"] == "sign in: user and password must fit"


def test_guesser_is_told_to_wait_and_the_user_signs_in_from_her_browser(program: Program) -> None:
    hers = program.member("guessed@example.org")
    assert hers.ask("DELETE", "/api/v1/session").status == 204
    answers = [program.browser().sign_in("guessed@example.org", "wrong") for _ in range(BY_USER + 2)]
    assert [each.status for each in answers] == [401] * BY_USER + [429] * 2
    assert int(answers[-1].headers["retry-after"]) > 0
    # The right password from a strange browser waits, too: else guesses would only be slower to confirm.
    assert program.browser().sign_in("guessed@example.org").status == 429
    assert hers.sign_in("guessed@example.org").status == 201


def test_nothing_that_is_kept_signs_anybody_in(program: Program) -> None:
    browser = program.member("kept@example.org")
    invitation, reset = program.invite("later@example.org"), program.reset("kept@example.org")
    engine = connect(program.settings.database)
    with transaction(engine) as connection:
        tables = connection.execute(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'console'")
        ).scalars()
        rows = [
            str(bytes(value).hex() if isinstance(value, bytes | memoryview) else value)
            for table in list(tables)
            for row in connection.execute(text(f"SELECT * FROM console.{table}"))
            for value in row
        ]
    engine.dispose()
    kept = " ".join(rows)
    assert "kept@example.org" in kept
    for secret in (PASSWORD, invitation, reset, *(each.value for each in browser.cookies.values())):
        assert secret not in kept
        assert secret.encode().hex() not in kept


def test_what_was_done_and_refused_is_in_the_audit_log_of_the_tenant(program: Program) -> None:
    owner = program.member("auditor@example.org", "audited", "owner")
    stranger = program.member("curious@example.org", "bank", "owner")
    assert stranger.ask("GET", "/api/v1/tenants/audited/services").status == 404
    page = owner.ask("GET", "/api/v1/tenants/audited/audit").json()
    told = [(each["email"], each["action"], each["outcome"]) for each in page["entries"]]
    assert told == [
        ("curious@example.org", "read services", "refused"),
        ("auditor@example.org", "register", "done"),
        ("administrator", "invite", "done"),
    ]
    assert page["next"] is None
    first = owner.ask("GET", "/api/v1/tenants/audited/audit?limit=1").json()
    assert first["next"] == first["entries"][0]["number"]
    rest = owner.ask("GET", f"/api/v1/tenants/audited/audit?before={first['next']}").json()
    assert [each["action"] for each in rest["entries"]] == ["register", "invite"]


def test_audit_log_is_only_added_to(program: Program) -> None:
    program.member("wipes@example.org")
    engine = connect(program.settings.database)
    for change in ("DELETE FROM console.audit", "UPDATE console.audit SET email = 'x'"):
        with pytest.raises(Exception, match="audit is append-only"), transaction(engine) as connection:
            connection.execute(text(change))
    engine.dispose()
