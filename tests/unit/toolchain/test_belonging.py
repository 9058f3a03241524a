from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from runyard.errors import UsageError
from toolchain.belonging import Belonging


def make(tmp_path: Path, name: str, variables: dict[str, str]) -> Belonging:
    (tmp_path / name).mkdir(exist_ok=True)
    return Belonging({**variables, "RUNYARD_DATA": f"{tmp_path}/data"}, tmp_path / name, "dev")


def test_stack_is_of_the_repository_that_brought_it_up_until_it_is_taken_down(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    shop, blog = (make(tmp_path, name, variables) for name in ("shop", "blog"))
    blog.check()
    shop.note()
    shop.check()
    with pytest.raises(UsageError) as caught:
        blog.check()
    assert str(caught.value) == (
        f"stack dev: must be of this repository, {tmp_path}/blog, and is of {tmp_path}/shop\n"
        f"  choose another name: --stack NAME, or take that one down: cd {tmp_path}/shop && runyard down --stack dev"
    )
    shop.forget()
    blog.check()


def test_repository_that_was_moved_keeps_its_stack(tmp_path: Path, variables: dict[str, str]) -> None:
    make(tmp_path, "shop", variables).note()
    (tmp_path / "shop").rename(tmp_path / "store")
    make(tmp_path, "store", variables).check()


def test_clones_of_one_origin_share_a_stack(tmp_path: Path) -> None:
    clones = []
    for name, origin in (("one", "git@host:shop"), ("two", "git@host:shop"), ("three", "git@host:blog")):
        clone = make(tmp_path, name, {"PATH": "/usr/bin:/bin"})
        for command in (["init", "-q"], ["remote", "add", "origin", origin]):
            subprocess.run(["git", "-C", tmp_path / name, *command], check=True)
        clones.append(clone)
    clones[0].note()
    clones[1].check()
    with pytest.raises(UsageError, match="is of"):
        clones[2].check()


def test_note_that_cannot_be_read_is_none(tmp_path: Path, variables: dict[str, str]) -> None:
    shop = make(tmp_path, "shop", variables)
    shop.note()
    (tmp_path / "data" / "home.dev.json").write_text("[")
    make(tmp_path, "blog", variables).check()
