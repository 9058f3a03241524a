"""Up to date: answers `up` and `preview` without Pulumi where nothing can have changed, and keeps the record for that.

Asked first of all, before the tools are even looked for; so it imports no more than it needs.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing

from runyard.errors import RunyardError
from runyard.host.transport import Transport
from runyard.pulumi.backend import backend_of, data_directory, lock_directory, passphrase_file, state_file
from runyard.pulumi.marks import PLAN_VARIABLE
from runyard.pulumi.state import parse_state
from runyard.uptodate import fingerprint
from runyard.uptodate.check import Comparison, Subject, changed_reads, compare, host_parts, take_parts
from runyard.uptodate.expectation import expect
from runyard.uptodate.observation import observe
from runyard.uptodate.record import Record, forget_record, load_record, parse_reads, save_record

# Where the engine is looked for first when the environment names none.
USUAL_ADDRESS = "unix:///var/run/docker.sock"
# As `runyard.uptodate.reads` has it, which runs in the program and imports more.
READS_VARIABLE = "RUNYARD_READS"


class UpToDate:
    """The record of one stack of a project, and what is compared with it; `environment` is the user's own."""

    def __init__(
        self,
        checkout: str,
        project: str,
        environment: Mapping[str, str],
        stack: str,
        today: Callable[[], str] = lambda: time.strftime("%Y-%m-%d", time.gmtime()),
    ) -> None:
        self._checkout = checkout
        self._project = project
        self._environment = environment
        self._stack = stack
        # The ISO date in UTC, as the program has it.
        self._today = today
        self._backend = backend_of(environment)
        directory = data_directory(environment)
        self._file = os.path.join(directory, f"record.{stack}.json")
        self._reads_file = os.path.join(directory, f"reads.{stack}.json")
        self._before: Mapping[str, str] = {}

    def compare(self, manifests: str) -> Comparison | None:
        """Tell whether an update with these manifests has nothing to do; None where nobody expects it to be told."""
        record = load_record(self._file)
        subject = self._subject(manifests)
        # A saved plan is for the program to hold the update to, and what is not in a file backend it alone can read.
        if not subject.state_file or self._environment.get(PLAN_VARIABLE):
            return None
        if record is None:
            return Comparison(["the last update of the stack is not recorded here: it failed, or said why"])
        if not self._environment.get("DOCKER_HOST") and record.engine != USUAL_ADDRESS:
            said = "which engine is meant is for the docker command to say: DOCKER_HOST is not set, and was"
            return Comparison([f"{said} {record.engine}"])
        with closing(Transport(record.engine)) as transport:
            return compare(subject, record, transport, self._today())

    def begin(self, manifests: str, tools: Sequence[str]) -> dict[str, str]:
        """Forget the record and take the fingerprints before an update; give the variable that its program needs."""
        os.makedirs(os.path.dirname(self._file), mode=0o700, exist_ok=True)
        self.forget()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._reads_file)
        self._before = take_parts(self._subject(manifests), tools, self._today())
        return {READS_VARIABLE: self._reads_file}

    def record(self, manifests: str, tools: Sequence[str], engine: str) -> str:
        """Record what an update that went through has looked at and left; say why not, if it cannot be."""
        subject = self._subject(manifests)
        if not subject.state_file:
            return ""
        try:
            with closing(Transport(engine)) as transport:
                seen = observe(transport, self._stack)
            with open(subject.state_file, "rb") as file:
                text = file.read()
            with open(self._reads_file, encoding="utf-8") as stream:
                reads = parse_reads(json.load(stream))
            os.unlink(self._reads_file)
            deployed = parse_state(text)
            if deployed.problem:
                return deployed.problem
            # Taken last: what changed while the update ran differs now, and is left to the next update.
            parts = take_parts(subject, tools, self._today())
            changed = [f"the {name} changed" for name in parts if parts[name] != self._before[name]]
            changed += [f"{each} changed" for each in changed_reads(reads)]
            if changed:
                return f"{changed[0]} meanwhile"
            salt = os.urandom(fingerprint.SALT_BYTES).hex()
            parts |= host_parts(expect(deployed), seen)
            parts["state"] = hashlib.sha256(text).hexdigest()
            parts["environment"] = fingerprint.of_environment(self._environment, subject.passphrase_file, salt)
            save_record(self._file, Record(engine, salt, tuple(tools), reads, parts))
        except (OSError, ValueError, TypeError, RunyardError) as error:
            return str(error)
        return ""

    def forget(self) -> None:
        """Forget the record: whatever comes now, the next update asks Pulumi unless this one is recorded."""
        forget_record(self._file)

    def _subject(self, manifests: str) -> Subject:
        return Subject(
            checkout=self._checkout,
            project=self._project,
            stack=self._stack,
            manifests=manifests,
            environment=self._environment,
            passphrase_file=passphrase_file(self._environment),
            state_file=state_file(self._backend, self._stack),
            locks=lock_directory(self._backend, self._stack),
        )
