"""A stack as Pulumi knows it: what it would do, asked without changing anything, the stack's own files included."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runyard.errors import HostError, PolicyError, UsageError
from runyard.pulumi.project import find_checkout, find_project, link_checkout, policy_pack, stack_settings
from runyard.secrets import flatten_secrets

# A preview of a thousand services takes two minutes on two cores; longer means that a provider does not answer.
_TIMEOUT_S = 600
# Of Pulumi's output, which repeats itself, this is enough to see the reason.
_LINES_SHOWN = 30


@dataclass(frozen=True, slots=True)
class StackSource:
    """One stack; `config_file` is None for stacks/Pulumi.<stack>.yaml of the project in which this runs.

    `usage_file` takes the place of the one in its configuration, for previews alone.
    """

    name: str
    config_file: str | None = None
    usage_file: str | None = None

    @property
    def _project(self) -> str:
        """The project in which this runs, or else Runyard's own, linked with the checkout as Pulumi wants it."""
        checkout = find_checkout()
        project = find_project(".") or checkout
        link_checkout(project, checkout)
        return project

    def export(self) -> str:
        """Export the stack's state, its secrets encrypted."""
        done = self._run(["stack", "export"])
        if done.returncode:
            raise self._failure(f"export stack {self.name}", done.stderr)
        return done.stdout

    def secrets(self) -> dict[str, dict[str, str]]:
        """Read the stack's secrets in the open, by tenant and `name/key`; none where the stack has none."""
        return flatten_secrets(self.secret_config())

    def secret_config(self) -> dict[str, Any]:
        """Read the stack's secrets in the open, as its configuration has them."""
        done = self._run(["config", "--show-secrets", "--json", *self._of_config()])
        if done.returncode:
            raise self._failure(f"read the configuration of stack {self.name}", done.stderr)
        value = json.loads(json.loads(done.stdout).get("runyard:secrets", {}).get("value", "{}"))
        if not isinstance(value, dict):
            raise UsageError("config runyard:secrets: must map tenants to secrets")
        return value

    def set_secret(self, place: Sequence[str], value: str) -> None:
        """Write a value into the stack's configuration, encrypted; `place` is tenant, name and key, if it has one."""
        # On its input, where nobody sees it; Pulumi takes one line end off.
        done = self._run(["config", "set", "--secret", "--path", *self._of_config(), _secret_path(place)], f"{value}\n")
        if done.returncode:
            raise self._failure(f"set a secret of stack {self.name}", done.stderr.replace(value, "[secret]"))

    def remove_secret(self, place: Sequence[str]) -> None:
        """Take what is at this place out of the stack's configuration."""
        done = self._run(["config", "rm", "--path", *self._of_config(), _secret_path(place)])
        if done.returncode:
            raise self._failure(f"remove a secret of stack {self.name}", done.stderr)

    def _of_config(self) -> list[str]:
        return ["--config-file", self.config_file] if self.config_file else []

    def preview(self, manifests: Sequence[Path]) -> str:
        """Ask what an update to these manifests would do, and the policy pack about it; JSON.

        Raises PolicyError where policies refuse it, HostError where Pulumi fails, UsageError without Pulumi.
        """
        with self._config() as config:
            value = f"runyard:manifests={','.join(map(str, manifests))}"
            arguments = ["preview", "--policy-pack", policy_pack(self._project), "--config-file", config, "-c", value]
            if self.usage_file:
                arguments += ["-c", f"runyard:usage={Path(self.usage_file).resolve()}"]
            done = self._run([*arguments, "--json"])
            if done.returncode:
                # The JSON says that it failed and not which policies refuse; and it holds states, which may be secret.
                said = self._run([*arguments, "--suppress-progress"])
                raise self._failure(f"preview stack {self.name}", said.stdout + said.stderr)
            return done.stdout

    @contextmanager
    def _config(self) -> Iterator[str]:
        """Copy the stack's configuration: `-c` writes its value into the file, and a review changes nothing."""
        source = Path(self.config_file or os.path.join(self._project, stack_settings(self.name)))
        with tempfile.TemporaryDirectory(prefix="runyard-review-") as directory:
            # Pulumi takes the file's name for that of the stack when it looks for the salt of its secrets.
            copy = Path(directory) / f"Pulumi.{self.name}.yaml"
            if source.exists():
                shutil.copyfile(source, copy)
                copy.chmod(0o600)
            yield str(copy)

    def _run(self, arguments: list[str], given: str = "") -> subprocess.CompletedProcess[str]:
        command = ["pulumi", "--non-interactive", *arguments, "--stack", self.name]
        environment = {**os.environ, "NO_COLOR": "1", "PULUMI_SKIP_UPDATE_CHECK": "true"}
        doing = f"{arguments[0]} of stack {self.name}"
        try:
            return subprocess.run(  # noqa: S603 - a fixed argument list
                command,
                cwd=self._project,
                env=environment,
                input=given,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except OSError as error:
            hint = "use `toolchain/bootstrap run -- runyard …`, which brings it"
            raise UsageError(f"{doing}: {error} ({hint})") from error
        except subprocess.TimeoutExpired as error:
            raise HostError(f"{doing}: no answer within {_TIMEOUT_S} s") from error

    def _failure(self, doing: str, said: str) -> PolicyError | HostError:
        # Only these refuse; everything else that fails is an error.
        kind = PolicyError if "policies refuse the change" in said or "[mandatory]" in said else HostError
        lines = [line.rstrip() for line in said.splitlines() if line.strip()]
        return kind(f"{doing}:\n" + "\n".join(lines[-_LINES_SHOWN:]))


def _secret_path(place: Sequence[str]) -> str:
    """Give the path of a secret in Pulumi's words; quoted, because names and keys may hold dots."""
    return "runyard:secrets" + "".join(f'["{each}"]' for each in place)
