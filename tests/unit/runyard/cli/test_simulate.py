"""Command `simulate`: forms, traces, picture and what is refused, on the real examples."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml

from runyard.cli.main import main
from runyard.contracts import RecordedLoad, encode
from tests.unit.runyard.host.docker_api import DockerApi

ROOT = Path(__file__).parents[4]
HELLO, SHOP = str(ROOT / "manifests" / "hello.yaml"), str(ROOT / "manifests" / "shop")
DAY = ("--date", "2026-11-23")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["simulate", *arguments, *DAY])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def bursts(tmp_path: Path) -> str:
    """Give a trace of three minutes, where what a shape has is not what is tried: the shortest lasts an hour."""
    path = tmp_path / "bursts.csv"
    path.write_text("at_s,requests\n0,20\n120,20\n")
    return str(path)


def test_idle_trace_sleeps_between_its_bursts_and_costs_little(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, HELLO, "--trace", "idle", "-o", "json")
    (service,) = json.loads(out)["services"]
    assert code == 0
    assert (service["service"], service["coldStarts"], service["lengthSeconds"]) == ("default/hello", 6, 7200)
    assert service["instances"]["mean"] < 0.4
    assert service["notSimulated"] == ["cpu"]


def test_text_says_what_was_simulated(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, SHOP, "--trace", "spike", "--service", "web", "--peak", "100")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split()[:6] == ["service", "instances", "peak", "starts", "cold", "p50"]
    assert lines[1].startswith("shop/web ")
    assert "Trace spike: 60 minutes, 52,200 requests, at most 100 a second." in lines


def test_trace_of_a_file_is_run_as_often_as_asked(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    trace = tmp_path / "t.csv"
    trace.write_text("at_s,requests\n0,5\n30,5\n")
    code, out, _ = run(capsys, HELLO, "--trace", str(trace), "--repeat", "3", "-o", "json")
    (service,) = json.loads(out)["services"]
    assert (code, service["requests"], service["peakRequestsPerSecond"], service["lengthSeconds"]) == (0, 30, 5.0, 273)


def test_picture_is_drawn_and_the_same_each_time(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, bursts: str
) -> None:
    pictures = [tmp_path / "a.svg", tmp_path / "b.svg"]
    for picture in pictures:
        assert run(capsys, HELLO, "--trace", bursts, "--picture", str(picture))[0] == 0
    first, second = (picture.read_bytes() for picture in pictures)
    assert first == second
    drawing = ElementTree.fromstring(first)
    assert len([each for each in drawing if each.tag.endswith("path")]) == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((SHOP, "--picture", "x.svg"), "--picture: must be of one service, got 3: name it with --service"),
        ((HELLO, "--service", "nobody"), "--service: must be one of default/hello, got nobody"),
        ((HELLO, "--trace", "none.csv"), "none.csv:1:1: cannot be read: no such file or directory"),
    ],
)
def test_what_cannot_be_simulated_is_said(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = run(capsys, *arguments, *(() if "--trace" in arguments else ("--trace", "idle")))
    assert (code, out, err) == (2, "", f"error: {message}\n")


def recorded(name: str, requests: int = 20) -> str:
    """Answer as an orchestrator does that recorded ten minutes."""
    return encode(RecordedLoad("shop", name, 0, 600, ((2, requests, 2000, 4), (8, requests, 2000, 4))))


def test_service_is_simulated_under_the_load_that_its_stack_recorded(
    capsys: pytest.CaptureFixture[str], docker_api: DockerApi
) -> None:
    docker_api.relayed = [recorded("web")]
    code, out, _ = run(capsys, SHOP, "--trace", "recorded", "--service", "web", "--stack", "prod", "-o", "json")
    (service,) = json.loads(out)["services"]
    assert code == 0
    assert (service["trace"], service["lengthSeconds"], service["requests"]) == (
        "the load of the last 10 minutes", 600, 40,
    )  # fmt: skip
    assert docker_api.sent == [("GET /v1/recorded-load?service=shop/web", None)]
    assert "POST /containers/runyard.prod.orchestrator/exec" in docker_api.asked


def test_name_of_a_service_stands_for_its_manifest_and_its_recorded_load(
    capsys: pytest.CaptureFixture[str],
    docker_api: DockerApi,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    bursts: str,
) -> None:
    docker_api.relayed = [recorded("web")]
    (tmp_path / "manifests").symlink_to(SHOP)
    monkeypatch.chdir(tmp_path)
    for name in ("web", "shop/web"):
        code, out, _ = run(capsys, name)
        assert (code, out.splitlines()[1].split()[0]) == (0, "shop/web")
        assert "Trace the load of the last 10 minutes: 10 minutes, 40 requests, at most 4 a second." in out
    # Another trace is as good, and what is there is no name.
    assert json.loads(run(capsys, "web", "--trace", bursts, "-o", "json")[1])["services"][0]["trace"] == bursts
    assert len(json.loads(run(capsys, "manifests", "--trace", bursts, "-o", "json")[1])["services"]) == 3


def test_every_service_has_its_own_recorded_load_and_one_without_has_no_line(
    capsys: pytest.CaptureFixture[str], docker_api: DockerApi
) -> None:
    empty = encode(RecordedLoad("shop", "cart", 0, 3600))
    docker_api.relayed = [empty, recorded("stock", 30), recorded("web")]
    code, out, err = run(capsys, SHOP, "--trace", "recorded")
    assert (code, err) == (0, "shop/cart: left out, no request is recorded of it\n")
    assert [line.split()[0] for line in out.splitlines()[1:3]] == ["shop/stock", "shop/web"]
    told = [line for line in out.splitlines() if ": Trace " in line]
    assert told == [
        "shop/stock: Trace the load of the last 10 minutes: 10 minutes, 60 requests, at most 4 a second.",
        "shop/web: Trace the load of the last 10 minutes: 10 minutes, 40 requests, at most 4 a second.",
    ]


def test_stack_that_has_recorded_nothing_is_an_error(capsys: pytest.CaptureFixture[str], docker_api: DockerApi) -> None:
    docker_api.relayed = [encode(RecordedLoad("shop", "web", 0, 3600))]
    code, out, err = run(capsys, SHOP, "--trace", "recorded", "--service", "web")
    assert (code, out) == (1, "")
    assert err == "error: simulate shop/web: stack dev has recorded no request within the last week\n"


def test_peak_is_of_a_shape_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    trace = tmp_path / "t.csv"
    trace.write_text("at_s,requests\n0,5\n")
    code, _, err = run(capsys, HELLO, "--trace", str(trace), "--peak", "5")
    assert (code, err) == (2, f"error: --peak: must be given with a shape alone, got it with the trace {trace}\n")


def test_service_that_scales_by_cpu_alone_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    manifest = tmp_path / "m.yaml"
    text = Path(HELLO).read_text(encoding="utf-8")
    manifest.write_text(
        text.replace(
            "  template:\n",
            "  template:\n    metadata:\n      annotations:\n        autoscaling.knative.dev/metric: cpu\n",
        )
    )
    code, _, err = run(capsys, str(manifest), "--trace", "idle")
    assert (code, err) == (2, "error: default/hello: must scale by concurrency or rps to be simulated, got cpu\n")


def test_least_instances_are_there_from_the_beginning(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, SHOP, "--trace", "idle", "--service", "shop/web", "-o", "json")
    (service,) = json.loads(out)["services"]
    assert code == 0
    assert (service["instances"]["least"], service["instances"]["most"], service["coldStarts"]) == (2, 100, 0)
    assert service["instances"]["mean"] >= 2


def test_slower_starts_keep_more_requests_waiting(capsys: pytest.CaptureFixture[str], bursts: str) -> None:
    late = []
    for start_ms in ("100", "5000"):
        _, out, _ = run(capsys, HELLO, "--trace", bursts, "--start-ms", start_ms, "-o", "json")
        late.append(json.loads(out)["services"][0]["lateRequestSeconds"])
    assert late[0] < late[1]


def test_same_trace_tells_the_same_each_time_in_both_forms(capsys: pytest.CaptureFixture[str], bursts: str) -> None:
    told = [run(capsys, HELLO, "--trace", bursts, "-o", form)[1] for form in ("json", "json", "yaml")]
    assert told[0] == told[1]
    assert yaml.safe_load(told[2]) == json.loads(told[0])


def test_markdown_is_the_table_as_a_block(capsys: pytest.CaptureFixture[str], bursts: str) -> None:
    code, out, _ = run(capsys, HELLO, "--trace", bursts, "-o", "markdown")
    assert code == 0
    assert out.startswith("```text\nservice ")
    assert out.endswith("```\n")
