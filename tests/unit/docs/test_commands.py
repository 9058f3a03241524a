"""The commands in the documents: each is of a program that there is and takes it, and what needs no host is run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from runyard.cli.main import cli
from tests.unit import checkout
from toolchain.arguments import parse_arguments

# Records tell of their day, and so does the changelog.
DOCUMENTS = [
    path
    for path in checkout.files()
    if path.suffix == ".md" and path.parts[0] not in {"tests", "services"} and "adr" not in path.parts
    if path.name != "CHANGELOG.md"
]
MAKEFILE = checkout.text(Path("Makefile"))
RUNYARD = (".venv/bin/runyard", "runyard")
# What reads manifests alone, of a checkout or of git.
RUN_HERE = {"cost", "review", "validate"}
# What asks a stack: tests/e2e/test_quickstart.py types those of the README.
STACK_OPTIONS = {"--stack", "--save", "--preview"}


def commands(text: str) -> Iterator[list[str]]:
    """Give the words of each command: the lines of shell blocks, and the code spans that begin with a program."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
    # What leaves something open, by an ellipsis or a word in capitals, is a pattern of commands and none of them.
    whole = [span for span in spans if " " in span and not re.search(r"…|(?<!\S)[A-Z]+(?!\S)", span)]
    for line in [*lines, *(span for span in whole if span.split(" ")[0] in PROGRAMS)]:
        if words := shlex.split(line, comments=True):
            yield words


def takes_make(words: list[str]) -> None:
    for word in words[1:]:
        name, given, _ = word.partition("=")
        if given:
            assert re.search(rf"^{name} \?=", MAKEFILE, re.MULTILINE), f"make has no variable {name}"
        else:
            assert re.search(rf"^{re.escape(name)}:", MAKEFILE, re.MULTILINE), f"make has no target {name}"


def takes_runyard(words: list[str]) -> None:
    command = cli.get_command(click.Context(cli), words[1])
    assert command is not None, f"runyard has no command {words[1]}"
    rest = words[2:]
    if isinstance(command, click.Group):
        name, *rest = rest
        assert name in command.commands, f"runyard {words[1]} has no command {name}"
        command = command.commands[name]
    options = {option for each in command.params if isinstance(each, click.Option) for option in each.opts}
    # What follows is for the program that it runs.
    for word in rest[: rest.index("--")] if "--" in rest else rest:
        if word.startswith("-"):
            assert word.partition("=")[0] in options, f"runyard {words[1]} has no option {word}"


def takes_bootstrap(words: list[str]) -> None:
    # Nothing behind the `--` where a document says what to type there.
    if command := parse_arguments(words[1:]).extra:
        takes(command)


def takes_python(words: list[str]) -> None:
    assert words[1] == "-m"
    if words[2] == "tests.bench":
        bench = checkout.text(Path("tests", "bench", f"{words[3]}.py"))
        for word in words[4:]:
            assert not word.startswith("--") or f'"{word}"' in bench, f"{words[3]} has no option {word}"
    else:
        assert words[2] == "pytest"


def takes_anything(_: list[str]) -> None:
    """Leave to others: Pulumi's own words, and the addresses that tests/e2e asks."""


PROGRAMS: dict[str, Callable[[list[str]], None]] = {
    "make": takes_make,
    **dict.fromkeys(RUNYARD, takes_runyard),
    "toolchain/bootstrap": takes_bootstrap,
    ".venv/bin/python": takes_python,
    "pulumi": takes_anything,
    "curl": takes_anything,
    "iptables": takes_anything,
}


def takes(words: list[str]) -> None:
    assert words[0] in PROGRAMS, f"no test holds commands of {words[0]}: {shlex.join(words)}"
    PROGRAMS[words[0]](words)


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_commands_of_documents_are_taken_by_their_programs(document: Path) -> None:
    for words in commands(checkout.text(document)):
        takes(words)


@pytest.mark.parametrize(
    "command",
    [
        "make nothing",
        "make up NOTHING=1",
        "runyard nothing",
        "runyard cost --nothing",
        "toolchain/bootstrap run -- curls",
    ],
)
def test_command_that_there_is_not_is_found(command: str) -> None:
    (words,) = commands(f"```sh\n{command}\n```\n")
    with pytest.raises(AssertionError, match=r"has no|no test holds"):
        takes(words)


def typed_here() -> list[str]:
    """List what the documents have of commands that read manifests alone, once each."""
    found = [words for document in DOCUMENTS for words in commands(checkout.text(document)) if words[0] in RUNYARD]
    whole = [words for words in found if words[1] in RUN_HERE and not STACK_OPTIONS & set(words)]
    return sorted({shlex.join(["runyard", *words[1:]]) for words in whole if len(words) > 2})


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a repository of the examples, with a branch that changes one, and two directories that differ so."""
    directory = tmp_path_factory.mktemp("repository")

    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        subprocess.run(["git", *identity, *arguments], cwd=directory, check=True, capture_output=True)

    def copy(name: str) -> None:
        shutil.copytree(checkout.ROOT / "manifests", directory / name, ignore=shutil.ignore_patterns("faults"))

    def change(name: str) -> None:
        hello = directory / name / "hello.yaml"
        hello.write_text(hello.read_text().replace('image: "', 'env: [{ name: A, value: b }], image: "'))

    for name in ("manifests", "old", "new"):
        copy(name)
        # Which has every key that there is, and is for reading.
        (directory / name / "reference.yaml").unlink()
    change("new")
    git("init", "--initial-branch", "main")
    git("add", "manifests")
    git("commit", "--message", "examples")
    git("checkout", "-b", "topic")
    change("manifests")
    git("commit", "--all", "--message", "change")
    return directory


def test_documents_have_commands_that_can_be_run_here() -> None:
    assert {words.split()[1] for words in typed_here()} == RUN_HERE


@pytest.mark.parametrize("command", typed_here())
def test_command_that_reads_manifests_alone_does_what_documents_say(repository: Path, command: str) -> None:
    words = [sys.executable, "-m", "runyard.cli.main", *shlex.split(command)[1:]]
    environment = {"PYTHONPATH": str(checkout.ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(words, cwd=repository, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    if " review " in f" {command} ":
        assert "hello" in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may have a firewall of its own")
def test_rules_of_the_hosts_firewall_let_through_what_the_gateway_answers_and_no_more() -> None:
    rules = [words for words in commands(checkout.text(Path("docs", "security.md"))) if words[0] == "iptables"]
    # In a network namespace of its own, which ends with the command.
    script = "; ".join(["set -e", *map(shlex.join, rules), "iptables --list-rules INPUT"])
    done = subprocess.run(["unshare", "--net", "sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    policy, allowed, refused = done.stdout.splitlines()
    assert policy == "-P INPUT ACCEPT"
    assert "--dports 80,81" in allowed
    assert allowed.endswith("-j ACCEPT")
    assert "-j REJECT" in refused
