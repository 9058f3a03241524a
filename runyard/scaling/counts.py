"""Counts: how many instances revisions and their services have, the one owner of these sums; pure.

A service's own counts are divided over its revisions by their share of the traffic and rounded up, so that together
they are never too few. A count that was set by hand is exact, and excludes all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from runyard.contracts import RevisionDocument, RolloutRequest

Request = TypeVar("Request", bound=RolloutRequest)

# What a revision can always have: it is reached by its name, so it must be able to wake, or to be there.
REACHABLE = 1
# What stays of a revision that is frozen.
FROZEN = 1
# A persistent volume is never written by two.
WRITERS = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """What a revision and its service say of counts; a maximum of 0 is none, and None by hand is not by hand.

    `one_writer` says that the revision has a persistent volume, which two instances must never write, and `initial`
    with how many a new revision is proved. One that `freezes` holds an instance's memory while it sleeps.
    """

    least: int = 0
    most: int = 0
    service_least: int = 0
    service_most: int = 0
    by_hand: int | None = None
    one_writer: bool = False
    initial: int = 1
    freezes: bool = False

    @property
    def held(self) -> int:
        """How many instances it holds at least, whether or not they run."""
        return FROZEN if self.freezes else 0


@dataclass(frozen=True, slots=True)
class Span:
    """Fewest and most instances; None is no limit."""

    least: int
    most: int | None


def with_scheduled(rollout: Request, scheduled: int) -> Request:
    """Give a rollout as it counts instances while its service's schedule asks for so many at least."""
    return rollout if scheduled <= rollout.min_instances else replace(rollout, min_instances=scheduled)


def with_most(rollout: Request, most: int) -> Request:
    """Give a rollout as it counts instances while its service may have so many at most, and by hand no more."""
    by_hand = rollout.manual_instances
    if most == 0:
        return replace(rollout, manual_instances=0)
    bound = min(most, rollout.max_instances or most)
    return replace(rollout, max_instances=bound, manual_instances=None if by_hand is None else min(by_hand, most))


def settings_of(document: RevisionDocument, rollout: RolloutRequest) -> Settings:
    """Give what a revision's document and its service's rollout say of counts, but for the rollout's schedule."""
    return Settings(
        least=document.min_instances,
        most=document.max_instances,
        service_least=rollout.min_instances,
        service_most=rollout.max_instances,
        by_hand=rollout.manual_instances,
        one_writer=any(each.kind == "persistent" for each in document.volumes),
        initial=document.scaling.initial_instances,
        freezes=document.scaling.idle == "freeze",
    )


def part_of(count: int, percent: int) -> int:
    """Give the part of a service's own count that a share of its traffic has, rounded up."""
    return -(-count * percent // 100)


def desired_count(settings: Settings, percent: int) -> int:
    """Count the instances that a revision keeps at this share, whatever its load is: none where none is asked for.

    One that is named has a part of what is set by hand, unless by hand none has.
    """
    if settings.by_hand is not None:
        count = _count_by_hand(settings.by_hand, percent)
        return min(count, WRITERS) if settings.one_writer else count
    return _within(settings, max(settings.least, part_of(settings.service_least, percent)))


def matching_count(settings: Settings, percent: int, serving: int) -> int:
    """Count the instances that a revision needs before it gets this share of what `serving` instances carry now."""
    desired = desired_count(settings, percent)
    if settings.by_hand is not None:
        return desired
    return max(desired, _within(settings, part_of(serving, percent)))


def proving_count(settings: Settings, percent: int, serving: int) -> int:
    """Count the instances with which a new revision is proved: what it needs, and at least its initial scale.

    An initial scale of none proves it by one all the same: traffic moves only to what has answered.
    """
    matching = matching_count(settings, percent, serving)
    if settings.by_hand is not None:
        return matching
    return max(matching, _within(settings, max(settings.initial, REACHABLE)))


def revision_span(settings: Settings, percent: int, kept: int = 0) -> Span:
    """Give fewest and most instances of a revision at this share, but for the service's maximum, which is for all.

    Without `kept` the fewest are those that somebody asked for: what is paid, as on Cloud Run.
    """
    if settings.by_hand is not None:
        count = _count_by_hand(settings.by_hand, percent)
        return Span(count, count)
    least = max(kept, settings.least, part_of(settings.service_least, percent))
    return Span(least, max(least, settings.most) if settings.most else None)


def service_span(settings: Settings, percents: Sequence[int], kept: int = 0) -> Span:
    """Give fewest and most instances of a service whose revisions, one for each share, all have these settings."""
    least = sum(revision_span(settings, percent, kept).least for percent in percents)
    if settings.by_hand is not None:
        return Span(least, least)
    bounds = [bound for bound in (settings.most * len(percents), settings.service_most) if bound]
    return Span(least, max(least, service_bound(min(bounds), len(percents))) if bounds else None)


def service_bound(most: int, revisions: int) -> int:
    """Give what a service's maximum is for its revisions together, each of which can have an instance in any case."""
    return max(most, REACHABLE * revisions)


def _count_by_hand(count: int, percent: int) -> int:
    return max(REACHABLE, part_of(count, percent)) if count else 0


def _within(settings: Settings, count: int) -> int:
    """Hold a count within both maxima; the revision's own minimum is never cut, but for the sake of a volume."""
    bounds = [bound for bound in (settings.most, settings.service_most) if bound]
    held = max(settings.least, min([count, *bounds]))
    return min(held, WRITERS) if settings.one_writer else held
