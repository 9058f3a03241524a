"""What manifests of Knative and Cloud Run say, carried out: values beside them, and the runtime contract."""

from __future__ import annotations

import re
from typing import Any

from tests.harness.stack import LIMITS, Stack, docker, inspect, service
from tests.harness.waiting import until


def settings(colour: str) -> dict[str, Any]:
    data = {"colour": colour, "app.LEVEL": "info"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": data}


def keys() -> dict[str, Any]:
    # Of the name of the config map, as people do.
    data = {"token": "aW4gdGhlIG9wZW4=", "both": "Zmlyc3Q="}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "settings"}, "data": data}


def taken(name: str, kind: str, key: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {kind: {"name": "settings", "key": key}}}


def shop(restarted: str) -> dict[str, Any]:
    made = service(
        "shop",
        template={"runyard.dev/tmp-size": "3Mi", "example.com/restarted": restarted},
        env=[
            taken("COLOUR", "configMapKeyRef", "colour"),
            taken("TOKEN", "secretKeyRef", "token"),
            taken("BOTH", "secretKeyRef", "both"),
            {
                "name": "RESTARTED",
                "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['example.com/restarted']"}},
            },
        ],
        envFrom=[{"configMapRef": {"name": "settings"}, "prefix": "SET_"}],
        resources={"limits": LIMITS, "requests": {"cpu": "50m"}},
        securityContext={"readOnlyRootFilesystem": False, "runAsUser": 0},
    )
    made["spec"]["template"]["spec"]["runtimeClassName"] = "runc"
    return made


def environment(stack: Stack) -> dict[str, str]:
    found: dict[str, str] = stack.get("shop.localhost", "/env").json()
    return found


def running(stack: Stack) -> dict[str, Any]:
    """Inspect the container of the latest revision's instance."""
    revision = environment(stack)["K_REVISION"]
    labels = [f"--filter=label=runyard.dev/{each}" for each in (f"stack={stack.name}", f"revision={revision}")]
    return inspect(docker("ps", "--quiet", *labels).split()[0])


def test_values_and_limits_are_those_of_the_manifests(shared: Stack) -> None:
    shared.platform(gateway={"port": shared.port}, writableRoots=True)
    shared.set_secret("runyard:secrets.default.settings.both", "second")
    for name, document in (("settings", settings("green")), ("keys", keys()), ("shop", shop("1"))):
        shared.write(name, document)
    told = shared.up()
    assert "whoever can read this file can read these values" in told.stdout
    seen = environment(shared)
    # The stack's own value of a name and key counts more.
    wanted = {"COLOUR": "green", "TOKEN": "in the open", "BOTH": "second", "RESTARTED": "1", "SET_app.LEVEL": "info"}
    assert {name: seen[name] for name in wanted} == wanted
    host = running(shared)["HostConfig"]
    assert (host["CpuShares"], host["Runtime"], host["ReadonlyRootfs"]) == (51, "runc", False)
    assert "size=3145728" in host["Tmpfs"]["/tmp"].split(",")
    assert shared.get("shop.localhost", "/write?path=/written").status == 200
    verified = shared.verify()
    assert verified.returncode == 0, verified.stdout
    trace = shared.get("shop.localhost", "/headers").json()["headers"]["Traceparent"]
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", trace[0])
    shared.expect_no_changes()
    _changed(shared, seen["K_REVISION"])


def _changed(stack: Stack, first: str) -> None:
    """Change a config map and an annotation that means nothing to Runyard: the next revision has both."""
    stack.write("settings", settings("red"))
    stack.write("shop", shop("2"))
    stack.up()
    until(lambda: environment(stack)["K_REVISION"] != first)
    seen = environment(stack)
    assert (seen["COLOUR"], seen["RESTARTED"]) == ("red", "2")


def test_runtime_that_the_engine_does_not_have_is_told_by_its_name(shared: Stack) -> None:
    made = service("odd", template={"serving.knative.dev/progress-deadline": "20s"})
    made["spec"]["template"]["spec"]["runtimeClassName"] = "no-such-runtime"
    shared.write("odd", made)
    refused = shared.up(check=False)
    assert refused.returncode != 0
    assert "no-such-runtime" in refused.stdout + refused.stderr
