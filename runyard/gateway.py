"""The gateway's nginx.conf: listeners, limits and timeouts, rendered from `templates/gateway/nginx.conf.j2`.

Hosts, services, endpoints and callers are not here: they are data that the orchestrator pushes
(`runyard.contracts.GatewaySnapshot`), so that none of them ever needs a reload.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from runyard import names
from runyard.errors import UsageError

TEMPLATE = "nginx.conf.j2"
# 64 bits: no two configurations of one gateway will ever meet.
DIGEST_LENGTH = 16
TEMPLATES_DIRECTORY = Path(__file__).resolve().parent.parent / "templates" / "gateway"

ListenerKind = Literal["edge", "internal"]

# Paths without blanks, quotes, `$`, braces or dots that climb; nginx and Lua read them alike.
_PATH = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9._-]{0,127}){1,16}")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
# What any quoted text may consist of; the grammars above are narrower still.
_PLAIN = re.compile(r"[A-Za-z0-9._:/\[\]?;-]+")


@dataclass(frozen=True, slots=True)
class Listener:
    """An `address:port` (IPv6 in brackets): `edge` answers public hosts, `internal` answers instances.

    With `http2`, clients speak HTTP/2 there without asking first (h2c with prior knowledge), and nothing else: this
    nginx cannot tell the two apart on one port without TLS.
    With `tls`, its clients speak TLS, and HTTP/2 where they ask for it (ALPN).
    """

    kind: ListenerKind
    address: str
    http2: bool = False
    tls: bool = False

    @property
    def forwarded(self) -> str:
        """The family of the peers' addresses, which RFC 7239 writes differently: `4` or `6`."""
        return "6" if self.address.startswith("[") else "4"


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """What the gateway's nginx is told when it starts; times and sizes are in the unit that the name says."""

    listeners: tuple[Listener, ...] = (Listener("edge", "127.0.0.1:3000"),)
    # None: one worker a core.
    workers: int | None = None
    worker_connections: int = 16384
    # Cloud Run's limit for HTTP/1 requests.
    max_body_bytes: int = 32 * 1024 * 1024
    # A bridge of this host answers in microseconds; a second covers a host that is busy starting containers.
    connect_timeout_ms: int = 1000
    hold_timeout_ms: int = 10_000
    # For services that do not say; Cloud Run's default.
    default_timeout_s: int = 300
    client_header_timeout_s: int = 10
    client_body_timeout_s: int = 30
    client_idle_s: int = 75
    # Must stay below the time that the orchestrator lets an address rest (60 s).
    instance_idle_s: int = 55
    # Less than the 10 s that Docker waits between SIGQUIT and SIGKILL.
    shutdown_timeout_s: int = 8
    # X-Content-Type-Options on every public answer, and Referrer-Policy on what an instance answered without one.
    security_headers: bool = True
    # gzip and Brotli for public responses that gain from it.
    compression: bool = True
    # Whether the nginx in use has the Brotli module; the image's has.
    brotli: bool = True
    # What all bodies together may take that wait for an instance, a part of the container's memory.
    bodies_mib: int = 256
    # Answers that are kept for all services together, a part of the container's memory.
    cache_mib: int = 64
    # Edges without TLS send their clients to this port, or answer them themselves when it is None.
    https_port: int | None = None
    # Seconds for which clients are told to come by TLS only (RFC 6797); 0 tells them nothing.
    hsts_s: int = 0
    # Whether edges without TLS answer ACME servers (RFC 8555, 8.3).
    acme: bool = False
    # Whether callers are named by signed tokens too, and instances are told of themselves at `metadata.internal`.
    caller_identity: bool = False
    directory: str = names.GATEWAY_DIRECTORY
    temporary_directory: str = names.GATEWAY_TEMPORARY_DIRECTORY
    lua_directory: str = "/usr/share/runyard/lua"
    modules_directory: str = "/usr/lib/nginx/modules"
    user: str = "www-data"
    requests_directory: str = names.REQUESTS_DIRECTORY

    @property
    def admin_socket(self) -> str:
        """Where the orchestrator pushes snapshots; `names.GATEWAY_ADMIN_SOCKET` in the default directory."""
        return f"{self.directory}/admin.sock"

    @property
    def request_log(self) -> str:
        """Where every request leaves its line; the image's own command keeps the file from growing for ever."""
        return f"{self.requests_directory}/{names.REQUEST_LOG_NAME}"

    @property
    def metrics_socket(self) -> str:
        """Where whoever may only read gets the metrics."""
        return f"{self.requests_directory}/{names.GATEWAY_METRICS_NAME}"

    @property
    def wake_socket(self) -> str:
        """Where the workers name revisions that are wanted; `names.GATEWAY_WAKE_SOCKET` in the default directory."""
        return f"{self.directory}/wake.sock"

    @property
    def state_directory(self) -> str:
        """What the workers keep for the next start: the snapshot, and certificates with their keys."""
        return f"{self.directory}/{names.GATEWAY_STATE}"

    @property
    def state_file(self) -> str:
        """Where the snapshot in force is kept for the next start."""
        return f"{self.directory}/{names.GATEWAY_SNAPSHOT}"

    @property
    def cache_directory(self) -> str:
        """Where kept answers lie; the workers' own, below what may be a mount and so root's."""
        return f"{self.temporary_directory}/cache/kept"

    @property
    def kept_body_bytes(self) -> int:
        """The largest body that may wait for an instance: runyard.bodies leaves a client no more, in whole pages."""
        most = self.bodies_mib * 2**20 // 3 // 4096 * 4096
        return min(most, self.max_body_bytes or most)

    @property
    def affinity_key_file(self) -> str:
        """Where the key of the affinity cookies is kept, so that they outlive a restart."""
        return f"{self.state_directory}/affinity.key"


# Lowest and highest value of each number; the highest keep nginx's own integers from overflowing.
_LIMITS = {
    "workers": (1, 512),
    "worker_connections": (64, 1_000_000),
    "max_body_bytes": (0, 2**40),
    "connect_timeout_ms": (1, 600_000),
    "hold_timeout_ms": (0, 3_600_000),
    "default_timeout_s": (1, 86_400),
    "client_header_timeout_s": (1, 3600),
    "client_body_timeout_s": (1, 3600),
    "client_idle_s": (0, 86_400),
    "instance_idle_s": (1, 59),
    "shutdown_timeout_s": (1, 86_400),
    "bodies_mib": (1, 65_536),
    "cache_mib": (1, 65_536),
    "https_port": (1, 65_535),
    # Two years is what preload lists ask for; more says nothing more.
    "hsts_s": (0, 10 * 365 * 86_400),
}
# None stands for a value of its own.
_OPTIONAL = ("workers", "https_port")
_FLAGS = ("security_headers", "compression", "brotli", "acme", "caller_identity")
_PATHS = ("directory", "temporary_directory", "lua_directory", "modules_directory", "requests_directory")


def render(config: GatewayConfig) -> str:
    """Render nginx.conf, the same text for the same configuration; UsageError names the first value that cannot be."""
    return "".join(pieces(config))


def pieces(config: GatewayConfig, stand_in: Any = None) -> Iterator[str]:
    """Render piece by piece; `stand_in` is read in place of `config` and sees each field just before its text."""
    check(config)
    template = _environment().get_template(TEMPLATE)
    return template.generate(config=stand_in or config, digest=digest(config))


def digest(config: GatewayConfig) -> str:
    """Name a configuration by what makes it, the templates and every value; the gateway serves this in its health."""
    return names.digest(f"{_templates()}\n{config!r}")[:DIGEST_LENGTH]


def check(config: GatewayConfig) -> None:
    """Hold every value against its grammar or range; UsageError names the field, the rule and the value seen."""
    for each in fields(config):
        value = getattr(config, each.name)
        if each.name in _LIMITS and not (each.name in _OPTIONAL and value is None):
            _check_number(each.name, value, *_LIMITS[each.name])
        elif each.name in _PATHS:
            _check_text(each.name, value, _PATH, "an absolute path of letters, digits, '.', '_' and '-'")
        elif each.name in _FLAGS and type(value) is not bool:
            raise UsageError(f"gateway: {each.name}: must be true or false, got {value!r}")
    _check_text("user", config.user, _USER, "a user name")
    if not config.listeners:
        raise UsageError("gateway: listeners: must hold at least one listener, got none")
    for index, listener in enumerate(config.listeners):
        _check_listener(f"listeners[{index}]", listener)
    addresses = [listener.address for listener in config.listeners]
    for address in addresses:
        if addresses.count(address) > 1:
            raise UsageError(f"gateway: listeners: must have different addresses, got {address!r} twice")


def quote(text: str) -> str:
    """Quote a text for nginx and Lua alike; UsageError if it holds anything that either could read as more."""
    _check_text("value", text, _PLAIN, "letters, digits and . _ : / [ ] ? ; -")
    return f'"{text}"'


@cache
def _templates() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(TEMPLATES_DIRECTORY.iterdir()))


@cache
def _environment() -> Environment:
    # Kept, because reading and compiling the template takes far longer than filling it in.
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES_DIRECTORY),
        autoescape=False,  # noqa: S701 this is no HTML; every value passes check() and quote()
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["quote"] = quote
    environment.filters["forwarded"] = _forwarded
    return environment


def _forwarded(family: str) -> str:
    # The parts in `$` are nginx's; `$http_host` has been compared with the host of the route before this is used.
    peer = "[$remote_addr]" if family == "6" else "$remote_addr"
    return f"""'for="{peer}";host="$http_host";proto=$scheme'"""


def _check_number(name: str, value: object, lowest: int, highest: int) -> None:
    if type(value) is not int or not lowest <= value <= highest:
        raise UsageError(f"gateway: {name}: must be a whole number from {lowest} to {highest}, got {value!r}")


def _check_text(name: str, value: object, grammar: re.Pattern[str], rule: str) -> None:
    if not isinstance(value, str) or grammar.fullmatch(value) is None:
        raise UsageError(f"gateway: {name}: must be {rule}, got {value!r}")


def _check_listener(name: str, listener: Listener) -> None:
    if listener.kind not in ("edge", "internal"):
        raise UsageError(f"gateway: {name}.kind: must be edge or internal, got {listener.kind!r}")
    if type(listener.tls) is not bool:
        raise UsageError(f"gateway: {name}.tls: must be true or false, got {listener.tls!r}")
    try:
        host, _, port = listener.address.rpartition(":")
        ip = ipaddress.IPv6Address(host[1:-1]) if host.startswith("[") else ipaddress.IPv4Address(host)
        # A zone (`fe80::1%eth0`) would reach nginx as text of its own.
        fits = f"[{ip}]" == host or str(ip) == host
        fits = fits and re.fullmatch(r"[1-9][0-9]{0,4}", port) is not None and int(port) <= 65535 and "%" not in host
    except (ValueError, AttributeError):
        fits = False
    if not fits:
        raise UsageError(
            f"gateway: {name}.address: must be address:port such as 127.0.0.1:3000, got {listener.address!r}"
        )
