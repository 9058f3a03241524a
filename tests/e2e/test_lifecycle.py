import json
import subprocess
import sys

import pytest

from tests.e2e.stack import ROOT, Stack, docker, inspect, service, stable_json, until


def verify(stack: Stack) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runyard.cli.main", "verify", str(stack.manifests), "--stack", stack.name]
    command += ["--config-file", str(stack.directory / "stack.yaml")]
    return subprocess.run(command, cwd=ROOT, env=stack.environment, capture_output=True, text=True, check=False)


def test_first_preview_works_without_an_engine_and_names_each_resource(stack: Stack):
    stack.write("hello", service("hello"))
    preview = stack.pulumi("preview", "--stack", stack.name, DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert "preview without the host" in preview.stdout
    for wanted in ("runyard:index:Service", "default.hello", "gateway.container"):
        assert wanted in preview.stdout
    assert stack.left_on_host() == []


def test_two_previews_are_the_same_text_to_the_byte_and_the_same_json_but_for_what_is_pulumis_own(stack: Stack):
    stack.write("hello", service("hello"))
    # Without --diff, Pulumi's text has a dot for each second that went by.
    first, second = (stack.preview("--diff").stdout for _ in range(2))
    assert first == second
    first, second = (stable_json(stack.preview("--json").stdout) for _ in range(2))
    assert first == second


def test_service_answers_with_its_revision_and_the_stack_then_shows_no_change(stack: Stack):
    stack.write("hello", service("hello"))
    stack.up()
    answer = stack.get("hello.localhost")
    assert answer.status == 200
    revision = answer.json()["revision"]
    assert revision.startswith("hello-")
    assert stack.held() == {revision}
    stack.expect_no_changes()

    (instance,) = stack.names("instance")
    docker("kill", instance)
    until(lambda: stack.names("instance", running=True) not in ([], [instance]))
    stack.expect_no_changes()

    for part in ("gateway", "orchestrator"):
        docker("restart", f"runyard.{stack.name}.{part}")
        until(lambda: stack.get("hello.localhost").status == 200, within_s=10)
        stack.expect_no_changes()

    stack.pulumi("refresh", "--yes", "--skip-preview", "--stack", stack.name)
    stack.expect_no_changes()
    verified = verify(stack)
    assert verified.returncode == 0, verified.stdout


def test_changed_manifest_makes_a_new_revision_and_the_old_ones_instances_go(stack: Stack):
    stack.write("hello", service("hello", env=[{"name": "GREETING", "value": "one"}]))
    stack.up()
    first = stack.get("hello.localhost").json()["revision"]
    stack.write("hello", service("hello", env=[{"name": "GREETING", "value": "two"}]))
    shown = stack.preview("--diff").stdout
    assert 'GREETING: "one" => "two"' in shown
    assert stack.preview("--diff").stdout == shown
    stack.up()
    second = stack.get("hello.localhost").json()["revision"]
    assert second != first
    until(lambda: not any(first in name for name in stack.names("instance")), within_s=30)
    assert stack.held() == {first, second}
    stack.expect_no_changes()


def test_verify_says_what_differs_after_a_hand_edit(stack: Stack):
    stack.write("hello", service("hello"))
    stack.up()
    docker("run", "--detach", "--name", f"runyard.{stack.name}.stray", "--label", f"runyard.dev/stack={stack.name}",
           "--publish", "127.0.0.1:0:8080", "runyard/hello:1")  # fmt: skip
    verified = verify(stack)
    docker("rm", "--force", f"runyard.{stack.name}.stray")
    assert verified.returncode == 7, verified.stdout
    assert "test_stack_has_no_container_that_nothing_planned" in verified.stdout
    assert "test_no_container_of_the_stack_publishes_a_port" in verified.stdout


def test_secret_reaches_the_service_and_no_preview_state_or_inspection_shows_it(stack: Stack):
    canary = "canary-4f1d9c"
    reference = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "api", "key": "latest"}}}
    stack.write("hello", service("hello", env=[reference]))
    missing = stack.up(check=False)
    assert missing.returncode != 0
    assert "secret api has no key latest in this stack" in missing.stdout + missing.stderr
    stack.pulumi("config", "set", "--secret", "--path", "runyard:secrets.default.api", canary, "--stack", stack.name)
    shown = stack.preview("--diff").stdout + stack.preview("--json").stdout + stack.up().stdout
    assert stack.get("hello.localhost", "/env").json()["TOKEN"] == canary
    exported = stack.pulumi("stack", "export", "--stack", stack.name).stdout
    files = "".join(path.read_text() for path in stack.state.rglob("*") if path.is_file())
    inspected = json.dumps([inspect(name) for name in stack.names()])
    # The volumes of both parts, which only the orchestrator sees; grep ends with 1 where it finds nothing.
    search = f"grep -rl {canary} /var/lib/runyard || true"
    kept = docker("exec", f"runyard.{stack.name}.orchestrator", "sh", "-c", search)
    logs = docker("logs", f"runyard.{stack.name}.orchestrator") + docker("logs", f"runyard.{stack.name}.gateway")
    found = {"preview": shown, "export": exported, "files": files, "inspect": inspected, "logs": logs}
    assert [where for where, text in found.items() if canary in text] == []
    assert kept == ""
    stack.expect_no_changes()


def test_sidecar_shares_the_network_of_its_instance(stack: Stack):
    manifest = service("pair", name="main", ports=[{"containerPort": 8080}])
    sidecar = {"name": "side", "image": "runyard/hello:1", "env": [{"name": "PORT", "value": "9000"}],
               "resources": {"limits": {"cpu": "1", "memory": "128Mi"}}}  # fmt: skip
    manifest["spec"]["template"]["spec"]["containers"].append(sidecar)
    stack.write("pair", manifest)
    stack.up()
    answer = stack.get("pair.localhost", "/call?url=http://127.0.0.1:9000/")
    assert answer.status == 200
    assert len(stack.names("instance")) == 2
    stack.expect_no_changes()


def test_destroy_leaves_nothing_even_when_the_orchestrator_was_killed_before(stack: Stack):
    stack.write("hello", service("hello"))
    stack.up()
    docker("kill", f"runyard.{stack.name}.orchestrator")
    stack.destroy()
    assert stack.left_on_host() == []


def test_stack_is_in_step_after_the_engine_was_restarted(stack: Stack):
    restart = [sys.executable, "-m", "toolchain", "restart-engine"]
    probe = subprocess.run([*restart, "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=False)
    if probe.returncode:
        # Somebody else's engine, with somebody else's containers on it: not ours to restart.
        pytest.skip(probe.stderr.strip())
    stack.write("hello", service("hello"))
    stack.up()
    subprocess.run(restart, cwd=ROOT, check=True, timeout=120)
    until(lambda: stack.get("hello.localhost").status == 200, within_s=60)
    stack.expect_no_changes()
