"""The documents, compared with what they speak of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runyard.manifest import load
from runyard.plan import plan
from tests.unit import checkout

DOCUMENTS = [path for path in checkout.files() if path.suffix == ".md" and path.parts[0] not in {"tests", "services"}]
RECORDS = sorted(path for path in checkout.files() if path.match("docs/adr/0*.md"))
# What a user may give to MANIFESTS: files, and directories of them.
EXAMPLES = sorted(
    {
        path if path.parts[1] == "faults" else Path(*path.parts[:2])
        for path in checkout.files()
        if path.match("manifests/**/*.yaml")
    }
)
# A first screen, as a terminal or a browser shows it.
FIRST_SCREEN = 45


def readme() -> str:
    return checkout.text(Path("README.md"))


def blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", checkout.text(Path("Makefile")), re.MULTILINE))


def without_code(document: str) -> str:
    return re.sub(r"^```.*?^```$|`[^`\n]*`", "", document, flags=re.MULTILINE | re.DOTALL)


def anchors(document: str) -> set[str]:
    """Name the headings as links do."""
    headings = re.findall(r"^#+ (.+)$", document, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_readme_shows_the_revision_that_hello_has() -> None:
    (hello,) = plan(load([checkout.ROOT / "manifests" / "hello.yaml"]).manifests, "dev").services
    assert re.findall(r'"revision":"([^"]*)"', readme()) == [hello.revision.name]


def test_readme_shows_purpose_manifest_command_and_result_on_its_first_screen() -> None:
    first = "\n".join(readme().splitlines()[:FIRST_SCREEN])
    assert blocks(first, "yaml")
    assert "make up\ncurl http://hello.localhost:3000/" in first
    assert blocks(first, "json")


def test_readmes_manifest_is_the_example() -> None:
    assert blocks(readme(), "yaml") == [checkout.text(Path("manifests/hello.yaml"))]


def test_readmes_manifest_has_eight_lines() -> None:
    assert len(checkout.text(Path("manifests/hello.yaml")).splitlines()) == 8


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_example_loads_without_a_warning(example: Path) -> None:
    loaded = load([checkout.ROOT / example])
    assert loaded.manifests.services
    assert [warning.text() for warning in loaded.warnings] == []


@pytest.mark.parametrize("example", [path for path in checkout.files() if path.match("manifests/**/*.yaml")], ids=str)
def test_example_begins_with_its_schema(example: Path) -> None:
    first, *rest = checkout.text(example).splitlines()
    schema = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert schema
    (kind,) = {line.removeprefix("kind: ").lower() for line in rest if line.startswith("kind: ")}
    assert (checkout.ROOT / example.parent / schema[1]).resolve() == checkout.ROOT / f"manifests/schema/{kind}.json"


def test_readmes_answer_has_the_samples_fields() -> None:
    (shown,) = blocks(readme(), "json")
    fields = re.findall(r'`json:"(\w+)"`', checkout.text(Path("services/hello/identity.go")))
    assert re.findall(r'"(\w+)":', shown) == fields
    assert len(fields) == 3


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_commands_in_documents_are_makefile_targets(document: Path) -> None:
    commands = re.findall(r"(?:`|^)make ([a-z-]+)", checkout.text(document), re.MULTILINE)
    assert set(commands) - make_targets() == set()


def test_makefile_starts_the_program_that_readme_says_it_starts() -> None:
    project = re.search(r"^name: (\S+)$", checkout.text(Path("Pulumi.yaml")), re.MULTILINE)
    assert project
    assert f"-c {project[1]}:manifests=" in " ".join(readme().split())
    assert ":manifests={manifests}" in checkout.text(Path("toolchain/update.py"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_in_documents_resolve(document: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(checkout.text(document))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = checkout.ROOT / document.parent / name if name else checkout.ROOT / document
        if not path.exists() or (anchor and anchor not in anchors(path.read_text())):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_files_named_in_documents_exist(document: Path) -> None:
    roots = "|".join(["docs", "manifests", "templates", "tests", *checkout.SOURCE_ROOTS])
    # Only names of files, and of directories with a slash: `runyard.plan` is a module, `manifests/shop` may be typed.
    named = re.findall(rf"`((?:{roots})/[\w./-]*(?:\.\w+|/))`", checkout.text(document))
    assert [name for name in named if not (checkout.ROOT / name).exists()] == []


def test_architectures_layers_are_those_that_are_held() -> None:
    text = checkout.text(Path("docs/architecture.md")).split("<!-- layers -->", 1)[1]
    drawn = blocks(text, "")[0].splitlines()
    assert [tuple(line.split(" · ")) for line in drawn] == [tuple(layer) for layer in checkout.LAYERS]


@pytest.mark.parametrize("house", ["services.billing", "services.console", "services.orchestrator"])
def test_layers_of_a_house_are_those_that_are_held(house: str) -> None:
    text = checkout.text(Path("docs/architecture.md")).split(f"<!-- {house.rpartition('.')[2]} -->", 1)[1]
    drawn = [tuple(line.split(" · ")) for line in blocks(text, "")[0].splitlines()]
    assert drawn == list(checkout.INNER_LAYERS[house])


def test_every_record_is_listed_once_in_order() -> None:
    index = checkout.text(Path("docs/adr/README.md"))
    assert re.findall(r"\((0\d{3}-[\w-]+\.md)\)", index) == [path.name for path in RECORDS]
    assert [path.name[:4] for path in RECORDS] == [f"{number:04}" for number in range(1, len(RECORDS) + 1)]


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
def test_record_has_number_context_decision_and_consequences(record: Path) -> None:
    text = checkout.text(record)
    assert text.startswith(f"# {record.name[:4]} ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]


def test_contributing_fits_one_screen() -> None:
    assert len(checkout.text(Path("CONTRIBUTING.md")).splitlines()) <= FIRST_SCREEN


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_lines_of_documents_are_readable(document: Path) -> None:
    text = re.sub(r"^\|[^\n]*$|^```.*?^```$", "", checkout.text(document), flags=re.MULTILINE | re.DOTALL)
    assert [line for line in text.splitlines() if len(line) > 120] == []


def test_faults_name_tests_that_there_are() -> None:
    text = checkout.text(Path("docs/faults.md"))
    named = re.findall(r"`(tests/\S+\.py)::(test_\w+)`", text)
    # The table's head is two lines.
    assert len(named) == len(re.findall(r"^\|", text, re.MULTILINE)) - 2
    assert [name for file, name in named if f"def {name}(" not in checkout.text(Path(file))] == []


def test_every_benchmark_is_described() -> None:
    described = checkout.text(Path("docs/benchmarks.md"))
    benchmarks = [path.stem for path in checkout.code("tests") if path.match("tests/bench/bench_*.py")]
    assert benchmarks
    assert [name for name in benchmarks if f"| `{name}` |" not in described] == []
