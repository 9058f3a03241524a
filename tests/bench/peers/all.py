"""All peers, in the order in which the tables show them, and their versions."""

from __future__ import annotations

from pathlib import Path

from tests.bench.peers.caddy import Caddy
from tests.bench.peers.envoy import Envoy
from tests.bench.peers.haproxy import Haproxy
from tests.bench.peers.nginx import FourNginx, LoggingNginx, ManyNginx, Nginx
from tests.bench.peers.ours import EveryLimit, FourWorkers, ManyRoutes, ManyServices, OurGateway, ThousandServices
from tests.bench.peers.peer import Peer
from tests.bench.peers.programs import Programs, version
from tests.bench.peers.traefik import Traefik

OTHERS: tuple[type[Peer], ...] = (Haproxy, Traefik, Caddy, Envoy)
NGINX: tuple[type[Peer], ...] = (
    *(Nginx, LoggingNginx, ManyNginx, FourNginx),
    *(OurGateway, EveryLimit, ManyRoutes, ManyServices, ThousandServices, FourWorkers),
)
THROUGHPUT = (*NGINX, *OTHERS)
BEHAVIOUR: tuple[type[Peer], ...] = (OurGateway, Nginx, *OTHERS)
# How each is asked for its version.
ASK = {"haproxy": "-v", "traefik": "version", "caddy": "version", "envoy": "--version"}


def versions(programs: Programs, peers: list[Peer]) -> dict[str, str]:
    """Ask nginx and the peers that are there for their versions."""
    named = {"nginx": version(Path("nginx"), "-v")}
    for peer in peers:
        if peer.needs and (program := programs.find(peer.needs)):
            named[peer.name] = version(program, ASK[peer.needs])
    return named
