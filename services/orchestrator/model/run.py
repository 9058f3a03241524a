"""Run: the document of a one-off instance, made of its revision's. Pure."""

from __future__ import annotations

from dataclasses import replace

from runyard import names
from runyard.contracts import RunRequest, Variable
from runyard.errors import UsageError
from services.orchestrator.model.revision import Revision


def revision_of_run(revision: Revision, request: RunRequest) -> Revision:
    """Give what is made for a run: one container of the revision with the request's command and variables.

    All else of it stays as it is: image, secrets, mounts, limits, user and network. Nobody sends it requests, so it is
    not probed, and the containers beside it and before it are not run. UsageError if there is no such container.
    """
    spec = revision.spec
    chosen = revision.container(request.container) if request.container else spec.containers[0]
    if chosen is None:
        known = ", ".join(sorted(each.name for each in revision.containers))
        raise UsageError(
            f"run {revision.service_key}: container must be one of revision {revision.name}'s ({known}), "
            f"got {request.container!r}"
        )
    given = tuple(Variable(name, value) for name, value in sorted(request.environment.items()))
    container = replace(
        chosen,
        entrypoint=request.command[:1],
        command=request.command[1:],
        environment=(*(each for each in chosen.environment if each.name not in request.environment), *given),
        startup_probe=None,
        liveness_probe=None,
        readiness_probe=None,
        depends_on=(),
        # It is never ready, so the CPU of a start would never end.
        startup_cpu_millis=0,
    )
    mounted = {each.volume for each in container.volume_mounts}
    alone = replace(
        spec,
        containers=(container,),
        init_containers=(),
        volumes=tuple(each for each in spec.volumes if each.name in mounted),
        images={name: image for name, image in spec.images.items() if name == container.name},
    )
    return Revision(alone, names.ROLE_RUN)
