"""The policy pack: serves the rules to the Pulumi that started it, and ends with it."""

import os
import signal
import sys

from policies.analyzer import serve
from policies.declared import ROOT
from policies.pack import Pack

# As Pulumi ends its plugins: nothing is left to do, and nothing to say.
signal.signal(signal.SIGINT, lambda *_: os._exit(0))
# The state is that of the checkout's project, and what Pulumi passes on of the configuration is secret in part.
os.chdir(ROOT)
os.environ.pop("PULUMI_CONFIG", None)
server, port = serve(Pack())
print(port, flush=True)
# Pulumi holds the other end for as long as it lives, and closes it even when it is killed.
sys.stdin.buffer.read()
os._exit(0)
