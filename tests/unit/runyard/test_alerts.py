"""Alerts: each fires and stays silent as it should, reads what is told, and names a page that says what to do."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from runyard.accounts import Quotas
from runyard.images import image_reference
from runyard.prometheus import ERROR_BURNS, SLOW_BURNS, WINDOWS, render_alerts, render_rules
from tests.unit import checkout

CASES = [Path(__file__).parent / name for name in ("alerts_test.yml", "alerts_lasting_test.yml")]
# Those of the cases.
QUOTAS = [("shop", Quotas(cpu_millis=4000, instances=10))]


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load(render_alerts(QUOTAS))["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def quota_limits(*quotas: tuple[str, Quotas]) -> dict[tuple[str, str], str]:
    groups = yaml.safe_load(render_alerts(quotas))["groups"]
    found = [rule for group in groups for rule in group["rules"] if rule.get("record") == "tenant:runyard_quota:limit"]
    return {(each["labels"]["tenant"], each["labels"]["resource"]): each["expr"] for each in found}


@pytest.mark.engine
def test_every_alert_fires_and_stays_silent_on_known_series() -> None:
    # promtool is in Prometheus' image, as old as what evaluates the rules.
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in (
            ("rules.yml", render_rules()),
            ("alerts.yml", render_alerts(QUOTAS)),
            *((path.name, path.read_text(encoding="utf-8")) for path in CASES),
        ):
            data = text.encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    script = "cd /tmp && tar -x && promtool check rules rules.yml alerts.yml && promtool test rules *_test.yml"
    command = ["docker", "run", "--rm", "--interactive", "--network", "none", "--entrypoint", "sh"]
    command += [image_reference("prometheus"), "-c", script]
    done = subprocess.run(command, input=packed.getvalue(), capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


@pytest.mark.parametrize("alert", alerts(), ids=lambda each: each["alert"])
def test_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not(alert: dict[str, Any]) -> None:
    cases = [case for path in CASES for case in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]]
    found = [each for case in cases for each in case["alert_rule_test"] if each["alertname"] == alert["alert"]]
    assert {bool(each["exp_alerts"]) for each in found} == {True, False}


@pytest.mark.parametrize("alert", alerts(), ids=lambda each: each["alert"])
def test_alert_says_how_bad_it_is_and_names_a_page_that_names_it(alert: dict[str, Any]) -> None:
    assert set(alert["labels"]) == {"severity", "signal"}
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert set(alert["annotations"]) == {"summary", "description", "runbook"}
    page = Path(alert["annotations"]["runbook"])
    assert page.parent == Path("docs/runbooks")
    assert page in checkout.files()
    text = checkout.text(page)
    assert f"`{alert['alert']}`" in text
    assert text.index("## Look") < text.index("## Do")


def test_every_page_is_an_alerts() -> None:
    named = {Path(each["annotations"]["runbook"]) for each in alerts()}
    assert named == {path for path in checkout.files() if path.parent == Path("docs/runbooks")}


def test_alerts_have_names_of_their_own() -> None:
    names = [each["alert"] for each in alerts()]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"([A-Z][a-z]+){2,4}", each) for each in names)


def test_windows_of_burns_are_recorded() -> None:
    assert {window for burn in (*ERROR_BURNS, *SLOW_BURNS) for window in (burn.long, burn.short)} <= {*WINDOWS}
    # A month's budget, of which the workbook lets an hour at 14.4 use up a fiftieth, and so on.
    month_s = 30 * 86_400
    assert [round(burn.rate * burn.long_s / month_s, 3) for burn in ERROR_BURNS] == [0.02, 0.05, 0.1]


def test_limits_are_those_that_are_said_and_can_be_come_near_to() -> None:
    everything = Quotas(
        cpu_millis=1500, memory_bytes=1024, instances=3, services=2, storage_bytes=7, hosts=1, requests_per_second=50
    )
    assert quota_limits(("shop", everything), ("none", Quotas(instances=0))) == {
        ("shop", "cpu"): "vector(1.5)",
        ("shop", "memory"): "vector(1024.0)",
        ("shop", "instances"): "vector(3.0)",
        ("shop", "requestsPerSecond"): "vector(50.0)",
    }


def test_alerts_read_metrics_that_somebody_tells() -> None:
    sources = [*checkout.code("services"), Path("templates/prometheus/rules.yml.j2")]
    told = "\n".join(checkout.text(path) for path in sources)
    read = set(re.findall(r"\brunyard_[a-z_]+", "\n".join(each["expr"] for each in alerts())))
    # Recorded ones have a level before and an operation behind; those that parts make of a prefix and a name, either.
    for name in read:
        short = re.sub(r"^runyard_(gateway_|meter_|revision_)?|(_bucket|_count|_sum)$", "", name)
        assert short in told, name
