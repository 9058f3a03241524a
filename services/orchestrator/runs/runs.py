"""Runs: begin them, tell how they are, and remove each when it was taken leave of or nobody asks for it any more."""

from __future__ import annotations

import asyncio

from runyard.contracts import InstanceStatus, RunRequest, RunStatus, encode
from runyard.errors import HostError, NotFound, UsageError
from runyard.names import digest, service_key
from services.orchestrator.model.revision import Revision
from services.orchestrator.model.run import revision_of_run
from services.orchestrator.rollout.joined import Parts
from services.orchestrator.runs.quota import Taken, check_quota
from services.orchestrator.runs.run import Run
from services.orchestrator.runs.work import Publish, Released, RunWork
from services.orchestrator.store.acceptance import check_document
from services.orchestrator.store.book import INSTANCE_ID
from services.orchestrator.traffic.shift import percents

# Whoever started a run asks for it every few seconds; after so long without a question nobody is there any more. It is
# longer than an orchestrator takes to be replaced, which an asker sits out.
UNATTENDED_S = 20.0
LOOK_S = 1.0
RETRY_S = 1.0
# What belongs into a service of its own runs longer.
LONGEST_RUN_S = 24 * 3600
# What stopping and removing takes an engine beside the grace.
REMOVAL_S = 30.0


class Runs:
    """The runs of a stack, by their numbers; the book has them, so that another orchestrator goes on with them."""

    def __init__(self, parts: Parts, publish: Publish) -> None:
        self._parts = parts
        self._work = RunWork(parts, publish)
        # At once, so that whoever asks for one never hears that it is gone.
        now = parts.timing.clock()
        self._runs = {number: Run(entry, now) for number, entry in parts.run_book.entries.items()}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        # One at a time, or two would both find room for one.
        self._turn = asyncio.Lock()

    async def begin(self, request: RunRequest) -> RunStatus:
        """Begin a run, or tell of the one that this very request began.

        NotFound without the service or revision, UsageError for what does not fit it, PolicyError for what its tenant's
        quota has no room for.
        """
        key = digest(encode(request))
        async with self._turn:
            run = self._runs.get(request.run)
            if run is None:
                revision = self._read(request)
                self._check_quota(revision)
                entry = await self._work.enter(request.run, revision, key, request.timeout_s)
                run = self._runs[request.run] = Run(entry, self._parts.timing.clock())
                self._spawn(run, revision)
                told = {"service": revision.service_key, "revision": revision.name, "run": run.id}
                self._parts.tools.journal.write("run begun", **told)
            elif run.entry.request != key:
                raise UsageError(f"run {request.tenant}/{request.service}: number {request.run} is another run's")
        run.attended_s = self._parts.timing.clock()
        return run.status()

    def _read(self, request: RunRequest) -> Revision:
        where = f"run {request.tenant}/{request.service}"
        if not INSTANCE_ID.fullmatch(request.run):
            raise UsageError(f"{where}: run must be up to 16 hexadecimal digits, got {request.run!r}")
        if not request.command or not request.command[0]:
            raise UsageError(f"{where}: command must name a program, got {request.command!r}")
        if not 0 < request.timeout_s <= LONGEST_RUN_S:
            raise UsageError(f"{where}: timeout_s must be from 1 to {LONGEST_RUN_S}, got {request.timeout_s}")
        revision = revision_of_run(self._revision(where, request), request)
        check_document(revision.spec, revision.spec.stack)
        return revision

    def _revision(self, where: str, request: RunRequest) -> Revision:
        """Find the revision of a request, or that with the largest share of the traffic."""
        rollout = self._parts.rollouts.in_force.get(service_key(request.tenant, request.service))
        if rollout is None:
            raise NotFound(f"{where}: it has no traffic in force")
        # Where traffic is on its way, that is where it goes; of equal shares the newest.
        shares = percents(rollout.traffic)
        newest = [*rollout.history, *sorted(shares)]
        name = request.revision or max(shares, key=lambda each: (shares[each], -newest.index(each)))
        revision = self._parts.documents.revisions.get(service_key(request.tenant, name))
        if revision is None or revision.service != request.service:
            raise NotFound(f"{where}: revision {name} is not kept (runyard revisions lists those that are)")
        return revision

    def _check_quota(self, revision: Revision) -> None:
        documents, tenant = self._parts.documents, revision.tenant
        found = [
            Taken(held.spec.cpu_millis, held.spec.memory_bytes)
            for each in self._parts.tools.inventory.instances()
            if each.tenant == tenant and (held := documents.get(tenant, each.identity)) is not None
        ]
        runs = [each.entry for each in self._runs.values() if each.entry.made.tenant == tenant]
        found += [Taken(each.cpu_millis, each.memory_bytes) for each in runs]
        check_quota(revision, self._parts.claim.quotas(tenant), found)

    async def wait(self, tenant: str, service: str, number: str, wait_s: float) -> RunStatus:
        """Tell how a run is, once that changes or when the wait is over; NotFound for one that there is not."""
        run = self._find(tenant, service, number)
        if run is None:
            raise NotFound(f"run {tenant}/{service}: there is no run {number}")
        if run.state in ("starting", "running") and wait_s > 0:
            await self._parts.timing.within(wait_s, run.changed.wait())
        run.attended_s = self._parts.timing.clock()
        return run.status()

    async def end(self, tenant: str, service: str, number: str) -> None:
        """Take leave of a run: stop it if it runs, and remove it; one that is gone is fine."""
        run = self._find(tenant, service, number)
        if run is not None:
            run.released.set()
            await self._parts.timing.within(run.entry.grace_s + REMOVAL_S, run.gone.wait())

    def _find(self, tenant: str, service: str, number: str) -> Run | None:
        run = self._runs.get(number)
        made = run.entry.made if run else None
        return run if made and (made.tenant, made.service) == (tenant, service) else None

    def instances(self) -> tuple[InstanceStatus, ...]:
        """Describe them as the instances that they are."""
        return tuple(each.instance() for each in self._runs.values())

    async def run(self) -> None:
        """Go on with the runs of the book, and let those go that nobody asks for, until cancelled."""
        clock = self._parts.timing.clock
        for run in self._runs.values():
            if run.id not in self._tasks:
                self._spawn(run, None)
        while True:
            await self._parts.timing.sleep(LOOK_S)
            for run in self._runs.values():
                if clock() - run.attended_s > UNATTENDED_S and not run.released.is_set():
                    self._parts.tools.journal.write("run unattended", level="warning", run=run.id)
                    run.released.set()

    def _spawn(self, run: Run, revision: Revision | None) -> None:
        self._tasks[run.id] = asyncio.create_task(self._carry(run, revision))

    async def _carry(self, run: Run, revision: Revision | None) -> None:
        """Carry a run through its life; without a revision it is one that an earlier orchestrator began."""
        try:
            if revision is not None:
                await self._work.make(run, revision)
            elif not run.entry.started_unix_s:
                raise HostError(f"run {run.id}: the orchestrator was ended before its command was started")
            await self._work.follow(run)
        except Released:
            run.tell("ending")
        except HostError as error:
            run.tell("failed", str(error))
        told = {"run": run.id, "state": run.state, "exit_code": run.exit_code, "reason": run.reason}
        self._parts.tools.journal.write("run ended", **told)
        await run.released.wait()
        run.tell("ending", exit_code=run.exit_code)
        await self._remove(run)

    async def _remove(self, run: Run) -> None:
        while True:
            try:
                await self._work.remove(run)
                break
            except HostError as error:
                told = {"run": run.id, "error": str(error)}
                self._parts.tools.journal.write("run not removed", level="error", **told)
                await self._parts.timing.sleep(RETRY_S)
        del self._runs[run.id], self._tasks[run.id]
        run.gone.set()

    async def close(self) -> None:
        """Leave all runs as they are; the next orchestrator finds them in the book."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
