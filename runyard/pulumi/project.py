"""Project: the directory with the Pulumi.yaml that is in force, a team's own or Runyard's checkout; paths are texts.

Light on imports, because what is up to date is told from here before anything else is imported.
"""

from __future__ import annotations

import json
import os

from runyard.errors import UsageError
from runyard.pulumi.backend import PROJECT

SETTINGS = "Pulumi.yaml"
# In a team's repository and ignored by its git: leads to the checkout, which has program, provider and policies.
LINK = ".runyard"
POLICIES = "policies"
# What a checkout has and an installed package does not.
_MARK = os.path.join("toolchain", "bootstrap")


def find_checkout() -> str:
    """Find Runyard's own checkout: where this package lies, or what it was installed from; UsageError without it.

    A package that was installed from a directory notes which (PEP 610).
    """
    beside = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if os.path.exists(os.path.join(beside, _MARK)):
        return beside
    # Here, as a checkout's own commands need none of it.
    from importlib.metadata import PackageNotFoundError, distribution
    from urllib.parse import unquote, urlsplit

    try:
        noted = json.loads(distribution("runyard").read_text("direct_url.json") or "{}")
    except PackageNotFoundError:
        noted = {}
    source = unquote(urlsplit(noted.get("url", "")).path)
    if source and os.path.exists(os.path.join(source, _MARK)):
        return source
    raise UsageError(
        f"find Runyard's checkout: must be at {source or beside}, which has no {_MARK}\n"
        "  install it from a checkout that stays: pipx install --editable CHECKOUT, or `make up` there"
    )


def find_project(directory: str) -> str | None:
    """Find the project that a directory is in, the nearest upwards; None where there is none."""
    here = os.path.abspath(directory)
    while not _is_project(here):
        above = os.path.dirname(here)
        if above == here:
            return None
        here = above
    return here


def stack_settings(stack: str) -> str:
    """Say where a project has the settings of a stack, by a path from the project."""
    return os.path.join("stacks", f"Pulumi.{stack}.yaml")


def split_paths(manifests: str, project: str = "") -> list[str]:
    """Give the paths of a setting of manifests, which commas separate, from a project's directory on."""
    return [os.path.join(project, each.strip()) for each in manifests.split(",") if each.strip()]


def policy_pack(project: str) -> str:
    """Say where the policy pack is, by a path from the project."""
    linked = os.path.join(LINK, POLICIES)
    return linked if os.path.isdir(os.path.join(project, linked)) else POLICIES


def project_of_pack(pack: str) -> str:
    """Find the project by the path at which its Pulumi found the policy pack: beside it, or through the link."""
    above = os.path.dirname(os.path.normpath(pack))
    return os.path.dirname(above) if os.path.basename(above) == LINK else above


def link_checkout(project: str, checkout: str) -> None:
    """Have a project's link lead to the checkout; UsageError where something else has its name."""
    if os.path.realpath(project) == os.path.realpath(checkout):
        return
    link = os.path.join(project, LINK)
    if os.path.islink(link):
        if os.readlink(link) == checkout:
            return
    elif os.path.exists(link):
        raise UsageError(f"{link}: must be Runyard's link to its checkout, and is something else: move it away")
    # Made beside and renamed: an update that runs meanwhile finds the one or the other.
    made = f"{link}.{os.getpid()}"
    try:
        os.symlink(checkout, made)
        os.replace(made, link)
    except OSError as error:
        raise UsageError(f"link {link} to {checkout}: {error.strerror}") from None


def _is_project(directory: str) -> bool:
    try:
        with open(os.path.join(directory, SETTINGS), encoding="utf-8") as file:
            return any(line.split() == ["name:", PROJECT] for line in file)
    except (OSError, UnicodeDecodeError):
        return False
