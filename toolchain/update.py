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
from runyard.pulumi.backend import PROJECT, private_directory
from runyard.pulumi.marks import PLAN_VARIABLE
from runyard.pulumi.state import missing, parse_state, shown_outputs
from runyard.uptodate.observation import Listing, observe_listing
from toolchain.outputs import flatten
from toolchain.pulumi import Pulumi
from toolchain.state import StackState
from toolchain.step import Steps
from toolchain.uptodate import UpToDate

# Every update asks it; with a pack that cannot be loaded, Pulumi changes nothing.
POLICY_PACK = ("--policy-pack", "policies")
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
    checkout: Path
    pulumi: Pulumi
    stack: str
    environment: Mapping[str, str]
    uptodate: UpToDate
    tools: Sequence[str] = ()

    def up(self, manifests: str, extra: Sequence[str] = ()) -> int:
        """Apply the manifests and print the outputs; return the exit code of the error that ended it, or Pulumi's."""
        if self._lacks_something():
            # A run of its own: the program reads the state, which `up --refresh` writes only at its end.
            code = self._pulumi("refresh", ["--yes", "--skip-preview", "--suppress-outputs"])
            if code != 0:
                return code
        added = self.uptodate.begin(manifests, self.tools)
        # The preview is `make preview`; the outputs are printed below, one a line.
        arguments = ["--yes", "--skip-preview", "--suppress-outputs", *self._common(manifests), *extra]
        code, ended = self._run("up", arguments, added)
        if code != 0 and not ended:
            self._tell_failed()
        if code == 0:
            self._settle()
            # A plan or arguments of the user's may have made it another update than the manifests ask for.
            if not extra and PLAN_VARIABLE not in self.environment:
                self._record(manifests)
        return code

    def preview(self, manifests: str, extra: Sequence[str] = ()) -> int:
        """Show what `up` would change; return Pulumi's exit code."""
        refresh = ["--refresh"] if self._lacks_something() else []
        return self._pulumi("preview", ["--diff", *refresh, *self._common(manifests), *extra])

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
                "\n  make down FORCE=1 removes everything with that label, but for volumes that a service keeps"
            )
        if standing:
            self.steps.say("down", self._runyard("release", "--everything"))
        code = self._pulumi("destroy", ["--yes", "--skip-preview", "--parallel", WITHDRAWALS, *extra])
        if code == 0:
            self._release()
        return code

    def _release(self) -> None:
        """Give back what an update claimed that was killed before Pulumi knew of anything to destroy."""
        self._runyard("release")

    def _runyard(self, verb: str, *arguments: str) -> str:
        """Run one of Runyard's own commands on the stack and give what it prints."""
        command = [str(self.checkout / ".venv" / "bin" / "runyard"), verb, "--stack", self.stack, *arguments]
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
        return [*POLICY_PACK, "-c", f"{PROJECT}:manifests={manifests}"]

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

    def _pulumi(self, verb: str, arguments: Sequence[str]) -> int:
        return self._run(verb, arguments)[0]

    def _run(self, verb: str, arguments: Sequence[str], added: Mapping[str, str] | None = None) -> tuple[int, bool]:
        """Run Pulumi; give the exit code, and whether the program ended it, before anything was changed."""
        command = [str(self.pulumi.command), verb, "--stack", self.stack, *arguments]
        ending = Path(private_directory(str(self.checkout)), f"ending.{self.stack}")
        ending.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        ending.unlink(missing_ok=True)
        variables = {**self.environment, **(added or {}), ENDING_VARIABLE: str(ending)}
        # Program, policies and provider are processes of their own, and without bytecode of our sources each compiles
        # them anew, for 0.16 s of processor time in all. Container images forbid it to keep their layers small.
        variables.pop(BYTECODE_VARIABLE, None)
        process = subprocess.Popen(command, cwd=self.checkout, env=variables)
        with _passing_signals_to(process):
            code = process.wait()
        if code > 0 and ending.exists():
            # The program's error, where Pulumi has one code for every failure.
            code = int(ending.read_text())
            ending.unlink()
            return code, True
        # A process that died of a signal has a negative code, which a shell writes as 128 + signal.
        return (code if code >= 0 else 128 - code), False

    @property
    def _state(self) -> StackState:
        return StackState(self.pulumi.command, self.checkout, self.stack, self.environment)

    def _settle(self) -> None:
        """Print the outputs, and drop the creations that a killed update left pending.

        Pulumi keeps them, and warns of them at every update, until an interactive refresh.
        """
        deployed = parse_state(self._state.read())
        if deployed.pending and self._state.forget_pending():
            self.steps.say("state", "dropped the pending creations of an update that was killed: this one settled them")
        for name, text in flatten(shown_outputs(deployed)):
            self.steps.say(name, text)

    def _tell_failed(self) -> None:
        """Name the services that are not as asked: in Pulumi's own report they stand among all the others."""
        services = parse_state(self._state.read()).services
        failed = sorted(
            names.service_key(each["inputs"]["tenant"], each["inputs"]["service"])
            for each in services
            if each.get("initErrors")
        )
        if failed:
            self.steps.say("update", f"failed: {', '.join(failed)}; what does not depend on them was carried out")

    def _record(self, manifests: str) -> None:
        reason = self.uptodate.record(manifests, self.tools, self.environment["DOCKER_HOST"])
        if reason:
            self.steps.say("update", f"the next one asks Pulumi, whatever it is: {reason}")


def _carriers(standing: Sequence[str]) -> str:
    if len(standing) == 1:
        return "1 container of the host carries"
    return f"{len(standing)} containers of the host carry"


@contextmanager
def _passing_signals_to(process: subprocess.Popen[bytes]) -> Iterator[None]:
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
