"""Routes: the grammar of `runyard.dev/routes`, public hosts and parts of them that a service answers.

A route is `HOST`, `HOST/PATH` or either with ` -> /PATH`; several are separated by commas. Everything that is not
allowed here is refused: these texts decide where requests go, and what instances are asked for.
"""

from __future__ import annotations

import re
from dataclasses import replace

from runyard.contracts import PathRoute
from runyard.manifest.problems import render_value

# The gateway resolves a host's parts one by one, and the list stays readable.
ROUTE_LIMIT = 64
HOST_LIMIT = 253
PATH_LIMIT = 256
RULE = "must be HOST, HOST/PATH or HOST/PATH -> /PATH, such as shop.example.com/api -> /v2"

_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
# `*.` stands for one label. The last label holds a letter, or it would be an address.
_HOST = rf"(?:\*\.)?(?:{_LABEL}\.)*(?=[-a-z0-9]*[a-z]){_LABEL}"
# Unreserved characters only (RFC 3986, 2.3): no escape, no parameter, nothing that two readers take for two places.
_PATH = r"/|(?:/[A-Za-z0-9._~-]+)+"
_ROUTE = re.compile(rf"(?P<host>{_HOST})(?P<path>{_PATH})?(?:\s*->\s*(?P<rewrite>{_PATH}))?")
_CLIMBS = re.compile(r"/\.{1,2}(/|$)")


def parse_routes(text: str) -> tuple[PathRoute, ...]:
    """Parse routes in the order written; ValueError says which one breaks which rule."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > ROUTE_LIMIT:
        raise ValueError(f"must be at most {ROUTE_LIMIT} routes, got {len(parts)}")
    routes: list[PathRoute] = []
    for part in parts:
        route = _parse_route(part)
        if any((each.host, each.path) == (route.host, route.path) for each in routes):
            raise ValueError(f"must name each place once, got {render_place(route)} twice")
        routes.append(route)
    return tuple(routes)


def render_place(route: PathRoute) -> str:
    """Render what a route answers, as the manifest names it: a whole host, or a host and a path."""
    return route.host + (route.path if route.path != "/" else "")


def is_whole_host(route: PathRoute) -> bool:
    """Tell whether a route is a host with everything below it, as it comes."""
    return route == replace(route, path="/", rewrite="")


def _parse_route(text: str) -> PathRoute:
    match = _ROUTE.fullmatch(text)
    if match is None:
        raise ValueError(f"{RULE}, got {render_value(text)}")
    host, path, rewrite = match["host"], match["path"] or "/", match["rewrite"] or ""
    if len(host) > HOST_LIMIT:
        raise ValueError(f"must have hosts of at most {HOST_LIMIT} characters, got {len(host)}")
    for each in (path, rewrite):
        if len(each) > PATH_LIMIT:
            raise ValueError(f"must have paths of at most {PATH_LIMIT} characters, got {len(each)}")
        if _CLIMBS.search(each):
            raise ValueError(f"must have paths without . and .. as segments, got {render_value(each)}")
    return PathRoute(host, path, "" if rewrite == path else rewrite)
