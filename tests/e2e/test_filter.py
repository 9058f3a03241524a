"""The filter attacked from inside the orchestrator, whose takeover is not the host's; and the spare beside it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.stack import Stack, docker, inspect, new_stack, service
from tests.harness.waiting import PATIENCE_S, until

SOCKET = "/var/lib/runyard/engine/engine.sock"
# Read where the attacker is: the orchestrator's own code makes what it would ask for, and each attack changes it.
INSIDE = """
import http.client, json, pathlib, socket, sys
from runyard.contracts import RevisionDocument, decode
from services.orchestrator.engine.docker.images import read_image
from services.orchestrator.engine.docker.making import Placement, container_config
from services.orchestrator.model.entry import container_name
from services.orchestrator.model.revision import Revision
from services.orchestrator.store.documents import HeldDocument

class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect("/var/lib/runyard/engine/engine.sock")

def ask(method, path, body=None):
    connection = Connection("engine")
    connection.request(method, "/v1.41" + path, None if body is None else json.dumps(body),
                       {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read().decode()
    return [answer.status, json.loads(text) if text.strip().startswith("{") else text]

given = json.load(sys.stdin)
(path,) = pathlib.Path("/var/lib/runyard/orchestrator/documents").glob("default.hello-*.json")
held = decode(HeldDocument, path.read_bytes())
revision = Revision(decode(RevisionDocument, held.document))
name = revision.containers[0].name
image = read_image(ask("GET", "/images/" + revision.spec.images[name].id + "/json")[1])
at = Placement("beef", address=given["address"])
config = container_config(revision, revision.containers[0], at, image)
called = container_name(revision, name, "beef")
"""
CHANGED = """
import copy
answers = {}
for what, change in changes.items():
    scope = {"config": copy.deepcopy(config), "called": called, "revision": revision}
    exec(change, scope)
    answers[what] = ask("POST", "/containers/create?name=" + scope["called"], scope["config"])
print(json.dumps(answers))
"""
# What a run's command may be, nobody signs; the container that it runs in is a document's all the same.
RUN = """
from runyard.contracts import RunRequest
from services.orchestrator.model.run import revision_of_run
revision = revision_of_run(revision, RunRequest("default", "hello", "beef", ("sh", "-c", "id")))
config = container_config(revision, revision.containers[0], at, image)
"""
CREATE = "print(json.dumps(ask('POST', '/containers/create?name=' + called, config)))"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a stack with a service that is probed by a command."""
    with new_stack(tmp_path_factory, "filter") as made:
        made.write("hello", service("hello"))
        made.up()
        yield made


def part(stack: Stack, name: str) -> str:
    return f"runyard.{stack.name}.{name}"


def attack(stack: Stack, code: str) -> Any:
    """Run code inside the orchestrator that leads, after the above, and give what it prints."""
    (instance,) = stack.names("instance", running=True)
    used = inspect(instance)["NetworkSettings"]["Networks"][part(stack, "tenant.default")]["IPAddress"]
    # One that nobody has: the highest of its network but the broadcast's.
    address = f"{used.rpartition('.')[0]}.{254 if not used.endswith('.254') else 253}"
    done = subprocess.run(
        ["docker", "exec", "--interactive", part(stack, "orchestrator"), "python3", "-c", INSIDE + code],
        input=json.dumps({"address": address, "instance": instance}),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def asked(stack: Stack, *calls: tuple[str, str, Any]) -> list[Any]:
    return list(attack(stack, f"print(json.dumps([ask(*each) for each in json.loads({json.dumps(calls)!r})]))"))


def test_orchestrators_have_the_filters_socket_and_no_other_way_to_the_engine(stack: Stack) -> None:
    for name in ("orchestrator", "standby"):
        mounts = {each["Destination"]: each for each in inspect(part(stack, name))["Mounts"]}
        assert [each for each in mounts if "docker" in each or "containerd" in each] == []
        assert mounts[str(Path(SOCKET).parent)]["Type"] == "volume"
    found = attack(stack, "print(json.dumps([str(each) for each in pathlib.Path('/run').rglob('*.sock')]))")
    assert found == []


def test_what_the_document_says_is_made_and_every_change_of_it_is_refused(stack: Stack) -> None:
    for code in (CREATE, RUN + CREATE):
        status, made = attack(stack, code)
        assert (status, set(made)) == (201, {"Id", "Warnings"}), made
        (removed,) = asked(stack, ("DELETE", f"/containers/{made['Id']}?force=true&v=true", None))
        assert removed[0] == 204
    before = stack.names()
    changes = {
        "privileged": "config['HostConfig']['Privileged'] = True",
        "the host's files": "config['HostConfig']['Binds'] = ['/:/host']",
        "the host's files mounted": (
            "config['HostConfig']['Mounts'] = [{'Type': 'bind', 'Source': '/', 'Target': '/host'}]"
        ),
        "the host's processes": "config['HostConfig']['PidMode'] = 'host'",
        "the host's network": "config['HostConfig']['NetworkMode'] = 'host'; del config['NetworkingConfig']",
        "another's network": "config['HostConfig']['NetworkMode'] = 'container:runyard.x.gateway'",
        "a right": "config['HostConfig']['CapAdd'] = ['SYS_ADMIN']",
        "a device": "config['HostConfig']['Devices'] = [{'PathOnHost': '/dev/kmsg', 'PathInContainer': '/dev/kmsg'}]",
        "no profile": "config['HostConfig']['SecurityOpt'] = ['seccomp=unconfined']",
        "no limit": "config['HostConfig']['Memory'] = 0",
        "another image": "config['Image'] = 'debian:bookworm-slim'",
        "another command": "config['Entrypoint'] = ['/bin/sh']",
        "another user": "config['User'] = '0:0'",
        "another variable": "config['Env'].append('LD_PRELOAD=/x')",
        "the volume of the orchestrator": (
            "config['HostConfig']['Mounts'].append({'Type': 'volume', 'Source': 'runyard.%s.orchestrator'"
            " % revision.spec.stack, 'Target': '/x'})"
        ),
        "in other letters": "config['hostconfig'] = {'Privileged': True}",
        "a name of the platform's": "called = 'runyard.%s.spy' % revision.spec.stack",
    }
    # One process for all: to start Python that often takes longer than the rest.
    of_run = {what: change for what, change in changes.items() if what not in ("another command", "another variable")}
    for code, tried in (("", changes), (RUN, of_run)):
        answers = attack(stack, f"{code}changes = json.loads({json.dumps(tried)!r})\n{CHANGED}")
        assert {what: status for what, (status, _) in answers.items() if status != 403} == {}
        assert answers["privileged"][1]["message"].endswith(": HostConfig.Privileged: must be false, got true")
    tampered = """
forged = held.document.replace('"user":""', '"user":"0:0"')
assert forged != held.document
twin = path.with_name(path.name.replace(".json", ".f0f0f0f0.json"))
twin.write_text(json.dumps({"document": forged, "signature": held.signature, "sequence": 99, "version": 1}))
config["User"] = "0:0"
try:
    print(json.dumps(ask('POST', '/containers/create?name=' + called, config)))
finally:
    twin.unlink()
"""
    assert attack(stack, tampered)[0] == 403
    # Others come and go on this host; whatever was asked for would have one of these names.
    assert stack.names() == before
    assert docker("ps", "--all", "--quiet", "--filter", f"name={part(stack, 'spy')}") == ""


def test_nothing_is_done_to_others_and_to_the_platform_only_what_keeps_it_going(stack: Stack) -> None:
    (instance,) = stack.names("instance", running=True)
    stranger = docker(
        *("create", "--label", "runyard.dev/stack=of-somebody", "--label", "runyard.dev/role=instance"),
        *("debian:bookworm-slim", "sleep", "600"),
    ).strip()
    try:
        verbs = [("POST", f"/containers/{{}}/{verb}", None) for verb in ("start", "kill", "stop", "pause", "unpause")]
        verbs += [("DELETE", "/containers/{}?force=true", None), ("GET", "/containers/{}/json", None)]
        others = asked(stack, *((method, path.format(stranger), body) for method, path, body in verbs))
        assert [status for status, _ in others] == [404] * len(verbs)
        assert inspect(stranger)["State"]["Status"] == "created"
    finally:
        docker("rm", "--force", stranger)
    gateway, firewall = part(stack, "gateway"), part(stack, "firewall")
    refused = asked(
        stack,
        ("POST", f"/containers/{instance}/exec", {"Cmd": ["sh"], "User": "0"}),
        ("POST", f"/containers/{instance}/exec", {"Cmd": ["sh"], "Privileged": True}),
        ("POST", f"/containers/{instance}/exec", {"Cmd": ["sh"]}),
        ("POST", f"/containers/{gateway}/exec", {"Cmd": ["sh"]}),
        ("POST", f"/containers/{gateway}/kill", None),
        ("POST", f"/containers/{part(stack, 'filter')}/kill", None),
        ("DELETE", f"/containers/{firewall}?force=true", None),
        ("POST", f"/containers/{instance}/update", {"Memory": 0}),
        ("PUT", f"/containers/{gateway}/archive?path=/", {}),
        ("POST", "/build", {}),
        ("POST", "/images/create?fromImage=debian:bookworm-slim", None),
        ("POST", "/volumes/create", {"Name": "x", "DriverOpts": {"type": "none", "o": "bind", "device": "/"}}),
        ("DELETE", f"/volumes/{part(stack, 'gateway')}", None),
        ("POST", "/networks/create", {"Name": "x"}),
        ("POST", f"/networks/{part(stack, 'platform')}/connect", {"Container": instance}),
        ("POST", "/swarm/init", {}),
        ("GET", "/containers/json?all=true&filters={}", None),
        ("GET", "/info", None),
    )
    assert [status for status, _ in refused] == [403] * len(refused), refused
    allowed = asked(
        stack, ("POST", f"/containers/{firewall}/start", None), ("GET", f"/containers/{gateway}/json", None)
    )
    assert [status for status, _ in allowed] == [304, 200]
    log = subprocess.run(["docker", "logs", part(stack, "filter")], capture_output=True, text=True, check=True).stderr
    reasons = [json.loads(line)["reason"] for line in log.splitlines() if json.loads(line)["event"] == "refused"]
    assert 'filter: the orchestrator may not call POST "/swarm/init"' in reasons


def test_killed_filter_is_replaced_by_its_spare_and_started_again_through_it(stack: Stack) -> None:
    # Whichever answers now.
    for name in ("filter", "spare", "filter"):
        started = inspect(part(stack, name))["State"]["StartedAt"]
        docker("kill", part(stack, name))
        until(
            lambda name=name, started=started: (
                (state := inspect(part(stack, name))["State"])["Running"] and state["StartedAt"] != started
            ),
            f"{name} runs again",
        )
        assert stack.get("hello.localhost").status == 200
    (instance,) = stack.names("instance", running=True)
    docker("kill", instance)
    until(lambda: stack.names("instance", running=True) not in ([], [instance]), "another instance runs")
    stack.expect_no_changes()


def test_inspection_through_the_filter_is_what_the_engine_says(stack: Stack) -> None:
    (instance,) = stack.names("instance", running=True)
    ((status, told),) = asked(stack, ("GET", f"/containers/{instance}/json", None))
    # What changes while it runs is told apart.
    assert (status, {**told, "State": {}}) == (200, {**inspect(instance), "State": {}})
