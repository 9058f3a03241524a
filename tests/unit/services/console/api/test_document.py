"""The API's document as the page's build has it, and what that build takes from others."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.unit.checkout import ROOT

WEB = ROOT / "services" / "console" / "web"


def test_pages_client_is_made_of_the_api_as_it_is() -> None:
    command = [sys.executable, "-m", "services.console.document"]
    described = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert (WEB / "openapi.json").read_text(encoding="utf-8") == described, (
        "run python -m services.console.document > services/console/web/openapi.json"
    )


def test_lock_file_of_the_page_names_no_registry_and_has_every_hash() -> None:
    packages = json.loads((WEB / "package-lock.json").read_text())["packages"]
    of_others = {name: each for name, each in packages.items() if name}
    assert len(of_others) > 50
    assert [name for name, each in of_others.items() if "resolved" in each] == []
    assert [name for name, each in of_others.items() if not each.get("integrity", "").startswith("sha512-")] == []
