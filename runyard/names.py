"""Names that Runyard derives: containers, networks, volumes, hosts and labels, all from manifest identity.

Parts are joined with dots because no part may hold one (tenants, services, revisions and containers are DNS
labels), so two different identities never share a name.
"""

from __future__ import annotations

import hashlib
import re
from typing import Literal

# What an engine has by name.
Kind = Literal["container", "network", "volume"]

LABEL_PREFIX = "runyard.dev/"
STACK = LABEL_PREFIX + "stack"
TENANT = LABEL_PREFIX + "tenant"
SERVICE = LABEL_PREFIX + "service"
REVISION = LABEL_PREFIX + "revision"
ROLE = LABEL_PREFIX + "role"
# Labels of instances only: which container of the revision, and which instance of it.
CONTAINER = LABEL_PREFIX + "container"
INSTANCE = LABEL_PREFIX + "instance"

# On a claim: what its stack may use of the host and of its tenants' quotas.
CLAIM = LABEL_PREFIX + "claim"

ROLE_INSTANCE = "instance"
# What runs once, beside the instances of a revision and as one of them.
ROLE_RUN = "run"
ROLE_GATEWAY = "gateway"
# The container in which a configuration of the gateway is tried.
ROLE_GATEWAY_TEST = "gateway-test"
ROLE_ORCHESTRATOR = "orchestrator"
# The second orchestrator, which acts when the first one does not.
ROLE_STANDBY = "standby"
# What alone holds the engine's socket, and the second one, which answers when the first one does not.
ROLE_FILTER = "filter"
ROLE_SPARE = "spare"
ROLE_FIREWALL = "firewall"
# The container in which the firewall's rules are tried, and removed.
ROLE_FIREWALL_TASK = "firewall-task"
# The container that mounts volumes for a backup, and never runs.
ROLE_BACKUP = "backup"
# Containers that are there for a task and go with it, by their role: what their name ends in.
TASKS = {ROLE_GATEWAY_TEST: "gateway.test", ROLE_FIREWALL_TASK: "firewall.task", ROLE_BACKUP: "backup"}
ROLE_METER = "meter"
ROLE_LOGS = "logs"
ROLE_PROMETHEUS = "prometheus"
ROLE_ALERTMANAGER = "alertmanager"
ROLE_POSTGRES = "postgres"
ROLE_BILLING = "billing"
ROLE_CONSOLE = "console"
ROLE_NETWORK = "network"
ROLE_VOLUME = "volume"
# Of volumes: what a tenant keeps, and what goes with an instance.
ROLE_DATA = "data"
ROLE_SCRATCH = "scratch"
ROLE_CLAIM = "claim"
# One name for all stacks of a host: whoever has a container of this name has the turn to claim.
CLAIM_TURN = "runyard.claim"

DEFAULT_TENANT = "default"
INTERNAL_DOMAIN = "internal"
# What answers instances at these hosts is the platform's: no service has such a name.
METADATA = "metadata"
RESERVED_SERVICES = (METADATA, "otel")
# What a service answers that answers every host of which nobody else does.
EVERY_HOST = "*"
# Where instances call each other over HTTP/1.1, and over HTTP/2 without TLS: nginx tells no two apart on one port.
INTERNAL_PORT = 80
INTERNAL_H2C_PORT = 81
# The same over TLS, which tells the two apart.
INTERNAL_TLS_PORT = 443
# Paths inside the platform's containers; the volume is mounted at the same place in gateway and orchestrator.
GATEWAY_DIRECTORY = "/var/lib/runyard/gateway"
GATEWAY_TEMPORARY_DIRECTORY = "/tmp/gateway"  # noqa: S108 the container's own tmpfs
# A mount of its own, so that it takes no room from bodies.
GATEWAY_CACHE_DIRECTORY = GATEWAY_TEMPORARY_DIRECTORY + "/cache"
# Ports 80, 81 and 443 on the inner address, and workers that are not root. Spelled as the engine gives them back, or a
# refresh would make every preview show a change.
GATEWAY_CAPABILITIES = ("CAP_NET_BIND_SERVICE", "CAP_SETGID", "CAP_SETUID")
# Of the host's network, for its packet filter; spelled so for the same reason.
FIREWALL_CAPABILITIES = ("CAP_NET_ADMIN",)
GATEWAY_ADMIN_SOCKET = GATEWAY_DIRECTORY + "/admin.sock"
# Here the orchestrator listens, and the gateway's workers name the revisions that wait for an instance.
GATEWAY_WAKE_SOCKET = GATEWAY_DIRECTORY + "/wake.sock"
# What the gateway tells readers who may change nothing: a line for each request, and its metrics.
REQUESTS_DIRECTORY = "/var/lib/runyard/requests"
REQUEST_LOG_NAME = "requests.log"
GATEWAY_METRICS_NAME = "metrics.sock"
# Where the kernel tells what each container uses of the host.
CGROUP_DIRECTORY = "/sys/fs/cgroup"
# Below the gateway's directory, wherever that is: what its workers keep for its next start, and in it the
# GatewaySnapshot that it last had in force: it is written soon after each change and never half, and is what an
# orchestrator without a memory begins with.
GATEWAY_STATE = "state"
GATEWAY_SNAPSHOT = GATEWAY_STATE + "/snapshot.json"
ORCHESTRATOR_DIRECTORY = "/var/lib/runyard/orchestrator"
ORCHESTRATOR_SOCKET = ORCHESTRATOR_DIRECTORY + "/control.sock"
# What joins its input and output to a socket, in the images whose working directory is where its code lies.
_RELAY = ("python3", "-m", "runyard.relay")
ORCHESTRATOR_RELAY = (*_RELAY, ORCHESTRATOR_SOCKET)
# Where the orchestrator tells parts that may change nothing what there is, and which containers it consists of.
REGISTRY_DIRECTORY = "/var/lib/runyard/registry"
REGISTRY_SOCKET = REGISTRY_DIRECTORY + "/registry.sock"
# Beside it, where the ledger says what budgets restrict; what else has the volume makes the usage that they go by.
RESTRICTIONS_SOCKET = REGISTRY_DIRECTORY + "/restrictions.sock"
# Where the filter offers the engine to the orchestrators.
ENGINE_DIRECTORY = "/var/lib/runyard/engine"
ENGINE_SOCKET = ENGINE_DIRECTORY + "/engine.sock"
PROMETHEUS_DIRECTORY = "/var/lib/runyard/prometheus"
# What joins its input and output to Prometheus' port, in its image.
PROMETHEUS_RELAY = ("runyard-prometheus-relay",)
ALERTMANAGER_DIRECTORY = "/var/lib/runyard/alertmanager"
# What joins its input and output to the socket on which whom to tell is put, in Alertmanager's image.
ALERTMANAGER_RELAY = ("runyard-alertmanager", "relay")
# Where the logs' part has its store, and in it the socket that reads it.
LOGS_DIRECTORY = "/var/lib/runyard/logs"
LOGS_SOCKET = LOGS_DIRECTORY + "/logs.sock"
LOGS_RELAY = (*_RELAY, LOGS_SOCKET)
# Where Docker has what containers write, and beside it what it knows of them.
CONTAINERS_DIRECTORY = "/var/lib/docker/containers"
METER_DIRECTORY = "/var/lib/runyard/meter"
# Where the orchestrator puts the launcher, and where instances that have secrets find it (one volume, read-only there).
LAUNCHER_DIRECTORY = "/var/lib/runyard/launcher"
LAUNCHER_MOUNT = "/.runyard"
# Where instances have the certificate of the CA of `.internal`, as the launcher writes it.
AUTHORITY_MOUNT = "/run/runyard"
AUTHORITY_NAME = "ca.pem"
# Where the ledger's database has its files, and in them its socket.
POSTGRES_DIRECTORY = "/var/lib/runyard/postgres"
# What the image has to write the database to a file of that volume, and the file, which its first start reads back.
DATABASE_DUMP = ("/opt/runyard/dump.sh",)
DATABASE_DUMP_NAME = "database.dump"
BILLING_DIRECTORY = "/var/lib/runyard/billing"
BILLING_SOCKET = BILLING_DIRECTORY + "/control.sock"
# What asks a socket, in the images whose working directory is where their code lies.
_ASK = ("python3", "-m", "runyard.ask")
BILLING_ASK = (*_ASK, BILLING_SOCKET)
# Where the ledger tells parts that may change nothing what tenants pay.
STATEMENTS_DIRECTORY = "/var/lib/runyard/statements"
STATEMENTS_SOCKET = STATEMENTS_DIRECTORY + "/statements.sock"
CONSOLE_DIRECTORY = "/var/lib/runyard/console"
CONSOLE_SOCKET = CONSOLE_DIRECTORY + "/control.sock"
CONSOLE_ASK = (*_ASK, CONSOLE_SOCKET)
# Containers of an instance that stand in no document, named as no container of one can be: the first owns the network
# and holds what is shared, the second makes volumes fit to be mounted, the third holds the directories of them.
HOLDER = "_holder"
PREPARER = "_preparer"
PARTS_HOLDER = "_parts"
HELPERS = (HOLDER, PREPARER, PARTS_HOLDER)

DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
# The schema's limit of a service's name, 49 as on Cloud Run, leaves room for `-<hash>` in a DNS label's 63 characters.
HASH_LENGTH = 8


def instance_container(stack: str, tenant: str, revision: str, container: str, instance: str) -> str:
    """Name a container of an instance of a revision; `instance` is the orchestrator's short id for it."""
    return f"runyard.{stack}.{tenant}.{revision}.{container}.{instance}"


def platform_container(stack: str, part: str) -> str:
    """Name a container of the platform itself, such as the gateway."""
    return f"runyard.{stack}.{part}"


def task_container(stack: str, role: str) -> str:
    """Name the container of a task of the platform, which there is once at a time."""
    return platform_container(stack, TASKS[role])


def firewall_table(stack: str) -> str:
    """Name the table of the host's packet filter that has the stack's rules, and nothing else."""
    return f"runyard.{stack}"


def claim_container(stack: str) -> str:
    """Name the never-started container that holds what a stack claims until its orchestrator keeps it."""
    return f"runyard.{stack}.claim"


def platform_volume(stack: str, part: str) -> str:
    """Name the volume in which a part of the platform keeps its state."""
    return f"runyard.{stack}.{part}"


def persistent_volume(stack: str, tenant: str, volume: str) -> str:
    """Name the engine's volume of a persistent volume of a tenant; it outlives instances, revisions and the stack."""
    return f"runyard.{stack}.volume.{tenant}.{volume}"


def instance_volume(stack: str, tenant: str, revision: str, volume: str, instance: str) -> str:
    """Name the engine's volume in which the containers of one instance share memory."""
    return f"runyard.{stack}.{tenant}.{revision}.{volume}.{instance}"


def part_volume(stack: str, tenant: str, revision: str, part: tuple[str, str], instance: str) -> str:
    """Name the engine's volume that is one directory (`part` has a volume and a path in it) for one instance."""
    volume, sub_path = part
    return f"{instance_volume(stack, tenant, revision, volume, instance)}.{digest(sub_path)[:HASH_LENGTH]}"


def is_runyards(name: str) -> bool:
    """Tell whether a container, network or volume has a name as Runyard gives them, of whichever stack."""
    return name.startswith("runyard.")


def gateway_configuration(image: str) -> str:
    """Name the file of the gateway's nginx.conf: one for each image, because it calls functions of the image's Lua."""
    return f"nginx-{image.rpartition(':')[2]}.conf"


def platform_network(stack: str) -> str:
    """Name the platform's own bridge, on whose host address the gateway answers instances."""
    return f"runyard.{stack}.platform"


def tenant_network(stack: str, tenant: str, *, internal: bool = False) -> str:
    """Name a tenant's bridge; the internal one has no way out of the host."""
    suffix = ".internal" if internal else ""
    return f"runyard.{stack}.tenant.{tenant}{suffix}"


def log_account(tenant: str) -> tuple[int, int]:
    """Name a tenant in the store of logs by two numbers of 32 bits, an account and a project, of its name's hash.

    So the store's tenants are in no list that could be lost; that two have the same is as likely as one in 2^64.
    """
    found = digest(tenant)
    return int(found[:8], 16), int(found[8:16], 16)


def service_key(tenant: str, name: str) -> str:
    """Name a service (or a revision) across tenants, as contracts between parts do."""
    return f"{tenant}/{name}"


def service_host(service: str, tenant: str, domain: str) -> str:
    """Name the public host of a service; the default tenant's hosts leave the tenant out."""
    return f"{service}.{domain}" if tenant == DEFAULT_TENANT else f"{service}.{tenant}.{domain}"


def tagged_host(tag: str, host: str) -> str:
    """Name the host that reaches the revision with this traffic tag."""
    return f"{tag}---{host}"


def internal_host(service: str) -> str:
    """Name a service as other services of its tenant call it."""
    return f"{service}.{INTERNAL_DOMAIN}"


def revision_name(service: str, explicit: str | None, digest: str) -> str:
    """Name a revision: what the manifest says, or the service and the hash of what shapes the revision."""
    return explicit or f"{service}-{digest[:HASH_LENGTH]}"


def revision_identity(name: str, digest: str, *, chosen: bool) -> str:
    """Name what a revision holds: a name that the manifest chose does not say that, so the hash follows it."""
    return f"{name}.{digest[:HASH_LENGTH]}" if chosen else name


def revision_of(identity: str) -> str:
    """Give the name of the revision with this identity; no name has a dot."""
    return identity.partition(".")[0]


def digest(text: str) -> str:
    """Hash a canonical text as 64 lower-case hexadecimal digits (SHA-256)."""
    return hashlib.sha256(text.encode()).hexdigest()
