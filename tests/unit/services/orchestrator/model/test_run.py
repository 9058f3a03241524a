"""The document of a run: which container of the revision it is, and what of it stays as it was signed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runyard import names
from runyard.contracts import (
    FilesMount,
    Probe,
    RunRequest,
    SecretFile,
    SecretValue,
    Variable,
    VolumeDocument,
    VolumeMount,
)
from runyard.errors import UsageError
from services.orchestrator.model.revision import Revision
from services.orchestrator.model.run import revision_of_run

from ..world import container, document

REQUEST = RunRequest("default", "hello", "ab12", ("migrate", "--all"))
APP = container(
    command=("serve",),
    environment=(Variable("A", "1"), Variable("DB", secret=SecretValue("db", "latest", "d"))),
    file_mounts=(FilesMount("/secrets", (SecretFile("key", SecretValue("tls", "key", "e")),)),),
    volume_mounts=(VolumeMount("cache", "/cache"),),
    startup_probe=Probe("tcp", 8080),
    liveness_probe=Probe("tcp", 8080),
    readiness_probe=Probe("tcp", 8080),
    depends_on=("db",),
    user="7:7",
    cpu_millis=250,
    startup_cpu_millis=2000,
)
SPEC = document(
    "hello-1",
    APP,
    container("db", volume_mounts=(VolumeMount("data", "/data"),)),
    init_containers=(container("setup"),),
    volumes=(VolumeDocument("cache", "shared", 2**20), VolumeDocument("data", "persistent", 2**20)),
    callees=("cart",),
)


def test_only_command_variables_and_probes_differ() -> None:
    made = revision_of_run(Revision(SPEC), replace(REQUEST, container="app"))
    (only,) = made.spec.containers
    kept = replace(
        APP, startup_probe=None, liveness_probe=None, readiness_probe=None, depends_on=(), startup_cpu_millis=0
    )
    assert only == replace(kept, entrypoint=("migrate",), command=("--all",))
    assert (made.role, made.name, made.spec.callees, made.spec.network) == (
        names.ROLE_RUN, "hello-1", ("cart",), SPEC.network,
    )  # fmt: skip
    assert set(made.spec.images) == {"app"}


def test_nothing_beside_it_is_run_and_no_other_s_volume_is_mounted() -> None:
    made = revision_of_run(Revision(SPEC), replace(REQUEST, container="app"))
    assert [each.name for each in made.spec.volumes] == ["cache"]
    assert [(each.role, each.document.name) for each in made.parts] == [("holder", names.HOLDER), ("app", "app")]


def test_container_that_takes_requests_is_run_unless_another_is_named() -> None:
    # It depends on the other one, which is therefore started first.
    assert revision_of_run(Revision(SPEC), REQUEST).spec.containers[0].name == "app"
    assert revision_of_run(Revision(SPEC), replace(REQUEST, container="db")).spec.containers[0].name == "db"
    with pytest.raises(UsageError) as caught:
        revision_of_run(Revision(SPEC), replace(REQUEST, container="setup"))
    assert str(caught.value) == (
        "run default/hello: container must be one of revision hello-1's (app, db), got 'setup'"
    )


def test_variable_that_is_given_takes_the_place_of_the_container_s() -> None:
    given = replace(REQUEST, container="app", environment={"DB": "sqlite:", "NEW": "x"})
    (only,) = revision_of_run(Revision(SPEC), given).spec.containers
    assert only.environment == (Variable("A", "1"), Variable("DB", "sqlite:"), Variable("NEW", "x"))


def test_message_that_is_printed_shows_no_variable() -> None:
    assert "hidden" not in repr(replace(REQUEST, environment={"A": "hidden"}))
