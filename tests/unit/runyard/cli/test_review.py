"""Command `review`: real git repositories and directories, and every exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.cli.main import main
from runyard.contracts import RecordedLoad, encode
from runyard.reference import HUB
from tests.unit.runyard.host.docker_api import DockerApi, serve

BUILT = "sha256:" + "a" * 64
SERVICE = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: web}
spec: {template: {spec: {timeoutSeconds: %s, containers: [{image: "shop/web:1"%s}]}}}
"""
SCALED = 'metadata: {name: web}\nspec: {template: {metadata: {annotations: {autoscaling.knative.dev/min-scale: "2"}}, '


def git(directory: Path, *arguments: str) -> None:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run(["git", *identity, *arguments], cwd=directory, check=True, capture_output=True, env=environment)


def commit(directory: Path, text: str | None) -> None:
    file = directory / "manifests" / "web.yaml"
    file.parent.mkdir(exist_ok=True)
    if text is None:
        file.unlink(missing_ok=True)
    else:
        file.write_text(text)
    git(directory, "add", "-A")
    git(directory, "commit", "-q", "--allow-empty", "-m", "x")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with three commits: none, one service, and that service changed."""
    git(tmp_path, "init", "-q")
    commit(tmp_path, None)
    commit(tmp_path, SERVICE % (300, ""))
    commit(tmp_path, SERVICE % (60, ""))
    monkeypatch.chdir(tmp_path)
    # Whatever runs on this machine is nothing to a test.
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["review", *arguments, "--date", "2026-11-23"])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_review_of_two_revisions_tells_the_change(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "HEAD~1..HEAD")
    assert code == 0
    assert out.splitlines()[:3] == ["Changes", "  ~ Service default/web", "      ~ timeoutSeconds: 300 -> 60"]


def test_review_reads_git_and_not_the_working_tree(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "manifests" / "web.yaml").write_text("broken: [")
    assert run(capsys, "HEAD~1..HEAD")[0] == 0


def test_review_works_from_below_the_root(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository / "manifests")
    assert "timeoutSeconds: 300 -> 60" in run(capsys, "HEAD~1..HEAD")[1]


def test_directory_does_not_stand_in_for_a_revision_of_its_name(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git(repository, "tag", "base", "HEAD~1")
    (repository / "base").mkdir()
    (repository / "base" / "web.yaml").write_text(SERVICE % (60, ""))
    assert "timeoutSeconds: 300 -> 60" in run(capsys, "base..HEAD")[1]
    assert "no changes" in run(capsys, "base", "HEAD")[1]


def test_revision_without_manifests_is_empty(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "  + Service default/web" in run(capsys, "HEAD~2..HEAD")[1].splitlines()


def test_changes_where_none_were_expected_are_seven(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "HEAD~1..HEAD", "--expect-no-changes")[0] == 7
    assert run(capsys, "HEAD..HEAD", "--expect-no-changes")[0] == 0


def test_what_a_policy_refuses_is_five(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commit(repository, SERVICE % (60, ", env: [{name: DB_PASSWORD, value: hunter2}]"))
    code, out, _ = run(capsys, "HEAD~1..HEAD", "-o", "json")
    assert code == 5
    (finding,) = json.loads(out)["policy"]
    assert (finding["state"], finding["rule"]) == ("new", "secret-by-name")
    assert finding["location"] == {"file": "manifests/web.yaml", "line": 1}
    assert "hunter2" not in out


def test_annotation_that_is_not_carried_out_mends_no_finding_and_is_a_warning(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    on = 'name: web, annotations: {run.googleapis.com/invoker-iam-disabled: "false"}'
    commit(repository, (SERVICE % (60, "")).replace("name: web", on))
    found = json.loads(run(capsys, "HEAD~1..HEAD", "-o", "json", "--stack", "prod")[1])
    assert [change["path"] for change in found["changes"]] == ["requireCallerAuth"]
    assert [each["state"] for each in found["policy"] if each["rule"] == "auth-in-production"] == ["open"]
    (warning,) = found["warnings"]
    assert (warning["rule"], warning["location"]) == ("support.later", {"file": "manifests/web.yaml", "line": 3})


def test_invalid_head_is_two_with_its_own_paths(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commit(repository, SERVICE % (-1, ""))
    code, out, err = run(capsys, "HEAD~1..HEAD")
    assert (code, out) == (2, "")
    assert err.startswith("error: manifests/web.yaml:4:")


def test_invalid_base_does_not_stop_the_change_that_mends_it(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(repository, SERVICE % (-1, ""))
    commit(repository, SERVICE % (60, ""))
    code, out, err = run(capsys, "HEAD~1..HEAD")
    assert code == 0
    assert "+ Service default/web" in out
    assert err == "warning: HEAD~1 has 1 problems and is compared as if it were empty\n"


@pytest.mark.parametrize("sides", [["absent..HEAD"], ["HEAD"], ["a", "b", "c"], ["HEAD..--output=x"]])
def test_sides_that_name_nothing_are_usage_errors(
    repository: Path, capsys: pytest.CaptureFixture[str], sides: list[str]
) -> None:
    code, out, err = run(capsys, *sides)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")


@pytest.mark.parametrize("path", ["manifest", "manifests/*.yaml", "manifests/wbe.yaml", "manifests/web"])
def test_path_on_neither_side_is_a_usage_error(repository: Path, capsys: pytest.CaptureFixture[str], path: str) -> None:
    code, out, err = run(capsys, "HEAD~1..HEAD", "-f", "manifests", "-f", path)
    assert (code, out) == (2, "")
    assert err == f"error: --file: must be a file or directory of either commit, got '{path}'\n"


def test_repository_without_manifests_has_no_review_that_says_no_changes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "x")
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, "HEAD..HEAD")
    assert (code, err) == (2, "error: --file: must be a file or directory of either commit, got 'manifests'\n")


def test_path_on_one_side_came_or_went(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "manifests" / "api.yaml").write_text(SERVICE.replace("web", "api") % (300, ""))
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "x")
    assert "+ Service default/api" in run(capsys, "HEAD~1..HEAD", "-f", "manifests/api.yaml")[1]
    assert "- Service default/api" in run(capsys, "HEAD..HEAD~1", "-f", "manifests/api.yaml")[1]


def test_path_is_relative_to_the_current_directory(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository / "manifests")
    for path in ("web.yaml", "./", "../manifests", str(repository / "manifests")):
        assert "timeoutSeconds: 300 -> 60" in run(capsys, "HEAD~1..HEAD", "-f", path)[1]
    assert run(capsys, "HEAD~1..HEAD", "-f", "manifests")[0] == 2
    code, _, err = run(capsys, "HEAD~1..HEAD", "-f", "../../x")
    assert (code, err) == (2, f"error: --file: must be in the repository {repository}, got '../../x'\n")


def test_path_beside_two_directories_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "web.yaml").write_text(SERVICE % (300, ""))
    code, out, err = run(capsys, str(tmp_path), str(tmp_path), "-f", "web.yaml")
    assert (code, out) == (2, "")
    assert err == "error: --file: must stand beside commits of git, got 'web.yaml' beside directories\n"


def test_two_directories_are_compared_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, timeout in (("old", 300), ("new", 60)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "web.yaml").write_text(SERVICE % (timeout, ""))
    code, out, _ = run(capsys, str(tmp_path / "old"), str(tmp_path / "new"), "-o", "markdown")
    assert code == 0
    assert "~ timeoutSeconds: 300 -> 60" in out


STEP = {
    "op": "update",
    "urn": "urn:pulumi:dev::runyard::runyard:index:Service::default.web",
    "oldState": {"inputs": {"facts": '{"timeoutSeconds": 300, "note": "canary"}'}},
    "newState": {"inputs": {"facts": '{"timeoutSeconds": 60, "note": "canary"}'}},
    "detailedDiff": {"facts": {}, "route": {}},
}
STATE = {"deployment": {"resources": [{"urn": "urn:a::b::c::d", "type": "t", "inputs": {"x": "canary"}}]}}
# Like Pulumi for the four things that are asked of it; the state holds a secret as Pulumi would never show it.
PULUMI = """#!/bin/sh
case "$*" in
*"stack export"*) echo '%s' ;;
*"config --show-secrets"*) echo '{}' ;;
*--json*) [ -z "$REFUSE" ] && echo '%s' || exit 255 ;;
*) echo '    - [mandatory]  not-privileged  (docker:index/container:Container: bad)'; exit 255 ;;
esac
"""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DockerApi]:
    """An engine that has the image of the service, and no orchestrator of the stack dev."""
    api = DockerApi()
    api.answers["POST /containers/runyard.dev.orchestrator/exec"] = (404, {"message": "No such container"})
    api.answers[f"GET /images/{HUB}/shop/web:1/json"] = {"Id": BUILT, "RepoDigests": []}
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    with serve(api, tmp_path / "docker.sock"):
        yield api


@pytest.fixture
def stack(repository: Path, engine: DockerApi, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository, beside a stack that can be asked, on an engine."""
    pulumi = repository / "programs" / "pulumi"
    pulumi.parent.mkdir()
    pulumi.write_text(PULUMI % (json.dumps(STATE), json.dumps({"steps": [STEP]})))
    pulumi.chmod(0o755)
    monkeypatch.setenv("PATH", str(pulumi.parent), prepend=os.pathsep)
    return repository


def test_preview_adds_what_pulumi_would_do_with_its_effect(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "HEAD~1..HEAD", "--preview")
    assert code == 0
    at = out.splitlines().index("Pulumi (stack dev)")
    assert out.splitlines()[at + 1 : at + 3] == [
        "  service default/web: effect on traffic: none (data in the gateway, changed between two requests without a "
        "reload)",
        "      ~ Service default.web: timeoutSeconds",
    ]
    assert "canary" not in out
    assert run(capsys, "HEAD~1..HEAD", "--preview")[1] == out


def recorded(service: str = "default/web") -> str:
    """Answer as an orchestrator does that has an hour of requests, ten each minute."""
    tenant, _, name = service.partition("/")
    return encode(RecordedLoad(tenant, name, 0, 3600, tuple((minute, 10, 1000, 4) for minute in range(60))))


def test_changed_service_is_shown_under_the_load_that_the_stack_recorded(
    repository: Path, engine: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    scaled = SERVICE.replace("metadata: {name: web}\nspec: {template: {", SCALED)
    commit(repository, scaled % (60, ""))
    engine.relayed = [recorded()]
    code, out, _ = run(capsys, "HEAD~1..HEAD", "--stack", "prod")
    assert code == 0
    lines = out.splitlines()
    assert lines[lines.index("Recorded load") + 1].startswith(
        "  service default/web: with the load of the last 60 minutes: peak 2 instances instead of 1, "
        "0 cold starts instead of 1, "
    )
    assert engine.sent == [("GET /v1/recorded-load?service=default/web", None)]
    assert "POST /containers/runyard.prod.orchestrator/exec" in engine.asked
    load = json.loads(run(capsys, "HEAD~1..HEAD", "--stack", "prod", "-o", "json")[1])["recordedLoad"]
    assert (load["problem"], load["leftOut"], load["services"][0]["requests"]) == (None, [], 600)
    assert "Recorded load (1)" in run(capsys, "HEAD~1..HEAD", "--stack", "prod", "-o", "markdown")[1]


def test_review_goes_on_without_a_stack_and_says_so_in_data_alone(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "HEAD~1..HEAD")
    assert (code, err, "Recorded load" in out) == (0, "", False)
    load = json.loads(run(capsys, "HEAD~1..HEAD", "-o", "json")[1])["recordedLoad"]
    assert load["services"] == load["leftOut"] == []
    assert load["problem"].startswith(
        f"connect to the Docker engine: no Docker engine answers at unix://{repository}/no.sock: "
    )


def test_stack_that_is_not_there_is_not_waited_for(
    repository: Path, engine: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "HEAD~1..HEAD", "-o", "json")
    assert code == 0
    assert json.loads(out)["recordedLoad"]["problem"].startswith(
        "reach the orchestrator runyard.dev.orchestrator within 0 s: "
    )
    assert engine.asked.count("POST /containers/runyard.dev.orchestrator/exec") == 1


def test_service_that_came_or_went_is_asked_of_no_stack(
    repository: Path, engine: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "HEAD~2..HEAD", "-o", "json")
    assert (code, json.loads(out)["recordedLoad"], engine.asked) == (0, None, [])


def test_preview_of_a_stack_of_the_old_form_says_how_to_take_it_down(
    stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = {"deployment": {"resources": [{"urn": "urn:a::b::c::d", "type": "runyard:revision:Revision"}]}}
    (stack / "programs" / "pulumi").write_text(PULUMI % (json.dumps(old), "{}"))
    code, _, err = run(capsys, "HEAD~1..HEAD", "--preview")
    assert code == 2
    assert err.startswith(
        "error: stack dev: must be of this version of Runyard, got one whose revisions are containers"
    )


def test_pack_that_refuses_is_five_after_the_report(
    stack: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFUSE", "yes")
    code, out, err = run(capsys, "HEAD~1..HEAD", "--save", str(stack / "plan.json"))
    assert code == 5
    assert out.startswith("Changes\n")
    assert "[mandatory]  not-privileged" in err
    assert not (stack / "plan.json").exists()


def test_plan_is_saved_for_its_owner_alone_and_holds_no_secret(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = stack / "plan.json"
    assert run(capsys, "HEAD~1..HEAD", "--save", str(file))[0] == 0
    saved = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert "canary" not in saved
    assert list(json.loads(saved)["documents"]) == ["Platform platform", "Service default/web", "Tenant default"]
    assert run(capsys, "HEAD~1..HEAD", "--save", str(file))[0] == 0
    assert file.read_text() == saved
    assert [each.name for each in stack.glob("plan.json*")] == ["plan.json"]


def test_plan_holds_what_the_images_stand_for(
    stack: Path, engine: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    file = stack / "plan.json"
    assert run(capsys, "HEAD~1..HEAD", "--save", str(file))[0] == 0
    assert json.loads(file.read_text())["images"] == {"shop/web:1": {"digest": "", "id": BUILT}}


def test_image_that_is_nowhere_to_be_found_saves_no_plan(
    stack: Path, engine: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    del engine.answers[f"GET /images/{HUB}/shop/web:1/json"]
    code, _, err = run(capsys, "HEAD~1..HEAD", "--save", str(stack / "plan.json"))
    assert code == 1
    assert err.startswith("error: hold image shop/web:1 to what it is now: ask the registry for shop/web:1: ")
    assert not (stack / "plan.json").exists()


def test_change_that_is_refused_saves_no_plan(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commit(stack, SERVICE % (60, ", env: [{name: DB_PASSWORD, value: hunter2}]"))
    assert run(capsys, "HEAD~1..HEAD", "--save", str(stack / "plan.json"))[0] == 5
    assert not (stack / "plan.json").exists()


def test_plan_that_cannot_be_written_is_an_error(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "HEAD~1..HEAD", "--save", str(stack / "absent" / "plan.json"))
    assert (code, err) == (2, f"error: write {stack}/absent/plan.json: No such file or directory\n")


def test_preview_of_a_revision_without_manifests_is_refused(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "HEAD..HEAD~2", "--preview")
    assert (code, err) == (2, "error: review: HEAD~2 must hold manifests to preview, got none\n")


def test_review_without_a_stack_imports_neither_docker_nor_pulumi() -> None:
    script = "import sys, runyard.cli.review; print(sorted({'docker', 'pulumi', 'requests'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"
