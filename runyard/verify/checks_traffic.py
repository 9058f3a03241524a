"""Checks of traffic: the orchestrator is in step, shares and hosts are in force, and every service answers."""

from __future__ import annotations

import http.client
import socket
import ssl
from http import HTTPStatus

import pytest

from runyard.contracts import Fallback
from runyard.manifest.model import Gateway
from runyard.plan import ServicePlan
from runyard.verify.plugin import Subject

# A service's own first answer may be slow; the gateway's own errors come at once.
_ANSWER_TIMEOUT_S = 30


def test_orchestrator_is_in_step_with_the_gateway(subject: Subject) -> None:
    assert subject.status().in_step


def test_service_has_the_planned_traffic(subject: Subject, service: ServicePlan) -> None:
    found = [
        each for each in subject.status().services if (each.tenant, each.service) == (service.tenant, service.name)
    ]
    assert [each.goal for each in found] == [service.rollout.traffic]


def test_service_has_the_planned_hosts_and_callees(subject: Subject, service: ServicePlan) -> None:
    found = [
        each for each in subject.status().services if (each.tenant, each.service) == (service.tenant, service.name)
    ]
    assert [each.hosts for each in found] == [service.route.hosts]
    # Not equal: earlier revisions that still have instances may call what they could.
    callees = () if _sleeps(subject, service) else _callees(service)
    assert all(set(each.uses) >= set(callees) for each in found)


def test_service_answers_through_the_gateway(subject: Subject, service: ServicePlan) -> None:
    """Any answer of the service itself will do; one that the gateway made in its place will not."""
    if not subject.deep and _sleeps(subject, service):
        pytest.skip("asleep: verify --deep wakes it")
    gateway = subject.plan.platform.gateway
    connection = _connect(gateway, service.url_host)
    try:
        connection.request("GET", "/", headers={"Host": service.url_host})
        answer = connection.getresponse()
        body = answer.read(1000)
    finally:
        connection.close()
    by_gateway = answer.getheader("content-type", "").startswith("application/problem+json")
    refused = _refusal(service)
    assert (answer.status if by_gateway else None) == refused, body


def _sleeps(subject: Subject, service: ServicePlan) -> bool:
    """Tell whether no revision of a service has an instance, because nobody calls it."""
    found = [
        each for each in subject.status().revisions if (each.tenant, each.service) == (service.tenant, service.name)
    ]
    return bool(found) and all(each.asleep for each in found)


def _callees(service: ServicePlan) -> tuple[str, ...]:
    """Name what the newest revision calls, if it has instances: only they are let through."""
    runs = service.rollout.manual_instances != 0 and service.revision in service.active
    return service.revision.document.callees if runs else ()


def _refusal(service: ServicePlan) -> int | None:
    """Give the status with which the gateway answers in the service's place, as asked; None where it does not."""
    if service.route.ingress == "internal":
        return HTTPStatus.NOT_FOUND
    # Nothing runs, and nothing stands in for it.
    if service.rollout.manual_instances == 0 and service.route.fallback == Fallback():
        return HTTPStatus.SERVICE_UNAVAILABLE
    return None


def _connect(gateway: Gateway, host: str) -> http.client.HTTPConnection:
    if not gateway.tls.on:
        return http.client.HTTPConnection(gateway.address, gateway.port, timeout=_ANSWER_TIMEOUT_S)
    # Who signed it is for the clients to judge: this machine need not trust a local or private CA.
    context = ssl._create_unverified_context()  # noqa: S323
    connection = http.client.HTTPSConnection(gateway.address, gateway.tls.port, context=context)
    plain = socket.create_connection((gateway.address, gateway.tls.port), _ANSWER_TIMEOUT_S)
    connection.sock = context.wrap_socket(plain, server_hostname=host)
    return connection
