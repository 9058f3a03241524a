"""The ratios in the table of the gateway's throughput."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.bench_gateway import TARGETS, Contender, contender, rows, targets
from tests.bench.peers.all import THROUGHPUT
from tests.bench.peers.nginx import ManyNginx, Nginx
from tests.bench.peers.ours import ManyRoutes, ManyServices, OurGateway, ThousandServices
from tests.bench.peers.peer import Peer

NOWHERE = Path("nginx")


def test_rows_compare_rate_and_processor_time_with_the_first(tmp_path: Path) -> None:
    bare = Contender(Nginx(tmp_path / "bare", [1], NOWHERE), ["a"], [100.0, 50.0, 80.0], [0.010, 0.020, 0.012])
    ours = Contender(OurGateway(tmp_path / "ours", [1], NOWHERE), ["a"], [75.0, 35.0, 80.0], [0.0125, 0.025, 0.0125])
    assert rows([bare, ours])[1:] == [
        ["bare nginx", "80 (50 to 100)", "1.00", "0.0120 (0.0100 to 0.0200)", "1.00"],
        ["gateway", "75 (35 to 80)", "0.75", "0.0125 (0.0125 to 0.0250)", "0.80"],
    ]


def test_targets_are_judged_by_the_processor_time(tmp_path: Path) -> None:
    bare = Contender(Nginx(tmp_path / "bare", [1], NOWHERE), ["a"], [100.0, 50.0, 80.0], [0.010, 0.020, 0.012])
    ours = Contender(OurGateway(tmp_path / "ours", [1], NOWHERE), ["a"], [75.0, 35.0, 40.0], [0.0125, 0.025, 0.03])
    routes = Contender(ManyRoutes(tmp_path / "routes", [1], NOWHERE), ["a"], [66.0, 33.0, 40.0], [0.016, 0.03, 0.03])
    assert targets([bare, ours, routes])[1:] == [
        ["gateway", "bare nginx", "0.70", "0.80", "0.65", "met"],
        ["gateway, 200 routes", "gateway", "0.94", "0.83", "0.95", "MISSED"],
    ]
    assert {name for target in TARGETS for name in target[:2]} <= {kind.name for kind in THROUGHPUT}


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        *((OurGateway, 1), (ManyRoutes, 200), (ManyServices, 200), (ThousandServices, 1000)),
        *((Nginx, 1), (ManyNginx, 200)),
    ],
)
def test_contender_is_asked_for_each_of_its_hosts(kind: type[Peer], count: int, tmp_path: Path) -> None:
    hosts = contender(kind(tmp_path / "peer", [1], NOWHERE)).hosts
    assert len(set(hosts)) == len(hosts) == count
