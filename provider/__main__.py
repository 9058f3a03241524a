"""Entry of the provider: Pulumi starts it with the address of its engine and reads the port from standard output."""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc

from provider.host import Host
from provider.log import Log
from provider.parent import Parent
from provider.plan import load_reviewed
from provider.server import Server
from runyard.pulumi.protocol import provider_pb2_grpc

# Calls that wait for a rollout hold a thread each; Pulumi makes as many at a time as its --parallel says.
_THREADS = 256
# Documents and messages have no bound of their own here: Pulumi's command is the only client.
_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def main() -> None:
    """Serve until Pulumi interrupts, or is gone."""
    parent = Parent()
    # A pipe that Python writes to when a signal comes: one that came just before the wait for a lock would wake nobody.
    ended, end = os.pipe()
    os.set_blocking(end, False)
    signal.set_wakeup_fd(end)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: None)
    parent.watch(lambda: os._exit(0))
    host = Host(parent.check, Log(sys.argv[1] if len(sys.argv) > 1 else "").tell, load_reviewed(os.environ))
    server = grpc.server(ThreadPoolExecutor(_THREADS), options=_OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Server(host.kinds(), parent.check, host.cancel), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    os.read(ended, 1)
    # At once: calls that wait, and their threads, have nobody to answer any more.
    os._exit(0)


if __name__ == "__main__":
    main()
