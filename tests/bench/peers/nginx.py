"""nginx as a peer: a plain proxy, and the same with a request log like the gateway's."""

from __future__ import annotations

import os
import pwd
import signal
from collections.abc import Sequence
from pathlib import Path

from tests.bench.peers.peer import CONNECT_S, IDLE, Peer

LOG = (
    'log_format requests escape=json \'{"time":"$time_iso8601","unix_s":$msec,"request_id":"$request_id"'
    ',"client":"$remote_addr","host":"$host","method":"$request_method","path":"$uri","status":$status'
    ',"bytes_in":$request_length,"bytes_out":$bytes_sent,"duration_s":$request_time,"instances":"$upstream_addr"'
    ',"connect_s":"$upstream_connect_time","header_s":"$upstream_header_time"'
    ',"response_s":"$upstream_response_time"}\';\n'
)
PARTS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
# The retries are what the gateway does too: another instance for what was not sent, or may be sent twice.
CONFIGURATION = """
daemon off; user {user}; worker_processes {workers}; pid {directory}/pid; error_log {directory}/error.log error;
events {{ worker_connections 4096; }}
http {{
    {temporary}
    {log}
    keepalive_requests 1000000000;
    {upstreams}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        {logging}
        location / {{
            proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_connect_timeout {connect_s}s; proxy_read_timeout {answer_s}s;
            proxy_next_upstream error timeout http_500; proxy_next_upstream_tries 3;
            proxy_pass http://{target};
        }}
    }}
}}
"""


def upstream(name: str, ports: Sequence[int]) -> str:
    """Write an upstream block of nginx."""
    servers = " ".join(f"server 127.0.0.1:{port} max_fails=1 fail_timeout=10s;" for port in ports)
    return f"upstream {name} {{ {servers} keepalive {IDLE}; keepalive_requests 1000000000; }}"


class Nginx(Peer):
    """Debian's nginx, the same build as the gateway's, with no log."""

    name = "bare nginx"
    change = "reload"
    health = "max_fails=1 fail_timeout=10s, next upstream on error, timeout and 500 (not POST)"
    workers = 1
    target = "instances"
    log = ""
    logging = "access_log off;"

    def prepare(self) -> Sequence[str | Path]:
        """Write nginx.conf."""
        text = CONFIGURATION.format(
            directory=self.directory,
            temporary=" ".join(f"{part}_temp_path {self.directory}/{part};" for part in PARTS),
            # As the gateway's are here, and so that callgrind can be talked to in one.
            user=pwd.getpwuid(os.getuid()).pw_name,
            workers=self.workers,
            log=self.log,
            logging=self.logging.format(directory=self.directory),
            upstreams=self.upstreams(),
            target=self.target,
            port=self.port,
            connect_s=CONNECT_S,
            answer_s=self.answer_s,
        )
        return [self.program, "-c", self.replace("nginx.conf", text)]

    def upstreams(self) -> str:
        """Name the instances."""
        return upstream("instances", self.instances)

    def route(self, instances: Sequence[int]) -> None:
        """Write the new configuration and reload."""
        self.instances = list(instances)
        self.prepare()
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)


class LoggingNginx(Nginx):
    """The same with a JSON line for each request, buffered as the gateway's is, and a request id passed on."""

    name = "nginx with a log"
    log = LOG
    logging = (
        "access_log {directory}/requests.log requests buffer=64k flush=1s; proxy_set_header X-Request-Id $request_id;"
    )


class FourNginx(LoggingNginx):
    """The same with four workers on its one core."""

    name = "nginx with a log, four workers"
    workers = 4


class ManyNginx(LoggingNginx):
    """The same with 200 services of one host and one instance each, which the requests name in turn."""

    name = "nginx with a log, 200 services"
    most_instances = 200
    target = "$instances"

    def host_names(self) -> list[str]:
        """Name the hosts that it answers."""
        return [f"s{number}.localhost" for number in range(self.most_instances)]

    def upstreams(self) -> str:
        """Name a block of instances for each host."""
        blocks = [upstream(f"instances_{number}", [port]) for number, port in enumerate(self.instances)]
        routes = [f"{host} instances_{number};" for number, host in enumerate(self.host_names())]
        return "\n".join(["map $host $instances { default instances_0;", *routes, "}", *blocks])
