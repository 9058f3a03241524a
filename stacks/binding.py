"""Binding of an update to a saved plan: `make up PLAN=plan.json` goes on only with what was reviewed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from runyard.errors import UsageError
from runyard.pulumi.binding import bind, check_binding, parse_binding
from runyard.pulumi.state import parse_state
from stacks.admission import Admitted

# A variable and not the stack's configuration, where Pulumi would keep it for the next update.
VARIABLE = "RUNYARD_PLAN"


def check_plan(environment: Mapping[str, str], admitted: Admitted, export: str) -> None:
    """Refuse what differs from the plan that the environment names, if it names one.

    `export` is the state as this update found it, which holds the stack's lock. Raises PlanError with what moved,
    ContractError for a file that is no plan, UsageError for one that cannot be read.
    """
    file = environment.get(VARIABLE)
    if not file:
        return
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"read the plan {file}: {error}") from error
    saved = parse_binding(text)
    check_binding(saved, bind((saved.before, saved.after), admitted.manifests, admitted.plan, parse_state(export)))
