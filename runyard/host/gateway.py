"""Gateway on the host: a new nginx.conf is tried in a container of its image, swapped, served, or taken back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from runyard import names
from runyard.errors import HostError, NotFound, RefusedConfiguration
from runyard.host.engine import Task
from runyard.host.thing import Thing

# nginx's complaint about a configuration that it could not take over is among them.
_LAST_LINES = 20
_COMMAND = "runyard-gateway"
# A reload takes a tenth of a second, or some on a host that is busy starting containers.
_RELOAD_TIMEOUT_S = 10


class Host(Protocol):
    """As much of the engine as this needs."""

    def run(self, task: Task) -> tuple[int, str]:
        """Run a container to its end and give its exit code and what it wrote."""
        ...

    def execute(self, container: str, command: Sequence[str]) -> tuple[int, str]:
        """Run a command inside a running container and give its exit code and what it wrote."""
        ...

    def signal(self, container: str, signal: str) -> None:
        """Send a signal to a container's first process."""
        ...

    def restart(self, container: str) -> None:
        """Stop a container as it asks to be stopped, and start it again."""
        ...

    def image(self, container: str) -> str | None:
        """Give the image of a running container; None if none of this name runs."""
        ...

    def has_file(self, container: str, path: str) -> bool:
        """Say whether a container, running or not, has a file; NotFound if there is no container."""
        ...

    def things(self) -> list[Thing]:
        """List the containers, networks and volumes of the host."""
        ...

    def discard(self, container: str) -> None:
        """Remove a container; one that is gone already is fine."""
        ...

    def last_lines(self, container: str, count: int) -> list[str]:
        """Give the last lines that a container wrote."""
        ...


class GatewayHost:
    """The gateway of one stack, as far as its configuration goes."""

    def __init__(self, host: Host, stack: str) -> None:
        self._host = host
        self._stack = stack
        self._container = names.platform_container(stack, "gateway")
        self._test = names.task_container(stack, names.ROLE_GATEWAY_TEST)

    def configure(self, image: str, text: str, digest: str, *, rebinds: bool = False) -> None:
        """Put a configuration in force for the gateway of this image; RefusedConfiguration leaves the old one.

        A gateway of another image is left alone: it is about to be replaced, and the new one starts with this text.
        With `rebinds` it is restarted: nginx opens the new addresses before it closes the old ones, and a port that
        is open on 127.0.0.1 cannot be opened on 0.0.0.0 meanwhile.
        """
        self.discard_test()
        code, output = self._host.run(self._task(image, "configure", text))
        if code:
            raise RefusedConfiguration(output)
        if self._host.image(self._container) != image:
            return
        self._load(rebinds)
        code, output = self._confirm(digest)
        if code:
            # nginx tries everything before it lets go of the old workers, so they are still there: what it could not
            # take over must not be what the next start finds. In a container of its own, as one that does not come up
            # takes no commands.
            output = "\n".join([*self._host.last_lines(self._container, _LAST_LINES), output])
            self._host.run(self._task(image, "restore"))
            self._load(rebinds)
            raise RefusedConfiguration(output)

    def _load(self, rebinds: bool) -> None:
        if rebinds:
            self._host.restart(self._container)
        else:
            self._host.signal(self._container, "HUP")

    def _confirm(self, digest: str) -> tuple[int, str]:
        try:
            return self._ask("confirm", digest, str(_RELOAD_TIMEOUT_S))
        except HostError as error:
            return 1, str(error)

    def has_configuration(self, image: str) -> bool:
        """Say whether the file is there; without a gateway to look into, whether its volume is."""
        path = f"{names.GATEWAY_DIRECTORY}/{names.gateway_configuration(image)}"
        try:
            return self._host.has_file(self._container, path)
        except NotFound:
            volume = "volume", names.platform_volume(self._stack, "gateway")
            return any((each.kind, each.name) == volume for each in self._host.things())

    def purge(self, request: str) -> str:
        """Ask the gateway to forget what its cache keeps, and give its answer as it came."""
        _, answer = self._ask("purge", request)
        return answer

    def discard_test(self) -> None:
        """Remove the container of a test that was killed half-way; it would keep the volume from being removed."""
        self._host.discard(self._test)

    def _ask(self, *command: str) -> tuple[int, str]:
        return self._host.execute(self._container, (_COMMAND, *command))

    def _task(self, image: str, command: str, text: str = "") -> Task:
        return Task(
            name=self._test,
            image=image,
            command=(command,),
            labels={names.STACK: self._stack, names.ROLE: names.ROLE_GATEWAY_TEST},
            environment={"RUNYARD_NGINX_CONF": text, "RUNYARD_CONFIGURATION": names.gateway_configuration(image)},
            volumes={
                names.platform_volume(self._stack, "gateway"): names.GATEWAY_DIRECTORY,
                names.platform_volume(self._stack, "requests"): names.REQUESTS_DIRECTORY,
            },
            capabilities=names.GATEWAY_CAPABILITIES,
        )
