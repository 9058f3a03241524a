import json

from tests.harness.stack import Stack, docker, inspect, service, stable_json
from tests.harness.waiting import until


def test_first_preview_works_without_an_engine_and_names_each_resource(stack: Stack):
    stack.write("hello", service("hello"))
    preview = stack.pulumi("preview", "--stack", stack.name, DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert "preview without the host" in preview.stdout
    for wanted in ("runyard:index:Service", "default.hello", "gateway.container"):
        assert wanted in preview.stdout
    assert stack.left_on_host() == []


def test_two_previews_are_the_same_text_to_the_byte_and_the_same_json_but_for_what_is_pulumis_own(shared: Stack):
    shared.write("hello", service("hello"))
    # Without --diff, Pulumi's text has a dot for each second that went by.
    first, second = (shared.preview("--diff").stdout for _ in range(2))
    assert first == second
    first, second = (stable_json(shared.preview("--json").stdout) for _ in range(2))
    assert first == second


def test_service_answers_with_its_revision_and_the_stack_then_shows_no_change(shared: Stack):
    shared.write("hello", service("hello"))
    shared.up()
    answer = shared.get("hello.localhost")
    assert answer.status == 200
    revision = answer.json()["revision"]
    assert revision.startswith("hello-")
    assert shared.held() == {revision}
    shared.expect_no_changes()

    (instance,) = shared.names("instance")
    docker("kill", instance)
    until(lambda: shared.names("instance", running=True) not in ([], [instance]))
    shared.expect_no_changes()

    for part in ("gateway", "orchestrator", "firewall"):
        docker("restart", f"runyard.{shared.name}.{part}")
        until(lambda: shared.get("hello.localhost").status == 200)
        shared.expect_no_changes()

    shared.pulumi("refresh", "--yes", "--skip-preview", "--stack", shared.name)
    shared.expect_no_changes()
    verified = shared.verify()
    assert verified.returncode == 0, verified.stdout


def test_changed_manifest_makes_a_new_revision_and_the_old_ones_instances_go(shared: Stack):
    shared.write("hello", service("hello", env=[{"name": "GREETING", "value": "one"}]))
    shared.up()
    first = shared.get("hello.localhost").json()["revision"]
    shared.write("hello", service("hello", env=[{"name": "GREETING", "value": "two"}]))
    shown = shared.preview("--diff").stdout
    assert 'GREETING: "one" => "two"' in shown
    assert shared.preview("--diff").stdout == shown
    shared.up()
    second = shared.get("hello.localhost").json()["revision"]
    assert second != first
    until(lambda: not any(first in name for name in shared.names("instance")), within_s=30)
    assert shared.held() == {first, second}
    shared.expect_no_changes()


def test_verify_says_what_differs_after_a_hand_edit(shared: Stack):
    shared.write("hello", service("hello"))
    shared.up()
    docker("run", "--detach", "--name", f"runyard.{shared.name}.stray", "--label", f"runyard.dev/stack={shared.name}",
           "--publish", "127.0.0.1:0:8080", "runyard/hello:1")  # fmt: skip
    verified = shared.verify()
    docker("rm", "--force", f"runyard.{shared.name}.stray")
    assert verified.returncode == 7, verified.stdout
    assert "test_stack_has_no_container_that_nothing_planned" in verified.stdout
    assert "test_no_container_of_the_stack_publishes_a_port" in verified.stdout


def test_secret_reaches_the_service_and_no_preview_state_or_inspection_shows_it(shared: Stack):
    canary = "canary-4f1d9c"
    reference = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "api", "key": "latest"}}}
    shared.write("hello", service("hello", env=[reference]))
    missing = shared.up(check=False)
    assert missing.returncode != 0
    assert "secret api has no key latest in this stack" in missing.stdout + missing.stderr
    shared.pulumi("config", "set", "--secret", "--path", "runyard:secrets.default.api", canary, "--stack", shared.name)
    shown = shared.preview("--diff").stdout + shared.preview("--json").stdout + shared.up().stdout
    assert shared.get("hello.localhost", "/env").json()["TOKEN"] == canary
    exported = shared.pulumi("stack", "export", "--stack", shared.name).stdout
    files = "".join(path.read_text() for path in shared.state.rglob("*") if path.is_file())
    inspected = json.dumps([inspect(name) for name in shared.names()])
    # The volumes of both parts, which only the orchestrator sees; grep ends with 1 where it finds nothing.
    search = f"grep -rl {canary} /var/lib/runyard || true"
    kept = docker("exec", f"runyard.{shared.name}.orchestrator", "sh", "-c", search)
    logs = docker("logs", f"runyard.{shared.name}.orchestrator") + docker("logs", f"runyard.{shared.name}.gateway")
    found = {"preview": shown, "export": exported, "files": files, "inspect": inspected, "logs": logs}
    assert [where for where, text in found.items() if canary in text] == []
    assert kept == ""
    shared.expect_no_changes()


def test_sidecar_shares_the_network_of_its_instance(shared: Stack):
    manifest = service("pair", name="main", ports=[{"containerPort": 8080}])
    sidecar = {"name": "side", "image": "runyard/hello:1", "env": [{"name": "PORT", "value": "9000"}],
               "resources": {"limits": {"cpu": "1", "memory": "128Mi"}}}  # fmt: skip
    manifest["spec"]["template"]["spec"]["containers"].append(sidecar)
    shared.write("pair", manifest)
    shared.up()
    answer = shared.get("pair.localhost", "/call?url=http://127.0.0.1:9000/")
    assert answer.status == 200
    assert len(shared.names("instance")) == 2
    shared.expect_no_changes()


def test_destroy_leaves_nothing_even_when_the_orchestrator_was_killed_before(stack: Stack):
    stack.write("hello", service("hello"))
    stack.up()
    docker("kill", f"runyard.{stack.name}.orchestrator")
    stack.destroy()
    assert stack.left_on_host() == []
