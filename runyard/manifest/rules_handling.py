"""Rules of how the gateway handles a service's requests: the sizes of bodies, alone and under the Platform's limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runyard.manifest.documents import YamlDocument
from runyard.manifest.model import Platform, Service
from runyard.manifest.problems import Findings, Problem, render_value
from runyard.manifest.raw import SERVICE_ANNOTATIONS, Raw, mapping_at, text_at
from runyard.units import parse_bytes

MAX_REQUEST_SIZE = "runyard.dev/max-request-size"
MAX_RESPONSE_SIZE = "runyard.dev/max-response-size"
REQUEST_BUFFERING = "runyard.dev/request-buffering"
_SIZE_LIMIT_BYTES = 1024**4


def check_handling(service: Raw, findings: Findings) -> None:
    """Check the sizes that one Service allows."""
    annotations = mapping_at(service, *SERVICE_ANNOTATIONS)
    for name in (MAX_REQUEST_SIZE, MAX_RESPONSE_SIZE):
        text = text_at(annotations, name)
        if not text:
            continue
        try:
            size = parse_bytes(text)
        except ValueError:
            # The schema has told of everything that is no quantity; a fraction of a byte is left.
            size = -1
        if not 0 < size <= _SIZE_LIMIT_BYTES:
            message = f"must be 1 byte to 1Ti, got {render_value(text)}"
            findings.error((*SERVICE_ANNOTATIONS, name), "handling.size", message)


def check_sizes(services: Sequence[tuple[Service, YamlDocument]], platform: Platform) -> Iterator[Problem]:
    """Check that no service allows larger requests than the gateway lets through for anybody."""
    most = platform.gateway.max_body_bytes
    for service, document in services:
        if (service.max_request_bytes or 0) > most:
            findings = Findings(document.locate)
            message = f"must be at most spec.gateway.maxBodySize of the Platform ({most} bytes)"
            path = (*SERVICE_ANNOTATIONS, MAX_REQUEST_SIZE)
            findings.error(path, "handling.platform", f"{message}, got {service.max_request_bytes}")
            yield from findings.problems
