"""Messages between Runyard's parts, versioned; one file a kind.

Every message is a frozen dataclass; `encode` gives canonical JSON (sorted keys, no spaces) and `decode` gives the
message back or raises `ContractError` naming the field. A field with a default may be absent, so a newer reader
understands an older writer; an unknown field is refused, so an older reader never guesses.
"""

from __future__ import annotations

from runyard.codec import decode, encode, encode_differing, fields_of
from runyard.contracts.certificate import CertificateRequest, CertificateStatus, TlsSettings
from runyard.contracts.intervention import Override, RestartAccepted, RestartRequest, ScaleRequest
from runyard.contracts.listing import (
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
from runyard.contracts.route import Fallback, Handling, Ingress, Limits, PathRoute, RouteRequest
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
    RevisionStatus,
    ScheduleStatus,
    ServiceStatus,
    ShiftStatus,
)

__all__ = [
    "PIDS_LIMIT",
    "TERMINATION_GRACE_S",
    "Aggregation",
    "CertificateRequest",
    "CertificateStatus",
    "ContainerDocument",
    "DecisionList",
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
    "Limits",
    "MemoryMount",
    "OrchestratorStatus",
    "Outcome",
    "Override",
    "PathRoute",
    "Probe",
    "ProbeKind",
    "RestartAccepted",
    "RestartRequest",
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
    "TlsSettings",
    "TrafficShare",
    "Variable",
    "VolumeDocument",
    "VolumeMount",
    "decode",
    "encode",
    "encode_differing",
    "fields_of",
]
