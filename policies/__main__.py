"""The policy pack: serves the rules to the Pulumi that started it, and ends with it."""

import os
import signal
import sys

# As Pulumi ends its plugins: nothing is left to do or to say. Before all imports, which take a part of a second.
signal.signal(signal.SIGINT, lambda *_: os._exit(0))

from policies.analyzer import serve  # noqa: E402
from policies.pack import Pack  # noqa: E402

# What Pulumi passes on of the configuration is secret in part.
os.environ.pop("PULUMI_CONFIG", None)
server, port = serve(Pack())
print(port, flush=True)
# Pulumi holds the other end for as long as it lives, and closes it even when it is killed.
sys.stdin.buffer.read()
os._exit(0)
