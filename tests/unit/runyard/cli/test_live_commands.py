"""Commands that ask a running stack, from the command line to the engine's socket and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from runyard import contracts, names
from runyard.cli.main import main
from runyard.contracts import Holdings, OrchestratorStatus, ServiceStatus, TrafficShare
from runyard.plan.claim import Claim
from tests.unit.runyard.host.docker_api import DockerApi

# Of sockets that the SDK leaves open.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

NEW, OLD = TrafficShare("web-2", 100), TrafficShare("web-1", 100)


def status(share: TrafficShare) -> dict[str, object]:
    web = ServiceStatus("shop", "web", ("web.shop.localhost",), (), (share,), history=("web-2", "web-1"))
    found: dict[str, object] = json.loads(contracts.encode(OrchestratorStatus(1, True, (web,))))
    return found


def container(name: str, **labels: str) -> dict[str, object]:
    keys = {"stack": names.STACK, "role": names.ROLE, "claim": names.CLAIM}
    return {
        "Id": f"id-{name}",
        "Names": [f"/{name}"],
        "Created": 0,
        "State": "running",
        "Labels": {keys[key]: text for key, text in labels.items()},
    }


def claim(stack: str) -> dict[str, object]:
    made = Claim(stack)
    return container(names.claim_container(stack), stack=stack, role=names.ROLE_CLAIM, claim=contracts.encode(made))


def test_release_gives_back_the_claims_of_the_stack_alone(
    docker_api: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, theirs = claim("dev"), claim("prod")
    docker_api.answers["GET /containers/json"] = [mine, theirs]
    docker_api.answers[f"DELETE /containers/{mine['Id']}"] = (204, b"")
    assert main(["release"]) == 0
    assert capsys.readouterr().out == "released 1 claim of stack dev\n"
    assert [each for each in docker_api.asked if each.startswith("DELETE")] == [f"DELETE /containers/{mine['Id']}"]


def test_release_refuses_while_a_container_of_the_stack_stands(
    docker_api: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    docker_api.answers["GET /containers/json"] = [claim("dev"), container("gate", stack="dev", role=names.ROLE_GATEWAY)]
    assert main(["release"]) == 2
    assert capsys.readouterr().err == "error: release stack dev: must have no container, got 1: gate, …\n"
    assert not [each for each in docker_api.asked if each.startswith("DELETE")]


def test_release_of_everything_removes_what_has_the_label_first(
    docker_api: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    gate, theirs = container("gate", stack="dev", role=names.ROLE_GATEWAY), container("other", stack="prod", role="x")
    docker_api.answers["GET /containers/json"] = [gate, theirs]
    docker_api.answers[f"DELETE /containers/{gate['Id']}"] = (204, b"")
    assert main(["release", "--everything"]) == 0
    assert capsys.readouterr().out == "removed 1 thing of stack dev\nreleased 0 claims of stack dev\n"


def test_purge_asks_inside_the_gateway_and_says_what_is_gone(
    docker_api: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    docker_api.output = b"HTTP/1.1 200 OK\r\n\r\n{}"
    assert main(["purge", "web", "/a", "--tenant", "shop"]) == 0
    assert capsys.readouterr().out == "shop/web: nothing is kept of /a any more\n"
    assert docker_api.commands == [["runyard-gateway", "purge", '{"path": "/a", "service": "shop/web"}']]


def test_status_shows_claims_and_services(docker_api: DockerApi, capsys: pytest.CaptureFixture[str]) -> None:
    docker_api.answers["GET /containers/json"] = [claim("dev")]
    holdings = json.loads(contracts.encode(Holdings(strangers=("forged",), images={"sha256:1": "shop:1"})))
    docker_api.relayed = [status(NEW), holdings, status(NEW), holdings]
    docker_api.exit_code, docker_api.output = 1, b"nft: not permitted\n"
    assert main(["status"]) == 0
    first, second, *rest = capsys.readouterr().out.splitlines()
    assert first == (
        "claim of stack dev, about to be made: services 0 to 0, instances 0 to 0, cpu 0 to 0, memory 0 to 0"
    )
    assert second == "shop/web  web.shop.localhost  100% web-2"
    assert "stranger: forged has the stack's labels, is not served and is left alone" in rest
    assert any(line.startswith("image gone: shop:1 (1)") for line in rest)
    assert ["runyard-firewall", "check"] in docker_api.commands
    assert "firewall not in force: nft: not permitted" in rest
    assert main(["status", "--output", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["services"], told["claims"][0]["stack"]) == (status(NEW)["services"], "dev")
    assert (told["strangers"], told["gone_images"]) == (["forged"], ["shop:1 (1)"])


def test_rollback_moves_to_the_revision_before_and_says_how_to_keep_it(
    docker_api: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    docker_api.relayed = [status(NEW), {}, status(OLD)]
    assert main(["rollback", "web", "--tenant", "shop", "--timeout", "7"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "  - {revisionName: web-1, percent: 100}"
    asked, body = docker_api.sent[1]
    assert asked == "PUT /v1/rollbacks/shop/web"
    assert (body["revision"], body["deadline_s"]) == ("web-1", 7)


def test_rollback_of_a_service_that_there_is_not_moves_nothing(
    docker_api: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    docker_api.relayed = [status(NEW)]
    assert main(["rollback", "cart", "--tenant", "shop"]) == 1
    assert capsys.readouterr().err == "error: rollback shop/cart: must be a service of the stack (shop/web)\n"
    assert len(docker_api.sent) == 1


def test_trust_prints_the_authority_and_changes_nothing(
    docker_api: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    docker_api.relayed = ["-----BEGIN CERTIFICATE-----\n"]
    assert main(["trust", "--print"]) == 0
    assert capsys.readouterr().out == "-----BEGIN CERTIFICATE-----\n"
    assert main(["trust", "--print", "--remove"]) == 2
    assert capsys.readouterr().err == "error: trust: must be given --print or --remove, got both\n"


def test_verify_of_manifests_with_problems_tells_them_and_looks_at_nothing(
    docker_api: DockerApi, pulumi_program: Callable[[str], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pulumi_program("echo '{}'")
    (tmp_path / "bad.yaml").write_text("apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: { name: a }\n")
    assert main(["verify", str(tmp_path / "bad.yaml")]) == 2
    assert "spec" in capsys.readouterr().err
    assert docker_api.asked == []
