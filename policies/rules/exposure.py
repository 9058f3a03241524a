"""Rules of exposure: who may reach the gateway and its services, and over what."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from policies.rule import Context, Rule, Violation, of_service

_AUTH_OFF = "run.googleapis.com/invoker-iam-disabled"


def check_tls(context: Context) -> Iterator[Violation]:
    """Find a gateway that speaks plain HTTP to others than this host."""
    platform = context.manifests.platform
    if ip_address(platform.gateway.address).is_loopback:
        return
    if not platform.gateway.tls.on:
        message = f"gateway must listen on a loopback address while it has no TLS, got {platform.gateway.address}"
        yield Violation(message, location=platform.location)
    elif not platform.gateway.tls.redirect:
        message = f"gateway must redirect plain HTTP to TLS on {platform.gateway.address}, got redirect: false"
        yield Violation(message, location=platform.location)


def check_auth(context: Context) -> Iterator[Violation]:
    """Find public services that ask nobody who they are, and do not say that this is meant."""
    for service in context.manifests.services:
        # An annotation that asks for it mends nothing as long as the gateway does not carry it out.
        if service.ingress == "all" and service.annotations.get(_AUTH_OFF) != "true":
            yield of_service(service, "must be internal, as nothing asks callers to sign in yet, got ingress all")


def check_auth_off(context: Context) -> Iterator[Violation]:
    """Find services that anybody may call."""
    for service in context.manifests.services:
        if service.ingress == "all" and service.annotations.get(_AUTH_OFF) == "true":
            yield of_service(service, f"{_AUTH_OFF} must not be true in production, got true")


RULES = (
    Rule(
        "gateway-on-loopback",
        "Plain HTTP stays on the host.",
        "advisory",
        "set the Platform's gateway.tls.mode to acme or files, or its gateway.address to 127.0.0.1 with TLS in front",
        check_tls,
        waivable=False,
    ),
    Rule(
        "tls-in-production",
        "Production takes no plain HTTP from elsewhere.",
        "mandatory",
        "set the Platform's gateway.tls.mode to acme or files, or its gateway.address to 127.0.0.1 with TLS in front",
        check_tls,
        production_only=True,
        waivable=False,
    ),
    Rule(
        "auth-in-production",
        "A public service in production says who may call it.",
        "advisory",
        "make the ingress internal, or put something that asks callers before the gateway and waive this rule",
        check_auth,
        production_only=True,
    ),
    Rule(
        "auth-not-disabled",
        "A public service in production does not switch callers' authentication off.",
        "mandatory",
        "remove the annotation, or waive this rule and say why",
        check_auth_off,
        production_only=True,
    ),
)
