"""Interventions: what hands and budgets ask for and is not over, in one file, so that a restart forgets none of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from runyard import files
from runyard.codec import VERSION
from runyard.contracts import Override, Pause, Restriction, decode, encode
from runyard.errors import ContractError
from runyard.journal import Journal
from runyard.names import service_key


@dataclass(frozen=True, slots=True)
class HeldInterventions:
    """The file: counts by hand, pauses and restrictions with their ends, and instances to be replaced or drained."""

    overrides: tuple[Override, ...] = ()
    restarting: tuple[str, ...] = ()
    pauses: tuple[Pause, ...] = ()
    draining: tuple[str, ...] = ()
    restrictions: tuple[Restriction, ...] = ()
    version: int = VERSION


Ending = TypeVar("Ending", Override, Pause)


class Interventions:
    """Overrides and pauses by `tenant/service`, restarts and drains by instance, in memory and on disk."""

    def __init__(self, directory: Path, journal: Journal) -> None:
        self._file = directory / "interventions.json"
        self._journal = journal
        self._held = self._load()

    @property
    def restarting(self) -> frozenset[str]:
        """The instances that are to be replaced and are not yet known to be gone."""
        return frozenset(self._held.restarting)

    @property
    def draining(self) -> frozenset[str]:
        """The instances that are to be drained and are not yet known to be gone."""
        return frozenset(self._held.draining)

    def overrides(self, now_unix_s: float) -> Mapping[str, Override]:
        """Give the overrides that are not over at this time."""
        return _current(self._held.overrides, now_unix_s)

    def pauses(self, now_unix_s: float) -> Mapping[str, Pause]:
        """Give the pauses that are not over at this time."""
        return _current(self._held.pauses, now_unix_s)

    def restrictions(self, now_unix_s: float) -> Mapping[str, Restriction]:
        """Give the restrictions that are not over at this time, by tenant."""
        return {each.tenant: each for each in self._held.restrictions if each.until_unix_s > now_unix_s}

    def put_restrictions(self, restrictions: tuple[Restriction, ...]) -> bool:
        """Keep these in the place of all that there were; False where they are the same."""
        if restrictions == self._held.restrictions:
            return False
        self._save(replace(self._held, restrictions=restrictions))
        return True

    def put_override(self, override: Override, now_unix_s: float) -> None:
        """Keep an override in the place of the one that its service had; those that are over go."""
        others = _current(self._held.overrides, now_unix_s)
        others = {**others, service_key(override.tenant, override.service): override}
        self._save(replace(self._held, overrides=tuple(others.values())))

    def put_pause(self, pause: Pause, now_unix_s: float) -> None:
        """Keep a pause in the place of the one that its service had; those that are over go."""
        others = {**_current(self._held.pauses, now_unix_s), service_key(pause.tenant, pause.service): pause}
        self._save(replace(self._held, pauses=tuple(others.values())))

    def end_override(self, tenant: str, service: str) -> None:
        """Forget a service's override; none is no error."""
        others = _others(self._held.overrides, tenant, service)
        if others != self._held.overrides:
            self._save(replace(self._held, overrides=others))

    def end_pause(self, tenant: str, service: str) -> None:
        """Forget a service's pause; none is no error."""
        others = _others(self._held.pauses, tenant, service)
        if others != self._held.pauses:
            self._save(replace(self._held, pauses=others))

    def restart(self, instances: Iterable[str]) -> None:
        """Have instances replaced; one that is being replaced already is no error."""
        self._save(replace(self._held, restarting=tuple(sorted(self.restarting.union(instances)))))

    def drain(self, instances: Iterable[str]) -> None:
        """Have instances drained; one that is being drained already is no error."""
        self._save(replace(self._held, draining=tuple(sorted(self.draining.union(instances)))))

    def keep_instances(self, instances: Collection[str]) -> None:
        """Forget the restarts and drains of all but these instances, which are there still."""
        restarting, draining = (
            tuple(each for each in named if each in instances) for named in (self._held.restarting, self._held.draining)
        )
        if (restarting, draining) != (self._held.restarting, self._held.draining):
            self._save(replace(self._held, restarting=restarting, draining=draining))

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


def _current(held: Iterable[Ending], now_unix_s: float) -> dict[str, Ending]:
    """Give those that are not over, by `tenant/service`."""
    return {service_key(each.tenant, each.service): each for each in held if each.until_unix_s > now_unix_s}


def _others(held: Iterable[Ending], tenant: str, service: str) -> tuple[Ending, ...]:
    return tuple(each for each in held if (each.tenant, each.service) != (tenant, service))
