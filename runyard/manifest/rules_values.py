"""Rules of ConfigMaps and Secrets among the manifests, and raw data to typed data."""

from __future__ import annotations

import base64
import binascii
import re

from runyard.location import Location
from runyard.manifest.problems import Findings, render_value
from runyard.manifest.raw import Raw, mapping_at
from runyard.manifest.values import Source, Values
from runyard.names import DEFAULT_TENANT

# The keys whose values are base64 in a ConfigMap and in a Secret, and those whose are not, which count more.
_ENCODED = {"configMap": "binaryData", "secret": "data"}
_PLAIN = {"configMap": "data", "secret": "stringData"}
# Kubernetes: what a key may be (apimachinery, IsConfigMapKey).
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")


def check_values(source: Source, document: Raw, findings: Findings) -> None:
    """Check that encoded values are text, which is all that a variable or a file of ours can hold."""
    for key in ("data", "stringData", "binaryData"):
        for name in mapping_at(document, key):
            if not _KEY.fullmatch(name):
                message = f"must be letters, digits, dashes, dots and underscores, got {render_value(name)}"
                findings.error((key, name), "values.key", message, at_key=True)
    key = _ENCODED[source]
    for name, value in mapping_at(document, key).items():
        if type(value) is not str:
            continue  # the schema has told
        try:
            _decode(value)
        except ValueError:
            hint = "" if source == "configMap" else "put plain text under stringData"
            findings.error((key, name), "values.base64", "must be base64 of text in UTF-8, got [hidden]", hint)
    if source == "secret" and (mapping_at(document, "data") or mapping_at(document, "stringData")):
        tenant = mapping_at(document, "metadata").get("namespace", DEFAULT_TENANT)
        name = mapping_at(document, "metadata").get("name", "NAME")
        message = "whoever can read this file can read these values"
        hint = f"keep them in the stack: pulumi config set --secret --path 'runyard:secrets.{tenant}.{name}.KEY' VALUE"
        findings.warning(("kind",), "values.open", message, hint)


def build_values(source: Source, document: Raw, location: Location) -> Values:
    """Build what a ConfigMap or Secret without errors holds."""
    encoded = {key: _decode(value) for key, value in mapping_at(document, _ENCODED[source]).items()}
    data = {**encoded, **mapping_at(document, _PLAIN[source])}
    metadata = document["metadata"]
    return Values(source, metadata.get("namespace", DEFAULT_TENANT), metadata["name"], data, location)


def _decode(text: str) -> str:
    try:
        # Kubernetes' own reader passes over line feeds, which long values in YAML have.
        decoded = base64.b64decode("".join(text.split()), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None
    if "\0" in decoded:
        raise ValueError("holds a NUL character")
    return decoded
