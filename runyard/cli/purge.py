"""`runyard purge`: make the gateway forget what its cache keeps of a service."""

from __future__ import annotations

import json

import click

from runyard.cli.output import Output, reporting
from runyard.errors import HostError, UsageError
from runyard.host import Engine
from runyard.host.gateway import GatewayHost
from runyard.names import DEFAULT_TENANT, service_key


@click.command()
@click.argument("service")
@click.argument("path", required=False)
@click.option("-t", "--tenant", default=DEFAULT_TENANT, show_default=True, help="The tenant whose service it is.")
@click.option("-s", "--stack", default="dev", show_default=True, help="The stack that it runs in.")
@reporting()
def purge(service: str, path: str | None, tenant: str, stack: str, out: Output) -> None:
    """Forget the responses that the cache keeps of SERVICE, or of one PATH of it with every host and query."""
    with Engine() as engine:
        answer = GatewayHost(engine, stack).purge(purge_request(tenant, service, path))
    check_answer(service_key(tenant, service), answer)
    out.show(
        lambda: {"tenant": tenant, "service": service, "path": path},
        lambda: f"{service_key(tenant, service)}: nothing is kept of {path or 'any path'} any more",
    )


def purge_request(tenant: str, service: str, path: str | None) -> str:
    """Give the gateway's request; UsageError for a path that is none."""
    if path is not None and (not path.startswith("/") or "?" in path or "#" in path):
        raise UsageError(
            f"purge {service_key(tenant, service)}: PATH must begin with / and have no query, got {path!r}"
        )
    request = {"service": service_key(tenant, service)} | ({"path": path} if path is not None else {})
    return json.dumps(request, sort_keys=True)


def check_answer(key: str, answer: str) -> None:
    """Raise HostError with what the gateway says unless it did as it was asked."""
    head, _, body = answer.replace("\r\n", "\n").partition("\n\n")
    if head.split(" ")[1:2] == ["200"]:
        return
    try:
        reason = json.loads(body)["detail"]
    except (ValueError, KeyError, TypeError):
        reason = answer.strip() or "the gateway does not answer"
    raise HostError(f"purge {key}: {reason}")
