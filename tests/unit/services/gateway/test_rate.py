"""The arithmetic of runyard.rate, in nginx's own Lua with a clock of the test's."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runyard.gateway import GatewayConfig
from tests.harness.client import ask
from tests.harness.ports import free_ports
from tests.harness.programs import nginx
from tests.harness.waiting import PATIENCE_S, until
from tests.unit.services.gateway.nginx import LUA

CONFIG = """
load_module "{modules}/ndk_http_module.so"; load_module "{modules}/ngx_http_lua_module.so";
daemon off; master_process off; pid {directory}/nginx.pid; error_log {directory}/error.log error;
events {{ worker_connections 64; }}
http {{
    client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi; access_log off;
    client_body_buffer_size 1m; client_max_body_size 1m;
    lua_package_path "{lua}/?.lua;;";
    lua_shared_dict clients 1m; lua_shared_dict quotas 1m;
    init_by_lua_block {{
        -- Starts where no sum of fractions is exact, as a machine's clock does.
        time = 123456.789
        package.loaded["runyard.clock"] = {{ now = function() return time end }}
        rate = require "runyard.rate"
    }}
    server {{
        listen 127.0.0.1:{port};
        location = /pass {{ content_by_lua_block {{
            local cjson = require "cjson"
            ngx.req.read_body()
            local given = cjson.decode(ngx.req.get_body_data())
            local rule, found = rate.rule(given.per_second, given.burst), {{}}
            ngx.shared.clients:delete("one")
            for index, gap in ipairs(given.gaps) do
                time = time + gap
                local passes, left, seconds = rate.take(ngx.shared.clients, "one", rule, ngx.shared.quotas)
                found[index] = {{ passes, left, seconds }}
            end
            ngx.print(cjson.encode({{ rule.burst, found }}))
        }} }}
        location = /many {{ content_by_lua_block {{
            local rule, refused = rate.rule(1, 1), 0
            for number = 1, 1e6 do
                local passes = rate.take(ngx.shared.clients, ngx.md5_bin(number), rule, ngx.shared.quotas)
                refused = refused + (passes and 0 or 1)
            end
            local again = rate.take(ngx.shared.clients, ngx.md5_bin(1e6), rule, ngx.shared.quotas)
            ngx.print('{{"refused":', refused, ',"again":', tostring(again), '}}')
        }} }}
    }}
}}
"""


@pytest.fixture(scope="module")
def lua(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Start one nginx process and give a function that sends it JSON."""
    directory, [port] = tmp_path_factory.mktemp("rate"), free_ports(1)
    path: Path = directory / "nginx.conf"
    path.write_text(CONFIG.format(directory=directory, port=port, lua=LUA, modules=GatewayConfig().modules_directory))
    process = subprocess.Popen([nginx(), "-c", str(path)])

    def tell(where: str, body: object = None) -> Any:
        return ask(port, where, "POST", json.dumps(body)).json()

    def answers() -> bool:
        try:
            return bool(tell("/pass", {"per_second": 1, "burst": 1, "gaps": [0]}))
        except OSError:
            return False

    until(answers, "nginx answers")
    yield tell
    process.terminate()
    process.wait(PATIENCE_S)
    assert (directory / "error.log").read_text() == ""


# In milliseconds, from a burst within one to a pause that fills every bucket.
GAPS = st.lists(st.one_of(st.just(0), st.integers(0, 5), st.integers(0, 3000)), min_size=1, max_size=60)


@settings(max_examples=150)
@given(per_second=st.integers(1, 5000), burst=st.integers(1, 50), gaps=GAPS)
def test_passes_are_those_of_a_token_bucket(lua: Any, per_second: int, burst: int, gaps: list[int]) -> None:
    # A token bucket counted in fractions: full in the beginning, refilled at the rate, one token a request.
    _, found = lua("/pass", {"per_second": per_second, "burst": burst, "gaps": [gap / 1000 for gap in gaps]})
    tokens = Fraction(burst)
    for gap, (passes, left, seconds) in zip(gaps, found, strict=True):
        tokens = min(Fraction(burst), tokens + Fraction(gap * per_second, 1000))
        # What the limiter may be off by: a microsecond, and the hundredth of the burst by which a bucket may lag.
        slack = Fraction(per_second, 500_000) + Fraction(burst, 100)
        if abs(tokens - 1) > slack:
            assert passes == (tokens > 1)
        if passes:
            tokens -= 1
            assert abs(left - tokens) < 1 + slack
        else:
            assert 0 < seconds <= 1 / per_second + 1e-6
            assert seconds == pytest.approx(float((1 - tokens) / per_second), abs=1e-5 + burst / per_second / 100)


@pytest.mark.parametrize(("per_second", "burst"), [(1, 1), (9, 9), (10, 10), (100, 10), (101, 11), (10_000, 1000)])
def test_default_burst_is_a_tenth_of_a_second_but_ten_or_a_second_of_less(
    lua: Any, per_second: int, burst: int
) -> None:
    assert lua("/pass", {"per_second": per_second, "burst": 0, "gaps": [0]})[0] == burst


def test_million_clients_fit_into_a_mebibyte(lua: Any) -> None:
    # Whoever was away longest is forgotten; the last one is not.
    assert lua("/many") == {"refused": 0, "again": False}
