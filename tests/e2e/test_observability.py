"""Observed: a stack whose Platform asks for it counts every request once, and its instances' use as the kernel does.

It bills, has a console and speaks TLS, too, with a service that sleeps and a tenant with quotas, which dashboards show.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from runyard import names
from runyard.cgroups import Cgroups
from runyard.contracts import InstanceList, UsageBatch, UsageWindow, decode
from runyard.dashboards import DASHBOARDS, SERVICE, Dashboard, read_dashboard, span_until
from runyard.host import Engine
from runyard.images import image_reference
from tests.harness.client import ask, connect, opened
from tests.harness.ports import free_ports
from tests.harness.stack import ROOT, Stack, docker, inspect, new_stack, service
from tests.harness.waiting import until

SAMPLE = re.compile(r"([a-z_]+)\{(.*)\} ([0-9.e+-]+)")
METER, PROMETHEUS, ALERTMANAGER, LOGS, LEDGER, CONSOLE = free_ports(6)
# Enough for tens of checkpoints and several files.
REQUESTS = 4_000
# Of the receiver's URL: it may be nowhere but there.
TOKEN = "a-token-of-the-receivers"


# What takes webhooks, and writes each as a line; on Docker's own bridge, as what is on this host nobody may be told.
WEBHOOK = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.path, self.rfile.read(int(self.headers["Content-Length"])).decode().strip(), flush=True)
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("", 8080), Handler).serve_forever()
"""


# A service that writes what it is asked to, with the request's id and with lies about whose it is.
SHOUT_PROGRAM = """
import http.server, json, sys, urllib.parse
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        said = {"message": asked.get("say", ""), "request": self.headers["X-Request-Id"]}
        lies = {"tenant": "other", "service": "web", "instance": "none", "AccountID": 1, "_time": 1}
        print(json.dumps({"severity": "error"} | said | lies), flush=True)
        for number in range(int(asked.get("lines", 0))):
            print("line", number, asked["say"])
        sys.stdout.flush()
        if "raise" in asked:
            print("Traceback (most recent call last):\\n  File 1\\nValueError: " + asked["raise"], file=sys.stderr)
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
print("started", flush=True)
http.server.HTTPServer(("", 8080), Handler).serve_forever()
"""
SHOUT = {"command": ["python3", "-c", SHOUT_PROGRAM], "template": {"autoscaling.knative.dev/maxScale": "1"}}


@pytest.fixture(scope="module")
def webhook() -> Iterator[str]:
    """Give the name of a container that takes webhooks at port 8080."""
    name = f"runyard-test-webhook-{METER}"
    image = image_reference("meter")
    docker("run", "--detach", "--name", name, "--memory", "64m", "--entrypoint", "python3", image, "-c", WEBHOOK)
    yield name
    docker("rm", "--force", name)


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory, webhook: str) -> Iterator[Stack]:
    with new_stack(tmp_path_factory, "observed") as made:
        made.platform(
            gateway={"port": made.port, "tls": {"mode": "local", "port": made.tls_port, "redirect": False}},
            billing="on",
            billingPort=LEDGER,
            console="on",
            consolePort=CONSOLE,
            observability={
                "level": "full",
                **{"meterPort": METER, "prometheusPort": PROMETHEUS, "alertmanagerPort": ALERTMANAGER},
                "logs": {"port": LOGS},
                "groupWaitSeconds": 1,
                "receivers": [{"name": "on-call", "webhook": {"urlFrom": {"secretKeyRef": {"name": "on-call"}}}}],
            },
        )
        address = inspect(webhook)["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
        made.set_secret("runyard:receiverSecrets.on-call", f"http://{address}:8080/{TOKEN}")
        made.write("web", service("web", namespace="shop", template={"autoscaling.knative.dev/maxScale": "1"}))
        limit = {"runyard.dev/max-requests-per-second": "1"}
        sleeps = {"minScale": "0", "maxScale": "1", "window": "6s"}
        template = {f"autoscaling.knative.dev/{name}": value for name, value in sleeps.items()}
        made.write("seldom", service("seldom", namespace="shop", annotations=limit, template=template))
        # Other files' stacks have a tenant of this name as well, and count.
        quotas = {"cpu": "2000", "memory": "2000Gi", "instances": 9000}
        tenant = {"apiVersion": "runyard.dev/v1", "kind": "Tenant", "metadata": {"name": "shop"}}
        made.write("shop", {**tenant, "spec": {"quotas": quotas}})
        made.write("shout", service("shout", image=image_reference("meter"), namespace="shop", **SHOUT))
        made.up()
        until(lambda: ask(METER, "/healthz").status == 200, "the meter is ready")
        yield made


def metric(name: str, **labels: str) -> float:
    """Add up the samples of the meter with these labels."""
    total = 0.0
    for line in ask(METER, "/metrics").text.splitlines():
        found = SAMPLE.fullmatch(line)
        if found and found[1] == name:
            told = dict(re.findall(r'([a-z]+)="([^"]*)"', found[2]))
            total += float(found[3]) if labels.items() <= told.items() else 0.0
    return total


def query(expression: str) -> float:
    """Ask Prometheus for one number."""
    answer = ask(PROMETHEUS, f"/api/v1/query?query={quote(expression)}").json()
    results = answer["data"]["result"]
    return float(results[0]["value"][1]) if results else float("nan")


def part(stack: Stack, name: str) -> str:
    return f"runyard.{stack.name}.{name}"


def kill(container: str) -> None:
    """Kill a part's process as a crash does; the engine starts it again, as it does not after `docker kill`."""
    state = inspect(container)["State"]
    os.kill(state["Pid"], signal.SIGKILL)
    until(lambda: inspect(container)["State"]["StartedAt"] != state["StartedAt"], f"{container} is back")


def rotate(stack: Stack) -> None:
    """Put the request log aside, as its size does; the gateway's own command makes another."""
    directory, gateway = names.REQUESTS_DIRECTORY, part(stack, "gateway")

    def files() -> list[str]:
        return docker("exec", gateway, "ls", directory).split()

    numbers = [int(each.rpartition(".")[2]) for each in files() if re.fullmatch(r"requests\.log\.\d+", each)]
    log = f"{directory}/{names.REQUEST_LOG_NAME}"
    docker("exec", gateway, "mv", log, f"{log}.{max(numbers, default=0) + 1}")
    until(lambda: names.REQUEST_LOG_NAME in files(), "there is another log")


def send(stack: Stack, count: int) -> None:
    with connect(stack.port) as connection:
        for _ in range(count):
            connection.request("GET", "/", headers={"Host": "web.shop.localhost"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200


def windows() -> list[UsageWindow]:
    found, after = list[UsageWindow](), 0
    while (batch := decode(UsageBatch, ask(METER, f"/v1/windows?after={after}").text)).windows:
        found, after = [*found, *batch.windows], batch.sequence
    return found


def test_requests_sent_and_counted_are_equal_whatever_is_killed_rotated_and_restarted(observed: Stack) -> None:
    before = metric("runyard_requests_total", service="web")
    sent = 0
    for number in range(8):
        send(observed, REQUESTS // 8)
        sent += REQUESTS // 8
        if number in (0, 3, 5):
            kill(part(observed, "meter"))
        if number in (1, 3, 6):
            rotate(observed)
        if number == 4:
            docker("restart", part(observed, "gateway"))
            # What is refused meanwhile never came.
            until(lambda: observed.get("web.shop.localhost").status == 200, "the gateway is back")
            sent += 1
    until(lambda: metric("runyard_requests_total", service="web") - before >= sent, "all are counted")
    found = {"tenant": "shop", "service": "web", "code": "200"}
    assert metric("runyard_requests_total", **found) - before == sent
    until(lambda: query('sum(runyard_requests_total{service="web"})') == before + sent, "Prometheus has them")
    assert metric("runyard_request_duration_seconds_count", service="web") == before + sent


def test_processor_time_and_memory_are_the_kernels(observed: Stack) -> None:
    with Engine() as engine:
        (found,) = [each for each in engine.labelled("runyard.dev/service=web") if observed.name in each.name]
    cgroups = Cgroups(Path(names.CGROUP_DIRECTORY))
    assert observed.get("web.shop.localhost", "/burn?ms=3000").status == 200
    kernel = cgroups.count(found.id)
    assert kernel is not None
    assert kernel.cpu_us > 500_000

    def told() -> float:
        return metric("runyard_container_cpu_seconds_total", service="web")

    until(lambda: told() >= kernel.cpu_us / 1e6 * 0.99, "it is read")
    assert told() == pytest.approx(kernel.cpu_us / 1e6, rel=0.01)
    peak = metric("runyard_container_memory_peak_bytes", service="web")
    assert peak == pytest.approx(kernel.memory_peak_bytes, rel=0.01)


def test_windows_are_told_to_whoever_asks_with_what_the_registry_says_of_their_owner(observed: Stack) -> None:
    until(windows, "a minute is closed", within_s=100)
    found = [each for each in windows() if each.service != "shout"]
    assert {(each.tenant, each.service) for each in found} == {("shop", "web"), ("shop", "seldom")}
    assert len({(each.container, each.started_ms, each.start_ms) for each in found}) == len(found)
    assert sum(each.amounts.requests for each in found) <= metric("runyard_requests_total", tenant="shop")
    assert {each.amounts.cpu_limit_millis for each in found} == {200}
    public = ask(observed.orchestrator_port, "/v1/instances").text
    mine = {each.instance for each in decode(InstanceList, public).instances if each.service == "web"}
    assert mine <= {each.instance for each in found}
    assert found[0].container not in public


def test_rules_make_of_known_series_what_they_should(observed: Stack) -> None:
    container = part(observed, "prometheus")
    told = docker("exec", container, "promtool", "check", "rules", "/tmp/rules.yml")
    assert "SUCCESS" in told
    # Its own file system is read-only but for this.
    text = (Path(__file__).parent / "rules_test.yml").read_text()
    command = ["docker", "exec", "--interactive", container, "sh", "-c"]
    script = "cat > /tmp/rules_test.yml && promtool test rules /tmp/rules_test.yml"
    done = subprocess.run([*command, script], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_traffic_goes_on_without_prometheus_and_the_stack_is_as_its_manifests_say(observed: Stack) -> None:
    kill(part(observed, "prometheus"))
    send(observed, 20)
    until(lambda: {"service:runyard_requests:rate1m", "revision:runyard_cpu:utilization"} <= evaluated(), "rules run")
    until(lambda: query('service:runyard_requests:rate1m{service="web"}') > 0, "the rate is told")
    checks = {each["name"]: each["outcome"] for each in json.loads(observed.verify("-o", "json").stdout)["checks"]}
    assert [name for name, outcome in checks.items() if outcome == "failed"] == []
    for name in ("meter", "prometheus", "alertmanager", "logs"):
        assert checks[f"test_platform_part_is_well[{name}]"] == "passed"
    observed.expect_no_changes()


def test_alert_of_a_service_that_answers_errors_reaches_its_receiver_with_what_to_do(
    observed: Stack, webhook: str
) -> None:
    begun = time.monotonic()

    def told() -> list[dict[str, Any]]:
        """Break the service a little more, and give the messages that came."""
        for _ in range(5):
            assert observed.get("web.shop.localhost", "/fail?status=500").status == 500
        return [json.loads(line.partition(" ")[2]) for line in docker("logs", webhook).splitlines()]

    def alerts() -> list[dict[str, Any]]:
        """Give those of the fastest burn; slower ones may be told before it."""
        found = [alert for message in told() for alert in message["alerts"]]
        return [each for each in found if each["labels"]["alertname"] == "ServiceErrorsFast"]

    until(alerts, "the alert is told", within_s=120)
    print(f"told after {time.monotonic() - begun:.0f} s")
    alert = alerts()[0]
    assert (alert["status"], alert["labels"]["service"]) == ("firing", "web")
    assert (alert["labels"]["tenant"], alert["labels"]["stack"]) == ("shop", observed.name)
    assert (ROOT / alert["annotations"]["runbook"]).is_file()
    assert TOKEN in docker("logs", webhook)


def test_secret_of_a_receiver_is_in_no_container_no_log_and_not_in_the_state(observed: Stack) -> None:
    container = part(observed, "alertmanager")
    state = observed.pulumi("stack", "export", "--stack", observed.name).stdout
    for text in (
        json.dumps(inspect(container)),
        docker("logs", container),
        state,
        ask(ALERTMANAGER, "/api/v2/status").text,
    ):
        assert TOKEN not in text


def test_every_query_of_every_panel_finds_what_there_is(observed: Stack) -> None:
    count = 'runyard_gateway_cold_start_seconds_count{service="seldom"}'
    for cold_starts in (1, 2):
        # What is counted for the first time has no rate: Prometheus must see it grow.
        until(lambda: asleep(observed, "seldom"), "it sleeps")
        # It is woken, more is refused by its limit, and one is of no service; the rest came before.
        for host in ["seldom.shop.localhost"] * 5 + ["nobody.localhost"]:
            observed.get(host)
        until(lambda seen=cold_starts: query(count) >= seen, "the cold start is told")
    lacking: list[str] = []

    def shown() -> bool:
        # An alert is to fire.
        for _ in range(5):
            observed.get("web.shop.localhost", "/fail?status=500")
        lacking[:] = unanswered()
        return not lacking

    try:
        # The ledger tells its cost a minute after a window's end.
        until(shown, "panels have data", within_s=180, every_s=3)
    finally:
        print("without data:", *lacking)


def asleep(stack: Stack, name: str) -> bool:
    """Tell whether a service has no instance because nobody calls it."""
    return all(each["asleep"] for each in stack.status()["revisions"] if each["service"] == name)


def unanswered() -> list[str]:
    """Name the queries of panels, by dashboard and panel, that Prometheus finds nothing for."""
    found = []
    for each in DASHBOARDS:
        for panel in each.panels:
            for query in panel.queries:
                one = replace(each, panels=(replace(panel, queries=(query,)),))
                # One has cold starts and limits, the other is awake for as long as its use of the CPU has a rate.
                if not any(answered(one, service) for service in ("seldom", "web")):
                    found.append(f"{each.id}/{panel.id}/{query.legend}")
    return found


def answered(dashboard: Dashboard, service: str) -> bool:
    """Say whether Prometheus has a value for the one panel of a dashboard."""
    labels = {name: {"tenant": "shop", "service": service}[name] for name in dashboard.scope}
    (reading,) = read_dashboard(dashboard, labels, span_until(time.time(), 5), ask_prometheus)
    return any(value is not None for line in reading.lines for value in line.values)


def ask_prometheus(target: str) -> str:
    answer = ask(PROMETHEUS, target)
    assert answer.status == 200, f"{target}: {answer.text}"
    return answer.text


def send_and_see(stack: Stack) -> None:
    """Send requests until Prometheus has seen them come: what is counted for the first time has no rate."""

    def told() -> bool:
        send(stack, 5)
        return query('service:runyard_requests:rate1m{service="web"}') > 0

    until(told, "the rate is told", every_s=1)


def test_dash_tells_what_prometheus_has_and_what_is_wrong(observed: Stack) -> None:
    send_and_see(observed)

    def firing() -> bool:
        for _ in range(5):
            observed.get("web.shop.localhost", "/fail?status=500")
        return query('ALERTS{alertname="ServiceErrorsFast",alertstate="firing"}') == 1

    # Its budget is used up for long by the test before, if that was run.
    until(firing, "an alert fires", within_s=120)

    def told() -> tuple[dict[str, Any], list[str]]:
        send(observed, 5)
        seen = observed.told("dash", "web", "--tenant", "shop")
        lines = {each["id"]: {line["name"]: line["values"] for line in each["lines"]} for each in seen["panels"]}
        return lines, seen["problems"]

    until(lambda: any(told()[0]["requests"].get("200", ())), "what it answered is shown", every_s=1)
    panels, problems = told()
    assert panels["instances"]["ready"][-1] == 1.0
    assert panels["cpu"]["limit"][-1] == pytest.approx(0.2)
    assert any("shop/web answers errors" in each for each in problems)
    text = observed.runyard("dash", "--once", check=True).stdout
    assert text.startswith(f"stack {observed.name}  3 services, ")
    assert "shop/seldom" in text
    refused = observed.runyard("dash", "nobody", "--tenant", "shop")
    assert refused.returncode == 1
    assert "must be a service of the stack" in refused.stderr


def test_member_reads_the_same_metrics_in_the_console(observed: Stack) -> None:
    send_and_see(observed)
    link = observed.runyard("console invite", "ann@shop.example", "--tenant", "shop", "--role", "viewer", check=True)
    body = json.dumps({"invitation": link.stdout.strip().partition("#")[2], "password": "correct horse battery staple"})
    headers = {"Origin": f"http://127.0.0.1:{CONSOLE}", "Content-Type": "application/json"}
    with opened(CONSOLE, "/api/v1/registrations", "POST", body, headers) as answer:
        assert answer.status == 201
        cookies = {"Cookie": "; ".join(each.partition(";")[0] for each in answer.headers.get_all("Set-Cookie", []))}
    services = "/api/v1/tenants/shop/services"

    def panels() -> dict[str, Any]:
        shown = ask(CONSOLE, f"{services}/web/panels", headers=cookies).json()
        assert shown["kept"]
        return {each["id"]: {line["name"]: line["values"] for line in each["lines"]} for each in shown["panels"]}

    assert [*panels()] == [each.id for each in SERVICE.panels]
    until(lambda: any(panels()["requests"].get("200", ())), "its requests are shown", every_s=1)
    assert ask(CONSOLE, f"{services}/vault/panels", headers=cookies).status == 404
    assert ask(CONSOLE, f"{services}/web/panels").status == 401


def test_dash_is_live_in_a_terminal_until_ctrl_c(observed: Stack) -> None:
    terminal, inside = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 90, 0, 0))
    options = ("--tenant", "shop", "--stack", observed.name, "--every", "1")
    command = [sys.executable, "-m", "runyard.cli.main", "dash", "web", *options]
    environment = {**observed.environment, "TERM": "xterm"}
    started = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *command], cwd=ROOT, env=environment, stdin=inside, stdout=inside, stderr=inside
    )
    os.close(inside)
    os.set_blocking(terminal, False)
    written = bytearray()

    def drawn(times: int) -> bool:
        # Nothing more yet, or nobody at the other end.
        with contextlib.suppress(OSError):
            written.extend(os.read(terminal, 65_536))
        return written.count(b"shop/web") >= times

    until(lambda: drawn(2), "the screen was drawn anew")
    os.write(terminal, b"\x03")
    until(lambda: drawn(0) and started.poll() is not None, "it ends")
    # What it wrote last.
    drawn(0)
    assert started.returncode == 0
    # The terminal's other screen, and back.
    assert written.index(b"\x1b[?1049h") < written.rindex(b"\x1b[?1049l")
    os.close(terminal)


def shout(stack: Stack, **asked: str) -> str:
    """Have the service write something, and give the request's id."""
    answer = stack.get("shout.shop.localhost", f"/?{urlencode(asked)}")
    assert answer.status == 200
    return answer.headers["X-Request-Id"]


def logged(stack: Stack, *options: str, tenant: str = "shop") -> list[dict[str, Any]]:
    """Give what is kept; ValueError while the part is starting."""
    done = stack.runyard("logs", "shout", "--tenant", tenant, "--tail", "10000", "-o", "json", *options)
    if done.returncode:
        raise ValueError(done.stderr)
    return list(json.loads(done.stdout))


def test_lines_of_an_instance_that_died_are_found_by_what_they_say_and_by_request(observed: Stack) -> None:
    request = shout(observed, say="last words", **{"raise": "no heir"})
    begun = time.monotonic()
    until(lambda: logged(observed, "--request", request), "the line is kept")
    print(f"found after {time.monotonic() - begun:.1f} s")
    (line,) = logged(observed, "--grep", "last w.rds")
    instance = line["instance"]
    docker("kill", *(each for each in observed.names("instance") if each.endswith(f".{instance}")))
    until(lambda: instance not in " ".join(observed.names("instance")), "the instance is gone")
    assert logged(observed, "--request", request) == [line]
    # Whose it is says the orchestrator's book, whatever the line says.
    assert (line["revision"].rpartition("-")[0], line["container"], line["output"]) == (
        "shout",
        "user-container",
        "stdout",
    )
    assert {line["fields"][f"jsonPayload.{name}"] for name in ("tenant", "service")} == {"other", "web"}
    until(lambda: logged(observed, "--instance", instance, "--grep", "Traceback"), "the trace is kept")
    (trace,) = logged(observed, "--instance", instance, "--grep", "Traceback")
    assert trace["text"] == "Traceback (most recent call last):\n  File 1\nValueError: no heir"
    assert line in logged(observed, "--severity", "WARNING", "--field", "jsonPayload.message=last words")
    shown = observed.runyard("logs", "shout", "--tenant", "shop", "--request", request, check=True).stdout
    assert shown == f"{instance}/user-container | {line['text']}\n"
    for other in ("other", "default"):
        assert logged(observed, tenant=other) == []


def test_store_that_is_killed_has_every_line_once_when_it_is_back(observed: Stack) -> None:
    until(lambda: observed.get("shout.shop.localhost").status == 200, "there is another instance")
    for number in range(3):
        shout(observed, say=f"round-{number}", lines="500")
        kill(part(observed, "logs"))
    shout(observed, say="the end")
    until(lambda: logged(observed, "--grep", "the end"), "it is read to the end")
    for number in range(3):
        # What came before a kill is read again.
        until(lambda number=number: len(logged(observed, "--grep", f"^line .* round-{number}$")) >= 500, "all is there")
        found = logged(observed, "--grep", f"^line .* round-{number}$")
        assert [each["text"] for each in found] == [f"line {each} round-{number}" for each in range(500)]


def test_followed_log_goes_on_with_new_lines_and_what_runs_once_is_in_it(observed: Stack) -> None:
    command = [sys.executable, "-m", "runyard.cli.main", "logs", "shout", "--stack", observed.name, "--tenant", "shop"]
    command += ["--follow", "--tail", "0", "-o", "json"]
    told: list[dict[str, Any]] = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as following:

        def read() -> None:
            assert following.stdout is not None
            for line in following.stdout:
                told.append(json.loads(line))

        def of(text: str) -> dict[str, Any] | None:
            return next((each for each in told if text in each["text"]), None)

        def heard() -> bool:
            # What is said before it looks for the first time is not new to it.
            shout(observed, say="followed")
            return of("followed") is not None

        reader = threading.Thread(target=read)
        reader.start()
        try:
            until(heard, "a new line is told", every_s=1)
            assert (of("followed") or {})["fields"]["severity"] == "ERROR"
            observed.runyard("run", "shout", "--tenant", "shop", "--", "echo", "once and gone", check=True)
            until(lambda: of("once and gone"), "the line of the run is told")
            assert (of("once and gone") or {})["container"] == "user-container"
        finally:
            following.terminate()
            reader.join()


def test_store_hears_nobody_but_its_own_part(observed: Stack) -> None:
    container = part(observed, "logs")
    command = docker("exec", container, "cat", "/proc/1/task/1/children").split()
    arguments = docker("exec", container, "cat", f"/proc/{command[0]}/cmdline").split("\0")
    (address,) = [each.partition("=")[2] for each in arguments if each.startswith("-httpListenAddr=")]
    port = int(address.rpartition(":")[2])
    for path in ("/select/logsql/query?query=*", "/metrics", "/select/vmui/", "/internal/force_flush"):
        assert ask(port, path).status == 401
    assert ask(LOGS, "/metrics").text.count('runyard_logs_lines_total{service="shout",tenant="shop"}') == 1


def evaluated() -> set[str]:
    """Name the rules that Prometheus has evaluated well."""
    groups = ask(PROMETHEUS, "/api/v1/rules").json()["data"]["groups"]
    return {each["name"] for group in groups for each in group["rules"] if each["health"] == "ok"}
