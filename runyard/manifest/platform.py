"""Platform: its rules, and raw data to typed data."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network, ip_address

from runyard.manifest.model import Firewall, Gateway, Idle, Location, Logs, Observability, Platform, Revisions
from runyard.manifest.problems import Findings, Path, render_value
from runyard.manifest.raw import Raw, mapping_at, text_at, value_at
from runyard.manifest.receivers import build_receivers, check_receivers
from runyard.manifest.rules_tls import build_tls, check_tls
from runyard.names import DEFAULT_TENANT, INTERNAL_DOMAIN, service_key
from runyard.units import parse_bytes

Locate = Callable[[Path], Location]

_POOL_LENGTHS = (8, 20)
_BODY_LIMIT_BYTES = 1024**4
_LOGS = ("spec", "observability", "logs")
# Below that, a stack trace would be cut by the rate; above, a host's disk is no place for it.
_LOG_BYTES = (1024, 1024**4)


def check_platform(platform: Raw, findings: Findings) -> None:
    """Check addresses, domain and ports of a Platform."""
    check_network(platform, ("spec", "addressPool"), _POOL_LENGTHS, findings)
    _check_address(platform, ("spec", "gateway", "address"), findings)
    domain = text_at(platform, "spec", "domain")
    if domain == INTERNAL_DOMAIN or domain.endswith("." + INTERNAL_DOMAIN):
        message = f"must not be {INTERNAL_DOMAIN}, by which services call each other, got {render_value(domain)}"
        findings.error(("spec", "domain"), "platform.domain", message)
    _check_ports(platform, findings)
    check_receivers(platform, findings)
    if value_at(platform, "spec", "console") == "on" and value_at(platform, "spec", "billing") != "on":
        message = 'must be off unless spec.billing is "on", for it keeps its users in the ledger\'s database, got "on"'
        findings.error(("spec", "console"), "platform.console", message)
    _check_body_size(platform, findings)
    _check_logs(platform, findings)
    if value_at(platform, "spec", "engine") == "swarm":
        findings.warning(("spec", "engine"), "support.later", "swarm is accepted, not carried out yet: docker is used")


def build_platform(platform: Raw, locate: Locate) -> Platform:
    """Build a Platform from data without errors; `locate` gives the place of a path in its document."""
    spec, gateway, defaults = mapping_at(platform, "spec"), mapping_at(platform, "spec", "gateway"), Gateway()
    size, idle = gateway.get("maxBodySize"), mapping_at(platform, "spec", "idle")
    return Platform(
        name=text_at(platform, "metadata", "name") or "platform",
        domain=spec.get("domain", "localhost"),
        gateway=Gateway(
            address=gateway.get("address", defaults.address),
            port=int(gateway.get("port", defaults.port)),
            connect_timeout_s=int(gateway.get("connectTimeoutSeconds", defaults.connect_timeout_s)),
            hold_timeout_s=int(gateway.get("holdTimeoutSeconds", defaults.hold_timeout_s)),
            h2c_port=None if "h2cPort" not in gateway else int(gateway["h2cPort"]),
            default_backend=_service_key(gateway.get("defaultBackend", "")),
            max_body_bytes=defaults.max_body_bytes if size is None else parse_bytes(str(size)),
            security_headers=gateway.get("securityHeaders", defaults.security_headers),
            tls=build_tls(platform),
            compression=gateway.get("compression", defaults.compression),
            caller_identity=gateway.get("callerIdentity", defaults.caller_identity),
        ),
        orchestrator_port=int(spec.get("orchestratorPort", 3001)),
        billing=spec.get("billing", "off"),
        billing_port=int(spec.get("billingPort", 3002)),
        console=spec.get("console", "off"),
        console_port=int(spec.get("consolePort", 3003)),
        address_pool=spec.get("addressPool", "10.128.0.0/9"),
        engine=spec.get("engine", "docker"),
        revisions=Revisions(int(mapping_at(platform, "spec", "revisions").get("kept", Revisions().kept))),
        firewall=_build_firewall(mapping_at(platform, "spec", "firewall")),
        idle=Idle(idle.get("mode", Idle().mode), int(idle.get("retentionSeconds", Idle().retention_s))),
        observability=_build_observability(platform),
        writable_roots=spec.get("writableRoots", False),
        location=locate(()),
        places={key: locate(("spec", "gateway", key)) for key in gateway},
    )


def _build_firewall(given: Raw) -> Firewall:
    defaults = Firewall()
    return Firewall(
        enabled=given.get("enabled", defaults.enabled),
        flows=int(given.get("flowsPerInstance", defaults.flows)),
        new_flows_per_second=int(given.get("newFlowsPerSecond", defaults.new_flows_per_second)),
    )


def _build_observability(platform: Raw) -> Observability:
    said, defaults = mapping_at(platform, "spec", "observability"), Observability()
    return Observability(
        level=said.get("level", defaults.level),
        meter_port=int(said.get("meterPort", defaults.meter_port)),
        prometheus_port=int(said.get("prometheusPort", defaults.prometheus_port)),
        retention_days=int(said.get("retentionDays", defaults.retention_days)),
        alertmanager_port=int(said.get("alertmanagerPort", defaults.alertmanager_port)),
        group_wait_s=int(said.get("groupWaitSeconds", defaults.group_wait_s)),
        repeat_s=int(said.get("repeatSeconds", defaults.repeat_s)),
        receivers=build_receivers(said.get("receivers")),
        logs=_build_logs(mapping_at(platform, *_LOGS)),
    )


def _build_logs(said: Raw) -> Logs:
    defaults = Logs()
    return Logs(
        port=int(said.get("port", defaults.port)),
        retention_days=int(said.get("retentionDays", defaults.retention_days)),
        bytes_per_second=parse_bytes(str(said.get("bytesPerSecond", defaults.bytes_per_second))),
        bytes_per_day=parse_bytes(str(said.get("bytesPerDay", defaults.bytes_per_day))),
    )


def _service_key(name: str) -> str:
    """Complete the name of a service that may leave its tenant out; nothing stays nothing."""
    return name if "/" in name or not name else service_key(DEFAULT_TENANT, name)


def check_network(document: Raw, path: tuple[str, ...], lengths: tuple[int, int], findings: Findings) -> None:
    """Check that a value is an IPv4 network of private addresses and a usable size."""
    text = text_at(document, *path)
    if not text:
        return
    try:
        network = IPv4Network(text)
    except ValueError:
        message = f"must be an IPv4 network such as 10.200.0.0/24, without host bits, got {render_value(text)}"
        findings.error(path, "network.form", message)
        return
    if not lengths[0] <= network.prefixlen <= lengths[1]:
        message = f"must be of /{lengths[0]} to /{lengths[1]}, got {render_value(text)}"
        findings.error(path, "network.size", message)
    if not network.is_private or network.is_loopback or network.is_link_local:
        message = f"must be of private addresses (10/8, 172.16/12 or 192.168/16), got {render_value(text)}"
        findings.error(path, "network.private", message)


def _check_address(platform: Raw, path: Path, findings: Findings) -> None:
    text = text_at(platform, *map(str, path))
    try:
        ip_address(text or "127.0.0.1")
    except ValueError:
        findings.error(path, "platform.address", f"must be an IP address, got {render_value(text)}")


def _check_ports(platform: Raw, findings: Findings) -> None:
    defaults = Platform()
    edge = value_at(platform, "spec", "gateway", "port")
    status = value_at(platform, "spec", "orchestratorPort")
    if (edge or defaults.gateway.port) == (status or defaults.orchestrator_port):
        path = ("spec", "orchestratorPort") if status else ("spec", "gateway", "port")
        message = f"must differ from the gateway's port, got {status or edge} for both"
        findings.error(path, "platform.ports", message)
    h2c = value_at(platform, "spec", "gateway", "h2cPort")
    if h2c is not None and h2c in (edge or defaults.gateway.port, status or defaults.orchestrator_port):
        message = f"must differ from the other ports of the platform, got {h2c} for two of them"
        findings.error(("spec", "gateway", "h2cPort"), "platform.ports", message)
    others = [edge or defaults.gateway.port, status or defaults.orchestrator_port, h2c]
    billing = value_at(platform, "spec", "billingPort") or defaults.billing_port
    if value_at(platform, "spec", "billing") == "on" and billing in others:
        message = f"must differ from the other ports of the platform, got {billing}"
        findings.error(("spec", "billingPort"), "platform.ports", message)
    others.append(billing)
    console = value_at(platform, "spec", "consolePort") or defaults.console_port
    if value_at(platform, "spec", "console") == "on" and console in others:
        message = f"must differ from the other ports of the platform, got {console}"
        findings.error(("spec", "consolePort"), "platform.ports", message)
    others.append(console)
    observed = defaults.observability
    for key, usual in (
        ("meterPort", observed.meter_port),
        ("prometheusPort", observed.prometheus_port),
        ("alertmanagerPort", observed.alertmanager_port),
    ):
        path = ("spec", "observability", key)
        port = value_at(platform, *path) or usual
        if value_at(platform, "spec", "observability", "level") in ("basic", "full") and port in others:
            findings.error(path, "platform.ports", f"must differ from the other ports of the platform, got {port}")
        others.append(port)
    port = value_at(platform, *_LOGS, "port") or observed.logs.port
    if value_at(platform, "spec", "observability", "level") == "full" and port in others:
        message = f"must differ from the other ports of the platform, got {port}"
        findings.error((*_LOGS, "port"), "platform.ports", message)
    others.append(port)
    check_tls(platform, frozenset(each for each in others if isinstance(each, int)), findings)


def _check_body_size(platform: Raw, findings: Findings) -> None:
    value = value_at(platform, "spec", "gateway", "maxBodySize")
    try:
        size = parse_bytes(str(value or "32Mi"))
    except ValueError:
        # The schema has told of everything that is no quantity; a fraction of a byte is left.
        size = -1
    path = ("spec", "gateway", "maxBodySize")
    if isinstance(value, str | int | float) and not 0 < size <= _BODY_LIMIT_BYTES:
        findings.error(path, "platform.body-size", f"must be 1 byte to 1Ti, got {render_value(value)}")


def _check_logs(platform: Raw, findings: Findings) -> None:
    if value_at(platform, *_LOGS) is not None and value_at(platform, "spec", "observability", "level") != "full":
        findings.warning(_LOGS, "platform.logs", "keeps nothing unless spec.observability.level is full")
    least, most = _LOG_BYTES
    for key in ("bytesPerSecond", "bytesPerDay"):
        value = value_at(platform, *_LOGS, key)
        try:
            size = least if value is None else parse_bytes(str(value))
        except ValueError:
            # As with the size of bodies.
            size = -1
        if isinstance(value, str | int | float) and not least <= size <= most:
            findings.error((*_LOGS, key), "platform.logs", f"must be 1Ki to 1Ti, got {render_value(value)}")
