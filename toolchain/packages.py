"""Packages: the programs that tests and benchmarks start, from the distribution; what is installed costs a look."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runyard.errors import ToolchainError
from toolchain.engine import install_packages
from toolchain.step import Steps

# The gateway as its image has it (services/gateway/Dockerfile), a client that reads what it compresses, the ledger's
# database, what draws an invoice as PDF, and the browser that looks at the console.
FOR_TESTS = (
    *("nginx", "libnginx-mod-http-lua", "libnginx-mod-http-brotli-filter", "lua-cjson", "openssl", "curl"),
    *("postgresql", "libpangoft2-1.0-0", "libharfbuzz-subset0", "chromium"),
)
# What holds the gateway's Lua.
FOR_LINT = ("lua-check",)
# What drives and what stands beside the gateway in tests/bench.
FOR_BENCHMARKS = (*FOR_TESTS, "wrk", "haproxy", "valgrind")
# A package that brings a server may start it; ours are started by the tests, on ports and sockets of their own.
SERVICES = ("nginx", "haproxy", "postgresql")


@dataclass
class Packages:
    """The distribution's packages, installed where they are missing."""

    steps: Steps
    environment: Mapping[str, str]
    systemd: Path = Path("/run/systemd/system")

    def missing(self, packages: Sequence[str]) -> list[str]:
        """List those of `packages` that are not installed."""
        return [each for each in packages if not self._is_installed(each)]

    def bring(self, packages: Sequence[str]) -> None:
        """Install what is missing of `packages`; ToolchainError says what, where this user or machine cannot."""
        missing = self.missing(packages)
        if not missing:
            return
        if not shutil.which("apt-get", path=self.environment.get("PATH")) or os.geteuid() != 0:
            raise ToolchainError(
                f"packages: {', '.join(missing)}: not installed, and only root on Debian or Ubuntu can be helped\n"
                f"  as root: apt-get install {' '.join(missing)}"
            )
        with self.steps.step("packages", f"install {', '.join(missing)} from the distribution"):
            install_packages(self.steps, "packages", missing, self.environment)
        started = [each for each in SERVICES if each in missing]
        if started and self.systemd.is_dir():
            self.steps.run("packages", ["systemctl", "disable", "--now", *started], environment=self.environment)

    def _is_installed(self, package: str) -> bool:
        try:
            asked = subprocess.run(
                ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package],
                env=dict(self.environment),
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError:
            # Not a Debian: then the program itself has to be found, which is all that tests need.
            return shutil.which(package, path=self.environment.get("PATH")) is not None
        return asked.stdout == "installed"
