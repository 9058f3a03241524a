from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runyard import images
from runyard.errors import UsageError
from runyard.plan.parts import PARTS

CATALOG = """
web:
  dockerfile: web/Dockerfile
  inputs: [web, "shared/*.py"]
  arguments: {VERSION: 2}
  tags: [1, latest]
tool:
  dockerfile: tool/Dockerfile
  inputs: [tool]
  prepare:
    - {kind: go-binary, source: tool, into: program}
    - {kind: python-wheels, source: tool/requirements.txt, into: libraries, python: "3.11"}
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for file, content in {
        "images/catalog.yaml": CATALOG,
        "web/Dockerfile": "FROM scratch\n",
        "web/lua/main.lua": "return 1\n",
        "shared/a.py": "A = 1\n",
        "shared/b.txt": "not matched\n",
        "tool/Dockerfile": "FROM scratch\n",
    }.items():
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


def test_reference_is_repository_name_and_twelve_hexadecimal_digits(checkout: Path) -> None:
    repository, tag = images.image_reference("web", checkout).split(":")
    assert repository == "runyard/web"
    assert len(tag) == 12
    assert set(tag) <= set("0123456789abcdef")


def test_reference_is_the_same_in_another_place(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other") / "clone"
    shutil.copytree(checkout, other)
    assert images.image_reference("web", other) == images.image_reference("web", checkout)


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "web/lua/main.lua").write_text("return 2\n"),
        lambda root: (root / "web/lua/main.lua").rename(root / "web/lua/other.lua"),
        lambda root: (root / "web/lua/main.lua").chmod(0o755),
        lambda root: (root / "web/new").touch(),
        lambda root: (root / "shared/a.py").write_text("A = 2\n"),
        lambda root: (root / "images/catalog.yaml").write_text(CATALOG.replace("VERSION: 2", "VERSION: 3")),
    ],
    ids=["content", "name", "mode", "new file", "glob", "argument"],
)
def test_reference_changes_with_whatever_shapes_the_image(checkout: Path, change: object) -> None:
    before = images.image_reference("web", checkout)
    assert callable(change)
    change(checkout)
    assert images.image_reference("web", checkout) != before


def test_program_of_another_module_is_another_image_and_where_none_is_named_it_is_as_it_was(checkout: Path) -> None:
    catalog = checkout / "images/catalog.yaml"
    before = images.image_reference("tool", checkout)
    catalog.write_text(CATALOG.replace("into: program", "into: program, package: example.org/app"))
    assert images.load_catalog(checkout)["tool"].prepare[0].package == "example.org/app"
    assert images.image_reference("tool", checkout) != before
    catalog.write_text(CATALOG.replace("into: program", 'into: program, package: "."'))
    assert images.image_reference("tool", checkout) == before


@pytest.mark.parametrize("file", ["web/__pycache__/x.cpython-311.pyc", "web/.main.lua.swp", "shared/b.txt", "tool/x"])
def test_reference_does_not_change_with_what_is_no_part_of_the_image(checkout: Path, file: str) -> None:
    before = images.image_reference("web", checkout)
    (checkout / file).parent.mkdir(exist_ok=True)
    (checkout / file).write_text("changed")
    assert images.image_reference("web", checkout) == before


@pytest.mark.parametrize(
    "change", [("into: program", "into: other"), ("into: libraries", "into: lib"), ("3.11", "3.12")]
)
def test_reference_changes_with_how_any_part_is_prepared(checkout: Path, change: tuple[str, str]) -> None:
    before = images.image_reference("tool", checkout)
    (checkout / "images/catalog.yaml").write_text(CATALOG.replace(*change))
    assert images.image_reference("tool", checkout) != before


def test_two_files_do_not_read_as_one(checkout: Path) -> None:
    before = images.image_reference("web", checkout)
    (checkout / "web/lua/main.lua").write_text("")
    (checkout / "web/lua/main.lua1").write_text("return 1\n")
    assert images.image_reference("web", checkout) != before


def test_input_files_are_sorted_and_relative(checkout: Path) -> None:
    recipe = images.load_catalog(checkout)["web"]
    assert [str(each) for each in images.input_files(recipe, checkout)] == [
        "shared/a.py",
        "web/Dockerfile",
        "web/lua/main.lua",
    ]


def test_tags_name_the_image_further(checkout: Path) -> None:
    recipe = images.load_catalog(checkout)["web"]
    assert images.tag_references(recipe) == ["runyard/web:1", "runyard/web:latest"]
    assert images.recipe_reference(recipe, checkout) == images.image_reference("web", checkout)


def test_unknown_image_is_refused_with_the_known_ones(checkout: Path) -> None:
    with pytest.raises(UsageError) as caught:
        images.image_reference("wbe", checkout)
    assert str(caught.value) == "image: must be one of tool, web, got 'wbe'"


def test_missing_input_is_named(checkout: Path) -> None:
    (checkout / "shared/a.py").unlink()
    with pytest.raises(UsageError) as caught:
        images.image_reference("web", checkout)
    assert str(caught.value) == f"image web: input shared/*.py: must exist under {checkout}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("web: 3", "image web: must be a mapping, got 3"),
        ("web: {inputs: [a]}", "image web: dockerfile: must be given"),
        ("web: {dockerfile: a}", "image web: inputs: must be given"),
        (
            "web: {dockerfile: a, inputs: [a], input: b}",
            "image web: input: must be one of arguments, dockerfile, inputs, prepare, tags",
        ),
        (
            "web: {dockerfile: a, inputs: [a], prepare: [{kind: npm}]}",
            "image web: prepare[0].kind: must be one of go-binary, npm-page, python-wheels, got 'npm'",
        ),
        (
            "web: {dockerfile: a, inputs: [a], prepare: [wheels]}",
            "image web: prepare[0].kind: must be one of go-binary, npm-page, python-wheels, got 'wheels'",
        ),
        (
            "web: {dockerfile: a, inputs: [a], prepare: [{kind: python-wheels, source: a, into: b}]}",
            "image web: prepare[0].python: must be given",
        ),
        (
            "web: {dockerfile: a, inputs: [a], prepare: {kind: go-binary}}",
            "image web: prepare: must be a list, got {'kind': 'go-binary'}",
        ),
        (
            "web: {dockerfile: a, inputs: [a], prepare: [{kind: go-binary, source: a, into: b}, {kind: go-binary}]}",
            "image web: prepare[1].source: must be given",
        ),
        (
            "web: {dockerfile: a, inputs: [a], prepare: [{kind: go-binary, source: a, into: b}, "
            "{kind: go-binary, source: c, into: b}]}",
            "image web: prepare: into: must differ, got 'b' twice",
        ),
    ],
)
def test_recipe_that_does_not_fit_is_refused_with_its_key(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images/catalog.yaml").write_text(text)
    with pytest.raises(UsageError) as caught:
        images.load_catalog(tmp_path)
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["[", "- web", ""])
def test_catalog_that_is_none_is_refused_with_its_path(tmp_path: Path, text: str) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images/catalog.yaml").write_text(text)
    with pytest.raises(UsageError, match=f"image catalog {tmp_path}/images/catalog.yaml: "):
        images.load_catalog(tmp_path)


def test_missing_catalog_is_refused_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        images.load_catalog(tmp_path)


def test_catalog_of_this_checkout_names_every_image_that_the_platform_needs() -> None:
    catalog = images.load_catalog()
    assert set(catalog) == {*(part.image for part in PARTS), "hello"}
    assert images.tag_references(catalog["hello"])[0] == "runyard/hello:1"
    for name in catalog:
        assert images.image_reference(name).startswith(f"runyard/{name}:")


@pytest.mark.parametrize("service", ["billing", "console", "meter", "orchestrator"])
def test_inputs_of_a_service_are_all_that_it_imports(tmp_path: Path, service: str) -> None:
    """A module that the image lacks would be noticed only when the service starts."""
    for file in images.input_files(images.load_catalog()[service]):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(images.ROOT / file, tmp_path / file)
    program = (
        "import sys\n"
        f"sys.path = [{str(tmp_path)!r}] + [each for each in sys.path if each not in ('', {str(images.ROOT)!r})]\n"
        f"import services.{service}.__main__\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.stderr == ""
