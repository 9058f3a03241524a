"""Checkout as data: its files, its rooms in layers, and which module imports which; read by the architecture test."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

# Rooms from top to bottom, as docs/architecture.md draws them. A room imports rooms of lower layers only: neither
# higher ones nor those beside it. `services.*` stands for every service, each a room of its own.
LAYERS = (
    ("stacks", "runyard.cli", "toolchain"),
    ("runyard.review",),
    (
        *("components", "policies", "provider", "services.*"),
        *("runyard.backup", "runyard.verify", "runyard.uptodate", "runyard.workload"),
    ),
    ("runyard.host", "runyard.gateway", "runyard.grafana", "runyard.images", "runyard.invoices", "runyard.prometheus"),
    ("runyard.pulumi",),
    ("runyard.git", "runyard.secrets"),
    ("runyard.plan", "runyard.forecast"),
    ("runyard.manifest",),
    ("runyard.registry", "runyard.scaling"),
    ("runyard.accounts", "runyard.contracts", "runyard.pricing"),
    ("runyard.codec", "runyard.dashboards", "runyard.environment", "runyard.process", "runyard.zones"),
    (
        "runyard.ask",
        "runyard.cgroups",
        "runyard.database",
        "runyard.errors",
        "runyard.files",
        "runyard.journal",
        "runyard.location",
        "runyard.loopback",
        "runyard.names",
        "runyard.readable",
        "runyard.reference",
        "runyard.relay",
        "runyard.serving",
        "runyard.table",
        "runyard.units",
    ),
)
# Rooms that are houses themselves: their packages and modules from top to bottom, held in the same way.
INNER_LAYERS = {
    "services.orchestrator": (
        ("__main__",),
        ("service",),
        ("api",),
        ("control", "tls"),
        ("loop", "runs", "settings"),
        ("rollout",),
        ("instances",),
        ("scaling", "gateway", "health"),
        ("engine", "store", "succession"),
        ("model", "traffic"),
        ("timing",),
    ),
    "services.meter": (
        ("__main__",),
        ("service",),
        ("api",),
        ("exposition", "settings"),
        ("account", "gateway", "spool"),
        ("requests", "tail", "windows"),
        ("run",),
        ("bursts",),
    ),
    "services.billing": (
        ("__main__",),
        ("service",),
        ("api", "settings"),
        ("budgeting", "collector", "reports"),
        ("invoicing",),
        ("adapters",),
        ("domain",),
        ("migrations",),
    ),
    "services.logs": (
        ("__main__",),
        ("service",),
        ("api", "exposition", "settings"),
        ("pump",),
        ("intake", "sources", "store"),
        ("entries", "limits", "query", "source"),
        ("lines", "record"),
    ),
    "services.console": (
        ("__main__",),
        ("document", "service"),
        ("api", "settings"),
        ("scope",),
        ("identity",),
        ("adapters",),
        ("migrations", "refusal"),
    ),
}
SOURCE_ROOTS = ("runyard", "components", "policies", "provider", "services", "stacks", "toolchain")
CODE_SUFFIXES = (".py", ".go", ".lua", ".ts", ".tsx", ".sh")


@cache
def files() -> tuple[Path, ...]:
    """List what is committed or would be, relative to the root."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    paths = (Path(name) for name in sorted(set(listed.split("\0"))) if name)
    # A file that was removed and not yet committed so is listed still.
    return tuple(path for path in paths if (ROOT / path).is_file())


def code(*roots: str, suffixes: tuple[str, ...] = CODE_SUFFIXES) -> list[Path]:
    """List the code files below these directories."""
    return [path for path in files() if path.parts[0] in roots and path.suffix in suffixes]


def text(path: Path) -> str:
    """Read a file of the checkout."""
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def tree(path: Path) -> ast.Module:
    """Parse a Python file of the checkout."""
    return ast.parse(text(path), str(path))


def module_name(path: Path) -> str:
    """Name the module in a Python file: `runyard/plan/__init__.py` is `runyard.plan`."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(module: ast.Module, importer: str, known: Iterable[str]) -> set[str]:
    """Name what a module imports, wherever in it and for typing too; `from a import b` is a.b if that is a module."""
    known = set(known)
    found: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = importer.split(".")[: -node.level] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{origin}.{alias.name}"
                found.add(inner if inner in known else origin)
    return found


@cache
def import_graph() -> Mapping[str, frozenset[str]]:
    """Map every module of ours to all that it imports, ours and others'."""
    paths = {module_name(path): path for path in code(*SOURCE_ROOTS, suffixes=(".py",))}
    # A package's own modules import below it by the package's name, so that is where `from . import` starts.
    return {
        name: frozenset(imported(tree(path), name + (".x" if path.name == "__init__.py" else ""), paths))
        for name, path in paths.items()
    }


def room(module: str) -> str | None:
    """Name the room of LAYERS that a module of ours belongs to; None for the bare packages and for others' modules."""
    parts = module.split(".")
    if parts[0] in {"components", "policies", "provider", "stacks", "toolchain"}:
        return parts[0]
    return ".".join(parts[:2]) if parts[0] in {"runyard", "services"} and len(parts) > 1 else None


def height(room_name: str) -> int | None:
    """Tell how many layers lie below a room; None when no layer names it."""
    pattern = "services.*" if room_name.startswith("services.") else room_name
    for level, rooms in enumerate(reversed(LAYERS)):
        if pattern in rooms:
            return level
    return None


def breaches(graph: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """Say every import between rooms that does not go down."""
    for module in sorted(graph):
        for target in sorted(graph[module]):
            here, there = room(module), room(target)
            if here is None or there is None or here == there:
                continue
            above, below = height(here), height(there)
            if above is None or below is None or above <= below:
                yield f"{module} imports {target}"


def inner_breaches(graph: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """Say every import inside a house of INNER_LAYERS that does not go down, or whose ends have no layer there."""
    for house, layers in INNER_LAYERS.items():
        heights = {name: level for level, names in enumerate(reversed(layers)) for name in names}
        inside = {module for module in graph if module.startswith(f"{house}.")}
        for module in sorted(inside):
            for target in sorted(each for each in graph[module] if each.startswith(f"{house}.")):
                here, there = (each.split(".")[house.count(".") + 1] for each in (module, target))
                if here != there and heights.get(here, -1) <= heights.get(there, len(layers)):
                    yield f"{module} imports {target}"


def cycle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """Find a cycle of imports and return it with its start repeated at its end; empty when there is none."""
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return []
        done.add(module)
        for target in sorted(graph.get(module, ())):
            if found := visit(target, [*path, module]):
                return found
        return []

    for module in sorted(graph):
        if found := visit(module, []):
            return found
    return []
