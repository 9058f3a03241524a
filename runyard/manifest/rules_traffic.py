"""Rules of traffic: shares that add up, one revision a share, tags that make hosts."""

from __future__ import annotations

from runyard.manifest.problems import Findings, Path, render_value
from runyard.manifest.raw import Raw, mappings_at, number_at, text_at, value_at

TRAFFIC = ("spec", "traffic")
_PERCENT = 100
# `<tag>---<service>` is one label of a host name.
_HOST_LABEL_LIMIT = 63


def check_traffic(service: Raw, findings: Findings) -> None:
    """Check all shares of a service."""
    shares = list(mappings_at(service, *TRAFFIC))
    if not shares:
        return
    name = text_at(service, "metadata", "name")
    tags: dict[str, int] = {}
    for index, share in shares:
        path = (*TRAFFIC, index)
        _check_revision(share, name, path, findings)
        _check_tag(share, name, tags, path, findings)
        tags.setdefault(text_at(share, "tag"), index)
    percents = [number_at(share, "percent") if "percent" in share else 0 for _, share in shares]
    known = [percent for percent in percents if percent is not None]
    complete = len(known) == len(percents) == len(value_at(service, *TRAFFIC))
    if complete and sum(known) != _PERCENT:
        shown = " + ".join(map(str, known))
        seen = f"got {shown} = {sum(known)}" if len(known) > 1 else f"got {shown}"
        findings.error(TRAFFIC, "traffic.sum", f"percents must add up to {_PERCENT}, {seen}")


def _check_revision(share: Raw, service: str, path: Path, findings: Findings) -> None:
    latest, revision = share.get("latestRevision"), text_at(share, "revisionName")
    if revision and latest is True:
        message = "must not be true beside revisionName, got true"
        findings.error((*path, "latestRevision"), "traffic.revision", message)
    elif "revisionName" not in share and latest is False:
        message = "must be true without revisionName, got false"
        findings.error((*path, "latestRevision"), "traffic.revision", message)
    if revision and service and not revision.startswith(f"{service}-"):
        message = f"must name a revision of this service, which starts with {service}-, got {render_value(revision)}"
        findings.error((*path, "revisionName"), "traffic.revision", message)


def _check_tag(share: Raw, service: str, tags: dict[str, int], path: Path, findings: Findings) -> None:
    tag = text_at(share, "tag")
    if not tag:
        return
    if tag in tags:
        message = f"must be unique, got {render_value(tag)} as in traffic[{tags[tag]}]"
        findings.error((*path, "tag"), "traffic.tag", message)
    label = f"{tag}---{service}"
    if len(label) > _HOST_LABEL_LIMIT:
        message = f"makes the host {label} of {len(label)} characters, must be at most {_HOST_LABEL_LIMIT}"
        findings.error((*path, "tag"), "traffic.tag", message)
