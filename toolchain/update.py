"""Update: runs Pulumi on the stack, exactly as a user would by hand, and says where things answer."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from runyard import names
from runyard.errors import ToolchainError
from runyard.host.transport import Transport
from runyard.pulumi.backend import PROJECT, data_directory
from runyard.pulumi.marks import PLAN_VARIABLE
from runyard.pulumi.project import policy_pack
from runyard.pulumi.state import missing, parse_state, shown_outputs
from runyard.uptodate.observation import Listing, observe_listing
from toolchain.belonging import Belonging
from toolchain.outputs import list_outputs
from toolchain.progress import short_name
from toolchain.pulumi import Pulumi
from toolchain.state import StackState
from toolchain.step import Steps
from toolchain.uptodate import UpToDate

# Of Pulumi's tree: the outputs are printed after it, one a line.
WITHOUT_OUTPUTS = ("--suppress-outputs",)
# Services that a destroy withdraws at a time. Each takes milliseconds; with more, more instances end at once. When
# many do, Docker 20.10 may say of their network for ever that it has endpoints, so that it cannot be removed: seen in
# one of six destroys of 40 to 100 services on a machine under load, one with 32 at a time, and of Compose's own too.
WITHDRAWALS = "8"
BYTECODE_VARIABLE = "PYTHONDONTWRITEBYTECODE"
# As stacks/ending.py has it, which the program runs.
ENDING_VARIABLE = "RUNYARD_ENDING"
# Enough to see what happened; the rest is as many lines of Pulumi's own.
SHOWN_MISSING = 5


@dataclass
class Update:
    """Pulumi's verbs on one stack; `environment` is complete: PATH, home, backend, passphrase, engine.

    `uptodate` keeps the record by which the next update may be told to have nothing to do, and `tools` are the programs
    that it depends on.
    """

    steps: Steps
    project: Path
    pulumi: Pulumi
    stack: str
    environment: Mapping[str, str]
    uptodate: UpToDate
    belonging: Belonging
    tools: Sequence[str] = ()
    # Whether the manifests are those of the settings: Pulumi writes what it is given on its command line there.
    as_set: bool = False
    # Whether Pulumi's own tree is shown, instead of a line for each service.
    verbose: bool = False
    # What the last run of Pulumi told as failed, by name.
    failed: Sequence[str] = ()

    def up(self, manifests: str, extra: Sequence[str] = ()) -> int:
        """Apply the manifests and print the outputs; return the exit code of the error that ended it, or Pulumi's."""
        if self._lacks_something():
            # A run of its own: the program reads the state, which `up --refresh` writes only at its end.
            code, _ = self._change("refresh", [], tree=WITHOUT_OUTPUTS)
            if code != 0:
                return code
        self.belonging.note()
        added = self.uptodate.begin(manifests, self.tools)
        code, ended = self._change("up", [*self._common(manifests), *extra], added, tree=WITHOUT_OUTPUTS)
        if code != 0:
            self._tell_failed(changed=not ended)
        if code == 0:
            self._settle()
            # A plan or arguments of the user's may have made it another update than the manifests ask for.
            if not extra and PLAN_VARIABLE not in self.environment:
                self._record(manifests)
        return code

    def preview(self, manifests: str, extra: Sequence[str] = ()) -> int:
        """Show what `up` would change; return Pulumi's exit code."""
        refresh = ["--refresh"] if self._lacks_something() else []
        code, _ = self._run("preview", ["--diff", *refresh, *self._common(manifests), *extra])
        return code

    def down(self, extra: Sequence[str] = (), *, force: bool = False) -> int:
        """Destroy everything in the stack; return Pulumi's exit code.

        What the host has of a stack whose state knows nothing is removed only with `force`: ToolchainError without.
        """
        self.uptodate.forget()
        standing = self._unknown_to_state()
        if standing and not force:
            raise ToolchainError(
                f"down: the state knows nothing of stack {self.stack}, and {_carriers(standing)} its label,"
                f" {standing[0]}{', ...' if standing[1:] else ''}: another checkout's, or its state is lost"
                "\n  runyard restore FILE --state-only gives it back the state that a backup has"
                "\n  --force (make: FORCE=1) removes everything with that label, but for volumes that a service keeps"
            )
        if standing:
            self.steps.say("down", self._runyard("release", "--everything"))
        code, _ = self._change("destroy", ["--parallel", WITHDRAWALS, *extra])
        if code == 0:
            self._release()
            self.belonging.forget()
        return code

    def _release(self) -> None:
        """Give back what an update claimed that was killed before Pulumi knew of anything to destroy."""
        self._runyard("release")

    def _runyard(self, verb: str, *arguments: str) -> str:
        """Run one of Runyard's own commands on the stack and give what it prints."""
        command = ["runyard", verb, "--stack", self.stack, *arguments]
        try:
            asked = subprocess.run(command, env=dict(self.environment), capture_output=True, text=True, check=False)
        except OSError as error:
            raise ToolchainError(f"update: runyard {verb}: {error}") from error
        if asked.returncode != 0:
            raise ToolchainError(f"update: runyard {verb}: {asked.stderr.strip()}")
        return asked.stdout.strip()

    def _unknown_to_state(self) -> list[str]:
        """Name the containers that the host has of a stack of which the state has nothing; nothing if it has any."""
        state = parse_state(self._state.read())
        if state.owned or state.begun:
            return []
        return sorted(each.name for each in self._listing().containers if each.role != names.ROLE_CLAIM)

    def _common(self, manifests: str) -> list[str]:
        # Every update asks the pack; with one that cannot be loaded, Pulumi changes nothing.
        pack = policy_pack(str(self.project))
        return ["--policy-pack", pack, *([] if self.as_set else ["-c", f"{PROJECT}:manifests={manifests}"])]

    def _lacks_something(self) -> bool:
        """Tell whether the host lacks what the state has, and say what: Pulumi's Docker provider would not see it."""
        gone = missing(parse_state(self._state.read()).owned, self._listing().things)
        if not gone:
            return False
        more = f" and {len(gone) - SHOWN_MISSING} more" if len(gone) > SHOWN_MISSING else ""
        self.steps.say(
            "update", f"gone from the host: {', '.join(gone[:SHOWN_MISSING])}{more}: the state is refreshed first"
        )
        return True

    def _listing(self) -> Listing:
        with closing(Transport(self.environment["DOCKER_HOST"])) as transport:
            return observe_listing(transport, self.stack)

    def _change(
        self, verb: str, arguments: Sequence[str], added: Mapping[str, str] | None = None, tree: Sequence[str] = ()
    ) -> tuple[int, bool]:
        """Run what changes something and has its preview apart; told as events, or as a tree with options of its own.

        Gives what `_run` gives.
        """
        shape = tree if self.verbose else ("--json",)
        return self._run(verb, ["--yes", "--skip-preview", *shape, *arguments], added, calm=not self.verbose)

    def _run(
        self, verb: str, arguments: Sequence[str], added: Mapping[str, str] | None = None, *, calm: bool = False
    ) -> tuple[int, bool]:
        """Run Pulumi; give the exit code, and whether the program ended it, before anything was changed.

        `calm` has its output told as events.
        """
        command = [str(self.pulumi.command), verb, "--stack", self.stack, *arguments]
        ending = Path(data_directory(self.environment), f"ending.{self.stack}")
        ending.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        ending.unlink(missing_ok=True)
        variables = {**self.environment, **(added or {}), ENDING_VARIABLE: str(ending)}
        # Program, policies and provider are processes of their own, and without bytecode of our sources each compiles
        # them anew, for 0.16 s of processor time in all. Container images forbid it to keep their layers small.
        variables.pop(BYTECODE_VARIABLE, None)
        code = self._follow(command, variables) if calm else self._wait(command, variables)
        if code > 0 and ending.exists():
            # The program's error, where Pulumi has one code for every failure.
            code = int(ending.read_text())
            ending.unlink()
            return code, True
        # A process that died of a signal has a negative code, which a shell writes as 128 + signal.
        return (code if code >= 0 else 128 - code), False

    def _wait(self, command: Sequence[str], variables: Mapping[str, str]) -> int:
        process = subprocess.Popen(command, cwd=self.project, env=variables)
        with _passing_signals_to(process):
            return process.wait()

    def _follow(self, command: Sequence[str], variables: Mapping[str, str]) -> int:
        with (
            subprocess.Popen(
                command,
                cwd=self.project,
                env=variables,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            ) as process,
            _passing_signals_to(process),
        ):
            self.failed = self.steps.follow(process.stdout or ())
            return process.wait()

    @property
    def _state(self) -> StackState:
        return StackState(self.pulumi.command, self.project, self.stack, self.environment)

    def _settle(self) -> None:
        """Print the outputs, and drop the creations that a killed update left pending.

        Pulumi keeps them, and warns of them at every update, until an interactive refresh.
        """
        deployed = parse_state(self._state.read())
        if deployed.pending and self._state.forget_pending():
            self.steps.say("state", "dropped the pending creations of an update that was killed: this one settled them")
        for name, text in list_outputs(shown_outputs(deployed)):
            self.steps.say(name, text)

    def _tell_failed(self, *, changed: bool) -> None:
        """Name what is not as asked, last of all: its reason stands where it failed, among what went well."""
        if not changed:
            self.steps.say("up", "refused, nothing was changed")
            return
        if not (self.failed or self.verbose):
            # Nothing was begun: what the state has as broken was so before.
            return
        services = parse_state(self._state.read()).services
        broken = (
            short_name(each["inputs"]["tenant"], each["inputs"]["service"])
            for each in services
            if each.get("initErrors")
        )
        failed = sorted({*self.failed, *broken})
        if failed:
            self.steps.say("up", f"failed: {', '.join(failed)}; what does not depend on them was carried out")

    def _record(self, manifests: str) -> None:
        reason = self.uptodate.record(manifests, self.tools, self.environment["DOCKER_HOST"])
        if reason:
            self.steps.found("update", f"the next one asks Pulumi, whatever it is: {reason}")


def _carriers(standing: Sequence[str]) -> str:
    if len(standing) == 1:
        return "1 container of the host carries"
    return f"{len(standing)} containers of the host carry"


@contextmanager
def _passing_signals_to(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> Iterator[None]:
    """Leave the end to Pulumi: it finishes its step, saves its state and gives up the lock.

    Ctrl-C reaches the whole process group, Pulumi too; dying here first would leave it without a terminal, and
    subprocess's own way of ending a wait is to kill. SIGTERM comes to us alone, so it is passed on as Ctrl-C.
    """

    def pass_on(_number: int, _frame: FrameType | None) -> None:
        process.send_signal(signal.SIGINT)

    def ignore(_number: int, _frame: FrameType | None) -> None:
        return

    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, ignore),
        signal.SIGTERM: signal.signal(signal.SIGTERM, pass_on),
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
