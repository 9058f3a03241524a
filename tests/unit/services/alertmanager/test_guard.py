"""Alertmanager in its image, behind its guard: whom it tells, and at which addresses nobody is told."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from runyard.images import image_reference
from runyard.manifest.observability import Receiver
from runyard.plan.alerting import PLATFORM, Alerting, TenantReceiver, render_receivers
from tests.harness.stack import docker, inspect
from tests.harness.waiting import until

pytestmark = pytest.mark.engine

POOL = "10.250.0.0/16"
# Takes webhooks at port 8080 and the first words of a mail at port 2525, and writes each as a line.
LISTENER = """
import http.server, socketserver, threading
class Web(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        print(self.path, self.headers.get("Authorization"), self.headers.get("X-Forwarded-For"), body, flush=True)
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_): pass
class Mail(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 ready\\r\\n")
        print("mail", self.rfile.readline().decode().strip(), flush=True)
threading.Thread(target=socketserver.TCPServer(("", 2525), Mail).serve_forever, daemon=True).start()
http.server.HTTPServer(("", 8080), Web).serve_forever()
"""


@dataclass(frozen=True)
class Listener:
    name: str

    @property
    def address(self) -> str:
        return str(inspect(self.name)["NetworkSettings"]["Networks"]["bridge"]["IPAddress"])

    def heard(self) -> list[str]:
        return docker("logs", self.name).splitlines()


@dataclass(frozen=True)
class Subject:
    """Alertmanager on Docker's bridge, as hardened as a part is."""

    name: str
    # Its /etc/hosts, of which every look of a name is a fresh one.
    hosts: Path

    def ask(self, method: str, body: str = "") -> tuple[int, str]:
        """Speak HTTP over the relay, as the provider does."""
        head = f"{method} /v1/configuration HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        head += f"Content-Length: {len(body)}\r\n\r\n"
        command = ["docker", "exec", "--interactive", self.name, "runyard-alertmanager", "relay"]
        done = subprocess.run(command, input=head + body, capture_output=True, text=True, timeout=60, check=False)
        first, _, rest = done.stdout.partition("\n")
        return int(first.split()[1]), rest.partition("\n\n")[2]

    def status(self) -> int:
        """Give the answer's status, 0 while it does not listen yet."""
        try:
            return self.ask("GET")[0]
        except IndexError:
            return 0

    def put(self, *receivers: tuple[str, Receiver]) -> tuple[int, str]:
        alerting = Alerting(True, 0, 14_400, tuple(TenantReceiver(*each) for each in receivers))
        return self.ask("PUT", render_receivers(alerting, {}))

    def alert(self, **labels: str) -> None:
        told = [f"{name}={value}" for name, value in labels.items()]
        docker("exec", self.name, "amtool", "alert", "add", "--alertmanager.url=http://127.0.0.1:9093", *told)

    def log(self) -> str:
        return subprocess.run(["docker", "logs", self.name], capture_output=True, text=True, check=True).stderr


def start(image: str, *options: str, command: tuple[str, ...] = ()) -> str:
    name = f"runyard-test-alerts-{secrets.token_hex(4)}"
    docker("run", "--detach", "--name", name, "--memory", "128m", *options, image_reference(image), *command)
    return name


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    name = start("meter", "--entrypoint", "python3", command=("-c", LISTENER))
    yield Listener(name)
    docker("rm", "--force", name)


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    hosts = tmp_path_factory.mktemp("alerts") / "hosts"
    hosts.write_text("127.0.0.1 localhost trick.example\n")
    name = start(
        "alertmanager",
        *("--cap-drop", "ALL", "--read-only", "--tmpfs", "/run", "--tmpfs", "/var/lib/runyard/alertmanager"),
        *("--security-opt", "no-new-privileges", "--volume", f"{hosts}:/etc/hosts:ro"),
        *("--env", "RUNYARD_HTTP_ADDRESS=127.0.0.1:9093", "--env", f"RUNYARD_ADDRESS_POOL={POOL}"),
    )
    made = Subject(name, hosts)
    try:
        until(lambda: made.status() == 200, "it takes its configuration")
        yield made
    finally:
        docker("rm", "--force", name)


def hook(url: str, name: str = "hook") -> Receiver:
    return Receiver(name, "webhook", url=url)


def test_webhooks_go_through_the_guard_and_a_tenant_is_told_its_own_alone(subject: Subject, listener: Listener) -> None:
    at = f"http://{listener.address}:8080"
    assert subject.put((PLATFORM, hook(f"{at}/all")), ("shop", hook(f"{at}/shop"))) == (204, "")
    subject.alert(alertname="One", tenant="shop", service="web")
    subject.alert(alertname="Two", tenant="acme", service="web")

    def told(path: str) -> set[str]:
        lines = [each.split(" ", 3) for each in listener.heard() if each.startswith(path)]
        # Nothing of the guard's is told: neither its password, nor who asked it.
        assert all(each[1:3] == ["None", "None"] for each in lines)
        return {alert["labels"]["alertname"] for each in lines for alert in json.loads(each[3])["alerts"]}

    until(lambda: told("/all") == {"One", "Two"}, "the platform's receiver is told of all")
    until(lambda: told("/shop") == {"One"}, "the tenant's receiver is told of its own")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:9093/", "127.0.0.1 is of the loopback"),
        ("http://127.9.9.9/", "127.9.9.9 is of the loopback"),
        ("https://[::1]/", "::1 is of the loopback"),
        ("http://[::ffff:127.0.0.1]/", "127.0.0.1 is of the loopback"),
        ("http://169.254.169.254/latest/meta-data", "169.254.169.254 is link-local"),
        ("http://0.0.0.0:3001/", "0.0.0.0 is no host's"),
        ("http://224.0.0.1/", "224.0.0.1 is no host's"),
        ("http://10.250.3.4:8080/", "10.250.3.4 is of this platform's instances"),
        ("http://trick.example/", "127.0.0.1 is of the loopback"),
        ("http://2130706433/", ""),
    ],
)
def test_receiver_that_can_only_be_refused_is_refused_at_once_and_the_old_ones_stay(
    subject: Subject, url: str, why: str
) -> None:
    before = subject.ask("GET")
    status, text = subject.put(("shop", hook(url)))
    if why:
        assert (status, text.strip()) == (422, f"receiver shop/hook: {why}")
        assert subject.ask("GET") == before
    else:
        # A number is no address to Go's resolver, and so it is nobody's until it is dialled.
        assert status == 204


def test_host_itself_is_refused_by_every_address_that_it_has(subject: Subject) -> None:
    own = inspect(subject.name)["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    assert subject.put((PLATFORM, hook(f"http://{own}:9093/"))) == (
        422, f"receiver hook: {own} is this host, where the engine is\n",
    )  # fmt: skip
    mail = Receiver("mail", "email", to=("a@b.example",), sender="r@b.example", server="localhost:2525")
    status, text = subject.put((PLATFORM, mail))
    assert (status, text.split(": ")[0], "is of the loopback" in text) == (422, "receiver mail", True)


def test_name_that_becomes_the_loopback_later_is_refused_when_it_is_dialled(subject: Subject) -> None:
    assert subject.put((PLATFORM, hook("http://later.example:9093/secret-token")))[0] == 204
    with subject.hosts.open("a") as hosts:
        hosts.write("127.0.0.1 later.example\n")
    subject.alert(alertname="Later", tenant="shop")
    # Go keeps what it read of /etc/hosts for five seconds; Alertmanager tries again.
    until(lambda: "127.0.0.1 is of the loopback" in subject.log(), "it is refused", within_s=60)
    assert "refuse to send to later.example:9093" in subject.log()
    assert "secret-token" not in subject.log()


def test_mail_goes_to_its_server_through_the_guard(subject: Subject, listener: Listener) -> None:
    server = f"{listener.address}:2525"
    mail = Receiver("mail", "email", to=("a@b.example",), sender="r@b.example", server=server)
    assert subject.put((PLATFORM, mail))[0] == 204
    subject.alert(alertname="Mail", tenant="shop")
    until(lambda: "mail EHLO localhost" in listener.heard(), "the server is spoken to")


def test_guard_lets_nobody_through_but_alertmanager_and_nothing_else_learns_where_to(
    subject: Subject, listener: Listener
) -> None:
    assert subject.put((PLATFORM, hook(f"http://{listener.address}:8080/unknown")))[0] == 204
    text = docker("exec", subject.name, "cat", "/run/alertmanager.yml")
    (way,) = (each for receiver in json.loads(text)["receivers"] for each in receiver.get("webhook_configs", ()))
    assert "unknown" not in text
    address, path = way["url"].removeprefix("http://").split("/", 1)
    assert way["http_config"]["follow_redirects"] is False
    password = way["http_config"]["basic_auth"]["password"]
    for credentials, status in (("", 401), ("alertmanager:guess", 401), (f"alertmanager:{password}", 200)):
        basic = base64.b64encode(credentials.encode()).decode()
        asked = f"POST /{path} HTTP/1.0\\r\\nAuthorization: Basic {basic}\\r\\nContent-Length: 2\\r\\n\\r\\n{{}}"
        script = f"exec 3<>/dev/tcp/{address.replace(':', '/')}; printf '{asked}' >&3; head -1 <&3"
        assert f" {status} " in docker("exec", subject.name, "bash", "-c", script)
    # What asked with the password, and not Alertmanager, which may tell something there too.
    until(lambda: listener.heard().count("/unknown None None {}") == 1, "one of the three came through")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda _: "{", "configuration: must be JSON"),
        (lambda whole: json.dumps({**whole, "route": {"receiver": "other"}}), "Alertmanager refuses the configuration"),
        (
            lambda whole: json.dumps({**whole, "receivers": [{"name": "nobody", "sns_configs": [{}]}]}),
            "receiver nobody: must be told by webhook, slack or email, got sns_configs",
        ),
    ],
)
def test_configuration_that_is_none_is_refused_and_the_old_one_stays(
    subject: Subject, change: Callable[[dict[str, Any]], str], why: str
) -> None:
    sound = render_receivers(Alerting(True, 0, 60), {})
    assert subject.ask("PUT", sound)[0] == 204
    status, text = subject.ask("PUT", change(json.loads(sound)))
    assert (status, why in text) == (422, True), text
    assert subject.ask("GET")[1] == hashlib.sha256(sound.encode()).hexdigest()
    assert subject.ask("PUT", sound)[0] == 204


def test_slack_gets_its_message_at_its_url(subject: Subject, listener: Listener) -> None:
    slack = replace(hook(f"http://{listener.address}:8080/slack"), kind="slack", channel="#shop")
    assert subject.put((PLATFORM, slack))[0] == 204
    subject.alert(alertname="Chat", tenant="shop", service="web", stack="dev")

    def told() -> list[dict[str, Any]]:
        return [json.loads(each.split(" ", 3)[3]) for each in listener.heard() if each.startswith("/slack")]

    until(lambda: any("Chat web" in json.dumps(each) for each in told()), "the message came")
    assert {each["channel"] for each in told()} == {"#shop"}
