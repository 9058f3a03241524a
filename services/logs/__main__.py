"""Entry of the logs' part: read the environment, join the parts, run until told to stop."""

from __future__ import annotations

import os

from runyard.journal import Journal
from runyard.process import run_until_told
from services.logs.service import serve
from services.logs.settings import parse_settings


async def main(journal: Journal) -> None:
    """Run until cancelled."""
    await serve(parse_settings(os.environ), journal)


if __name__ == "__main__":
    run_until_told(main)
