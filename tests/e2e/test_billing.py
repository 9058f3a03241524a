"""A stack that bills: its ledger and database on the real engine, from a meter's windows to an invoice.

It has a console, too: what members see of their tenant, and that they see it alone.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.ledger import AN_HOUR
from tests.harness.browser import Tab, chromium
from tests.harness.client import Answer, answer_of, ask, opened
from tests.harness.ports import free_ports
from tests.harness.stack import Stack, docker, inspect, new_stack, service
from tests.harness.waiting import until

# Both parts together, at rest.
MOST_IDLE_BYTES = 150 * 1024**2
PASSWORD = "correct horse battery staple"
# What the entrances of the page are called.
JOIN, SIGN_IN, RESET = "Join by invitation", "Sign in to Runyard", "Set another password"


class Browser:
    """Somebody's browser: it keeps cookies, and says where its page came from."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cookies = SimpleCookie()

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        headers = {"Origin": f"http://127.0.0.1:{self.port}"}
        headers["Cookie"] = "; ".join(f"{each.key}={each.value}" for each in self.cookies.values())
        if body is not None:
            headers["Content-Type"] = "application/json"
        with opened(self.port, path, method, json.dumps(body) if body else None, headers) as response:
            for each in response.headers.get_all("Set-Cookie", []):
                self.cookies.load(each)
            return answer_of(response)


class Billing:
    """A stack with its ledger on."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.port, self.console_port, meter = free_ports(3)
        ports = {"billingPort": self.port, "consolePort": self.console_port, "observability": {"meterPort": meter}}
        stack.platform(gateway={"port": stack.port}, billing="on", console="on", **ports)
        stack.write("hello", service("hello"))
        stack.write("capped", service("capped", namespace="team"))
        self.budget("10.00")
        stack.up()

    def budget(self, amount: str) -> None:
        """Write the budget of tenant team, which is left no instances and no new revisions when it is used up."""
        thresholds = [{"percent": 100, "action": "stop"}, {"percent": 100, "action": "block"}]
        document = {"apiVersion": "runyard.dev/v1", "kind": "Tenant", "metadata": {"name": "team"}}
        self.stack.write("team", {**document, "spec": {"budget": {"amount": amount, "thresholds": thresholds}}})

    def metric(self, name: str) -> float:
        lines = ask(self.port, "/metrics").body.decode().splitlines()
        return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    def container(self, part: str) -> str:
        return f"runyard.{self.stack.name}.{part}"

    def count(self, what: str) -> int:
        psql = ("psql", "-h", "/var/lib/runyard/postgres", "-Atc", f"SELECT {what} FROM usage", "billing")
        return int(docker("exec", self.container("postgres"), *psql) or 0)

    def browser(self, email: str, tenant: str, role: str) -> Browser:
        """Give a browser in which somebody has just registered by an invitation."""
        made = Browser(self.console_port)
        until(lambda: made.ask("GET", "/healthz").status == 200, "the console serves")
        token = self.invite(email, tenant, role).partition("#")[2]
        registered = made.ask("POST", "/api/v1/registrations", {"invitation": token, "password": PASSWORD})
        assert registered.status == 201, registered.text
        assert made.ask("POST", "/api/v1/registrations", {"invitation": token, "password": PASSWORD}).status == 404
        return made

    def invite(self, email: str, tenant: str, role: str) -> str:
        """Invite somebody, and give the link."""
        command = ("console invite", email, "--tenant", tenant, "--role", role)
        return self.stack.runyard(*command, check=True).stdout.strip()

    def reset(self, email: str) -> str:
        """Let somebody set another password, and give the link."""
        return self.stack.runyard("console reset", email, check=True).stdout.strip()

    def restart(self, part: str) -> None:
        docker("kill", self.container(part))
        docker("start", self.container(part))

    def database_answers(self) -> bool:
        ready = ["docker", "exec", self.container("postgres"), "pg_isready", "-h", "/var/lib/runyard/postgres"]
        return subprocess.run(ready, capture_output=True, check=False).returncode == 0


# Writes a minute of a thousand machines, which is some 140 dollars at the default prices, as a batch of a meter.
A_LOT = """
import os
import time
from runyard.contracts import UsageAmounts, UsageWindow
from runyard.database import connect
from services.billing.adapters.database import writing
from services.billing.adapters.usage import note_sequence, take_windows
from services.billing.settings import parse_settings
start = int(time.time()) // 60 * 60000
amounts = UsageAmounts(
    active_ms=60000, allocated_ms=60000, requests=1, cpu_limit_millis=10**8, memory_limit_bytes=2**30
)
window = UsageWindow("team", "capped", "capped-1", "i1", "c2", start, start, start + 60000, "usage", amounts)
with writing(connect(parse_settings(os.environ).database)) as connection:
    take_windows(connection, [(window, "request")])
    note_sequence(connection, "by-hand", start)
"""


# Reads a table of the ledger's, as the console's process could try to.
READ_THE_LEDGER = """
import os
import psycopg
psycopg.connect("postgresql://console@/billing?host=/var/lib/runyard/postgres").execute("SELECT * FROM public.invoices")
"""


@pytest.fixture(scope="module")
def billing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Billing]:
    with new_stack(tmp_path_factory, "billing") as made:
        yield Billing(made)


def memory(container: str) -> int:
    """Tell what a container has of memory beside what the kernel keeps of files and would give back."""
    found = Path("/sys/fs/cgroup").glob(f"**/*{inspect(container)['Id']}*/memory.stat")
    # Below it there may be one that the container made for itself.
    file = min(found, key=lambda each: len(each.parts))
    stat = {name: int(value) for name, value in map(str.split, file.read_text().splitlines())}
    # Of version 2 of control groups, and of version 1.
    return stat.get("anon", stat.get("rss", 0)) + stat.get("shmem", 0)


def test_requests_become_usage_whoever_is_killed_on_the_way(billing: Billing) -> None:
    until(lambda: billing.metric("runyard_billing_ledger_up") == 1, "the ledger is up")
    idle = sum(memory(billing.container(part)) for part in ("postgres", "billing"))
    assert idle < MOST_IDLE_BYTES, f"{idle / 1024**2:.0f} MiB"
    for _ in range(50):
        assert billing.stack.get("hello.localhost").status == 200
    for part in ("postgres", "billing"):
        billing.restart(part)
    # While it goes over what it had not written yet, it refuses whoever asks.
    until(billing.database_answers, "the database is back")
    until(lambda: billing.count("sum(requests)") == 50, "every request is there", within_s=150)
    billing.restart("meter")
    shown = billing.stack.runyard("invoice", "default", datetime.now(UTC).strftime("%Y-%m"), "-o", "json")
    (draft,) = json.loads(shown.stdout)["bills"]
    (used,) = [each["quantities"][0]["used"] for each in draft["lines"] if each["item"] == "requests"]
    assert (draft["number"], draft["lines"][0]["service"], used) == (0, "hello", "0.000050")


def test_month_that_is_over_becomes_an_invoice_that_recomputes(billing: Billing, tmp_path: Path) -> None:
    docker("exec", billing.container("billing"), "python3", "-c", AN_HOUR)
    shown = billing.stack.runyard(
        "invoice", "shop", "2026-10", "--issue", "-o", "json", "--pdf", str(tmp_path / "invoice.pdf")
    )
    assert shown.returncode == 0, shown.stderr
    (bill,) = json.loads(shown.stdout)["bills"]
    assert (bill["number"], bill["tenant"], bill["month"]) == (1, "shop", "2026-10")
    (requests,) = [each["quantities"][0]["used"] for each in bill["lines"] if each["item"] == "requests"]
    assert requests == "0.006000"
    assert (tmp_path / "invoice.pdf").read_bytes().startswith(b"%PDF-1.7")
    verified = billing.stack.runyard("invoice", "--verify")
    assert (verified.returncode, verified.stdout.splitlines()[-1]) == (0, "1 bill recomputed, 0 differences")


def test_money_is_told_to_the_hosts_administrator_alone(billing: Billing) -> None:
    for path in ("/v1/tenants/shop/statements/2026-10", "/v1/verification"):
        assert ask(billing.port, path).status == 404
    # The database takes the ledger by its number, and nobody by another's name.
    denied = subprocess.run(
        ["docker", "exec", "--user", "billing", billing.container("postgres"), "psql", "-h",
         "/var/lib/runyard/postgres", "-U", "postgres", "-c", "SELECT 1"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert denied.returncode != 0
    assert "Peer authentication failed" in denied.stderr
    listed = subprocess.run(
        ["docker", "exec", billing.container("billing"), "ls", "/var/lib/runyard/postgres/data"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Permission denied" in listed.stderr


def test_tenant_that_is_not_known_is_an_error_with_a_code(billing: Billing) -> None:
    shown = billing.stack.runyard("invoice", "nobody", "2026-10")
    assert (shown.returncode, shown.stdout) == (1, "")
    assert shown.stderr == "error: tenant nobody: must be one of which the ledger has usage\n"
    assert billing.stack.runyard("invoice", "shop", "2026-13").returncode == 2


def test_stack_that_bills_shows_no_change_and_is_verified(billing: Billing) -> None:
    billing.stack.expect_no_changes()
    done = billing.stack.runyard("verify", str(billing.stack.manifests))
    assert done.returncode == 0, done.stdout + done.stderr


def test_member_registers_by_invitation_and_sees_their_tenant_until_they_sign_out(billing: Billing) -> None:
    ann = billing.browser("ann@example.org", "default", "owner")
    shown = ann.ask("GET", "/api/v1/tenants/default/services").json()
    (hello,) = shown["services"]
    assert (hello["name"], hello["state"], hello["hosts"]) == ("hello", "ready", ["hello.localhost"])
    assert float(hello["cost"]) > 0
    detail = ann.ask("GET", "/api/v1/tenants/default/services/hello").json()
    assert [each["state"] for each in detail["instances"]] == ["ready"]
    assert [(each["percent"], each["ready"]) for each in detail["revisions"]] == [(100, 1)]
    page = ann.ask("GET", "/tenants/default").text
    script = re.search(r'<script type="module"[^>]* src="(/assets/[^"]+\.js)"', page)
    assert script, page
    assert ann.ask("GET", script[1]).status == 200
    month = datetime.now(UTC).strftime("%Y-%m")
    statement = ann.ask("GET", f"/api/v1/tenants/default/statements/{month}").json()
    assert (statement["month"], [each["service"] for each in statement["bills"][0]["lines"]][:1]) == (month, ["hello"])
    elsewhere = Browser(billing.console_port)
    signed_in = elsewhere.ask("POST", "/api/v1/session", {"email": "ann@example.org", "password": PASSWORD})
    assert signed_in.json() == {"email": "ann@example.org", "tenants": [{"tenant": "default", "role": "owner"}]}
    billing.restart("console")
    until(lambda: elsewhere.ask("GET", "/api/v1/session").status == 200, "the session outlives the process")
    assert elsewhere.ask("DELETE", "/api/v1/sessions").status == 204
    for each in (ann, elsewhere):
        assert each.ask("GET", "/api/v1/tenants/default/services").status == 401


def test_member_of_another_tenant_sees_nothing_of_it(billing: Billing) -> None:
    bob = billing.browser("bob@example.org", "shop", "owner")
    assert bob.ask("GET", "/api/v1/tenants/shop/services").json()["services"] == []
    for path in ("services", "services/hello", "statements/2026-10", "audit"):
        assert bob.ask("GET", f"/api/v1/tenants/default/{path}").status == 404
    assert bob.ask("GET", "/api/v1/tenants/shop/services/hello").status == 404
    assert bob.ask("GET", "/api/v1/tenants/shop/statements/2026-10").json()["bills"][0]["number"] == 1


def enter(tab: Tab, title: str, *typed: str) -> None:
    """Fill in the fields of an entrance when it is there, from the first on, and send them, by keyboard alone."""
    tab.page.get_by_role("heading", name=title).wait_for()
    for each in typed:
        tab.page.keyboard.press("Tab")
        tab.page.keyboard.type(each)
    tab.page.keyboard.press("Enter")


def walk_as_an_owner(tab: Tab, link: str) -> None:
    """Join, look at every page of a tenant, leave, and come back, as somebody does who has no mouse at the doors."""
    page = tab.page
    page.goto(link)
    page.get_by_role("heading", name=JOIN).wait_for()
    tab.check("registration")
    enter(tab, JOIN, PASSWORD)
    page.get_by_role("article", name="hello").get_by_text("1 of 1 instances").wait_for()
    tab.check("services")
    page.get_by_role("link", name="hello").click()
    page.get_by_role("region", name="Instances").get_by_text("ready", exact=True).wait_for()
    tab.check("service")
    page.get_by_role("link", name="Invoices").click()
    # By itself, this test is faster than the ledger.
    uncounted = page.get_by_text("Nothing is counted of this tenant yet.")
    page.get_by_role("cell", name="hello").first.or_(uncounted).wait_for()
    tab.check("invoices")
    page.get_by_role("link", name="Audit").click()
    page.get_by_role("row", name="carol@example.org register").wait_for()
    tab.check("audit")
    page.get_by_role("button", name="Account of carol@example.org").click()
    page.get_by_role("menuitem", name="Sign out", exact=True).wait_for()
    tab.check("account menu")
    page.get_by_role("menuitem", name="Sign out", exact=True).click()
    page.get_by_role("heading", name=SIGN_IN).wait_for()
    page.goto("/tenants/default/audit")
    enter(tab, SIGN_IN, "carol@example.org", "not the password")
    page.get_by_role("alert").get_by_text("user and password must fit").wait_for()
    tab.check("refused sign-in")
    page.reload()
    enter(tab, SIGN_IN, "carol@example.org", PASSWORD)
    page.get_by_role("link", name="hello").wait_for()
    with tab.on_a_phone():
        page.get_by_role("button", name="Pages").click()
        page.get_by_role("link", name="Audit").click()
        page.get_by_role("heading", name="Audit").wait_for()


def lose_a_password(tab: Tab, link: str) -> None:
    """Set another password by a link, in a browser in which somebody is signed in still."""
    tab.page.goto(link)
    tab.page.get_by_role("heading", name=RESET).wait_for()
    tab.check("reset")
    enter(tab, RESET, "another horse battery")
    tab.page.get_by_role("link", name="hello").wait_for()


def test_page_is_for_everybody_and_shows_a_tenant_to_its_members_alone(billing: Billing) -> None:
    with chromium() as browser:
        address = f"http://127.0.0.1:{billing.console_port}"
        carol = browser.tab(address)
        walk_as_an_owner(carol, billing.invite("carol@example.org", "default", "owner"))
        lose_a_password(carol, billing.reset("carol@example.org"))
        dave = browser.tab(address)
        dave.page.goto(billing.invite("dave@example.org", "shop", "owner"))
        enter(dave, JOIN, PASSWORD)
        dave.page.get_by_text("There is no service yet.").wait_for()
        dave.check("services of a tenant that has none")
        for path in ("", "/services/hello", "/invoices", "/audit"):
            dave.page.goto(f"/tenants/default{path}")
            dave.page.get_by_role("alert").get_by_text("must be one of which you are a member").wait_for()
            assert "hello.localhost" not in dave.page.content()
        dave.check("page that is refused")
        dave.page.goto("/nothing")
        dave.page.get_by_text("there is no such page").wait_for()
        dave.check("page that is not there")


def test_console_reaches_no_socket_that_changes_anything_and_no_table_of_the_ledgers(billing: Billing) -> None:
    mounts = {each["Destination"] for each in inspect(billing.container("console"))["Mounts"]}
    assert mounts == {f"/var/lib/runyard/{each}" for each in ("console", "postgres", "statements")}
    done = subprocess.run(
        ["docker", "exec", billing.container("console"), "python3", "-c", READ_THE_LEDGER],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "permission denied for table invoices" in done.stderr


def test_budget_that_is_used_up_stops_its_tenant_until_it_is_raised(billing: Billing) -> None:
    stack = billing.stack
    assert stack.get("capped.team.localhost").status == 200
    docker("exec", billing.container("billing"), "python3", "-c", A_LOT)
    begun = time.monotonic()
    until(lambda: stack.get("capped.team.localhost").status == 503, "the tenant is stopped", within_s=60)
    print(f"from the crossing to its effect: {time.monotonic() - begun:.1f} s")
    assert stack.get("hello.localhost").status == 200
    until(lambda: not any(".capped-" in each for each in stack.names("instance")), "its instances are gone")
    told = stack.runyard("why", "capped", "-t", "team", check=True).stdout
    assert "at most 0 instances by budget until" in told
    (status,) = json.loads(stack.runyard("budget", "team", "-o", "json", check=True).stdout)["budgets"]
    assert [each["threshold"]["action"] for each in status["crossings"]] == ["stop", "block"]
    labels = 'runyard_billing_budget_crossed{action="stop",percent="100",spending="actual",tenant="team"}'
    until(lambda: billing.metric(labels) == 1, "an alert has something to go by")
    # As it is it may stay; something new of it may not come, unless the same update raises the budget.
    stack.expect_no_changes()
    stack.write("capped", service("capped", namespace="team", env=[{"name": "NEW", "value": "1"}]))
    refused = stack.pulumi("preview", "--stack", stack.name, check=False)
    assert refused.returncode != 0
    assert "budget-not-used-up: tenant team must have no new revisions once its actual cost of" in refused.stdout
    billing.budget("100000.00")
    stack.up()
    until(lambda: stack.get("capped.team.localhost").status == 200, "the tenant serves again", within_s=60)
