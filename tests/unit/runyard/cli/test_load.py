"""Command `load`: scenarios and options, forms and files, exit codes, and two runs compared."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from runyard.cli.main import main
from runyard.workload.outcome import describe_outcome
from tests.harness.waiting import PATIENCE_S, until
from tests.unit.runyard.workload.made import outcome
from tests.unit.runyard.workload.server import Served, greet, serving
from tests.unit.runyard.workload.stack import loaded_stack

SCENARIO = """\
apiVersion: runyard.dev/v1
kind: Workload
metadata: {{ name: morning }}
spec:
  targets: [{{ url: "{url}" }}]
  phases: [{{ shape: constant, rate: 40, seconds: 0.5 }}]
  thresholds: {{ failedPercent: 0, {more} }}
  generator: {{ lateMilliseconds: 60000, latePercent: {late} }}
"""


def load(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["load", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def written(directory: Path, served: Served, more: str = "", late: int = 100) -> str:
    file = directory / "morning.yaml"
    file.write_text(SCENARIO.format(url=served.url, more=more, late=late))
    return str(file)


def test_scenario_that_passes_ends_well(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with serving() as served:
        code, out, err = load(capsys, written(tmp_path, served), "--workers", "2")
    assert (code, err) == (0, "")
    assert out.startswith("passed: morning, 20 requests in 0.5 s\n")
    assert "generator: 2 workers" in out


def test_scenario_is_told_as_data_and_written_as_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with serving() as served:
        code, out, _ = load(capsys, written(tmp_path, served), "-o", "json", "--report", str(tmp_path / "out"))
    told = json.loads(out)
    assert (code, told["verdict"], told["totals"]["served"]) == (0, "passed", 20)
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == told


def test_threshold_that_is_missed_is_exit_7_and_still_reported(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with serving() as served:
        code, out, err = load(capsys, written(tmp_path, served, "maxMilliseconds: 0"), "-q")
    assert code == 7
    assert out.startswith("failed: morning")
    assert err.startswith("error: load morning: slowest at most 0 ms, got ")


def test_generator_that_could_not_is_exit_3(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with serving() as served:
        file = Path(written(tmp_path, served, "maxMilliseconds: 0", late=0))
        # No machine begins anything within so little.
        file.write_text(file.read_text().replace("lateMilliseconds: 60000", "lateMilliseconds: 0.1"))
        code, out, err = load(capsys, str(file), "-o", "markdown")
    assert code == 3
    assert out.startswith("**void (the generator measured itself): morning, 20 requests in 0.5 s**")
    assert "requests began more than 0.1 ms late, at most 0 % may" in err


def test_options_make_a_scenario_of_one_target(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(greet) as served:
        options = ("--method", "POST", "--body", "two words")
        asked = ("--url", served.url, "--rate", "20", "--for", "1s", "--gaps", "even", *options, "-o", "json")
        code, out, _ = load(capsys, *asked, "--failed-percent", "0")
    told = json.loads(out)
    assert (told["totals"]["attempted"], told["judgements"][0]["rule"]) == (20, "at most 0 % failed")
    assert {(method, body) for method, _, _, body in served.requests} == {("POST", b"two words")}
    # A busy machine may make it void, and then says so.
    assert code == {"passed": 0, "void": 3}[told["verdict"]]


def test_service_is_asked_through_its_gateway_and_audited(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    with loaded_stack(tmp_path) as (_, served):
        _, out, _ = load(capsys, "--service", "shop/web", "--path", "/a", "--rate", "20", "--for", "1s", "-o", "json")
    (audit,) = json.loads(out)["audits"]
    assert (audit["service"], audit["answered"], audit["logged"], audit["counted"]) == ("shop/web", 20, 20, 20)
    assert {(host, path) for _, host, path, _ in served.requests} == {("web.shop.localhost", "/a")}


def test_dry_run_shows_what_would_be_sent_and_sends_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with serving() as served:
        file = written(tmp_path, served)
        code, out, _ = load(capsys, file, "--dry-run")
        described = json.loads(load(capsys, file, "--dry-run", "-o", "json")[1])
        assert served.requests == []
    assert (code, out.splitlines()[0]) == (0, "morning: 20 requests in 0.5 s from 1 worker; nothing was sent")
    assert (described["requests"], described["targets"][0]["url"]) == (20, served.url)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "load: must be given a scenario, --service or --url"),
        (("a.yaml", "b.yaml"), "load: must be given one scenario, got 2: a.yaml b.yaml"),
        (
            ("a.yaml", "--rate", "5", "--for", "3s"),
            "load: must be given a scenario or options, got a.yaml and --rate, --for",
        ),
        (("compare", "a.json"), "compare: must be given two reports, got 1"),
        (
            ("--url", "http://localhost/", "--rate", "5"),
            "spec.phases[0].seconds: must be given with shape",
        ),
        (("nothing.yaml",), "nothing.yaml:1:1: cannot be read: no such file or directory"),
    ],
)
def test_what_cannot_be_run_is_told(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = load(capsys, *arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_host_must_be_named_before_it_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--url", "http://load.example/", "--rate", "1", "--for", "1s", "--dry-run")
    code, _, err = load(capsys, *asked)
    assert code == 2
    assert 'must be of this machine or a host in spec.hosts, got "load.example"' in err
    assert load(capsys, *asked, "--host", "load.example")[0] == 0


def test_trace_of_options_is_scaled(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    trace = tmp_path / "t.csv"
    trace.write_text("at_s,requests\n0,4\n100,4\n")
    asked = ("--url", "http://localhost/", "--trace", str(trace), "--time-scale", "50", "--rate-scale", "2")
    code, out, _ = load(capsys, *asked, "--dry-run", "-o", "json")
    described = json.loads(out)
    assert (code, described["requests"], described["seconds"]) == (0, 16, pytest.approx(2.02))


def test_two_reports_are_compared(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    files = []
    for name, made in (("a", outcome()), ("b", outcome(failing=2))):
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(describe_outcome(made)))
        files.append(str(file))
    code, out, _ = load(capsys, "compare", *files)
    assert (code, out.splitlines()[4].split()[-1]) == (0, "worse")
    found = json.loads(load(capsys, "compare", *files, "-o", "json")[1])["differences"]
    assert [each["verdict"] for each in found] == ["within noise"] * 3 + ["worse"] * 2
    assert load(capsys, "compare", *files, "-o", "markdown")[1].startswith("| measure | before |")


def test_report_of_something_else_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for text in ("{}", "no"):
        file = tmp_path / "r.json"
        file.write_text(text)
        code, _, err = load(capsys, "compare", str(file), str(file))
        assert code == 2
        assert f"error: {file}: must be a report.json of `runyard load`: " in err


def test_load_that_is_interrupted_ends_at_once_with_its_workers() -> None:
    with serving() as served:
        command = [sys.executable, "-m", "runyard.cli.main", "load", "--url", served.url, "--rate", "20", "--for", "1h"]
        # A shell that puts tests into the background has them ignore the signal, and whom they start.
        heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        process = subprocess.Popen(
            [*command, "--workers", "2"], stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=heed
        )
        try:
            until(lambda: served.requests, "load comes")
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=PATIENCE_S)
        finally:
            # With its workers, or the next tests wait for an hour.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert (process.returncode, told) == (8, "error: interrupted\n")


def test_help_of_the_program_loads_nothing_of_it() -> None:
    script = (
        "import sys; from runyard.cli.main import main; main(['--help']);"
        "print([each for each in ('aiohttp', 'hdrh', 'jinja2', 'runyard.workload') if each in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "  load  " in done.stdout
