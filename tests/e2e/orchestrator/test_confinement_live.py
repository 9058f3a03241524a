"""What an instance gets at on the real engine: which parts of the kernel answer it, and where it can write."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from runyard.contracts import MemoryMount

from .live import MIB, Live, Seen, container
from .test_orchestrator_live import on_engine

pytestmark = pytest.mark.engine
# The kernel's errors for a socket of each family and type, and for io_uring_setup, whose number every architecture has.
DOORS = """
my %sockets = (unix => [1, 1], inet => [2, 1], inet6 => [10, 1], netlink => [16, 3], alg => [38, 5], vsock => [40, 1]);
for my $name (sort keys %sockets) {
    my $is_made = socket(my $made, $sockets{$name}[0], $sockets{$name}[1], 0);
    print "$name ", $is_made ? 0 : $! + 0, "\\n";
}
print "io_uring ", syscall(425, 0, 0) == -1 ? $! + 0 : 0, "\\n";
"""
EPERM = 1
# What holds files is memory that counts as the instance's (tmpfs, and messages), or no storage at all.
NO_DISK = {"tmpfs", "mqueue", "proc", "sysfs", "devpts", "cgroup", "cgroup2"}


def told(instance: Seen, *command: str) -> str:
    code, output = instance.run(*command)
    assert code == 0, output
    return output


@on_engine
async def test_kernel_opens_no_other_doors_to_an_instance(live: Live) -> None:
    live.add("hello-1")
    assert (await live.roll_out("hello-1"))["outcome"] == "ready"
    (instance,) = live.containers()
    found = dict(line.split() for line in told(instance, "perl", "-e", DOORS).splitlines())
    open_doors, closed = ("unix", "inet", "inet6", "netlink"), ("alg", "vsock", "io_uring")
    assert found == {**dict.fromkeys(open_doors, "0"), **dict.fromkeys(closed, str(EPERM))}


@dataclass(frozen=True)
class Mounted:
    """A line of /proc/self/mountinfo (proc(5))."""

    path: str
    kind: str
    writable: bool

    @classmethod
    def of(cls, line: str) -> Mounted:
        mount, _, file_system = line.partition(" - ")
        kind, _, options = file_system.split(" ", 2)
        given = {*mount.split()[5].split(","), *options.split(",")}
        return cls(mount.split()[4], kind, "ro" not in given)


@on_engine
async def test_instance_writes_nothing_to_the_hosts_disk(live: Live) -> None:
    live.add("hello-1", container(memory_mounts=(MemoryMount("/tmp", 4 * MIB),)))
    assert (await live.roll_out("hello-1"))["outcome"] == "ready"
    (instance,) = live.containers()
    mounts = [Mounted.of(line) for line in told(instance, "cat", "/proc/self/mountinfo").splitlines()]
    writable = [each for each in mounts if each.writable]
    assert {"/tmp", "/dev/shm"} <= {each.path for each in writable}
    assert [each for each in writable if each.kind not in NO_DISK] == []
    # A full one is full, and nothing of it goes elsewhere.
    code, output = instance.run("dd", "if=/dev/zero", "of=/tmp/full", "bs=1M", "count=8")
    assert (code, "No space left on device" in output) == (1, True)
    (core,) = [line for line in told(instance, "cat", "/proc/self/limits").splitlines() if "core file" in line]
    assert core.split()[4:6] == ["1", "1"]
