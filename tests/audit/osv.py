"""OSV: asks a server of https://google.github.io/osv.dev/api/ for the advisories that components have.

What it does not answer, or not in full, is Unanswered: silence is never taken for "none".
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from tests.audit.components import Component

ADDRESS = "https://api.osv.dev"
# The most that one request to /v1/querybatch may ask.
BATCH = 1000
# Pages of one component; OSV begins a new one after some thousand advisories, so more is a server that never ends.
MOST_PAGES = 20
TIMEOUT_S = 30.0


class Unanswered(Exception):
    """The server could not be asked, or its answer is not one."""


@dataclass(frozen=True, order=True, slots=True)
class Advisory:
    """What is known of a component: the advisory's id, its other names, and what it says in a line."""

    component: Component
    id: str
    aliases: tuple[str, ...] = ()
    summary: str = ""

    def text(self) -> str:
        """Render as `name version: ID (aliases): summary`."""
        aliases = f" ({', '.join(self.aliases)})" if self.aliases else ""
        return f"{self.component.text()}: {self.id}{aliases}" + (f": {self.summary}" if self.summary else "")


def find_advisories(components: Sequence[Component], address: str = ADDRESS) -> list[Advisory]:
    """Find every advisory of these components; Unanswered unless the server answered for each of them."""
    found: list[tuple[Component, str]] = []
    for start in range(0, len(components), BATCH):
        found += _ask_batch(components[start : start + BATCH], address)
    details = {name: _get(f"{address}/v1/vulns/{name}") for name in {name for _, name in found}}
    return sorted(_advisory(component, name, details[name]) for component, name in found)


def _ask_batch(components: Sequence[Component], address: str) -> Iterator[tuple[Component, str]]:
    waiting: list[tuple[Component, str]] = [(each, "") for each in components]
    for _ in range(MOST_PAGES):
        results = _results(_post(f"{address}/v1/querybatch", {"queries": [_query(*each) for each in waiting]}), waiting)
        following = []
        for (component, _), result in zip(waiting, results, strict=True):
            yield from ((component, name) for name in _names(result))
            if page := result.get("next_page_token"):
                following.append((component, page))
        if not following:
            return
        waiting = following
    raise Unanswered(f"ask {address}: {waiting[0][0].text()} has more than {MOST_PAGES} pages")


def _query(component: Component, page: str) -> dict[str, Any]:
    package = {"name": component.name, "ecosystem": component.ecosystem}
    return {"package": package, "version": component.version, **({"page_token": page} if page else {})}


def _results(answer: Any, asked: Sequence[Any]) -> list[dict[str, Any]]:
    results = answer.get("results") if isinstance(answer, dict) else None
    if (
        not isinstance(results, list)
        or len(results) != len(asked)
        or not all(isinstance(each, dict) for each in results)
    ):
        raise Unanswered(f"must answer with a result for each of {len(asked)} queries, got {json.dumps(answer)[:120]}")
    return results


def _names(result: dict[str, Any]) -> Iterator[str]:
    for each in result.get("vulns") or ():
        if not isinstance(each, dict) or not isinstance(each.get("id"), str):
            raise Unanswered(f"must name advisories by their id, got {json.dumps(each)[:120]}")
        yield each["id"]


def _advisory(component: Component, name: str, detail: Any) -> Advisory:
    told = detail if isinstance(detail, dict) else {}
    summary = str(told.get("summary") or told.get("details") or "").strip().partition("\n")[0][:200]
    return Advisory(component, name, tuple(sorted(map(str, told.get("aliases") or ()))), summary)


def _post(url: str, body: Any) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    return _send(request)


def _get(url: str) -> Any:
    return _send(urllib.request.Request(url))


def _send(request: urllib.request.Request) -> Any:
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            return json.loads(response.read())
    except urllib.error.HTTPError as error:
        raise Unanswered(f"ask {request.full_url}: answered {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise Unanswered(f"ask {request.full_url}: {error.reason}") from None
    except (OSError, HTTPException) as error:
        raise Unanswered(f"ask {request.full_url}: {error or type(error).__name__}") from None
    except ValueError:
        raise Unanswered(f"ask {request.full_url}: answered with something that is not JSON") from None
