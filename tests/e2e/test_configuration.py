"""The gateway's configuration on a real stack: changed without a new container, and refused without harm."""

import re

from tests.harness.stack import Stack, inspect, service


def configure(stack: Stack, **gateway: object) -> None:
    spec = {"gateway": {"port": stack.port, **gateway}, "orchestratorPort": stack.orchestrator_port}
    stack.write("platform", {"apiVersion": "runyard.dev/v1", "kind": "Platform", "spec": spec})


def served(stack: Stack) -> str:
    return str(stack.get("nobody.localhost", "/healthz").json()["configuration"])


def test_wrong_setting_fails_the_update_and_leaves_the_gateway_as_it_is(stack: Stack):
    stack.write("hello", service("hello"))
    stack.up()
    container, first = inspect(f"runyard.{stack.name}.gateway")["Id"], served(stack)

    configure(stack, holdTimeoutSeconds=7)
    stack.up()
    second = served(stack)
    assert second != first

    # TEST-NET-1: no host has it, and no grammar can know that.
    configure(stack, holdTimeoutSeconds=7, address="192.0.2.1")
    refused = stack.up(check=False)
    assert refused.returncode != 0
    said = rf"platform\.yaml:\d+:\d+: spec\.gateway\.address: nginx refuses it: bind\(\) to 192\.0\.2\.1:{stack.port}"
    assert re.search(said, refused.stdout), refused.stdout
    assert "Traceback" not in refused.stdout + refused.stderr
    assert served(stack) == second
    assert stack.get("hello.localhost").status == 200

    # An address that is open on this port already: nginx cannot hold both.
    configure(stack, holdTimeoutSeconds=7, address="0.0.0.0")
    stack.up()
    assert stack.get("hello.localhost").status == 200

    configure(stack, holdTimeoutSeconds=8)
    stack.up()
    assert served(stack) not in (first, second)
    assert inspect(f"runyard.{stack.name}.gateway")["Id"] == container
