"""Panels of dashboards: what each shows, in which unit, and by which queries of Prometheus."""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from runyard.dashboards.unit import Unit

# What the labels of a scope stand for in a query.
_SCOPE = "$scope"
# Lines beside each other, or parts of a whole on top of each other.
Kind = Literal["lines", "stack"]
Label = Literal["tenant", "service"]


@dataclass(frozen=True, slots=True)
class Query:
    """One question in PromQL, of as many lines as it finds: `legend` names each by its labels, such as `{code}`.

    `$scope` in it stands for the labels that are asked for, as `metric{$scope}`.
    """

    promql: str
    legend: str

    def ask(self, labels: Mapping[str, str]) -> str:
        """Give its PromQL for what has these labels."""
        # JSON's strings are those of PromQL, whose escapes are Go's.
        told = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items())
        return self.promql.replace(_SCOPE, ",".join(told))

    def name(self, labels: Mapping[str, str]) -> str:
        """Name a line by its labels; one that it lacks is left empty."""
        return self.legend.format_map({name: labels.get(name, "") for name in self.names})

    @property
    def names(self) -> tuple[str, ...]:
        """The labels that name its lines."""
        return tuple(name for _, name, _, _ in string.Formatter().parse(self.legend) if name)


@dataclass(frozen=True, slots=True)
class Panel:
    """What is seen of one thing; `id` is its name for programs, once in a dashboard."""

    id: str
    title: str
    unit: Unit
    queries: tuple[Query, ...]
    kind: Kind = "lines"
    about: str = ""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Panels that are looked at together, of what has the labels of its `scope`; without any, of the whole stack."""

    id: str
    title: str
    panels: tuple[Panel, ...]
    scope: tuple[Label, ...] = ()
