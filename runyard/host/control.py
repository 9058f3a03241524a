"""Control of a stack's orchestrator, reached through the Docker API so that a remote host needs no open port."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from runyard import contracts, names
from runyard.errors import (
    HostError,
    HostUnreachable,
    NotFound,
    PolicyError,
    RelayEnded,
    RolloutError,
    RunyardError,
    UsageError,
)
from runyard.host.engine import Engine
from runyard.host.relay import Relay
from runyard.names import service_key

if TYPE_CHECKING:
    from runyard.contracts import (
        CertificateRequest,
        DecisionList,
        DrainAccepted,
        DrainRequest,
        Holdings,
        InstanceList,
        OrchestratorStatus,
        Override,
        Pause,
        PauseRequest,
        RecordedLoad,
        RestartAccepted,
        RestartRequest,
        RevisionList,
        RollbackRequest,
        RolloutAccepted,
        RolloutOutcomes,
        RunRequest,
        RunStatus,
        ScaleRequest,
        ServiceList,
        ServiceRequest,
    )

# A container that the engine has just (re)started needs this long at worst until its socket answers.
START_TIMEOUT_S = 30
_RETRY_INTERVAL_S = 0.1
# What it knows it tells in milliseconds, or in some seconds on a host that is busy starting containers; one that has
# hung must not cost those their patience who have little of it.
_TELL_S = 5
# An orchestrator that cannot start says why in its last lines; a traceback fits.
_LAST_LINES = 10
# Time over a rollout's own deadline in which the orchestrator drains and answers why it failed.
_ANSWER_MARGIN_S = 60


class Orchestrator:
    """The orchestrator of one stack; every call waits for a starting one and raises HostError when it cannot.

    Its calls share one connection, so it is for one thread; close it after the last of them.
    """

    def __init__(
        self,
        engine: Engine,
        stack: str,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._engine = engine
        self._container = names.platform_container(stack, "orchestrator")
        self._clock = clock
        self._wait = wait
        self._relay: Relay | None = None

    def put_service(self, request: ServiceRequest) -> RolloutAccepted:
        """Have a service's revisions kept and its rollout begun; how that ends is among the outcomes.

        Its documents are on the orchestrator's disk when this returns.
        """
        path = _service(request.route.tenant, request.route.service)
        return contracts.decode(contracts.RolloutAccepted, self._call("PUT", path, contracts.encode(request)))

    def outcomes(self, after: int, wait_s: float) -> RolloutOutcomes:
        """Ask which rollouts have ended after a number (0 is the first), waiting up to 30 s for one to end."""
        path = f"/v1/rollouts?after={after}&wait={wait_s:g}"
        return contracts.decode(contracts.RolloutOutcomes, self._call("GET", path, timeout_s=wait_s + _ANSWER_MARGIN_S))

    def remove_service(self, tenant: str, service: str) -> None:
        """Withdraw a service's traffic; its instances drain and go by themselves. One that is gone already is fine."""
        self._call("DELETE", _service(tenant, service))

    def holdings(self, patience_s: float = START_TIMEOUT_S) -> Holdings:
        """Ask what the orchestrator has of all that updates put; one that is starting gets this long."""
        return contracts.decode(contracts.Holdings, self._tell("/v1/holdings", patience_s))

    def put_claim(self, text: str) -> None:
        """Have it keep what the stack claims of its host."""
        self._call("PUT", "/v1/claim", text)

    def claim(self, patience_s: float = START_TIMEOUT_S) -> str | None:
        """Ask for the claim that it keeps, None without any; one that is starting gets this long."""
        try:
            return self._tell("/v1/claim", patience_s)
        except NotFound:
            return None

    def roll_back(self, request: RollbackRequest) -> None:
        """Move a service's traffic to one of its revisions; NotFound if it is not kept, RolloutError as any rollout."""
        path = f"/v1/rollbacks/{request.tenant}/{request.service}"
        self._call("PUT", path, contracts.encode(request), timeout_s=request.deadline_s + _ANSWER_MARGIN_S)

    def services(self, patience_s: float = START_TIMEOUT_S) -> ServiceList:
        """Ask for the services and the counts that were set by hand."""
        return contracts.decode(contracts.ServiceList, self._tell("/v1/services", patience_s))

    def revisions(self, tenant: str, service: str) -> RevisionList:
        """Ask for a service's revisions."""
        return contracts.decode(contracts.RevisionList, self._tell(_of("revisions", tenant, service), START_TIMEOUT_S))

    def instances(self, tenant: str = "", service: str = "") -> InstanceList:
        """Ask for the instances, of a service if one is named."""
        path = _of("instances", tenant, service) if service else "/v1/instances"
        return contracts.decode(contracts.InstanceList, self._tell(path, START_TIMEOUT_S))

    def decisions(self, tenant: str, service: str) -> DecisionList:
        """Ask for the last changes of a service's counts."""
        return contracts.decode(contracts.DecisionList, self._tell(_of("decisions", tenant, service), START_TIMEOUT_S))

    def recorded_load(self, tenant: str, service: str, patience_s: float = START_TIMEOUT_S) -> RecordedLoad | None:
        """Ask for a service's requests by the minute, None without such a service; one that starts gets this long."""
        try:
            text = self._tell(_of("recorded-load", tenant, service), patience_s)
        except NotFound:
            return None
        return contracts.decode(contracts.RecordedLoad, text)

    def scale(self, request: ScaleRequest) -> Override:
        """Have a number of instances for a while; NotFound without such a service, UsageError for more than it may."""
        path = f"/v1/overrides/{request.tenant}/{request.service}"
        return contracts.decode(contracts.Override, self._call("PUT", path, contracts.encode(request), by_hand=True))

    def end_scale(self, tenant: str, service: str) -> None:
        """Have the number of instances again that manifest and load ask for; having it already is fine."""
        self._call("DELETE", f"/v1/overrides/{tenant}/{service}")

    def pause(self, request: PauseRequest) -> Pause:
        """Keep a service's requests from its instances for a while; NotFound without it, UsageError for too long."""
        path = f"/v1/pauses/{request.tenant}/{request.service}"
        return contracts.decode(contracts.Pause, self._call("PUT", path, contracts.encode(request), by_hand=True))

    def resume(self, tenant: str, service: str) -> None:
        """Send a service's requests on again; one that is not paused is fine."""
        self._call("DELETE", f"/v1/pauses/{tenant}/{service}")

    def drain(self, request: DrainRequest) -> DrainAccepted:
        """Withdraw instances at once and have them replaced; NotFound without such a service."""
        path = f"/v1/drains/{request.tenant}/{request.service}"
        return contracts.decode(contracts.DrainAccepted, self._call("PUT", path, contracts.encode(request)))

    def restart(self, request: RestartRequest) -> RestartAccepted:
        """Begin to replace instances, one after the other in each revision; NotFound without such a service."""
        path = f"/v1/restarts/{request.tenant}/{request.service}"
        return contracts.decode(contracts.RestartAccepted, self._call("PUT", path, contracts.encode(request)))

    def begin_run(self, request: RunRequest) -> RunStatus:
        """Begin a run; NotFound without the service or revision, UsageError for what does not fit, PolicyError."""
        path = _run(request.tenant, request.service, request.run)
        return contracts.decode(contracts.RunStatus, self._call("PUT", path, contracts.encode(request), by_hand=True))

    def await_run(self, tenant: str, service: str, run: str, wait_s: float) -> RunStatus:
        """Ask how a run is, waiting so long for it to change; NotFound for one that is gone."""
        path = f"{_run(tenant, service, run)}?wait={wait_s:g}"
        return contracts.decode(contracts.RunStatus, self._call("GET", path, timeout_s=wait_s + _ANSWER_MARGIN_S))

    def end_run(self, tenant: str, service: str, run: str) -> None:
        """Stop a run if it runs, and remove it; one that is gone is fine."""
        self._call("DELETE", _run(tenant, service, run))

    def apply_certificate(self, request: CertificateRequest) -> None:
        """Answer the hosts of a certificate with it; HostError says what is wrong with a broken one."""
        # A DNS label by the grammar of the stack's configuration.
        self._call("PUT", f"/v1/certificates/{request.name}", contracts.encode(request))

    def remove_certificate(self, name: str) -> None:
        """Forget a certificate; one that is gone already is fine."""
        self._call("DELETE", f"/v1/certificates/{name}")

    def authority(self) -> str:
        """Ask for the certificate of the local CA, as PEM."""
        return self._call("GET", "/v1/authority")

    def status(self, patience_s: float = START_TIMEOUT_S) -> OrchestratorStatus:
        """Ask for everything the orchestrator sees; one that is starting gets this long."""
        return contracts.decode(contracts.OrchestratorStatus, self._tell("/v1/status", patience_s))

    def running(self) -> bool:
        """Say whether the orchestrator's container runs at all."""
        return self._engine.running(self._container)

    def close(self) -> None:
        """Close the connection, if there is one; the next call opens another."""
        if self._relay is not None:
            self._relay.close()
            self._relay = None

    def _tell(self, path: str, patience_s: float) -> str:
        return self._call("GET", path, timeout_s=patience_s + _TELL_S, patience_s=patience_s)

    def _call(
        self,
        method: str,
        path: str,
        body: str = "",
        timeout_s: float = _ANSWER_MARGIN_S,
        patience_s: float = START_TIMEOUT_S,
        *,
        by_hand: bool = False,
    ) -> str:
        try:
            status, answer = self._exchange(method, path, body, timeout_s, patience_s)
        except BaseException:
            # What is left of an answer must not be taken for that to the next request.
            self.close()
            raise
        if not 200 <= status < 300:
            # A program's message that is refused is a fault of ours, what somebody has typed is not.
            told = {**_TOLD, 400: UsageError} if by_hand else _TOLD
            raise _problem(f"{method} {path}", answer, status, told)
        return answer

    def _exchange(self, method: str, path: str, body: str, timeout_s: float, patience_s: float) -> tuple[int, str]:
        """Ask, and again when nobody answered: every request can be repeated."""
        give_up = self._clock() + patience_s
        while True:
            try:
                relay = self._relay = self._relay or self._engine.relay(self._container, names.ORCHESTRATOR_RELAY)
            except HostUnreachable:
                raise
            except HostError as error:
                # The container is not there or not running: the engine is about to start it.
                reason = str(error)
            else:
                try:
                    return relay.request(method, path, body, timeout_s)
                except RelayEnded as error:
                    reason = str(error)
                    self.close()
                except HostError as error:
                    raise HostError(f"{method} {path}: orchestrator: {error}") from error
            if self._clock() >= give_up:
                doing = f"reach the orchestrator {self._container} within {patience_s:g} s"
                last = "".join(f"\n  | {line}" for line in self._engine.last_lines(self._container, _LAST_LINES))
                raise HostError(f"{doing}: {reason}{last}")
            self._wait(_RETRY_INTERVAL_S)


# These say where and why themselves; every other status means that one of the two sides is at fault.
_TOLD: Mapping[int, type[RunyardError]] = {403: PolicyError, 404: NotFound, 409: RolloutError}


def _service(tenant: str, service: str) -> str:
    # Both are DNS labels by the manifest's grammar, so nothing needs quoting.
    return f"/v1/services/{tenant}/{service}"


def _run(tenant: str, service: str, run: str) -> str:
    return f"/v1/runs/{tenant}/{service}/{run}"


def _of(kind: str, tenant: str, service: str) -> str:
    return f"/v1/{kind}?service={quote(service_key(tenant, service), safe='/')}"


def _problem(doing: str, answer: str, status: int, told: Mapping[int, type[RunyardError]]) -> RunyardError:
    """Make the error that a problem+json answer stands for; one that is not JSON is shown as it came."""
    try:
        problem = json.loads(answer)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        return HostError(f"{doing}: orchestrator answered {status}: {answer[:500]}")
    lines = [str(problem.get("detail") or problem.get("title") or answer)]
    lines += [f"  | {line}" for line in problem.get("logs", [])]
    text = "\n".join(lines)
    if status in told:
        return told[status](text)
    return HostError(f"{doing}: orchestrator answered {status}: {text}")
