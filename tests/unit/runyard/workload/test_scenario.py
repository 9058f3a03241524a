"""Scenarios: cases of tests/cases/workload with the whole text of what is told, and what a good one is read as."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from runyard.errors import ManifestError, UsageError
from runyard.manifest.schema import load_schema
from runyard.workload.analysis import THRESHOLDS
from runyard.workload.arrivals import CONSTANT, RAMP, SIMULATED, arrivals
from runyard.workload.model import Checks, Generator, Phase, Scenario, Target
from runyard.workload.scenario import check_size, load_scenario, parse_scenario
from tests.unit import checkout
from tests.unit.runyard.workload.made import scenario

CASES = Path(__file__).parents[4] / "tests" / "cases" / "workload"
HEAD = "apiVersion: runyard.dev/v1\nkind: Workload\n"


def read_nothing(trace: str) -> str:
    raise AssertionError(f"{trace} is none of the scenario's")


@pytest.mark.parametrize("case", sorted(CASES.iterdir()), ids=lambda case: case.name)
def test_scenario_case_tells_exactly_what_is_expected(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(case)
    with pytest.raises(ManifestError) as raised:
        load_scenario("given.yaml")
    assert f"{raised.value}\n" == Path("expect.txt").read_text(encoding="utf-8")


WHOLE = """\
metadata: { name: morning }
spec:
  targets:
    - service: hello
    - name: buy
      service: shop/web
      path: /cart?a=b
      method: POST
      headers: { Content-Type: text/plain }
      body: two
      weight: 3
      checks: { statuses: [200, 201], bodyContains: ok, maxMilliseconds: 80 }
    - url: http://localhost:8080/x
  phases:
    - { shape: ramp, from: 2, rate: 20, seconds: 10, gaps: poisson }
    - { shape: spike, rate: 30, seconds: 60 }
  thresholds: { p99Milliseconds: 200, failedPercent: 1 }
  generator: { workers: 2, lateMilliseconds: 20, latePercent: 2, maxInFlight: 100 }
  hosts: [load.example]
  warmUpSeconds: 10
  timeoutSeconds: 5
  seed: 9
"""


def test_whole_scenario_is_read() -> None:
    found = parse_scenario("dir/s.yaml", HEAD + WHOLE, read_nothing)
    assert found.targets == (
        Target("GET default/hello/", service="default/hello"),
        Target(
            "buy",
            service="shop/web",
            path="/cart?a=b",
            method="POST",
            headers=(("Content-Type", "text/plain"),),
            body="two",
            weight=3,
            checks=Checks((200, 201), "ok", 80.0),
        ),
        Target("GET http://localhost:8080/x", url="http://localhost:8080/x"),
    )
    assert found.phases == (Phase("ramp", 10.0, 20.0, 2.0, "poisson"), Phase("spike", 60.0, 30.0))
    assert found.thresholds.limits == (("p99Milliseconds", 200.0), ("failedPercent", 1.0))
    assert found.generator == Generator(2, 20.0, 2.0, 100)
    assert (found.name, found.hosts, found.warm_up_s) == ("morning", ("load.example",), 10.0)
    assert (found.timeout_s, found.seed, found.seconds) == (5.0, 9, 70.0)
    assert found.services == ("default/hello", "shop/web")


def test_scenario_of_the_guide_is_one() -> None:
    (example,) = re.findall(r"^```yaml\n(.*?)^```$", checkout.text(Path("docs/load.md")), re.MULTILINE | re.DOTALL)
    found = parse_scenario("guide.yaml", example, read_nothing)
    assert (found.name, found.services, found.seconds) == ("shop in the morning", ("shop/web",), 170.0)


def test_shortest_scenario_has_the_defaults_of_the_model() -> None:
    text = HEAD + "spec:\n  targets: [{ service: hello }]\n  phases: [{ shape: constant, rate: 1, seconds: 2 }]\n"
    found = parse_scenario("dir/short.yaml", text, read_nothing)
    target = Target("GET default/hello/", service="default/hello")
    assert found == Scenario("short", (target,), (Phase("constant", 2.0, 1.0),))


def test_host_that_the_command_names_may_be_asked() -> None:
    text = (
        HEAD
        + "spec:\n  targets: [{ url: 'http://a.example/' }]\n  phases: [{ shape: constant, rate: 1, seconds: 2 }]\n"
    )
    with pytest.raises(ManifestError, match=r"must be of this machine or a host in spec\.hosts"):
        parse_scenario("s.yaml", text, read_nothing)
    assert parse_scenario("s.yaml", text, read_nothing, ["a.example"]).targets[0].url == "http://a.example/"


def traced(text: str, **fields: object) -> list[float]:
    phase = {"trace": "t.csv", **fields}
    document = {
        "apiVersion": "runyard.dev/v1",
        "kind": "Workload",
        "spec": {"targets": [{"service": "hello"}], "phases": [phase]},
    }
    found = parse_scenario("s.yaml", json.dumps(document), {"t.csv": text}.__getitem__)
    return [at_s for at_s, _ in arrivals(found)]


def test_trace_begins_with_its_first_request_and_goes_by_faster() -> None:
    trace = "app,func,end_timestamp,duration\na,f,110,10\na,f,104,2\na,f,120,1\n"
    assert traced(trace) == pytest.approx([0.0, 2.0, 19.0])
    assert traced(trace, timeScale=10) == pytest.approx([0.0, 0.2, 1.9])


def test_trace_has_several_requests_for_one() -> None:
    assert traced("at_s,requests\n5,1\n6,2\n", rateScale=2) == pytest.approx([0, 0, 1.125, 1.375, 1.625, 1.875])


def test_trace_lies_beside_the_scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    directory = tmp_path / "load"
    directory.mkdir()
    (directory / "t.csv").write_text("at_s,requests\n0,3\n")
    (directory / "s.yaml").write_text(HEAD + "spec: { targets: [{ service: hello }], phases: [{ trace: t.csv }] }\n")
    assert len(list(arrivals(load_scenario("load/s.yaml")))) == 3


def test_scenario_of_more_requests_than_can_be_analysed_is_refused() -> None:
    check_size(scenario(rate=5_000.0, seconds=1000.0))
    with pytest.raises(UsageError, match="made: must come to at most 5,000,000 requests, got 6,000,000"):
        check_size(scenario(rate=6_000.0, seconds=1000.0))


def test_schema_has_every_shape_and_threshold_that_there_is() -> None:
    spec = load_schema("workload")["properties"]["spec"]["properties"]
    assert set(spec["phases"]["items"]["properties"]["shape"]["enum"]) == {CONSTANT, RAMP, *SIMULATED}
    assert set(spec["thresholds"]["properties"]) == THRESHOLDS


def test_schema_is_one_and_describes_every_field() -> None:
    schema = load_schema("workload")
    jsonschema.Draft202012Validator.check_schema(schema)

    def undescribed(holder: object, path: str) -> list[str]:
        if not isinstance(holder, dict):
            return []
        found = []
        for name, field in holder.get("properties", {}).items():
            found += [] if field.get("description") else [f"{path}.{name}"]
            found += undescribed(field, f"{path}.{name}")
        return found + undescribed(holder.get("items"), f"{path}[]")

    assert undescribed(schema, "") == []
