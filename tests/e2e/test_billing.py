"""A stack that bills: its ledger and database on the real engine, from a meter's windows to an invoice.

It has a console, too: what members see of their tenant, and that they see it alone.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.ledger import AN_HOUR
from tests.harness.client import Answer, answer_of, ask, opened
from tests.harness.ports import free_ports
from tests.harness.stack import Stack, docker, inspect, new_stack, service
from tests.harness.waiting import until

# Both parts together, at rest.
MOST_IDLE_BYTES = 150 * 1024**2
PASSWORD = "correct horse battery staple"


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
        stack.up()

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
        link = self.stack.runyard("console invite", email, "--tenant", tenant, "--role", role, check=True).stdout
        token = link.strip().partition("#")[2]
        registered = made.ask("POST", "/api/v1/registrations", {"invitation": token, "password": PASSWORD})
        assert registered.status == 201, registered.text
        assert made.ask("POST", "/api/v1/registrations", {"invitation": token, "password": PASSWORD}).status == 404
        return made

    def restart(self, part: str) -> None:
        docker("kill", self.container(part))
        docker("start", self.container(part))

    def database_answers(self) -> bool:
        ready = ["docker", "exec", self.container("postgres"), "pg_isready", "-h", "/var/lib/runyard/postgres"]
        return subprocess.run(ready, capture_output=True, check=False).returncode == 0


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


def test_console_reaches_no_socket_that_changes_anything_and_no_table_of_the_ledgers(billing: Billing) -> None:
    mounts = {each["Destination"] for each in inspect(billing.container("console"))["Mounts"]}
    assert mounts == {f"/var/lib/runyard/{each}" for each in ("console", "postgres", "statements")}
    done = subprocess.run(
        ["docker", "exec", billing.container("console"), "python3", "-c", READ_THE_LEDGER],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "permission denied for table invoices" in done.stderr
