"""Seccomp: the system calls that every instance may make, as the engine takes them.

`seccomp.json` beside this file is the default profile of Docker's engine in its newest form (the Go module
github.com/moby/profiles/seccomp, v0.3.0, Apache-2.0), which an engine of a distribution lacks, and narrower: without
what only a capability would allow, as instances have none; sockets of unix, IPv4, IPv6 and netlink alone, so that no
other protocol of the kernel is a door (AF_ALG and AF_VSOCK among them); and without `socketcall`, by which 32-bit code
makes sockets of any family unseen. io_uring, whose calls pass every filter, is in neither.
"""

from __future__ import annotations

import json
from pathlib import Path

_PROFILE = Path(__file__).with_name("seccomp.json")
_RULES = json.loads(_PROFILE.read_text("utf-8"))
# What the engine notes of it, to the byte, is compared with this, so it is written in one way.
SECURITY_OPTION = "seccomp=" + json.dumps(_RULES, sort_keys=True, separators=(",", ":"))
