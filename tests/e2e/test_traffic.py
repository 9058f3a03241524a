import json
import os
import signal
import socket
import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import SIGNER
from tests.e2e.load import Load
from tests.harness.stack import Stack, descendants, docker, inspect
from tests.harness.waiting import SLACK_S, until

RATE = 500
# Enough requests before and after a fault that one lost shows.
STEADY_S = 2.0


def instances(stack: Stack, name: str) -> list[str]:
    return [each for each in stack.names("instance", running=True) if f".{name}-" in each]


def address(stack: Stack, name: str) -> str:
    networks = inspect(instances(stack, name)[0])["NetworkSettings"]["Networks"]
    return networks[f"runyard.{stack.name}.tenant.default"]["IPAddress"]


def test_killed_instance_under_load_loses_no_get_and_is_replaced_within_3_s(shop: Stack):
    before = instances(shop, "web")
    with Load(shop.port, "web.localhost", RATE) as load:
        time.sleep(STEADY_S)
        docker("kill", "--signal", "KILL", before[0])
        took = until(lambda: len([each for each in instances(shop, "web") if each != before[0]]) == 2)
        time.sleep(STEADY_S)
    print(f"replaced after {took:.2f} s; {load.total} requests, {load.failures or 'no'} failures")
    assert load.total > RATE * STEADY_S
    assert load.failures == {}


def test_killed_only_instance_under_load_holds_gets_until_its_replacement(shop: Stack):
    (before,) = instances(shop, "single")
    with Load(shop.port, "single.localhost", RATE) as load:
        time.sleep(STEADY_S)
        docker("kill", "--signal", "KILL", before)
        until(lambda: instances(shop, "single") not in ([], [before]))
        time.sleep(STEADY_S)
    assert load.failures == {}


def test_killed_orchestrator_leaves_traffic_untouched_and_is_in_step_within_3_s(shop: Stack):
    orchestrator = f"runyard.{shop.name}.orchestrator"
    before = shop.names("instance")
    with Load(shop.port, "web.localhost", RATE) as load:
        time.sleep(STEADY_S)
        docker("kill", "--signal", "KILL", orchestrator)
        time.sleep(STEADY_S)
        docker("start", orchestrator)
        took = until(lambda: shop.status()["in_step"])
    print(f"in step after {took:.2f} s; {load.total} requests")
    assert load.failures == {}
    assert shop.names("instance") == before


def certificate(stack: Stack, host: str, authority: str) -> dict[str, Any]:
    """Shake hands as a client that trusts this CA alone, and give the certificate that was shown."""
    context = ssl.create_default_context(cadata=authority)
    with (
        socket.create_connection(("127.0.0.1", stack.tls_port), 5) as plain,
        context.wrap_socket(plain, server_hostname=host) as wrapped,
    ):
        return dict(wrapped.getpeercert() or {})


def local_authority(stack: Stack) -> str:
    return stack.runyard("trust", "--print", check=True).stdout


def test_each_host_has_its_certificate_and_the_key_shows_nowhere(shop: Stack):
    local = local_authority(shop)
    assert certificate(shop, "web.localhost", local)["subjectAltName"] == (("DNS", "web.localhost"),)
    assert certificate(shop, "cart.localhost", SIGNER.pair.chain)["subjectAltName"] == (("DNS", "cart.localhost"),)
    with pytest.raises(ssl.SSLError):
        certificate(shop, "nobody.localhost", local)
    shown = json.dumps([inspect(each) for each in shop.names()]) + shop.pulumi("stack", "export").stdout
    assert "PRIVATE KEY" not in shown


def test_certificates_are_no_change_afterwards(shop: Stack):
    shop.expect_no_changes()


def test_killed_gateway_is_back_at_once(shop: Stack):
    def pid() -> int:
        return int(inspect(f"runyard.{shop.name}.gateway")["State"]["Pid"])

    killed = pid()
    os.kill(killed, signal.SIGKILL)
    # A worker of the one that was killed may answer once more while the kernel ends it.
    took = until(lambda: pid() != killed and shop.get("web.localhost").status == 200, every_s=0.01)
    print(f"back after {took:.2f} s")


def test_killed_nginx_is_started_again_and_connections_wait_for_it(shop: Stack):
    first = int(inspect(f"runyard.{shop.name}.gateway")["State"]["Pid"])

    killed = 0

    def master() -> int:
        found = [each for each in descendants(first) if b"nginx: master" in Path(f"/proc/{each}/cmdline").read_bytes()]
        # None for the moment between two.
        return found[0] if found else killed

    until(lambda: shop.get("web.localhost").status == 200)
    killed = master()
    with Load(shop.port, "web.localhost", RATE) as load:
        time.sleep(STEADY_S)
        os.kill(killed, signal.SIGKILL)
        began = time.monotonic()
        until(lambda: master() != killed and shop.get("web.localhost").status == 200, every_s=0.01)
        took = time.monotonic() - began
        time.sleep(STEADY_S)
    print(f"answers after {took:.2f} s; {load.total} requests, {load.failures or 'no'} failures")
    # The container was not restarted.
    assert int(inspect(f"runyard.{shop.name}.gateway")["State"]["Pid"]) == first
    # What the workers had taken breaks off with them; nobody is refused.
    assert load.failures.keys() <= {"ServerDisconnectedError", "ClientOSError"}
    assert took < 1 + SLACK_S


def test_gateway_restart_serves_without_the_orchestrator(shop: Stack):
    both = [f"runyard.{shop.name}.{part}" for part in ("orchestrator", "standby")]
    local = local_authority(shop)
    # At once: either would start the other.
    docker("kill", *both)
    try:
        docker("restart", f"runyard.{shop.name}.gateway")
        until(lambda: shop.get("web.localhost").status == 200)
        assert certificate(shop, "web.localhost", local)
    finally:
        docker("start", *both)
    until(lambda: shop.status()["in_step"])


def test_declared_callee_answers_by_name(shop: Stack):
    answer = shop.get("web.localhost", "/call?url=http://cart.internal/")
    assert answer.status == 200
    assert '"cart"' in answer.text or "cart-" in answer.text


def test_undeclared_callee_is_refused_by_the_gateway(shop: Stack):
    gateway = next(
        line.split(":")[1]
        for line in inspect(instances(shop, "web")[0])["HostConfig"]["ExtraHosts"]
        if line.startswith("cart.internal")
    )
    by_name = shop.get("cart.localhost", "/call?url=http://web.internal/")
    assert by_name.json()["error"]
    by_address = shop.get("cart.localhost", f"/call?url=http://{gateway}/&host=web.internal")
    refusal = by_address.json()["body"]
    assert (refusal["status"], refusal["type"]) == (403, "urn:runyard:problem:undeclared-call")


def test_no_instance_reaches_another_by_address(shop: Stack):
    answer = shop.get("cart.localhost", f"/call?url=http://{address(shop, 'web')}:8080/&timeout_ms=2000")
    assert answer.json()["error"]


def test_unknown_host_is_a_problem_document(shop: Stack):
    answer = shop.get("nobody.localhost")
    assert (answer.status, answer.headers["Content-Type"]) == (404, "application/problem+json")
