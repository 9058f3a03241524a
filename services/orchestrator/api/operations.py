"""Operations: what can be asked of the orchestrator over HTTP, one entry each; routes and OpenAPI are made of these."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from runyard.contracts import (
    CertificateRequest,
    DecisionList,
    DrainAccepted,
    DrainRequest,
    EndpointList,
    EndpointStatus,
    Holdings,
    InstanceList,
    InstanceStatus,
    OrchestratorStatus,
    Override,
    PartStatus,
    Pause,
    PauseRequest,
    RecordedLoad,
    RestartAccepted,
    RestartRequest,
    Restriction,
    Restrictions,
    RevisionList,
    RevisionStatus,
    RollbackRequest,
    RolloutAccepted,
    RolloutOutcome,
    RolloutOutcomes,
    RolloutRequest,
    RouteRequest,
    RunRequest,
    RunStatus,
    ScaleRequest,
    ScalingDecision,
    ServiceList,
    ServiceRequest,
    ServiceStatus,
    SignedRevision,
    TrafficShare,
)

JSON = "application/json"
_SHARE = TrafficShare("shop-8d1f", 100)
_SERVICE = ServiceStatus("acme", "shop", ("shop.acme.localhost",), ("cart",), (_SHARE,), ("shop-8d1f",))
_REVISION = RevisionStatus("acme", "shop", "shop-8d1f", desired=2, ready=2)
_PART = PartStatus("gateway", "running", restarts=1, reason="it was stopped with code 137")
_OVERRIDE = Override("acme", "shop", count=3, until_unix_s=1795442400)
_RESTRICTION = Restriction("acme", most=1, until_unix_s=1796083200, reason="actual spending came to 90 % of its budget")
_ROLLOUT = RolloutRequest("acme", "shop", (_SHARE,), deadline_s=60, history=("shop-8d1f",))
_DECISION = ScalingDecision(
    tenant="acme",
    service="shop",
    revision="shop-8d1f",
    number=7,
    at_unix_s=1795438800.0,
    before=1,
    count=3,
    why="by-hand",
    reason="3 instances of the service: asked for by hand until 2026-11-23 14:00:00Z",
    inputs={"asked": 3.0, "percent": 100.0},
)
_DONE = {"status": "done"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter in the query: its name, what it says, the grammar of its values, and one of them."""

    name: str
    summary: str
    pattern: str
    example: str


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation: `answer` and `body` are examples, whose classes are the shapes; text stands for its media type.

    `public` ones are answered on the TCP port as well. `errors` are the statuses of its problems beside those that any
    operation may have (`openapi.EVERYWHERE`).
    """

    name: str
    method: Literal["GET", "PUT", "DELETE"]
    path: str
    summary: str
    answer: Any
    errors: tuple[int, ...]
    status: int = 200
    media_type: str = JSON
    body: Any = None
    query: tuple[Parameter, ...] = ()
    public: bool = False


_ONE_SERVICE = Parameter("service", "Only of this service.", "TENANT/SERVICE", "acme/shop")

READING = (
    Operation(
        "getHealth", "GET", "/healthz", "Whether engine and gateway are in step.", {"status": "ok"}, (503,),
        public=True,
    ),
    Operation(
        "getStatus", "GET", "/v1/status", "Everything that the orchestrator sees of its stack.",
        OrchestratorStatus(12, True, (_SERVICE,), (_REVISION,), leader="orchestrator", parts=(_PART,)), (500,),
        public=True,
    ),
    Operation(
        "listServices", "GET", "/v1/services", "The services with traffic, history and counts that were set by hand.",
        ServiceList((_SERVICE,), (_OVERRIDE,)), (400,), query=(_ONE_SERVICE,), public=True,
    ),
    Operation(
        "listRevisions", "GET", "/v1/revisions", "The revisions that should have instances or have some.",
        RevisionList((_REVISION,)), (400,), query=(_ONE_SERVICE,), public=True,
    ),
    Operation(
        "listInstances", "GET", "/v1/instances", "The instances with their states; addresses on the socket alone.",
        InstanceList((InstanceStatus("acme", "shop", "shop-8d1f", "19a3c1", "ready", "10.130.0.4"),)), (400,),
        query=(_ONE_SERVICE,), public=True,
    ),
    Operation(
        "listEndpoints", "GET", "/v1/endpoints", "Where revisions are reached; addresses on the socket alone.",
        EndpointList((EndpointStatus("acme", "shop", "shop-8d1f", "http1", 1, ("10.130.0.4:8080",)),)), (400,),
        query=(_ONE_SERVICE,), public=True,
    ),
    Operation(
        "listDecisions", "GET", "/v1/decisions", "The last changes of counts, with their numbers and reasons.",
        DecisionList((_DECISION,)), (400,), query=(_ONE_SERVICE,), public=True,
    ),
    Operation(
        "getRecordedLoad", "GET", "/v1/recorded-load",
        "The requests of a service by the minute, of at most eight days.",
        RecordedLoad("acme", "shop", 1794747600, 1795438800, ((29923980, 240, 31200, 9), (29923981, 198, 25740, 7))),
        (400,), query=(replace(_ONE_SERVICE, summary="Which service; it must be given."),), public=True,
    ),
    Operation(
        "watch", "GET", "/v1/watch",
        "Everything listed here, then each change, as server-sent events; goes on after Last-Event-ID.",
        'id: 19a3c1-7\nevent: instance\ndata: {"key":"19a3c1","value":null}\n\n', (429,),
        media_type="text/event-stream", public=True,
    ),
)  # fmt: skip

RESTRICTING = (
    Operation(
        "putRestrictions", "PUT", "/v1/restrictions", "Have what budgets restrict in the place of what they did.",
        _DONE, (400, 408, 413), body=Restrictions((_RESTRICTION,)),
    ),
)  # fmt: skip

CHANGING = (
    *RESTRICTING,
    Operation(
        "putService", "PUT", "/v1/services/{tenant}/{service}", "Keep a service's documents and begin its rollout.",
        RolloutAccepted("19a3c1", 1), (400, 408, 413), status=202,
        body=ServiceRequest(
            RouteRequest("acme", "shop", ("shop.acme.localhost",)), _ROLLOUT, (SignedRevision("{}", "c2ln"),)
        ),
    ),
    Operation(
        "deleteService", "DELETE", "/v1/services/{tenant}/{service}", "Withdraw a service; its instances drain and go.",
        _DONE, (502,),
    ),
    Operation(
        "putRollback", "PUT", "/v1/rollbacks/{tenant}/{service}", "Move a service's traffic to a kept revision.",
        _DONE, (400, 404, 408, 409, 413), body=RollbackRequest("acme", "shop", "shop-77aa"),
    ),
    Operation(
        "putOverride", "PUT", "/v1/overrides/{tenant}/{service}", "Have a number of instances for a while.",
        _OVERRIDE, (400, 404, 408, 413), body=ScaleRequest("acme", "shop", count=3, for_s=3600),
    ),
    Operation(
        "deleteOverride", "DELETE", "/v1/overrides/{tenant}/{service}", "End a number that was set for a while.",
        _DONE, (404,),
    ),
    Operation(
        "putPause", "PUT", "/v1/pauses/{tenant}/{service}", "Keep a service's requests from its instances for a while.",
        Pause("acme", "shop", until_unix_s=1795442400), (400, 404, 408, 413),
        body=PauseRequest("acme", "shop", for_s=600),
    ),
    Operation(
        "deletePause", "DELETE", "/v1/pauses/{tenant}/{service}", "Send a service's requests on again.", _DONE, (404,),
    ),
    Operation(
        "putDrain", "PUT", "/v1/drains/{tenant}/{service}", "Withdraw instances at once, and replace them.",
        DrainAccepted(("19a3c1",)), (400, 404, 408, 413), body=DrainRequest("acme", "shop", ("19a3c1",)),
    ),
    Operation(
        "putRestart", "PUT", "/v1/restarts/{tenant}/{service}", "Replace instances, one by one in each revision.",
        RestartAccepted(("19a3c1",)), (400, 404, 408, 413), body=RestartRequest("acme", "shop", ("19a3c1",)),
    ),
    Operation(
        "putRun", "PUT", "/v1/runs/{tenant}/{service}/{run}", "Run a command once, as an instance of a revision.",
        RunStatus("acme", "shop", "shop-8d1f", "7b1c09", "starting"), (400, 403, 404, 408, 413, 502), status=202,
        body=RunRequest("acme", "shop", "7b1c09", ("python3", "-m", "shop.migrate"), timeout_s=600),
    ),
    Operation(
        "getRun", "GET", "/v1/runs/{tenant}/{service}/{run}",
        "How a run is, once that changes; one that nobody asks for is ended.",
        RunStatus("acme", "shop", "shop-8d1f", "7b1c09", "ended", container="9f2ac1", exit_code=0), (400, 404),
        query=(Parameter("wait", "Seconds to wait for a change.", r"[0-9]{1,6}(\.[0-9]{1,6})?", "5"),),
    ),
    Operation(
        "deleteRun", "DELETE", "/v1/runs/{tenant}/{service}/{run}", "Stop a run if it runs, and remove it.",
        _DONE, (404,),
    ),
    Operation(
        "getOutcomes", "GET", "/v1/rollouts", "How rollouts ended, once there are any after a number.",
        RolloutOutcomes("19a3c1", 1, (RolloutOutcome(1, "acme", "shop", "ready"),)), (400,),
        query=(
            Parameter("after", "The number of the last outcome that is known.", "[0-9]{1,15}", "0"),
            Parameter("wait", "Seconds to wait for one.", r"[0-9]{1,6}(\.[0-9]{1,6})?", "30"),
        ),
    ),
    Operation(
        "getHoldings", "GET", "/v1/holdings", "What there is of all that updates put, as digests.",
        Holdings((), strangers=(), images={}), (500,),
    ),
    Operation(
        "putClaim", "PUT", "/v1/claim", "Keep what the stack claims of its host.", _DONE, (400, 408, 413),
        body={"stack": "dev", "services": []},
    ),
    Operation("getClaim", "GET", "/v1/claim", "What the stack claims of its host.", {"stack": "dev"}, (404,)),
    Operation(
        "putCertificate", "PUT", "/v1/certificates/{name}", "Answer the hosts of a certificate with it.",
        _DONE, (400, 408, 413, 502), body=CertificateRequest("shop", "-----BEGIN CERTIFICATE-----", "PEM of the key"),
    ),
    Operation(
        "deleteCertificate", "DELETE", "/v1/certificates/{name}", "Forget a certificate that was given.", _DONE, (502,),
    ),
    Operation(
        "getAuthority", "GET", "/v1/authority", "The certificate of the local CA.", "-----BEGIN CERTIFICATE-----\n",
        (400,), media_type="application/x-pem-file",
    ),
)  # fmt: skip

DESCRIPTION = Operation(
    "getDescription", "GET", "/v1/openapi.json", "This description, of what is answered here.",
    {"openapi": "3.1.0"}, (500,), public=True,
)  # fmt: skip

OPERATIONS = (*READING, *CHANGING, DESCRIPTION)
