"""Foreign manifests: what of the files in a directory is accepted, and what of that answers with the sample in place.

`python -m tests.harness.foreign DIRECTORY [COUNT]` tells both, of all files or of so many that RUNYARD_SEED chooses.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from runyard.errors import ManifestError
from runyard.manifest import load
from runyard.manifest.reader import read_documents
from tests.harness.seeds import given_seed
from tests.harness.stack import Stack, new_stack
from tests.harness.substitution import substitute, values_of
from tests.harness.waiting import until

# As many as a small host has room for at a time.
BATCH = 6
SERVICE = ("serving.knative.dev/v1", "Service")


def accepted(files: Sequence[Path]) -> list[Path]:
    """Give the files that can be deployed as they are and hold a Service."""
    found = []
    for file in files:
        try:
            if load([file]).manifests.services:
                found.append(file)
        except ManifestError:
            continue
    return found


def answers(stack: Stack, files: Sequence[Path]) -> dict[Path, str]:
    """Run the services of accepted files with the sample, and say of each file why it does not answer, or nothing."""
    hosts = {file: _write(stack, file, f"t{index}") for index, file in enumerate(files)}
    done = stack.up(check=False)
    return {file: _ask(stack, names, done.stdout + done.stderr) for file, names in hosts.items()}


def _write(stack: Stack, file: Path, tenant: str) -> list[str]:
    """Write what a file's services need into the stack; gives their hosts."""
    hosts = []
    for index, document in enumerate(_services(file)):
        made = substitute(document, tenant)
        place = stack.manifests / f"{tenant}-{index}.yaml"
        place.write_text(json.dumps(made), encoding="utf-8")
        (service,) = load([place]).manifests.services
        values = [json.dumps(each) for each in values_of(service)]
        place.write_text("\n---\n".join([json.dumps(made), *values]), encoding="utf-8")
        hosts.append(f"{service.name}.{tenant}.localhost")
    return hosts


def _services(file: Path) -> Iterator[dict[str, Any]]:
    for document in read_documents(str(file), file.read_text(encoding="utf-8"), []):
        if (document.data.get("apiVersion"), document.data.get("kind")) == SERVICE:
            yield document.data


def _ask(stack: Stack, hosts: Sequence[str], told: str) -> str:
    for host in hosts:
        try:
            until(lambda host=host: stack.get(host).status == 200, host)  # type: ignore[misc]
        except AssertionError as error:
            name = host.partition(".")[0]
            lines = [line.strip() for line in told.splitlines() if name in line]
            return f"{error}: {' | '.join(lines)[:500]}"
    return ""


def main(directory: str, count: str = "0") -> int:
    """Tell of every file, and give 1 where less than nine in ten of what is accepted answer."""
    files = sorted(each for each in Path(directory).rglob("*") if each.suffix in (".yaml", ".yml"))
    good = accepted(files)
    print(f"{len(good)} of {len(files)} files are accepted")
    chosen = sorted(random.Random(given_seed()).sample(good, int(count))) if int(count) else good
    silent: dict[Path, str] = {}
    directories = pytest.TempPathFactory.from_config(pytest.Config.fromdictargs({}, []), _ispytest=True)
    with new_stack(directories, "foreign") as stack:
        for start in range(0, len(chosen), BATCH):
            found = answers(stack, chosen[start : start + BATCH])
            silent |= {file: reason for file, reason in found.items() if reason}
            for file, reason in found.items():
                print(f"{'silent' if reason else '200   '} {file} {reason}", flush=True)
            stack.clear()
    print(f"{len(chosen) - len(silent)} of {len(chosen)} answer 200")
    return 1 if len(silent) * 10 > len(chosen) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
