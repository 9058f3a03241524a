"""The system calls of instances: nothing that a capability is for, few kinds of sockets, and one form of the text."""

from __future__ import annotations

import json
from typing import Any

from services.orchestrator.engine.docker.seccomp import SECURITY_OPTION

PROFILE: dict[str, Any] = json.loads(SECURITY_OPTION.removeprefix("seccomp="))
ALLOWED = {name for rule in PROFILE["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}


def test_what_is_not_named_is_refused() -> None:
    assert (PROFILE["defaultAction"], PROFILE["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 1)
    # What programs cannot live without, on every architecture that the engine knows.
    assert {"execve", "clone", "futex", "read", "openat", "connect", "epoll_wait"} <= ALLOWED


def test_doors_of_the_kernel_are_closed() -> None:
    io_uring = {"io_uring_setup", "io_uring_enter", "io_uring_register"}
    # Of the last ones, capabilities are asked by the kernel too; mounts and namespaces by users are its worst history.
    others = {"socketcall", "bpf", "perf_event_open", "userfaultfd", "keyctl", "mount", "setns", "unshare", "open_tree"}
    assert not ALLOWED & (io_uring | others)


def test_sockets_are_of_four_families() -> None:
    rules = [rule for rule in PROFILE["syscalls"] if "socket" in rule["names"]]
    # Unix, IPv4, IPv6 and netlink; rules of one call are alternatives.
    assert [rule["args"] for rule in rules] == [
        [{"index": 0, "op": "SCMP_CMP_EQ", "value": family}] for family in (1, 2, 10, 16)
    ]


def test_threads_are_made_but_no_namespaces() -> None:
    (new,) = [rule for rule in PROFILE["syscalls"] if rule["names"] == ["clone3"]]
    # Its flags are behind a pointer; told that there is none (ENOSYS), libraries take clone.
    assert (new["action"], new["errnoRet"]) == ("SCMP_ACT_ERRNO", 38)
    first, second = (rule for rule in PROFILE["syscalls"] if rule["names"] == ["clone"])
    # CLONE_NEWNS to CLONE_NEWNET, of which none may be set: 0x7e020000.
    assert [each["args"][0]["value"] for each in (first, second)] == [0x7E020000] * 2
