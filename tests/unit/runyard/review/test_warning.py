"""New warnings: told once, wherever their service stands, and anew when what they are about changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from runyard.manifest import load
from runyard.review.warning import find_new_warnings

SERVICE = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: {name}
  annotations:
    run.googleapis.com/{annotation}
spec: {{template: {{spec: {{containers: [{{image: "shop/web:1"}}]}}}}}}
"""
AUTH_ON, AUTH_OFF = 'invoker-iam-disabled: "false"', 'invoker-iam-disabled: "true"'


def new(tmp_path: Path, before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Compare two directories, given as texts by file, and tell each new warning by its file and line."""
    sides = []
    for name, files in (("before", before), ("after", after)):
        (tmp_path / name).mkdir()
        for file, text in files.items():
            (tmp_path / name / file).write_text(text)
        loaded = load([tmp_path / name])
        sides.append((loaded.manifests, loaded.warnings))
    found = find_new_warnings(sides[0], sides[1])
    return [f"{Path(each.location.file).name}:{each.location.line} {each.rule}" for each in found]


def documents(*named: tuple[str, str]) -> dict[str, str]:
    return {"all.yaml": "---\n".join(SERVICE.format(name=name, annotation=text) for name, text in named)}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (documents(("a", "ingress: all")), documents(("a", AUTH_ON)), ["all.yaml:6 support.later"]),
        (documents(("a", AUTH_ON)), documents(("a", AUTH_ON)), []),
        (documents(("a", AUTH_OFF)), documents(("a", AUTH_ON)), ["all.yaml:6 support.later"]),
        (documents(("a", AUTH_ON)), documents(("b", AUTH_ON), ("a", AUTH_ON)), ["all.yaml:6 support.later"]),
        (documents(("a", AUTH_ON)), {"moved.yaml": documents(("a", AUTH_ON))["all.yaml"]}, []),
        (documents(("a", "client-name: one")), documents(("a", "client-name: two")), []),
        (documents(("a", AUTH_ON)), documents(("a", "client-name: two")), ["all.yaml:6 support.kept"]),
    ],
    ids=["new", "open", "other-text", "other-service", "moved", "kept-text", "kept"],
)
def test_warning_is_new_where_its_service_had_none_of_it(
    tmp_path: Path, before: dict[str, str], after: dict[str, str], told: list[str]
) -> None:
    assert new(tmp_path, before, after) == told
