"""Interventions: what was asked for by hand and is not over, in one file, so that a restart forgets none of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from runyard import files
from runyard.codec import VERSION
from runyard.contracts import Override, decode, encode
from runyard.errors import ContractError
from runyard.names import service_key
from services.orchestrator.journal import Journal


@dataclass(frozen=True, slots=True)
class HeldInterventions:
    """The file: counts by hand with their ends, and the instances that are to be replaced."""

    overrides: tuple[Override, ...] = ()
    restarting: tuple[str, ...] = ()
    version: int = VERSION


class Interventions:
    """Overrides by `tenant/service` and restarts by instance, in memory and on disk."""

    def __init__(self, directory: Path, journal: Journal) -> None:
        self._file = directory / "interventions.json"
        self._journal = journal
        self._held = self._load()

    @property
    def restarting(self) -> frozenset[str]:
        """The instances that are to be replaced and are not yet known to be gone."""
        return frozenset(self._held.restarting)

    def overrides(self, now_unix_s: float) -> Mapping[str, Override]:
        """Give the overrides that are not over at this time."""
        return {
            service_key(each.tenant, each.service): each
            for each in self._held.overrides
            if each.until_unix_s > now_unix_s
        }

    def put_override(self, override: Override, now_unix_s: float) -> None:
        """Keep an override in the place of the one that its service had; those that are over go."""
        others = self._others(override.tenant, override.service)
        current = tuple(each for each in others if each.until_unix_s > now_unix_s)
        self._save(replace(self._held, overrides=(*current, override)))

    def end_override(self, tenant: str, service: str) -> None:
        """Forget a service's override; none is no error."""
        others = self._others(tenant, service)
        if len(others) < len(self._held.overrides):
            self._save(replace(self._held, overrides=others))

    def restart(self, instances: Iterable[str]) -> None:
        """Have instances replaced; one that is being replaced already is no error."""
        self._save(replace(self._held, restarting=tuple(sorted(self.restarting.union(instances)))))

    def keep_restarts(self, instances: Collection[str]) -> None:
        """Forget the restarts of all but these instances, which are there still."""
        left = tuple(each for each in self._held.restarting if each in instances)
        if left != self._held.restarting:
            self._save(replace(self._held, restarting=left))

    def _others(self, tenant: str, service: str) -> tuple[Override, ...]:
        return tuple(each for each in self._held.overrides if (each.tenant, each.service) != (tenant, service))

    def _save(self, held: HeldInterventions) -> None:
        files.write(self._file, encode(held))
        self._held = held

    def _load(self) -> HeldInterventions:
        try:
            return decode(HeldInterventions, self._file.read_bytes())
        except FileNotFoundError:
            return HeldInterventions()
        except (ContractError, OSError, ValueError) as error:
            # What was asked for a while ends early: the manifest holds, as it would have a little later.
            self._journal.write("interventions corrupt", level="error", file=self._file.name, error=str(error))
            return HeldInterventions()
