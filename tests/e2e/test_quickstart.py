"""The README typed as it stands: its commands, and what they are said to show."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.manifest import load
from runyard.plan import plan
from runyard.pulumi.backend import data_directory
from tests.harness.stack import ROOT, Stack, firewall_table, new_stack
from tests.harness.waiting import until

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with new_stack(tmp_path_factory, "quickstart") as made:
        try:
            yield made
        finally:
            # The record by which the next `make up` may say that there is nothing to do.
            for left in Path(data_directory(made.environment)).glob(f"*.{made.name}*"):
                left.unlink()


def typed(stack: Stack, line: str) -> subprocess.CompletedProcess[str]:
    """Type a command of the README; a stack, manifests and ports of the test's own are all that differs."""
    words = shlex.split(line.replace(":3000/", f":{stack.port}/"))
    if words[0] == "make":
        words += [f"STACK={stack.name}", f"MANIFESTS={stack.manifests}"]
    elif words[0].endswith("runyard"):
        words += ["--stack", stack.name]
    return subprocess.run(
        words, cwd=ROOT, env=stack.environment, capture_output=True, text=True, timeout=600, check=False
    )


def shown(stack: Stack, line: str) -> str:
    assert line in README
    done = typed(stack, line)
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    # curl tells its progress on stderr, Pulumi what it has to say beside a diff.
    return done.stdout if line.startswith("curl") else done.stdout + done.stderr


def test_readme_does_what_it_says(stack: Stack) -> None:
    (manifest,), (commands, *_), (answer,) = (blocks(README, language) for language in ("yaml", "sh", "json"))
    hello = stack.manifests / "hello.yaml"
    hello.write_text(manifest)
    up, ask = commands.splitlines()
    shown(stack, up)
    first, promised = json.loads(shown(stack, ask)), json.loads(answer)
    # An instance is another each time, and the revision that README has is that of a stack which is called dev.
    (planned,) = plan(load([hello]).manifests, stack.name).services
    assert first == {**promised, "revision": planned.revision.name, "instance": first["instance"]}
    # How soon is for tests/bench to say; a host that does not answer within three seconds has Pulumi asked after all.
    nothing = "up: nothing to do, Pulumi was not asked ("
    until(lambda: nothing in shown(stack, "make up"), "an update has nothing to do", within_s=180)
    shown(stack, "make verify")

    hello.write_text(manifest.replace('image: "', 'env: [{ name: A, value: b }], image: "'))
    preview = shown(stack, "make preview")
    assert "a new revision is ready before" in preview
    assert json.loads(shown(stack, ask)) == first
    shown(stack, up)
    second = json.loads(shown(stack, ask))
    assert second["revision"] not in ("", first["revision"])

    shown(stack, ".venv/bin/runyard rollback hello")
    assert json.loads(shown(stack, ask))["revision"] == first["revision"]
    assert f"100% {first['revision']}" in shown(stack, "make preview")

    shown(stack, "make down")
    assert stack.left_on_host() == []


def test_stack_whose_state_is_lost_is_taken_down_when_asked_to_by_force(stack: Stack) -> None:
    """First up, then a lost state, then down: nothing goes by chance, and everything when it is asked for."""
    (stack.manifests / "hello.yaml").write_text(blocks(README, "yaml")[0])
    assert typed(stack, "make up").returncode == 0
    standing = stack.names(running=True)
    (kept,) = stack.state.glob(f".pulumi/stacks/*/{stack.name}.json")
    kept.unlink()
    refused = typed(stack, "make down")
    assert refused.returncode != 0
    assert f"the state knows nothing of stack {stack.name}, and {len(standing)} containers" in refused.stderr
    assert stack.names(running=True) == standing
    removed = typed(stack, "make down FORCE=1")
    assert removed.returncode == 0, removed.stderr
    assert stack.left_on_host() == []
    assert firewall_table(stack.name) == ""


def settings() -> list[str]:
    """List the lines of the guides that write into a stack's configuration."""
    lines = [
        line
        for path in ("security", "review", "guides/moving")
        for line in (ROOT / "docs" / f"{path}.md").read_text().splitlines()
    ]
    return [
        line[line.index("pulumi ") :]
        for line in lines
        if re.match(r"(toolchain/bootstrap run -- )?pulumi config", line)
    ]


def test_settings_of_the_guides_are_kept_as_they_are_given(stack: Stack) -> None:
    assert len(settings()) == 4
    for line in settings():
        typed_in, _, file = line.partition(" < ")
        words = [word for word in shlex.split(typed_in)[1:] if word not in ("--stack", "prod")]
        value = f"of {file}" if file else words.pop()
        command = ["pulumi", "--non-interactive", *words, "--stack", stack.name]
        command += ["--config-file", str(stack.directory / "stack.yaml")] + ([] if file else ["--", value])
        given = value if file else None
        subprocess.run(command, cwd=ROOT, env=stack.environment, input=given, text=True, check=True, timeout=60)
        key = words[-1]
        kept = stack.pulumi("config", "get", "--path", key, "--stack", stack.name).stdout
        assert kept.rstrip("\n") == value
