"""Loader: all problems of all files, and that hostile or huge sets end soon."""

from __future__ import annotations

import cProfile
import subprocess
import sys
from pathlib import Path

import pytest

from runyard.errors import ManifestError
from runyard.manifest import load
from runyard.manifest.loader import FILE_PROBLEM_LIMIT
from runyard.manifest.rules_set import PROBLEM_LIMIT as SET_PROBLEM_LIMIT
from runyard.manifest.schema import PROBLEM_LIMIT

SERVICE = (
    "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {{name: {name}{more}}}\n"
    "spec: {{template: {{spec: {{containers: [{{image: 'a:1'}}]}}}}}}\n"
)


def told(*paths: Path | str) -> list[str]:
    with pytest.raises(ManifestError) as raised:
        load(paths)
    return str(raised.value).splitlines()


def test_load_without_paths_is_a_problem() -> None:
    assert told() == [".:1:1: must name at least one manifest"]


def test_error_ends_with_code_2_and_carries_warnings_too(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(SERVICE.format(name="Bad", more=", uid: x"))
    with pytest.raises(ManifestError) as raised:
        load([file])
    assert raised.value.exit_code == 2
    assert [line.partition(".yaml:")[2].split(" ")[0] for line in str(raised.value).splitlines()] == ["3:18:", "3:23:"]


def test_every_document_after_a_warning_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("---\n".join(SERVICE.format(name=name, more=", uid: x") for name in "abc"))
    loaded = load([file])
    assert [service.name for service in loaded.manifests.services] == ["a", "b", "c"]
    assert [warning.location.line for warning in loaded.warnings] == [3, 8, 13]


def test_same_input_gives_the_same_text(tmp_path: Path) -> None:
    for name in "cab":
        (tmp_path / f"{name}.yaml").write_text(SERVICE.format(name="Bad", more=", z: 1, y: 2, namespace: '1'"))
    first = told(tmp_path)
    assert first == told(tmp_path) == sorted(first, key=lambda line: line.partition(".yaml")[0])


def test_type_is_told_once_and_not_again_by_other_rules(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(SERVICE.format(name="a", more=", annotations: {run.googleapis.com/ingress: [true]}"))
    assert [line.partition("]: ")[2] for line in told(file)] == ["must be text, got a list"]


def test_keys_without_end_are_capped(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(SERVICE.format(name="a", more="".join(f", annotation{n}: 1" for n in range(5000))))
    lines = told(file)
    assert len(lines) == PROBLEM_LIMIT + 1
    assert lines[0].endswith("has 100 problems; the others are not shown")


def test_documents_of_another_kind_without_end_are_capped(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("---\na\n" * 200_000)
    lines = told(file)
    assert len(lines) == FILE_PROBLEM_LIMIT + 1
    assert sum(line.endswith("has 1000 problems; reading stopped here") for line in lines) == 1


def test_file_of_50_mb_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    with file.open("wb") as stream:
        stream.truncate(50 * 1024 * 1024)
    assert told(file) == [f"{file}:1:1: must be at most 8 MiB"]


def test_two_thousand_services_in_a_file_take_linear_work(tmp_path: Path) -> None:
    def calls(count: int) -> int:
        file = tmp_path / f"{count}.yaml"
        file.write_text("---\n".join(SERVICE.format(name=f"s{n}", more="") for n in range(count)))
        profile = cProfile.Profile()
        loaded = profile.runcall(load, [file])
        assert len(loaded.manifests.services) == count
        return sum(entry.callcount for entry in profile.getstats())

    calls(10)
    # Calls and not seconds, which a busy machine stretches; ten times as many services, and a little for a start.
    assert calls(2000) < 11 * calls(200)


def test_ring_of_callers_is_no_cycle(tmp_path: Path) -> None:
    names = [f"s{n}" for n in range(50)]
    for name, callee in zip(names, names[1:] + names[:1], strict=True):
        more = f", annotations: {{runyard.dev/uses: {callee}}}"
        (tmp_path / f"{name}.yaml").write_text(SERVICE.format(name=name, more=more))
    assert len(load([tmp_path]).manifests.services) == 50


def test_calls_of_unknown_services_are_capped_and_hints_given_to_the_first(tmp_path: Path) -> None:
    callees = ",".join(f"s{n}x" for n in range(30))
    more = f", annotations: {{runyard.dev/uses: '{callees}'}}"
    (tmp_path / "a.yaml").write_text("---\n".join(SERVICE.format(name=f"s{n}", more=more) for n in range(1000)))
    lines = told(tmp_path)
    assert len(lines) == SET_PROBLEM_LIMIT + 1
    assert sum("did you mean" in line for line in lines) == 10
    assert sum(line.endswith("is the 1000th name of no service; the others are not shown") for line in lines) == 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (", annotations: {runyard.dev/uses: '" + "a-" * 150_000 + "'}", "must have at most 262144 characters"),
        (", annotations: {run.googleapis.com/minScale: '" + "9" * 5000 + "'}", "must be a whole number"),
    ],
    ids=["size", "digits"],
)
def test_annotation_without_end_is_refused(tmp_path: Path, more: str, said: str) -> None:
    (tmp_path / "a.yaml").write_text(SERVICE.format(name="a", more=more))
    assert any(said in line for line in told(tmp_path))
    assert max(map(len, told(tmp_path))) < 500


def test_container_dependencies_without_end_are_refused_unparsed(tmp_path: Path) -> None:
    annotation = "{a: [" + ",".join(["b"] * 5000) + "]}"
    text = SERVICE.format(name="a", more="").replace(
        "template: {",
        f"template: {{metadata: {{annotations: {{run.googleapis.com/container-dependencies: '{annotation}'}}}}, ",
    )
    (tmp_path / "a.yaml").write_text(text)
    assert [line.partition("]: ")[2] for line in told(tmp_path)] == [
        f"must have at most 8192 characters, got {len(annotation)}"
    ]


def test_unknown_name_of_the_package_is_an_attribute_error() -> None:
    import runyard.manifest

    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        runyard.manifest.nothing  # noqa: B018


def test_model_is_imported_without_yaml() -> None:
    program = "import sys, runyard.manifest.model; print(sorted({'yaml', 'jsonschema_rs'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_only_the_safe_c_loader_is_reachable() -> None:
    for file in (Path(__file__).parents[4] / "runyard").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        for unsafe in ("yaml.load", "yaml.full_load", "yaml.unsafe", "UnsafeLoader", "FullLoader", "yaml.Loader"):
            assert unsafe not in text, file
