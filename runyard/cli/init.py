"""Command `init`: a repository that deploys."""

from __future__ import annotations

from pathlib import Path

import click

from runyard.cli.output import Output, reporting
from runyard.errors import UsageError
from runyard.files import write
from runyard.pulumi.project import LINK, SETTINGS, find_checkout, link_checkout

_PROJECT = f"""\
# Read by `runyard` and by plain `pulumi up` alike. {LINK} leads to Runyard's checkout; each command sees to it.
name: runyard
description: Services on Runyard
runtime:
  name: python
  options:
    virtualenv: {LINK}/.venv
main: {LINK}/stacks/
stackConfigDir: stacks/
plugins:
  providers:
    - name: runyard
      path: {LINK}/provider
  analyzers:
    - name: policy-runyard
      path: {LINK}/policies
config:
  # Files, directories or globs, with commas between; a stack's own settings, stacks/Pulumi.STACK.yaml, count first.
  runyard:manifests:
    value: manifests
"""
_HELLO = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata: { name: hello }
spec:
  template:
    spec:
      containers: [{ image: "runyard/hello:1" }]
"""
_PLATFORM = """\
# What holds for the whole stack; every field has a default, and docs/manifest.md of Runyard has them all.
apiVersion: runyard.dev/v1
kind: Platform
metadata: { name: platform }
spec:
  gateway: { port: 3000 }
"""
_IGNORED = f"""\
# Leads to Runyard's checkout on this machine.
/{LINK}
"""
_README = """\
# Services on Runyard

```sh
runyard up
curl http://hello.localhost:3000/
runyard down
```

`manifests/` has the services and, in `platform.yaml`, what holds for all of them. `runyard preview` shows what an `up`
would change. State and passphrase are outside this repository, in `~/.local/share/runyard`: keep them.
"""
_FILES = {
    SETTINGS: _PROJECT,
    "manifests/hello.yaml": _HELLO,
    "manifests/platform.yaml": _PLATFORM,
    ".gitignore": _IGNORED,
    "README.md": _README,
}


@click.command()
@click.argument("directory", default=".", type=click.Path(file_okay=False, path_type=Path))
@reporting()
def init(directory: Path, out: Output) -> None:
    """Write a repository that deploys into DIRECTORY, here by default: a service, a Platform, and Pulumi's project.

    What is there is never overwritten: a Pulumi.yaml refuses it, and other files stay as they are.
    """
    if (directory / SETTINGS).exists():
        raise UsageError(f"init: {directory / SETTINGS} is there already, and nothing is overwritten")
    checkout = find_checkout()
    made: list[str] = []
    kept: list[str] = []
    # The project last: what was interrupted is no project yet, and can be begun anew.
    for name, text in sorted(_FILES.items(), key=lambda each: each[0] == SETTINGS):
        file = directory / name
        try:
            (made if _write(file, text) else kept).append(name)
        except OSError as error:
            raise UsageError(f"init: write {file}: {error.strerror}") from None
    link_checkout(str(directory.absolute()), checkout)
    out.show(
        lambda: {"directory": str(directory), "made": made, "kept": kept},
        lambda: _render(directory, made, kept),
    )


def _write(file: Path, text: str) -> bool:
    """Write a file unless it is there; what git is to ignore is added to what it ignores."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        write(file, text)
        return True
    if file.name != ".gitignore":
        return False
    before = file.read_text(encoding="utf-8")
    if text not in before:
        write(file, f"{before.rstrip()}\n{text}")
    return True


def _render(directory: Path, made: list[str], kept: list[str]) -> str:
    lines = [f"made {directory / each}" for each in made]
    lines += [f"kept {directory / each}, which was there" for each in kept]
    here = directory == Path()
    lines.append("next: runyard up" if here else f"next: cd '{directory}' && runyard up")
    return "\n".join(lines)
