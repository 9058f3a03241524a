"""Rules of limits and of what happens beyond them: what stands beside what, how long a request may wait, a fallback."""

from __future__ import annotations

from runyard.manifest.failures import BREAKER, RETRIES, parse_breaker, parse_retries
from runyard.manifest.objective import SLO, parse_objective
from runyard.manifest.problems import Findings, render_value
from runyard.manifest.raw import SERVICE_ANNOTATIONS, Raw, mapping_at, text_at
from runyard.manifest.rules_annotations import RUNYARD
from runyard.names import DNS_LABEL
from runyard.units import parse_duration_s

_RATE = RUNYARD + "client-requests-per-second"
_WAIT = RUNYARD + "queue-timeout"
_FALLBACK = RUNYARD + "fallback"
# What a fallback that is another service starts with; any other text is a page.
SERVICE_PREFIX = "service:"
# Cloud Run's longest request timeout.
_LONGEST_WAIT_S = 3600
# The gateway's bound, in bytes: every worker keeps the page.
_LONGEST_PAGE = 8192


def check_limits(service: Raw, findings: Findings) -> None:
    """Check that nothing shapes a limit of clients which is not there, and that no request waits for ever."""
    annotations = mapping_at(service, *SERVICE_ANNOTATIONS)
    for name in (RUNYARD + "client-burst", RUNYARD + "client-header"):
        if name in annotations and _RATE not in annotations:
            message = f"must stand beside {_RATE}, got it alone"
            findings.error((*SERVICE_ANNOTATIONS, name), "limits.client", message, at_key=True)
    _check_fallback(text_at(annotations, _FALLBACK), findings)
    for name, parse, rule in (
        (RETRIES, parse_retries, "limits.failures"),
        (BREAKER, parse_breaker, "limits.failures"),
        (SLO, parse_objective, "slo.form"),
    ):
        text = text_at(annotations, name)
        try:
            if text:
                parse(text)
        except ValueError as error:
            findings.error((*SERVICE_ANNOTATIONS, name), rule, str(error))
    text = text_at(annotations, _WAIT)
    try:
        wait_s = parse_duration_s(text) if text else 1
    except ValueError:
        # The schema has said what it must look like.
        return
    if not 1 <= wait_s <= _LONGEST_WAIT_S:
        message = f"must be 1s to {_LONGEST_WAIT_S}s, got {render_value(text)}"
        findings.error((*SERVICE_ANNOTATIONS, _WAIT), "limits.queue", message)


def _check_fallback(text: str, findings: Findings) -> None:
    path = (*SERVICE_ANNOTATIONS, _FALLBACK)
    service = text.removeprefix(SERVICE_PREFIX)
    if service != text and not DNS_LABEL.fullmatch(service):
        findings.error(path, "fallback.service", f"must be service:<name>, or a page, got {render_value(text)}")
    if len(text.encode("utf-8", "surrogatepass")) > _LONGEST_PAGE:
        size = len(text.encode("utf-8", "surrogatepass"))
        findings.error(path, "fallback.size", f"must be at most {_LONGEST_PAGE} bytes, got {size}")
    if any((ord(character) < ord(" ") and character not in "\n\t") or character == "\x7f" for character in text):
        message = "must hold no control characters but line feeds and tabs"
        findings.error(path, "fallback.text", f"{message}, got {render_value(text)}")
