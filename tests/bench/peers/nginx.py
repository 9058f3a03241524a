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
    upstream instances {{ {servers} keepalive {idle}; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        {logging}
        location / {{
            proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_connect_timeout {connect_s}s; proxy_read_timeout {answer_s}s;
            proxy_next_upstream error timeout http_500; proxy_next_upstream_tries 3;
            proxy_pass http://instances;
        }}
    }}
}}
"""


class Nginx(Peer):
    """Debian's nginx, the same build as the gateway's, with no log."""

    name = "bare nginx"
    change = "reload"
    health = "max_fails=1 fail_timeout=10s, next upstream on error, timeout and 500 (not POST)"
    workers = 1
    log = ""
    logging = "access_log off;"

    def prepare(self) -> Sequence[str | Path]:
        """Write nginx.conf."""
        servers = " ".join(f"server 127.0.0.1:{port} max_fails=1 fail_timeout=10s;" for port in self.instances)
        text = CONFIGURATION.format(
            directory=self.directory,
            temporary=" ".join(f"{part}_temp_path {self.directory}/{part};" for part in PARTS),
            # As the gateway's are here, and so that callgrind can be talked to in one.
            user=pwd.getpwuid(os.getuid()).pw_name,
            workers=self.workers,
            log=self.log,
            logging=self.logging.format(directory=self.directory),
            servers=servers,
            idle=IDLE,
            port=self.port,
            connect_s=CONNECT_S,
            answer_s=self.answer_s,
        )
        return [self.program, "-c", self.replace("nginx.conf", text)]

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
