"""Aliases of secrets: the names by which a Cloud Run manifest calls secrets that are another project's.

`run.googleapis.com/secrets` has `ALIAS:projects/PROJECT/secrets/SECRET`, separated by commas; whatever names the alias
means that secret of the tenant, since there are no projects here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from runyard.manifest.problems import Findings, render_value
from runyard.manifest.raw import TEMPLATE_ANNOTATIONS, VOLUMES, Raw, all_containers, mapping_at, mappings_at, text_at

ANNOTATION = "run.googleapis.com/secrets"
_ALIAS = re.compile(r"([-_A-Za-z0-9]{1,63}):projects/[-_A-Za-z0-9:.]{1,63}/secrets/([A-Za-z0-9][-._A-Za-z0-9]{0,253})")


def resolve_aliases(service: Raw, findings: Findings) -> None:
    """Put the secret's own name, in place, wherever a Service names an alias."""
    text = text_at(service, *TEMPLATE_ANNOTATIONS, ANNOTATION)
    aliases: dict[str, str] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        found = _ALIAS.fullmatch(part)
        if found is None:
            message = f"must be ALIAS:projects/PROJECT/secrets/SECRET, separated by commas, got {render_value(part)}"
            findings.error((*TEMPLATE_ANNOTATIONS, ANNOTATION), "annotations.secrets", message)
        else:
            aliases[found[1]] = found[2]
    if aliases:
        for named, key in _references(service):
            named[key] = aliases.get(named[key], named[key])


def _references(service: Raw) -> Iterator[tuple[Raw, str]]:
    """Give every mapping that names a secret, and the key under which it does."""
    found: list[tuple[Raw, str]] = []
    for _, container in all_containers(service):
        found += [(mapping_at(each, "valueFrom", "secretKeyRef"), "name") for _, each in mappings_at(container, "env")]
        found += [(mapping_at(each, "secretRef"), "name") for _, each in mappings_at(container, "envFrom")]
    for _, volume in mappings_at(service, *VOLUMES):
        found.append((mapping_at(volume, "secret"), "secretName"))
        found += [(mapping_at(each, "secret"), "name") for _, each in mappings_at(volume, "projected", "sources")]
    yield from ((named, key) for named, key in found if type(named.get(key)) is str)
