"""Document of the API, for the page's build: written to standard output, from the operations themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from services.console.api.app import make_app
from services.console.identity.accounts import Accounts
from services.console.scope import Sources


def describe() -> dict[str, Any]:
    """Describe the API of any console: what it reads from is asked for nothing."""
    described: dict[str, Any] = make_app(cast(Accounts, None), cast(Sources, None), Path("/nonexistent")).openapi()
    return described


if __name__ == "__main__":
    print(json.dumps(describe(), indent=1, ensure_ascii=False))
