"""The house, held: layers of imports, sizes, names, and what may stand in no file."""

from __future__ import annotations

import ast
import re
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from runyard.plan.parts import PARTS
from tests.unit import checkout
from tests.unit.checkout import SOURCE_ROOTS

SOURCE_LINES, TEST_LINES, MEDIAN_LINES, ENTRY_LINES = 400, 600, 120, 60
FUNCTION_LINES = 60
# Whole functions of what is not Python, at the left margin as gofmt and our Lua have them.
FUNCTIONS = {
    ".go": re.compile(r"^func .*?^}", re.MULTILINE | re.DOTALL),
    ".lua": re.compile(r"^(?:local )?function .*?^end", re.MULTILINE | re.DOTALL),
}
BAG_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
# Hosts of package registries, in pieces, so that this file does not hold what it looks for.
REGISTRIES = [
    ".".join(pieces)
    for pieces in (
        ("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"), ("yarnpkg", "com"),
        ("proxy", "golang", "org"), ("sum", "golang", "org"), ("goproxy", "io"), ("goproxy", "cn"),
        ("deb", "debian", "org"), ("ftp", "debian", "org"), ("security", "debian", "org"), ("archive", "ubuntu", "com"),
        ("crates", "io"), ("rubygems", "org"), ("registry-1", "docker", "io"), ("index", "docker", "io"),
    )
]  # fmt: skip
UNSAFE_YAML = {"Loader", "CLoader", "FullLoader", "UnsafeLoader", "unsafe_load", "full_load", "unsafe_load_all"}
# What decides takes its facts, its time and its randomness as arguments.
IMPURE = {
    "asyncio",
    "datetime",
    "docker",
    "os",
    "pulumi",
    "random",
    "requests",
    "socket",
    "subprocess",
    "time",
    "urllib",
}
# What tests a tree from elsewhere than its mirror in tests/unit; each file weighs for one tree alone.
BESIDE = {
    "runyard": (
        *("tests/cases", "tests/preview/mutations.py", "tests/preview/test_effects.py"),
        *("tests/e2e/test_firewall.py", "tests/e2e/test_host_advice.py", "tests/e2e/test_operating.py"),
        "tests/e2e/test_runs.py",
        "tests/e2e/test_backup.py",
    ),
    "components": (
        *("tests/preview/conftest.py", "tests/preview/test_platform.py", "tests/preview/test_history.py"),
        "tests/preview/test_mutations.py",
    ),
    "policies": ("tests/preview/test_policies.py", "tests/e2e/test_admission.py"),
    "services": (
        *("tests/e2e/orchestrator", "tests/e2e/test_billing.py", "tests/e2e/test_elastic.py"),
        "tests/e2e/test_filter.py",
        *("tests/e2e/test_gateway.py", "tests/e2e/test_observability.py", "tests/e2e/test_succession.py"),
    ),
    "stacks": ("tests/e2e/test_lifecycle.py",),
}
# The one tree that is lighter than it should be, by so much.
WEIGHTS = {"policies": 0.9}
# Waiting is for tests/harness/waiting.py alone; these play somebody who is slow, which is what is tried on them.
NAPS = {
    "tests/unit/runyard/workload/server.py": "an instance that is slower than two others, for the tool to find",
    "tests/unit/services/gateway/instance.py": "an instance that takes its time to answer, or trickles",
    "tests/unit/services/gateway/test_cache.py": "an instance that drips its body",
    "tests/unit/services/gateway/test_request_log.py": "an instance that reads slowly",
    "tests/unit/services/orchestrator/api/test_control.py": "a clock of the test's own, moved while a client waits",
    "tests/unit/services/orchestrator/api/test_watch.py": "a clock of the test's own, moved while a stream is read",
}
PATCHES = {
    "tests/unit/runyard/cli/test_main.py": "a command of the test's own, added to the table as any other is",
    "tests/unit/runyard/cli/test_output.py": "a command of the test's own, added to the table as any other is",
    "tests/unit/stacks/test_traces.py": "what is tested replaces a function of Pulumi's SDK; this puts it back",
}


GO_MODULES = [path for path in checkout.files() if path.name == "go.mod"]


def python(*roots: str) -> list[Path]:
    return checkout.code(*roots, suffixes=(".py",))


def lines(path: Path) -> int:
    return len(checkout.text(path).splitlines())


def longer(paths: list[Path], limit: int) -> list[str]:
    return [f"{path}: {lines(path)} lines" for path in paths if lines(path) > limit]


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Give every call in a file, with the dotted name of what is called."""
    for node in ast.walk(checkout.tree(path)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def test_imports_only_go_down() -> None:
    assert list(checkout.breaches(checkout.import_graph())) == []


def test_imports_inside_a_house_only_go_down() -> None:
    assert list(checkout.inner_breaches(checkout.import_graph())) == []


@pytest.mark.parametrize("house", checkout.INNER_LAYERS)
def test_every_package_of_a_house_has_its_layer_and_is_there(house: str) -> None:
    inside = {module.removeprefix(f"{house}.") for module in checkout.import_graph() if module.startswith(f"{house}.")}
    named = [name for names in checkout.INNER_LAYERS[house] for name in names]
    assert sorted(named) == sorted({module.split(".")[0] for module in inside})


@pytest.mark.parametrize(
    ("importer", "target"),
    [
        ("model.instance", "engine.port"),
        ("gateway.snapshot", "health.prober"),
        ("store.book", "unknown.module"),
        ("unknown", "timing"),
    ],
    ids=["up", "aside", "to_nowhere", "from_nowhere"],
)
def test_import_up_or_aside_inside_a_house_is_a_breach(importer: str, target: str) -> None:
    one, other = (f"services.orchestrator.{each}" for each in (importer, target))
    assert list(checkout.inner_breaches({one: [other]})) == [f"{one} imports {other}"]


def test_imports_make_no_cycle() -> None:
    assert checkout.cycle(checkout.import_graph()) == []


def test_every_room_has_its_layer() -> None:
    rooms = {room for module in checkout.import_graph() if (room := checkout.room(module))}
    assert [room for room in sorted(rooms) if checkout.height(room) is None] == []


@pytest.mark.parametrize(
    ("importer", "target"),
    [
        ("runyard.manifest.reader", "runyard.plan"),
        ("components.gateway", "services.gateway"),
        ("services.meter.window", "services.gateway.log"),
        ("runyard.units", "runyard.names"),
        ("runyard.plan.route", "runyard.unknown"),
    ],
)
def test_import_up_aside_or_from_nowhere_is_a_breach(importer: str, target: str) -> None:
    assert list(checkout.breaches({importer: [target]})) == [f"{importer} imports {target}"]


def test_imports_for_typing_and_inside_functions_count() -> None:
    source = "if TYPE_CHECKING:\n    from a import b\ndef f():\n    from . import c\n    import d.e"
    assert checkout.imported(ast.parse(source), "p.q", {"a.b", "p.c"}) == {"a.b", "p.c", "d.e"}


def test_cycle_is_found_through_other_modules() -> None:
    assert checkout.cycle({"a": ["b"], "b": ["c", "os"], "c": ["b"]}) == ["b", "c", "b"]


def lua_imports() -> dict[str, set[str]]:
    """Map the gateway's modules of Lua, as `require` names them, to those that they require."""
    paths = checkout.code("services", suffixes=(".lua",))
    required = re.compile(r"""\brequire\s*\(?\s*["']([\w.]+)["']""")
    return {".".join(path.with_suffix("").parts[3:]): {*required.findall(checkout.text(path))} for path in paths}


def go_imports() -> dict[str, set[str]]:
    """Map the packages of our Go modules, by their paths of import, to all that they import."""
    modules = {path.parent: re.search(r"^module (\S+)$", checkout.text(path), re.MULTILINE) for path in GO_MODULES}
    found: dict[str, set[str]] = {}
    for path in checkout.code(*SOURCE_ROOTS, suffixes=(".go",)):
        root = next(above for above in path.parents if above in modules)
        name = modules[root]
        assert name, root
        package = "/".join([name[1], *path.parent.relative_to(root).parts])
        imports = re.findall(r"^import (?:\(.*?^\)|.*?$)", checkout.text(path), re.MULTILINE | re.DOTALL)
        found.setdefault(package, set()).update(re.findall(r'"([^"]+)"', "\n".join(imports)))
    return found


@pytest.mark.parametrize("imports", [lua_imports, go_imports])
def test_imports_of_lua_and_go_make_no_cycle(imports: Callable[[], dict[str, set[str]]]) -> None:
    graph = imports()
    # Whose imports were all misread would have no cycle either.
    assert any(graph.values())
    assert checkout.cycle(graph) == []


def test_lua_requires_modules_that_are_there() -> None:
    graph = lua_imports()
    ours = {each for required in graph.values() for each in required if each.split(".")[0] == "runyard"}
    assert sorted(ours - graph.keys()) == []


def test_core_knows_no_pulumi() -> None:
    graph = checkout.import_graph()
    assert [
        name
        for name in graph
        if name.startswith("runyard")
        and checkout.room(name) != "runyard.pulumi"
        and any(each.split(".")[0].startswith("pulumi") for each in graph[name])
    ] == []


def test_only_host_talks_to_docker_on_the_clients_side() -> None:
    graph = checkout.import_graph()
    talkers = {
        checkout.room(name)
        for name in graph
        if any(each.split(".")[0] in {"docker", "aiodocker"} for each in graph[name])
    }
    assert {room for room in talkers if room and not room.startswith("services.")} <= {"runyard.host"}


def test_orchestrator_knows_docker_behind_its_seam_alone() -> None:
    seam = "services.orchestrator.engine.docker"
    knowing = {
        name
        for name, targets in checkout.import_graph().items()
        if name.startswith("services.orchestrator.") and not name.startswith(seam)
        if any(each.startswith(seam) or each.split(".")[0] in {"docker", "aiodocker"} for each in targets)
    }
    # Somebody has to choose the engine.
    assert knowing == {"services.orchestrator.service"}


def test_decisions_do_no_input_or_output() -> None:
    graph = checkout.import_graph()
    rooms = {"runyard.plan", "runyard.scaling", "runyard.forecast", "runyard.pricing"}
    pure = [name for name in graph if checkout.room(name) in rooms]
    assert pure
    assert [(name, each) for name in pure for each in graph[name] if each.split(".")[0] in IMPURE] == []


def test_toolchain_needs_only_the_standard_library() -> None:
    # It runs before there is a virtual environment, with all of ours that it imports; only its last step, the images,
    # runs inside of one. What the program tells it, `runyard.uptodate.reads`, is not for it to import.
    graph = checkout.import_graph()
    needed = {name for name in graph if name.split(".")[0] == "toolchain" and name != "toolchain.images"}
    while further := {each for name in needed for each in graph.get(name, ())} - needed - {"toolchain.images"}:
        needed |= further
    ours = {each for each in needed if each in graph}
    assert {each.split(".")[0] for each in needed - ours} <= set(sys.stdlib_module_names)
    assert {room for each in ours if (room := checkout.room(each))} <= {
        *("toolchain", "runyard.uptodate", "runyard.host", "runyard.contracts", "runyard.codec"),
        *("runyard.errors", "runyard.files", "runyard.names", "runyard.pulumi"),
    }


def test_platforms_parts_are_listed_in_one_place() -> None:
    owner = Path("runyard", "plan", "parts.py")
    # Of commands, two of which are called as a part is that they look into.
    commands = Path("runyard", "cli", "commands.py")
    assert [
        f"{path}:{line}: names {', '.join(found)}: derive it from {owner}"
        for path in python(*SOURCE_ROOTS)
        if path not in (owner, commands)
        for line, found in second_lists(checkout.tree(path))
    ] == []


def second_lists(module: ast.Module) -> Iterator[tuple[int, list[str]]]:
    """Find displays that name two parts of the platform or more, by their names, roles or kinds, or as variables."""
    known = {part.name for part in PARTS}
    for node in ast.walk(module):
        # `Literal["a", "b"]` and `a, b = one, other` are tuples, too.
        if isinstance(node, ast.List | ast.Tuple | ast.Set | ast.Dict):
            found = {part for each in ast.walk(node) for part in _words(each) & known}
            if len(found) > 1:
                yield node.lineno, sorted(found)


def _words(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        # A component's type, such as `runyard:gateway:Gateway`, has its part's name in it; a sentence is no name.
        return set() if " " in node.value else set(node.value.lower().split(":"))
    if isinstance(node, ast.Name):
        return {node.id.lower()}
    return {node.attr.removeprefix("ROLE_").lower()} if isinstance(node, ast.Attribute) else set()


@pytest.mark.parametrize(
    "source",
    [
        'PARTS = ("gateway", "orchestrator")',
        'MORE = {"orchestrator", *REST, "gateway"}',
        "ROLES = [names.ROLE_GATEWAY, names.ROLE_ORCHESTRATOR]",
        'KINDS = {"runyard:gateway:Gateway": 1, "runyard:orchestrator:Orchestrator": 2}',
        'Kind = Literal["Gateway", "Orchestrator"]',
        "parts = [gateway.container, orchestrator.container]",
        'for part, port in (("gateway", 1), ("orchestrator", 2)): pass',
    ],
)
def test_second_list_of_parts_is_found(source: str) -> None:
    assert {tuple(found) for _, found in second_lists(ast.parse(source))} == {("gateway", "orchestrator")}


@pytest.mark.parametrize("source", ['TOLD = ("the gateway", "orchestrator")', "PARTS = (*PARTS,)", 'A = "gateway",'])
def test_list_without_two_parts_is_none_of_them(source: str) -> None:
    assert list(second_lists(ast.parse(source))) == []


def test_source_files_are_short() -> None:
    sources = checkout.code(*SOURCE_ROOTS)
    assert longer(sources, SOURCE_LINES) == []
    # An empty __init__.py would pull the median down and says nothing.
    assert statistics.median(count for path in sources if (count := lines(path)) > 1) <= MEDIAN_LINES


def test_test_files_are_short() -> None:
    assert longer(checkout.code("tests"), TEST_LINES) == []


def test_entries_are_wiring() -> None:
    entries = [path for path in checkout.code(*SOURCE_ROOTS) if path.stem in {"__main__", "main"}]
    assert entries
    assert longer(entries, ENTRY_LINES) == []


def test_functions_are_short() -> None:
    long = [
        f"{path}:{node.lineno}: {node.name}"
        for path in python(*SOURCE_ROOTS, "tests")
        for node in ast.walk(checkout.tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno >= FUNCTION_LINES
    ]
    for suffix, function in FUNCTIONS.items():
        for path in checkout.code(*SOURCE_ROOTS, suffixes=(suffix,)):
            for found in function.finditer(checkout.text(path)):
                if found[0].count("\n") >= FUNCTION_LINES:
                    long.append(f"{path}: {found[0].splitlines()[0]}")
    assert long == []


def test_files_are_named_after_what_they_hold() -> None:
    roots = (*SOURCE_ROOTS, "tests")
    assert [str(path) for path in checkout.code(*roots) if BAG_NAMES & {*path.parts[:-1], path.stem}] == []


def test_tests_weigh_as_much_as_what_they_test() -> None:
    light = []
    for root in SOURCE_ROOTS:
        # Go has its tests beside its source.
        tests, source = (
            sum(lines(path) for path in checkout.code(root) if path.stem.endswith("_test") is is_test)
            for is_test in (True, False)
        )
        mirrors = (Path("tests", "unit", root), *map(Path, BESIDE.get(root, ())))
        tests += sum(lines(path) for path in checkout.files() if any(path.is_relative_to(each) for each in mirrors))
        if tests < source * WEIGHTS.get(root, 1):
            light.append(f"{root}: {source} lines, {tests} of tests")
    assert light == []


def test_no_test_weighs_for_two_trees() -> None:
    named = [path for paths in BESIDE.values() for path in paths]
    assert len(named) == len(set(named))
    assert [path for path in named if not (checkout.ROOT / path).exists()] == []


def test_no_file_names_a_package_registry() -> None:
    pattern = re.compile("|".join(rf"(?<![\w-]){re.escape(host)}\b" for host in REGISTRIES).encode())
    assert [str(path) for path in checkout.files() if pattern.search((checkout.ROOT / path).read_bytes())] == []


def test_no_shell_runs_a_command() -> None:
    found = [
        f"{path}:{call.lineno}"
        for path in python(*SOURCE_ROOTS, "tests")
        for name, call in calls(path)
        if name in {"os.system", "os.popen", "subprocess.getoutput", "asyncio.create_subprocess_shell"}
        or any(word.arg == "shell" and ast.unparse(word.value) != "False" for word in call.keywords)
    ]
    assert found == []


def test_yaml_is_loaded_safely() -> None:
    found = [
        f"{path}:{node.lineno}: yaml.{node.attr}"
        for path in python(*SOURCE_ROOTS, "tests")
        for node in ast.walk(checkout.tree(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "yaml" and node.attr in UNSAFE_YAML
    ]
    found += [
        f"{path}:{call.lineno}: {name} without a loader"
        for path in python(*SOURCE_ROOTS, "tests")
        for name, call in calls(path)
        if name in {"yaml.load", "yaml.load_all"} and len(call.args) + len(call.keywords) < 2
    ]
    assert found == []


def is_nap(name: str, call: ast.Call) -> bool:
    """Tell whether a call lets time pass: a sleep, or a wait whose whole patience is a moment."""
    given = [*call.args, *(word.value for word in call.keywords if word.arg == "timeout")]
    literals = [each.value for each in given if isinstance(each, ast.Constant) and isinstance(each.value, int | float)]
    if name in {"sleep", "time.sleep", "asyncio.sleep"}:
        # A turn of the loop takes no time.
        return literals != [0]
    return name.split(".")[-1] in {"wait", "wait_for"} and any(0 < each < 1 for each in literals)


def is_patch(name: str, _: ast.Call) -> bool:
    """Tell whether a call changes what is not its own: our code, a library's, or a table of either."""
    patches = {f"monkeypatch.{verb}" for verb in ("setattr", "delattr", "setitem", "delitem")}
    return name in patches or name.startswith(("mock.", "patch", "mocker."))


@pytest.mark.parametrize(("is_lapse", "allowed"), [(is_nap, NAPS), (is_patch, PATCHES)], ids=["sleep", "patch"])
def test_unit_tests_neither_sleep_nor_patch(
    is_lapse: Callable[[str, ast.Call], bool], allowed: Mapping[str, str]
) -> None:
    found = {
        str(path): f"{path}:{call.lineno}: {name}"
        for path in python("tests")
        if path.parts[1] == "unit"
        for name, call in calls(path)
        if is_lapse(name, call)
    }
    assert [told for path, told in found.items() if path not in allowed] == []
    # What is mended leaves the list.
    assert [path for path in allowed if path not in found] == []


@pytest.mark.parametrize(
    ("text", "lapses"),
    [
        ("time.sleep(1)", True), ("asyncio.sleep(0.05)", True), ("asyncio.sleep(0)", False), ("clock.sleep(3)", False),
        ("event.wait(0.05)", True), ("event.wait(timeout=0.05)", True), ("asyncio.wait({task}, timeout=0.02)", True),
        ("asyncio.wait_for(event.wait(), 0.05)", True), ("event.wait(20)", False), ("process.wait()", False),
        ("monkeypatch.setitem(TABLE, 'a', 1)", True), ("mock.patch('a.b')", True), ("monkeypatch.setenv('A')", False),
    ],
)  # fmt: skip
def test_guard_tells_what_sleeps_and_patches(text: str, *, lapses: bool) -> None:
    (call,) = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)][:1]
    name = ast.unparse(call.func)
    assert (is_nap(name, call) or is_patch(name, call)) is lapses


def test_every_open_task_names_its_issue() -> None:
    mark = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME)\b(?!\(#\d+\): )")
    roots = (*SOURCE_ROOTS, "tests", "manifests", "templates", "images")
    suffixes = (*checkout.CODE_SUFFIXES, ".yaml", ".toml", ".j2")
    found = [str(path) for path in checkout.code(*roots, suffixes=suffixes) if mark.search(checkout.text(path))]
    assert found == []


def test_changelog_has_entries_not_yet_released() -> None:
    changelog = checkout.text(Path("CHANGELOG.md"))
    unreleased = re.search(r"^## Unreleased\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    assert unreleased
    assert re.search(r"^- \S", unreleased[1], re.MULTILINE)
