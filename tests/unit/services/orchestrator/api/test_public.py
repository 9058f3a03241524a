from __future__ import annotations

import pytest

from runyard.contracts import (
    EndpointList,
    EndpointStatus,
    InstanceList,
    InstanceStatus,
    OrchestratorStatus,
    RevisionList,
    RevisionStatus,
)
from services.orchestrator.api.public import (
    LOCAL_HOSTS,
    is_allowed,
    public_endpoints,
    public_instances,
    public_revisions,
    public_status,
)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:3001", "127.0.0.1:3001", "127.0.0.1", "[::1]", "[::1]:3001"])
def test_names_of_the_loopback_are_allowed(host: str) -> None:
    assert is_allowed(host, LOCAL_HOSTS)


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "evil.example:3001", "localhost.evil.example", "127.0.0.1.evil.example", "[::1", "::1]:1",
     "localhost:3001:3001", "localhost@evil.example", "10.130.0.2:3001", "[::2]", "localhost "],
)  # fmt: skip
def test_any_other_host_is_not(host: str) -> None:
    assert not is_allowed(host, LOCAL_HOSTS)


def test_host_that_is_listened_on_is_allowed_too() -> None:
    assert is_allowed("192.0.2.7:3001", (*LOCAL_HOSTS, "192.0.2.7"))


def test_status_of_the_port_has_no_logs_and_no_addresses() -> None:
    reason = "container app: is on net (10.130.0.2) and must be on no network"
    revision = RevisionStatus("default", "hello", "hello-1", 1, 1, ("10.130.0.2:8080",), 0, reason, ("secret",))
    (shown,) = public_status(OrchestratorStatus(1, True, (), (revision,))).revisions
    assert (shown.addresses, shown.logs) == ((), ())
    assert shown.reason == "container app: is on net (an address) and must be on no network"
    assert (shown.desired, shown.ready, shown.revision) == (1, 1, "hello-1")


def test_lists_of_the_port_say_what_there_is_and_not_where() -> None:
    problem = "startup probe: dial 10.130.0.2: refused"
    revision = RevisionStatus("default", "hello", "hello-1", 1, 1, ("10.130.0.2:8080",), 2, problem, ("secret",))
    instance = InstanceStatus("default", "hello", "hello-1", "a1", "starting", "10.130.0.2", problem, True)
    endpoint = EndpointStatus("default", "hello", "hello-1", "h2c", 2, ("10.130.0.2:80", "10.130.0.3:80"))
    (shown,) = public_revisions(RevisionList((revision,))).revisions
    assert (shown.addresses, shown.logs, shown.restarts) == ((), (), 2)
    assert public_instances(InstanceList((instance,))).instances == (
        InstanceStatus("default", "hello", "hello-1", "a1", "starting", "", shown.reason, True),
    )
    assert shown.reason == "startup probe: dial an address: refused"
    assert public_endpoints(EndpointList((endpoint,))).endpoints == (
        EndpointStatus("default", "hello", "hello-1", "h2c", 2),
    )
