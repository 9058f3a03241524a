"""What `dash` looks at and shows, with an orchestrator and a Prometheus that say what a test wants."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from rich.console import Console

from runyard import names
from runyard.cli.dash import Look, choose, describe, is_lively, render_text, show_live, signs_for
from runyard.cli.live import Target
from runyard.cli.main import main
from runyard.cli.screen import ASCII, BLOCKS, Screen
from runyard.contracts import OrchestratorStatus, PartStatus, RevisionStatus, ServiceStatus, TrafficShare, encode
from runyard.dashboards import ALERTS, PLATFORM, SERVICE, TENANT
from runyard.errors import HostError, NotFound, UsageError
from tests.unit.runyard.host.docker_api import DockerApi

WEB = ServiceStatus("shop", "web", ("web.shop.localhost",), (), (TrafficShare("web-1", 100),))
READY = RevisionStatus("shop", "web", "web-1", desired=2, ready=2)
DOWN = RevisionStatus("bank", "vault", "vault-1", desired=1, ready=0, reason="it exited with code 1")
VAULT = ServiceStatus("bank", "vault", (), (), (TrafficShare("vault-1", 100),))
STATUS = OrchestratorStatus(7, True, (WEB, VAULT), (READY, DOWN), parts=(PartStatus("gateway", "running"),))
ALERT = {
    "labels": {"alertname": "ServiceErrorsFast", "severity": "critical", "tenant": "shop", "service": "web"},
    "annotations": {"summary": "shop/web answers errors", "description": "50%.", "runbook": "docs/runbooks/a.md"},
    "state": "firing",
}
NOW_S = 1000.0


def ask(target: str) -> str:
    """Answer as Prometheus does: an alert of shop/web, and a line with the value 3 for every query."""
    if target == ALERTS:
        return json.dumps({"status": "success", "data": {"alerts": [ALERT]}})
    query = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
    labels = {"tenant": "shop", "service": "web", "code": "200"}
    values = [[int(query["end"]), "3"]]
    return json.dumps({"status": "success", "data": {"result": [{"metric": labels, "values": values}]}})


def look(dashboard: str | None, service: str = "", tenant: str = "shop") -> Look:
    return Look(choose(dashboard, service or None), Target(tenant, service, "dev"), 1)


def problems(found: Look, status: OrchestratorStatus = STATUS) -> list[str]:
    return [*found.see(lambda: status, ask, NOW_S).screen.problems]


TROUBLE = "critical: shop/web answers errors: 50%. (docs/runbooks/a.md)"


def test_without_a_name_it_is_of_the_service_or_of_the_platform() -> None:
    assert choose(None, "web") is SERVICE
    assert choose(None, None) is PLATFORM
    assert choose("tenant", None) is TENANT


@pytest.mark.parametrize(
    ("name", "service", "message"),
    [
        ("autoscaling", None, "dash: autoscaling must name a SERVICE"),
        ("gateway", "web", "dash: gateway is of no service, got web"),
    ],
)
def test_dashboard_that_does_not_fit_a_service_is_refused(name: str, service: str | None, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        choose(name, service)
    assert str(raised.value) == message


def test_service_is_shown_with_its_own_troubles_alone() -> None:
    screen = look(None, "web").see(lambda: STATUS, ask, NOW_S).screen
    assert screen.heads == ["shop/web  2 of 2 instances ready  100% web-1", "web.shop.localhost"]
    assert screen.problems == [TROUBLE]
    assert [each.panel for each in screen.panels] == [*SERVICE.panels]


def test_what_is_down_is_told_before_alerts() -> None:
    failing = replace(READY, ready=1, reason="no answer")
    status = replace(STATUS, revisions=(failing,))
    assert problems(look(None, "web"), status) == ["shop/web-1: 1 of 2 instances ready: no answer", TROUBLE]


def test_platform_tells_the_troubles_of_all_and_its_own() -> None:
    status = replace(
        STATUS,
        problems=("no room",),
        parts=(PartStatus("meter", "stopped", reason="killed"), PartStatus("gateway", "between")),
    )
    screen = look(None).see(lambda: status, ask, NOW_S).screen
    assert screen.heads == ["stack dev  2 services, 2 of 3 instances ready"]
    assert screen.problems == [
        "bank/vault-1: 0 of 1 instance ready: it exited with code 1",
        "no room",
        "part meter is stopped: killed",
        TROUBLE,
    ]


def test_tenant_is_counted_alone() -> None:
    screen = look("tenant", tenant="bank").see(lambda: STATUS, ask, NOW_S).screen
    assert screen.heads == ["tenant bank of stack dev  1 service, 0 of 1 instance ready"]
    assert screen.problems == ["bank/vault-1: 0 of 1 instance ready: it exited with code 1"]


def test_service_that_there_is_not_is_told_with_those_that_there_are() -> None:
    with pytest.raises(NotFound) as raised:
        look(None, "cart").see(lambda: STATUS, ask, NOW_S)
    assert str(raised.value) == "dash shop/cart: must be a service of the stack (shop/web, bank/vault)"


def test_report_has_the_same_as_data_with_a_value_for_each_moment() -> None:
    found = describe(look(None, "web").see(lambda: STATUS, ask, NOW_S))
    assert (found["dashboard"], found["labels"]) == ("service", {"tenant": "shop", "service": "web"})
    assert found["span"] == {"start_unix_s": 930, "end_unix_s": 990, "step_s": 15}
    assert found["problems"] == [TROUBLE]
    first = found["panels"][0]
    assert (first["id"], first["title"], first["unit"]) == ("requests", "Requests", "requests/s")
    assert [(each["name"], each["values"]) for each in first["lines"]] == [("200", [None, None, None, None, 3.0])]
    assert json.loads(json.dumps(found)) == found


def test_text_has_what_is_wrong_above_the_panels() -> None:
    lines = render_text(look(None, "web").see(lambda: STATUS, ask, NOW_S).screen).splitlines()
    assert lines[2] == f"problem: {TROUBLE}"
    assert lines[5].split()[:3] == ["Requests", "200", "3/s"]


@pytest.mark.parametrize(
    ("terminal", "term", "lively"),
    [
        (True, "xterm", True),
        (True, "dumb", False),
        (True, "unknown", False),
        (True, "", False),
        (False, "xterm", False),
    ],
)
def test_only_a_terminal_that_can_be_written_anew_is_lively(terminal: bool, term: str, lively: bool) -> None:
    assert is_lively(terminal, {"TERM": term} if term else {}) is lively


@pytest.mark.parametrize(
    ("encoding", "signs"), [("utf-8", BLOCKS), ("latin-1", ASCII), ("ascii", ASCII), (None, ASCII), ("no such", ASCII)]
)
def test_signs_are_those_that_an_encoding_has(encoding: str | None, signs: str) -> None:
    assert signs_for(encoding) == signs


def shown(*seen: Screen | HostError, height: int = 24) -> str:
    """Give all that was written to a terminal that saw these, one after the other."""
    left: Iterator[Screen | HostError] = iter(seen)

    def see() -> Screen:
        found = next(left, None)
        if found is None:
            raise KeyboardInterrupt
        if isinstance(found, HostError):
            raise found
        return found

    file = io.StringIO()
    show_live(see, 1, Console(file=file, force_terminal=True, width=80, height=height), lambda _: None)
    return file.getvalue()


def test_live_screen_is_left_as_it_was_found_and_ctrl_c_is_no_error() -> None:
    text = shown(Screen(["web"], [], [], 30))
    assert text.startswith("\x1b[?1049h")
    assert "web" in text
    # The cursor, too, is there again.
    assert text.rstrip("\n").endswith(("\x1b[?1049l\x1b[?25h", "\x1b[?25h\x1b[?1049l"))


def test_what_fails_on_the_way_is_shown_above_what_was_seen_last() -> None:
    text = shown(Screen(["web"], ["old"], [], 30), HostError("ask Prometheus: it answers 503"))
    last = text[text.rindex("web") :]
    assert last.index("ask Prometheus: it answers 503") < last.index("old")


def test_what_fails_at_first_is_an_error() -> None:
    with pytest.raises(HostError, match="nobody"):
        shown(HostError("nobody"))


def test_screen_that_is_too_high_is_cut_and_says_so() -> None:
    text = shown(Screen([f"head {at}" for at in range(30)], [], [], 30), height=10)
    last = text[text.rindex("head 0") :]
    assert "head 8" in last
    assert "head 9" not in last
    assert "and 23 lines more than fit" in last


def test_files_for_grafana_are_written_without_a_stack(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = tmp_path / "grafana"
    assert main(["dash", "--grafana", str(directory), "--url", "http://elsewhere:9090", "-o", "json"]) == 0
    written = json.loads(capsys.readouterr().out)["files"]
    assert sorted(written) == sorted(str(each) for each in directory.rglob("*") if each.is_file())
    assert "http://elsewhere:9090" in (directory / "provisioning/datasources/runyard.yaml").read_text()
    assert main(["dash", "--grafana", str(directory)]) == 0
    assert capsys.readouterr().out.splitlines() == [f"wrote {each}" for each in written]


def test_directory_for_grafana_that_cannot_be_made_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "provisioning").write_text("")
    assert main(["dash", "--grafana", str(tmp_path)]) == 2
    place = tmp_path / "provisioning/datasources/runyard.yaml"
    assert capsys.readouterr().err == f"error: write {place}: Not a directory\n"


def test_report_is_asked_for_through_the_engine_of_orchestrator_and_prometheus(
    docker_api: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = {"status": "success", "data": {"result": []}}
    docker_api.relayed = [ask(ALERTS), encode(STATUS), nothing]
    assert main(["dash", "web", "-t", "shop", "--minutes", "60", "-o", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["dashboard"], report["problems"]) == ("service", [TROUBLE])
    assert report["span"]["end_unix_s"] - report["span"]["start_unix_s"] == 3600
    assert [(each["id"], each["lines"]) for each in report["panels"]] == [(each.id, []) for each in SERVICE.panels]
    first, second, *others = (target for target, _ in docker_api.sent)
    assert (first, second) == (f"GET {ALERTS}", "GET /v1/status")
    assert all(each.startswith("GET /api/v1/query_range?") for each in others)
    asked = {names.platform_container("dev", each) for each in (names.ROLE_ORCHESTRATOR, names.ROLE_PROMETHEUS)}
    assert {each.split("/")[2] for each in docker_api.asked if each.endswith("/exec")} == asked
    docker_api.relayed = [ask(ALERTS), encode(STATUS), nothing]
    assert main(["dash", "web", "-t", "shop", "--once"]) == 0
    assert capsys.readouterr().out.startswith("shop/web  2 of 2 instances ready  100% web-1\nweb.shop.localhost\n")


def test_stack_that_keeps_no_metrics_is_told_with_what_makes_it_keep_them(
    docker_api: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    exec_in_prometheus = f"POST /containers/{names.platform_container('dev', names.ROLE_PROMETHEUS)}/exec"
    docker_api.answers[exec_in_prometheus] = (404, {"message": "No such container"})
    assert main(["dash", "--once"]) == 1
    hint = "`observability: {level: basic}` in its Platform has it keep them (docs/manifest.md)"
    assert capsys.readouterr().err == f"error: stack dev keeps no metrics: {hint}\n"


@pytest.mark.parametrize("option", [["--minutes", "0"], ["--minutes", "1441"], ["--every", "0"], ["-d", "none"]])
def test_look_that_nobody_can_take_is_refused_before_anybody_is_asked(
    docker_api: DockerApi, capsys: pytest.CaptureFixture[str], option: list[str]
) -> None:
    assert main(["dash", *option]) == 2
    assert "Invalid value for" in capsys.readouterr().err
    assert docker_api.asked == []
