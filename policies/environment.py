"""Environment of a stack, which some rules hold in alone."""

from __future__ import annotations

import re
from typing import Literal

Environment = Literal["development", "production"]
# A stack's name is production's if one of its words is here; any other is development's.
PRODUCTION_WORDS = frozenset({"prod", "production", "prd", "live"})
_WORD = re.compile("[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def environment_of(stack: str) -> Environment:
    """Tell a stack's environment by its name: production if one of its words is, in whatever case, else development.

    A word ends at a sign, at a digit and before a capital: `eu-prod`, `PROD`, `prod1` and `shopProd` are production.
    """
    words = {word.casefold() for word in _WORD.findall(stack)}
    return "production" if words & PRODUCTION_WORDS else "development"
