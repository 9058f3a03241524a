"""Update: runs Pulumi on the stack, exactly as a user would by hand, and says where things answer."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from runyard.errors import ToolchainError
from toolchain.pulumi import Pulumi
from toolchain.step import Steps

PROJECT = "runyard"
# Every update asks it; with a pack that cannot be loaded, Pulumi changes nothing.
POLICY_PACK = ("--policy-pack", "policies")
# The program compares with the plan that this names, under the stack's lock: between a look from here and the update
# all could move.
PLAN_VARIABLE = "RUNYARD_PLAN"


@dataclass
class Update:
    """Pulumi's verbs on one stack; `environment` is complete: PATH, home, backend, passphrase, engine."""

    steps: Steps
    checkout: Path
    pulumi: Pulumi
    stack: str
    environment: Mapping[str, str]

    def up(self, manifests: str, extra: Sequence[str] = ()) -> int:
        """Apply the manifests and print the outputs; return Pulumi's exit code."""
        # The preview is `make preview`; the outputs are printed below, one a line.
        code = self._pulumi(
            "up", ["--yes", "--skip-preview", "--suppress-outputs", *POLICY_PACK, *self._config(manifests), *extra]
        )
        if code == 0:
            self._forget_pending()
            self._show_outputs()
        return code

    def preview(self, manifests: str, extra: Sequence[str] = ()) -> int:
        """Show what `up` would change; return Pulumi's exit code."""
        return self._pulumi("preview", ["--diff", *POLICY_PACK, *self._config(manifests), *extra])

    def down(self, extra: Sequence[str] = ()) -> int:
        """Destroy everything in the stack; return Pulumi's exit code."""
        code = self._pulumi("destroy", ["--yes", "--skip-preview", *extra])
        if code == 0:
            self._release()
        return code

    def _release(self) -> None:
        """Give back what an update claimed that was killed before Pulumi knew of anything to destroy."""
        command = [str(self.checkout / ".venv" / "bin" / "runyard"), "release", "--stack", self.stack]
        try:
            asked = subprocess.run(command, env=dict(self.environment), capture_output=True, text=True, check=False)
        except OSError as error:
            raise ToolchainError(f"update: runyard release: {error}") from error
        if asked.returncode != 0:
            raise ToolchainError(f"update: runyard release: {asked.stderr.strip()}")

    def _config(self, manifests: str) -> list[str]:
        return ["-c", f"{PROJECT}:manifests={manifests}"]

    def _pulumi(self, verb: str, arguments: Sequence[str]) -> int:
        command = [str(self.pulumi.command), verb, "--stack", self.stack, *arguments]
        process = subprocess.Popen(command, cwd=self.checkout, env=dict(self.environment))
        with _passing_signals_to(process):
            code = process.wait()
        # A process that died of a signal has a negative code, which a shell writes as 128 + signal.
        return code if code >= 0 else 128 - code

    def _forget_pending(self) -> None:
        """Drop the creations that a killed update left pending, once an update has gone through.

        Pulumi keeps them, and warns of them at every update, until an interactive refresh.
        """
        state = json.loads(self._ask("stack", "export"))
        if (state.get("deployment") or {}).pop("pending_operations", None):
            self._ask("stack", "import", given=json.dumps(state))
            self.steps.say("state", "dropped the pending creations of an update that was killed: this one settled them")

    def _show_outputs(self) -> None:
        for name, text in flatten(json.loads(self._ask("stack", "output", "--json"))):
            self.steps.say(name, text)

    def _ask(self, *arguments: str, given: str | None = None) -> str:
        asked = subprocess.run(
            [self.pulumi.command, *arguments, "--stack", self.stack],
            cwd=self.checkout,
            env=dict(self.environment),
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        if asked.returncode != 0:
            raise ToolchainError(f"update: pulumi {' '.join(arguments)}: {asked.stderr.strip()}")
        return asked.stdout


def flatten(value: Any, path: str = "") -> list[tuple[str, str]]:
    """Flatten outputs to (dotted name, text) in the order of their names; a list stays on one line."""
    if isinstance(value, dict):
        return [each for name in sorted(value) for each in flatten(value[name], f"{path}.{name}" if path else name)]
    if isinstance(value, list):
        return [(path, " ".join(str(item) for item in value))]
    return [(path, str(value))]


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
