"""Ports of the host at which a plan's parts will listen, and who listens at one of them already.

Of this machine the kernel is asked, by an attempt to take the address; of an engine elsewhere all that is known is what
its containers publish.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import struct
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import NamedTuple

from runyard.errors import Conflict
from runyard.host.address import USUAL
from runyard.host.engine import translated
from runyard.host.thing import Thing
from runyard.host.transport import Transport
from runyard.names import Kind
from runyard.plan import Plan

_PROC = Path("/proc")
_SOCKET = "unix://"
# In the kernel's tables: the state of a socket that listens (include/net/tcp_states.h).
_LISTENS = "0A"
# How control groups of Docker's containers end, whichever driver made them.
_CONTAINER = re.compile(r"[0-9a-f]{64}")


class Holder(NamedTuple):
    """Who holds a port, as far as it can be told: a container by id, and what to call whoever it is."""

    container: str
    said: str


# Tells who listens at an address and port; None for nobody.
Look = Callable[[str, int], Holder | None]


def check_ports(plan: Plan, things: Iterable[Thing], present: Collection[tuple[Kind, str]], look: Look) -> None:
    """Refuse a plan that wants a port which another program or stack has; Conflict names each, and nothing is touched.

    `present` are the things of this stack that the host has: where nobody tells whose a port is, it is theirs. `look`
    asks this machine, and finds nobody where the engine is another one's.
    """
    containers = [each for each in things if each.kind == "container"]
    taken = []
    for part in plan.parts:
        for listener in part.listeners:
            found = look(listener.host, listener.port)
            holder = _container(containers, found, listener.host, listener.port)
            if holder is not None:
                ours = holder.stack == plan.stack
            else:
                ours = found is None or (not found.said and ("container", part.container) in present)
            if not ours:
                taken.append(f"{listener.address} for {part.part.name}: {_say(holder, found)}")
    if taken:
        hint = "stop that, or give the part another port in the Platform (docs/manifest.md)"
        raise Conflict("listen on the host: already in use:\n  " + "\n  ".join([*taken, f"({hint})"]))


class Ports:
    """The ports of this machine, as its kernel tells of them; who has them is looked up once."""

    def __init__(self, proc: Path = _PROC) -> None:
        self._proc = proc

    def look_where_the_engine_is(self, host: str, port: int) -> Holder | None:
        """Tell who listens there if the engine's host is this machine, and nobody if it is a virtual or another one.

        HostUnreachable if no engine answers.
        """
        found = self.look(host, port)
        return found if found is not None and self._are_the_engines else None

    def look(self, host: str, port: int) -> Holder | None:
        """Tell who listens at an address and port, without a name where only root may know."""
        error = _attempt(host, port)
        if not error:
            return None
        inodes = set(_inodes(host, port, self._proc))
        if error == errno.EADDRNOTAVAIL and inodes:
            # The host has no such address yet; who listens at all of them will have that too.
            error = _attempt("127.0.0.1", port)
        # A port for root alone is for whoever listens to find.
        if error != errno.EADDRINUSE:
            return None
        return next((_holder(self._owners[each]) for each in inodes if each in self._owners), Holder("", ""))

    @cached_property
    def _are_the_engines(self) -> bool:
        if not (os.environ.get("DOCKER_HOST") or USUAL).startswith(_SOCKET):
            return False
        # Behind a socket there may be a virtual machine, whose ports are not these; it has a name of its own.
        with translated("ask the Docker engine about its host"), closing(Transport()) as transport:
            return bool(transport.request("GET", "/info").checked().json()["Name"] == socket.gethostname())

    @cached_property
    def _owners(self) -> Mapping[str, Path]:
        """Map each socket's inode to a process that has it, as far as this user may know."""
        return {inode: process for process in self._proc.glob("[0-9]*") for inode in _sockets(process)}


def _attempt(host: str, port: int) -> int:
    """Take an address for a moment, and give the number of the error; 0 for none."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as attempt:
        # As servers do: what a connection that has just ended leaves behind is nobody's.
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((host, port))
        except OSError as error:
            return error.errno or 0
    return 0


def _container(containers: Iterable[Thing], found: Holder | None, host: str, port: int) -> Thing | None:
    """Find the container that listens on the host's network, or for which the engine does: it publishes the port."""
    for each in containers:
        if found is not None and each.id == found.container:
            return each
        for address in each.published:
            other, _, number = address.rpartition(":")
            if int(number) == port and (host == other or _is_everywhere(host) or _is_everywhere(other)):
                return each
    return None


def _is_everywhere(address: str) -> bool:
    return not address or ip_address(address).is_unspecified


def _say(holder: Thing | None, found: Holder | None) -> str:
    if holder is None:
        return f"{(found and found.said) or 'another program'} listens there"
    return f"container {holder.name}" + (f" of stack {holder.stack}" if holder.stack else "") + " has it"


def _inodes(host: str, port: int, proc: Path) -> Iterator[str]:
    """Name the sockets that listen at an address and port, or at all addresses, as the kernel's tables do."""
    wanted = ip_address(host)
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (proc / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                address, _, number = fields[1].rpartition(":")
                if fields[3] != _LISTENS or int(number, 16) != port:
                    continue
                # Each 32 bits stand as a number of this machine's.
                words = (int(address[start : start + 8], 16) for start in range(0, len(address), 8))
                found = _unmapped(ip_address(b"".join(struct.pack("=I", word) for word in words)))
                if found == wanted or found.is_unspecified or wanted.is_unspecified:
                    yield fields[9]


def _unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Give the address of IPv4 for which a socket of IPv6 listens, as Java's do; any other is itself."""
    return getattr(address, "ipv4_mapped", None) or address


def _sockets(process: Path) -> Iterator[str]:
    with suppress(OSError):
        for each in (process / "fd").iterdir():
            with suppress(OSError):
                if (where := os.readlink(each)).startswith("socket:["):
                    yield where[len("socket:[") : -1]


def _holder(process: Path) -> Holder:
    name, groups = "a program", ""
    with suppress(OSError):
        name = (process / "comm").read_text().strip()
        groups = (process / "cgroup").read_text()
    container = _CONTAINER.search(groups)
    return Holder(container[0] if container else "", f"{name} (process {process.name})")
