"""Reference of the API, made from its operations: docs/api.md."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from runyard.codec import encode
from services.orchestrator.api.openapi import EVERYWHERE
from services.orchestrator.api.operations import OPERATIONS, Operation

_HEAD = """\
# The orchestrator's API

Made by `python -m services.orchestrator.api.reference`; do not edit. `/v1/openapi.json` describes the same as OpenAPI
3.1, with the shape of every message.

What reads is answered on 127.0.0.1:3001, to whoever is on the host, without addresses and log lines of instances
([security.md](security.md#who-is-trusted)), and with them on the unix socket. What changes anything is answered on the
socket alone, which `runyard` reaches through the engine:

    curl http://127.0.0.1:3001/v1/instances?service=default/hello
    curl --no-buffer http://127.0.0.1:3001/v1/watch

Errors are problem+json (RFC 9457): `detail` says where, which rule and what was seen; `logs` has the last lines of an
instance that is to blame. Every operation may answer {everywhere}.

`/v1/watch` begins with `reset`, then everything as it is, a `service`, `override`, `revision`, `instance`, `endpoint`,
`part`, `certificate` or `decision` each, and `synced`; after it comes each change, at most every half second, with
`"value":null` for what is gone. Who comes back with the header `Last-Event-ID` gets what came after that event, or
everything anew if that is not kept any more. A comment comes every 15 s at least. 32 streams are open at most.
"""


def render() -> str:
    """Render the reference, as text that ends with a line end."""
    parts = [_HEAD.format(everywhere=_listed(EVERYWHERE))]
    for title, public in (("Reading, on the port and on the socket", True), ("On the socket alone", False)):
        parts.append(f"## {title}\n")
        parts += ["\n".join(_lines(each)) for each in OPERATIONS if each.public == public]
    return "\n".join(parts)


def _lines(operation: Operation) -> Iterator[str]:
    yield f"### {operation.method} {operation.path}"
    yield ""
    yield f"`{operation.name}`: {operation.summary}"
    for each in operation.query:
        yield f"`{each.name}={each.example}`: {each.summary}"
    yield f"Answers {operation.status}; errors: {_listed(operation.errors)}."
    yield ""
    if operation.body is not None:
        yield from _block("request", operation.body)
    yield from _block("answer", operation.answer)


def _block(title: str, example: Any) -> Iterator[str]:
    yield f"{title}:"
    yield ""
    if isinstance(example, str):
        text = example.rstrip("\n")
    else:
        plain = json.loads(encode(example)) if dataclasses.is_dataclass(example) else example
        text = json.dumps(plain, indent=1, sort_keys=True)
    yield from (f"    {line}" for line in text.splitlines())
    yield ""


def _listed(statuses: Iterable[int]) -> str:
    *others, last = map(str, statuses)
    return f"{', '.join(others)} and {last}" if others else last


if __name__ == "__main__":
    sys.stdout.write(render())
