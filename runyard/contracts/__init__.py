"""Messages between Runyard's parts, versioned; one file a kind.

Every message is a frozen dataclass; `encode` gives canonical JSON (sorted keys, no spaces) and `decode` gives the
message back or raises `ContractError` naming the field. A field with a default may be absent, so a newer reader
understands an older writer; an unknown field is refused, so an older reader never guesses.

What is named here is imported when it is first used: each message is a class that is made at its import, and most of
who speaks to another part needs a few of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runyard.codec import decode, encode, encode_differing, fields_of
    from runyard.contracts.certificate import CertificateRequest, CertificateStatus, TlsSettings
    from runyard.contracts.intervention import (
        DrainAccepted,
        DrainRequest,
        Override,
        Pause,
        PauseRequest,
        RestartAccepted,
        RestartRequest,
        ScaleRequest,
    )
    from runyard.contracts.invoice import (
        DailyCost,
        Invoice,
        InvoiceKind,
        InvoiceLine,
        Item,
        Quantity,
        Statement,
        Verification,
        VerifiedBill,
    )
    from runyard.contracts.listing import (
        ContainerStatus,
        DecisionList,
        EndpointList,
        EndpointStatus,
        InstanceList,
        InstanceState,
        InstanceStatus,
        RevisionList,
        ScalingDecision,
        ServiceList,
    )
    from runyard.contracts.load import GatewayLoad, RevisionLoad
    from runyard.contracts.objective import BOUNDS_S, Objective
    from runyard.contracts.recorded import RECORDED_DAYS, RecordedLoad, RecordedMinute
    from runyard.contracts.request import RequestLine
    from runyard.contracts.revision import (
        PIDS_LIMIT,
        TERMINATION_GRACE_S,
        ContainerDocument,
        FilesMount,
        ImageIdentity,
        InstanceLimits,
        MemoryMount,
        Probe,
        ProbeKind,
        RevisionDocument,
        SecretFile,
        SecretValue,
        SignedRevision,
        Variable,
        VolumeDocument,
        VolumeMount,
    )
    from runyard.contracts.rollout import RollbackRequest, RolloutRequest, TrafficShare
    from runyard.contracts.route import Breaker, Fallback, Handling, Ingress, Limits, PathRoute, Retries, RouteRequest
    from runyard.contracts.run import RunRequest, RunState, RunStatus
    from runyard.contracts.scaling import Aggregation, ScalingDocument, ScalingSignal, ScheduledMinimum, SignalKind
    from runyard.contracts.service import (
        Holdings,
        Outcome,
        RolloutAccepted,
        RolloutOutcome,
        RolloutOutcomes,
        ServiceHolding,
        ServiceRequest,
    )
    from runyard.contracts.snapshot import (
        GatewayDelta,
        GatewayEndpoints,
        GatewayPath,
        GatewayRemovals,
        GatewayService,
        GatewaySnapshot,
    )
    from runyard.contracts.status import (
        OrchestratorStatus,
        PartStatus,
        RevisionStatus,
        ScheduleStatus,
        ServiceStatus,
        ShiftStatus,
    )
    from runyard.contracts.window import WINDOW_MS, UsageAmounts, UsageBatch, UsageWindow

__all__ = [
    "BOUNDS_S",
    "PIDS_LIMIT",
    "RECORDED_DAYS",
    "TERMINATION_GRACE_S",
    "WINDOW_MS",
    "Aggregation",
    "Breaker",
    "CertificateRequest",
    "CertificateStatus",
    "ContainerDocument",
    "ContainerStatus",
    "DailyCost",
    "DecisionList",
    "DrainAccepted",
    "DrainRequest",
    "EndpointList",
    "EndpointStatus",
    "Fallback",
    "FilesMount",
    "GatewayDelta",
    "GatewayEndpoints",
    "GatewayLoad",
    "GatewayPath",
    "GatewayRemovals",
    "GatewayService",
    "GatewaySnapshot",
    "Handling",
    "Holdings",
    "ImageIdentity",
    "Ingress",
    "InstanceLimits",
    "InstanceList",
    "InstanceState",
    "InstanceStatus",
    "Invoice",
    "InvoiceKind",
    "InvoiceLine",
    "Item",
    "Limits",
    "MemoryMount",
    "Objective",
    "OrchestratorStatus",
    "Outcome",
    "Override",
    "PartStatus",
    "PathRoute",
    "Pause",
    "PauseRequest",
    "Probe",
    "ProbeKind",
    "Quantity",
    "RecordedLoad",
    "RecordedMinute",
    "RequestLine",
    "RestartAccepted",
    "RestartRequest",
    "Retries",
    "RevisionDocument",
    "RevisionList",
    "RevisionLoad",
    "RevisionStatus",
    "RollbackRequest",
    "RolloutAccepted",
    "RolloutOutcome",
    "RolloutOutcomes",
    "RolloutRequest",
    "RouteRequest",
    "RunRequest",
    "RunState",
    "RunStatus",
    "ScaleRequest",
    "ScalingDecision",
    "ScalingDocument",
    "ScalingSignal",
    "ScheduleStatus",
    "ScheduledMinimum",
    "SecretFile",
    "SecretValue",
    "ServiceHolding",
    "ServiceList",
    "ServiceRequest",
    "ServiceStatus",
    "ShiftStatus",
    "SignalKind",
    "SignedRevision",
    "Statement",
    "TlsSettings",
    "TrafficShare",
    "UsageAmounts",
    "UsageBatch",
    "UsageWindow",
    "Variable",
    "Verification",
    "VerifiedBill",
    "VolumeDocument",
    "VolumeMount",
    "decode",
    "encode",
    "encode_differing",
    "fields_of",
]

# Module -> what it has of these.
_MODULES = {
    "runyard.codec": (
        "decode",
        "encode",
        "encode_differing",
        "fields_of",
    ),
    "runyard.contracts.certificate": (
        "CertificateRequest",
        "CertificateStatus",
        "TlsSettings",
    ),
    "runyard.contracts.intervention": (
        "DrainAccepted",
        "DrainRequest",
        "Override",
        "Pause",
        "PauseRequest",
        "RestartAccepted",
        "RestartRequest",
        "ScaleRequest",
    ),
    "runyard.contracts.invoice": (
        "DailyCost",
        "Invoice",
        "InvoiceKind",
        "InvoiceLine",
        "Item",
        "Quantity",
        "Statement",
        "Verification",
        "VerifiedBill",
    ),
    "runyard.contracts.listing": (
        "ContainerStatus",
        "DecisionList",
        "EndpointList",
        "EndpointStatus",
        "InstanceList",
        "InstanceState",
        "InstanceStatus",
        "RevisionList",
        "ScalingDecision",
        "ServiceList",
    ),
    "runyard.contracts.load": (
        "GatewayLoad",
        "RevisionLoad",
    ),
    "runyard.contracts.objective": (
        "BOUNDS_S",
        "Objective",
    ),
    "runyard.contracts.recorded": (
        "RECORDED_DAYS",
        "RecordedLoad",
        "RecordedMinute",
    ),
    "runyard.contracts.request": ("RequestLine",),
    "runyard.contracts.revision": (
        "PIDS_LIMIT",
        "TERMINATION_GRACE_S",
        "ContainerDocument",
        "FilesMount",
        "ImageIdentity",
        "InstanceLimits",
        "MemoryMount",
        "Probe",
        "ProbeKind",
        "RevisionDocument",
        "SecretFile",
        "SecretValue",
        "SignedRevision",
        "Variable",
        "VolumeDocument",
        "VolumeMount",
    ),
    "runyard.contracts.rollout": (
        "RollbackRequest",
        "RolloutRequest",
        "TrafficShare",
    ),
    "runyard.contracts.route": (
        "Breaker",
        "Fallback",
        "Handling",
        "Ingress",
        "Limits",
        "PathRoute",
        "Retries",
        "RouteRequest",
    ),
    "runyard.contracts.run": (
        "RunRequest",
        "RunState",
        "RunStatus",
    ),
    "runyard.contracts.scaling": (
        "Aggregation",
        "ScalingDocument",
        "ScalingSignal",
        "ScheduledMinimum",
        "SignalKind",
    ),
    "runyard.contracts.service": (
        "Holdings",
        "Outcome",
        "RolloutAccepted",
        "RolloutOutcome",
        "RolloutOutcomes",
        "ServiceHolding",
        "ServiceRequest",
    ),
    "runyard.contracts.snapshot": (
        "GatewayDelta",
        "GatewayEndpoints",
        "GatewayPath",
        "GatewayRemovals",
        "GatewayService",
        "GatewaySnapshot",
    ),
    "runyard.contracts.status": (
        "OrchestratorStatus",
        "PartStatus",
        "RevisionStatus",
        "ScheduleStatus",
        "ServiceStatus",
        "ShiftStatus",
    ),
    "runyard.contracts.window": (
        "WINDOW_MS",
        "UsageAmounts",
        "UsageBatch",
        "UsageWindow",
    ),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    found = getattr(importlib.import_module(_HOMES[name]), name)
    # The next one finds it here.
    globals()[name] = found
    return found
