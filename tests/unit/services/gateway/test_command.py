"""The commands of the gateway's image, run as they are: a configuration is tested, swapped, served and taken back."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http.client import HTTPException
from pathlib import Path

import pytest

from runyard.gateway import GatewayConfig, Listener, digest, render
from tests.harness.ports import free_ports
from tests.harness.programs import build_go
from tests.harness.waiting import PATIENCE_S, until
from tests.unit.services.gateway.conftest import MakeInstance
from tests.unit.services.gateway.nginx import Gateway, make_gateway

SOURCE = Path(__file__).resolve().parents[4] / "services" / "gateway" / "command"
FILE = "nginx-test.conf"
# As services/gateway/command/nginx.go has it.
RESTLESS_S = 1


@dataclass
class Image:
    """The commands of the image in a directory of a test; its gateway is asked as in every other test."""

    gateway: Gateway
    program: Path
    served: subprocess.Popen[bytes] | None = None

    @property
    def directory(self) -> Path:
        return self.gateway.directory

    @property
    def file(self) -> Path:
        return self.directory / FILE

    def environment(self, text: str = "") -> dict[str, str]:
        return {
            **os.environ,
            "RUNYARD_DIRECTORY": str(self.directory),
            "RUNYARD_REQUESTS": self.gateway.config.requests_directory,
            "RUNYARD_LOG_BYTES": "20000",
            "RUNYARD_TEMPORARY": self.gateway.config.temporary_directory,
            "RUNYARD_CONFIGURATION": FILE,
            "RUNYARD_USER": "root",
            "RUNYARD_NGINX_CONF": text,
        }

    def command(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.program, *arguments], env=self.environment(text), capture_output=True, text=True, check=False
        )

    def configure(self, config: GatewayConfig) -> subprocess.CompletedProcess[str]:
        return self.command("configure", text=render(config))

    def confirm(self, served: str, seconds: int = PATIENCE_S) -> bool:
        return self.command("confirm", served, str(seconds)).returncode == 0

    def serve(self) -> None:
        with (self.directory / "error.log").open("ab") as errors:
            self.served = subprocess.Popen([self.program], env=self.environment(), stderr=errors)
        until(lambda: self.health() != "nothing", "it serves")

    def health(self) -> str:
        """Give the digest of what is served, or nothing."""
        try:
            return str(self.gateway.admin("GET", "/healthz").json()["configuration"])
        except OSError:
            return "nothing"

    def reload(self) -> None:
        assert self.served is not None
        self.served.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        if self.served is not None:
            self.served.send_signal(signal.SIGTERM)
            self.served.wait(PATIENCE_S)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_go(SOURCE, tmp_path_factory.mktemp("command") / "runyard-gateway")


@pytest.fixture
def image(tmp_path: Path, program: Path) -> Iterator[Image]:
    if os.geteuid() != 0:
        pytest.skip("the image's commands run as root, who makes files for others")
    found = Image(make_gateway(tmp_path, user="root"), program)
    yield found
    found.stop()


def broken(config: GatewayConfig) -> GatewayConfig:
    # TEST-NET-1: no host has it.
    return replace(config, listeners=(Listener("edge", "192.0.2.1:3000"), *config.listeners[1:]))


def test_configuration_that_nginx_takes_is_put_in_place_whole(image: Image) -> None:
    done = image.configure(image.gateway.config)
    assert (done.returncode, done.stderr) == (0, "")
    assert image.file.read_text() == render(image.gateway.config)
    assert {each.name for each in image.directory.glob("nginx*")} == {FILE}


def test_running_gateway_takes_a_new_configuration_and_keeps_answering(
    image: Image, make_instance: MakeInstance
) -> None:
    first = image.gateway.config
    second = replace(first, client_idle_s=7)
    image.configure(first)
    image.serve()
    image.gateway.serve(make_instance().port)
    assert image.health() == digest(first)
    assert image.configure(second).returncode == 0
    assert image.health() == digest(first)
    image.reload()
    assert image.confirm(digest(second))
    until(lambda: image.health() == digest(second), "the old workers have gone")
    # What is in shared memory outlives the reload.
    assert image.gateway.request().status == 200


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (broken, "bind() to 192.0.2.1:3000 failed (99: Cannot assign requested address)"),
        (lambda config: replace(config, modules_directory="/nowhere"), "/nowhere/ndk_http_module.so"),
    ],
    ids=["address", "module"],
)
def test_configuration_that_nginx_refuses_changes_nothing(
    image: Image, change: Callable[[GatewayConfig], GatewayConfig], said: str
) -> None:
    config = image.gateway.config
    image.configure(config)
    image.serve()
    refused = image.configure(change(config))
    assert refused.returncode != 0
    assert said in refused.stderr
    assert image.file.read_text() == render(config)
    # Even a reload, or a restart, finds the old one; then the corrected one is taken.
    image.reload()
    assert image.confirm(digest(config))
    assert image.configure(replace(config, client_idle_s=7)).returncode == 0


def test_configuration_that_cannot_be_taken_over_is_not_confirmed_and_not_served(image: Image) -> None:
    first = image.gateway.config
    # nginx tests no Lua: this shows itself only when the running one takes it over.
    second = replace(first, lua_directory="/nowhere")
    image.configure(first)
    image.serve()
    assert image.configure(second).returncode == 0
    image.reload()
    until(lambda: "module 'runyard' not found" in image.gateway.errors(), "nginx has refused it")
    assert not image.confirm(digest(second), 1)
    assert image.command("restore").returncode == 0
    image.reload()
    assert image.confirm(digest(first))


def test_configuration_before_can_be_put_back(image: Image) -> None:
    first = image.gateway.config
    second = replace(first, client_idle_s=7)
    image.configure(first)
    image.serve()
    image.configure(second)
    image.reload()
    assert image.confirm(digest(second))
    assert image.command("restore").returncode == 0
    image.reload()
    assert image.confirm(digest(first))
    assert image.file.read_text() == render(first)


def test_large_request_log_is_put_aside_without_losing_a_line_and_the_oldest_go(image: Image) -> None:
    image.configure(image.gateway.config)
    image.serve()
    image.gateway.serve(*free_ports(1))
    log = Path(image.gateway.config.request_log)
    seen: dict[int, list[str]] = {}

    def collect() -> list[str]:
        # By their inodes, as a reader follows them: one that is put aside may still get its last lines.
        for each in sorted(log.parent.glob(f"{log.name}*")):
            with contextlib.suppress(FileNotFoundError):
                seen[each.stat().st_ino] = [json.loads(line)["path"] for line in each.read_text().splitlines()]
        return [path for paths in seen.values() for path in paths]

    sent = []
    for batch in range(6):
        for number in range(60):
            sent.append(f"/{batch}-{number}")
            image.gateway.request(path=sent[-1])
        until(lambda: set(sent) <= set(collect()), "all are logged")
        before = len(list(log.parent.glob(f"{log.name}.*")))
        until(lambda before=before: len(list(log.parent.glob(f"{log.name}.*"))) > before, "it is put aside")
    assert sorted(collect()) == sorted(sent)
    assert [each.name for each in sorted(log.parent.glob(f"{log.name}.*"))] == [
        f"requests.log.{n}" for n in range(1, 7)
    ]


def test_request_log_that_went_is_made_anew_and_only_so_many_are_kept(image: Image) -> None:
    log = Path(image.gateway.config.request_log)
    for number in range(3, 13):
        log.with_name(f"requests.log.{number}").write_text("")
    image.configure(image.gateway.config)
    image.serve()
    image.gateway.serve(*free_ports(1))
    log.unlink()
    until(log.exists, "there is another")
    image.gateway.request(path="/after")
    until(lambda: "/after" in log.read_text(), "it is written to")
    kept = sorted(int(each.suffix[1:]) for each in log.parent.glob("requests.log.*"))
    assert kept == list(range(6, 13))
    assert log.stat().st_mode & 0o777 == 0o660


def test_half_a_file_that_a_kill_left_behind_is_never_served(image: Image) -> None:
    image.configure(image.gateway.config)
    (image.directory / f"{FILE}.new").write_text(render(image.gateway.config)[:1000])
    image.serve()
    assert image.health() == digest(image.gateway.config)
    assert image.configure(image.gateway.config).returncode == 0


def test_gateway_without_a_configuration_says_what_to_do(image: Image) -> None:
    done = image.command()
    assert done.returncode == 1
    assert done.stderr == f"no configuration in {image.file}: pulumi refresh, then up, delivers it again\n"


def test_purge_prints_the_gateways_answer(image: Image) -> None:
    image.configure(image.gateway.config)
    image.serve()
    image.gateway.serve(*free_ports(1))
    answer = image.command("purge", '{"service": "default/hello"}').stdout
    assert answer.startswith("HTTP/1.1 409 ")
    assert "urn:runyard:problem:no-cache" in answer


def nginx_of(image: Image) -> int:
    """Give the process that is nginx's master now."""
    assert image.served is not None
    children = Path(f"/proc/{image.served.pid}/task/{image.served.pid}/children").read_text().split()
    for thread in Path(f"/proc/{image.served.pid}/task").iterdir():
        children += (thread / "children").read_text().split()
    found = {int(each) for each in children if b"nginx: master" in Path(f"/proc/{each}/cmdline").read_bytes()}
    (master,) = found
    return master


def test_container_that_is_told_to_stop_ends_with_its_nginx(image: Image) -> None:
    image.configure(image.gateway.config)
    image.serve()
    assert image.served is not None
    master = nginx_of(image)
    image.served.send_signal(signal.SIGQUIT)
    assert image.served.wait(PATIENCE_S) == 0
    assert not Path(f"/proc/{master}").exists()


def test_killed_nginx_is_started_again_and_no_connection_is_refused(image: Image, make_instance: MakeInstance) -> None:
    image.configure(image.gateway.config)
    image.serve()
    image.gateway.serve(make_instance().port)
    # One that ends sooner is the engine's to start again.
    served = time.monotonic()
    until(lambda: time.monotonic() - served > RESTLESS_S, "it has run for a second")
    killed = nginx_of(image)
    os.kill(killed, signal.SIGKILL)
    began = time.monotonic()
    # What the dying workers have taken breaks off; nothing is refused.
    while True:
        try:
            answered = image.gateway.request().status
            break
        except ConnectionRefusedError:
            raise
        except (OSError, HTTPException):
            continue
    took = time.monotonic() - began
    assert answered == 200
    # A dying worker may still have answered, so the next one is waited for.
    until(lambda: nginx_of(image) != killed, "there is another nginx")
    assert "nginx has ended: killed by killed: it is started again" in image.gateway.errors()
    print(f"answers after {took:.3f} s")
    image.reload()
    assert image.confirm(digest(image.gateway.config))


def test_nginx_that_ends_at_once_ends_the_container_with_it(image: Image) -> None:
    image.configure(image.gateway.config)
    image.serve()
    served = image.served
    assert served is not None

    def ended() -> bool:
        # On a busy machine it took a second until it served, which is not at once: the next one may not live so long.
        with contextlib.suppress(ValueError, OSError):
            os.kill(nginx_of(image), signal.SIGKILL)
        return served.poll() is not None

    until(ended, "the container ends")
    assert served.returncode == 1


def test_address_that_nginx_leaves_is_refused_after_the_reload(image: Image) -> None:
    (port,) = free_ports(1)
    fewer = image.gateway.config
    more = replace(fewer, listeners=(*fewer.listeners, Listener("edge", f"127.0.0.1:{port}")))
    image.configure(more)
    image.serve()
    socket.create_connection(("127.0.0.1", port), 5).close()
    assert image.configure(fewer).returncode == 0
    image.reload()
    assert image.confirm(digest(fewer))

    def refused() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
        except ConnectionRefusedError:
            return True
        return False

    until(refused, "the address is left")


def test_what_workers_write_is_made_as_theirs(image: Image) -> None:
    workers = pwd.getpwnam("www-data")
    # Whoever runs the tests may enter the directory; the workers' user has to as well.
    for each in (image.directory, *image.directory.parents[:3]):
        each.chmod(0o755)
    made = subprocess.run(
        [image.program, "configure"],
        env={**image.environment(render(replace(image.gateway.config, user="www-data"))), "RUNYARD_USER": "www-data"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (made.returncode, made.stderr) == (0, "")
    temporary = Path(image.gateway.config.temporary_directory)
    for each in ("body", "proxy", "fastcgi", "uwsgi", "scgi", "cache/kept"):
        found = (temporary / each).stat()
        assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (workers.pw_uid, workers.pw_gid, 0o700)
    state = (image.directory / "state").stat()
    assert (state.st_uid, state.st_gid, state.st_mode & 0o7777) == (0, workers.pw_gid, 0o770)


@pytest.mark.parametrize("arguments", [("ls",), ("confirm", "digest"), ("purge",), ("restore", "now")])
def test_unknown_command_is_refused(image: Image, arguments: tuple[str, ...]) -> None:
    done = image.command(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("must be serve, configure, confirm DIGEST SECONDS, restore or purge JSON, got ")


def test_purge_without_a_gateway_fails_and_says_so(image: Image) -> None:
    done = image.command("purge", "{}")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ask the gateway: dial unix ")


def test_program_is_static_and_needs_nothing_but_the_standard_library(program: Path) -> None:
    assert b"/lib64/ld-linux" not in program.read_bytes()
    assert "require" not in (SOURCE / "go.mod").read_text()


def test_error_log_tells_no_query(image: Image) -> None:
    image.configure(image.gateway.config)
    image.serve()
    image.gateway.serve(*free_ports(1), timeout_s=1)
    with image.gateway.connect() as connection:
        connection.request("GET", "/a?token=canary-1", headers={"Host": "hello.localhost", "Referer": "/?b=canary-2"})
        until(lambda: "Connection refused" in image.gateway.errors(), "the error is logged")
    errors = image.gateway.errors()
    assert 'request: "GET /a? HTTP/1.1"' in errors
    assert "canary" not in errors
