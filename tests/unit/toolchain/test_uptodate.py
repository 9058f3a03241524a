"""What could make the answer 'nothing to do' a lie, and that each is noticed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.runyard.uptodate.world import SECRET, STACK, World, archive, listed, updated

NO_RECORD = "the last update of the stack is not recorded here: it failed, or said why"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with updated(tmp_path) as found:
        yield found


def test_nothing_to_do_after_an_update_and_the_state_comes_with_the_answer(world: World) -> None:
    comparison = world.uptodate().compare(world.paths)
    assert comparison is not None
    assert comparison.reasons == []
    assert comparison.deployed is not None
    assert comparison.deployed.outputs == {"urls": {"default/hello": "http://hello.localhost:3000/"}}


def change_manifest(world: World) -> str:
    file = world.manifests / "shop" / "cart.yaml"
    file.write_text(file.read_text() + "# more\n")
    return f"{file} changed"


def add_manifest(world: World) -> str:
    (world.manifests / "shop" / "more.yaml").write_text("kind: Service\n")
    return f"{world.manifests}/shop changed"


def remove_manifest(world: World) -> str:
    (world.manifests / "hello.yaml").unlink()
    return f"{world.manifests} changed"


def make_directory_of_a_file(world: World) -> str:
    (world.manifests / "hello.yaml").unlink()
    (world.manifests / "hello.yaml").mkdir()
    return f"{world.manifests} changed"


def edit_state(world: World) -> str:
    world.state_file.write_text(world.state_file.read_text() + " ")
    return "the state changed"


def change_code(world: World) -> str:
    world.code.write_text("PLAN = 2\n")
    return "the code changed"


def make_code_executable(world: World) -> str:
    world.code.chmod(0o755)
    return "the code changed"


def change_settings(world: World) -> str:
    world.settings.write_text(world.settings.read_text() + "config:\n  runyard:usage: usage.yaml\n")
    return "the settings changed"


def let_a_day_pass(world: World) -> str:
    world.day = "2026-11-28"
    return "the day changed"


def change_environment(world: World) -> str:
    world.environment["PULUMI_CONFIG_PASSPHRASE"] = "another"
    return "the environment changed"


def install_pulumi(world: World) -> str:
    place = world.checkout / "bin"
    place.mkdir()
    shutil.copy("/bin/true", place / "pulumi")
    world.environment["PATH"] = str(place)
    return "the tools changed"


def ask_for_other_manifests(world: World) -> str:
    world.paths = str(world.manifests / "hello.yaml")
    return "the request changed"


def hold_the_lock(world: World) -> str:
    world.locks.mkdir(parents=True)
    (world.locks / "1.json").write_text("{}")
    return "another update holds the stack"


def move_tag(world: World) -> str:
    world.api.answers["GET /images/json"][0]["Id"] = "sha256:2"
    return "the images changed"


def remove_image(world: World) -> str:
    world.api.answers["GET /images/json"] = []
    return "image runyard/hello:1 is gone"


def grow_host(world: World) -> str:
    world.api.answers["GET /info"]["NCPU"] = 4
    return "the host changed"


def change_engine(world: World) -> str:
    world.api.answers["GET /info"]["ID"] = "engine-2"
    return "the host changed"


def remove_network(world: World) -> str:
    del world.api.answers["GET /networks"][0]
    return "network runyard.dev.platform is gone"


def replace_network(world: World) -> str:
    world.api.answers["GET /networks"][1]["Id"] = "n3"
    return "network runyard.dev.tenant.default is gone"


def remove_volume(world: World) -> str:
    world.api.answers["GET /volumes"] = {"Volumes": None}
    return "volume runyard.dev.gateway is gone"


def remove_part(world: World) -> str:
    del world.containers()[0]
    return "container runyard.dev.gateway is gone"


def stop_part(world: World) -> str:
    world.containers()[0]["State"] = "exited"
    return "container runyard.dev.gateway is exited"


def pause_part(world: World) -> str:
    world.containers()[1]["State"] = "paused"
    return "container runyard.dev.orchestrator is paused"


def copy_part(world: World) -> str:
    world.containers().append(listed("gateway-by-hand", "c9", "gateway"))
    return "container gateway-by-hand is not in the state"


def edit_configuration(world: World) -> str:
    world.api.answers["GET /containers/c1/archive"] = archive(b"events {} # more")
    return "the configuration changed"


def lose_configuration(world: World) -> str:
    world.api.answers["GET /containers/c1/archive"] = (404, {"message": "no such file"})
    return "the gateway has no configuration"


def roll_back(world: World) -> str:
    world.holdings["services"][0]["goal"][0]["revision"] = "hello-00000000"
    return "service default/hello: its traffic was moved"


def lose_document(world: World) -> str:
    del world.holdings["services"][0]["documents"]["hello-00000000"]
    return "service default/hello: the orchestrator lacks a revision"


def forge_document(world: World) -> str:
    world.holdings["services"][0]["documents"]["hello-00000001"] = "0" * 64
    return "service default/hello: the orchestrator lacks a revision"


def lose_readiness(world: World) -> str:
    world.holdings["services"][0]["settled"] = False
    return "service default/hello: it is not ready"


def change_route(world: World) -> str:
    world.holdings["services"][0]["route"] = "0" * 64
    return "service default/hello: another route or rollout is in force"


def lose_service(world: World) -> str:
    world.holdings["services"] = []
    return "service default/hello is not at the orchestrator"


def add_service(world: World) -> str:
    world.holdings["services"].append({**world.holdings["services"][0], "service": "other"})
    return "service default/other is not in the state"


def lose_claim(world: World) -> str:
    world.holdings["claim"] = ""
    return "the orchestrator holds another claim"


def add_certificate(world: World) -> str:
    world.holdings["certificates"] = {"shop": "0" * 64}
    return "the orchestrator holds other certificates"


def let_in_a_stranger(world: World) -> str:
    world.holdings["strangers"] = ["forged"]
    return "container forged is nobody's"


def fall_out_of_step(world: World) -> str:
    world.holdings["in_step"] = False
    return "the gateway is not in step with the orchestrator"


def kill_engine(world: World) -> str:
    world.api.answers["GET /info"] = (500, {"message": "the engine is broken"})
    return "the engine is broken"


def add_stack(world: World) -> str:
    found = listed("runyard.two.orchestrator", "c8", "orchestrator")
    found["Labels"]["runyard.dev/stack"] = "two"
    world.containers().append(found)
    return "the claims changed"


CHANGES: list[Callable[[World], str]] = [
    *(change_manifest, add_manifest, remove_manifest, make_directory_of_a_file, edit_state, change_code),
    *(make_code_executable, change_settings, let_a_day_pass, change_environment, install_pulumi),
    *(ask_for_other_manifests, hold_the_lock, move_tag, remove_image, grow_host, change_engine, remove_network),
    *(replace_network, remove_volume, remove_part, stop_part, pause_part, copy_part, edit_configuration, roll_back),
    lose_configuration,
    *(lose_document, forge_document, lose_readiness, change_route, lose_service, add_service, lose_claim),
    *(add_certificate, let_in_a_stranger, fall_out_of_step, kill_engine, add_stack),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_change_is_a_reason_to_ask_pulumi(world: World, change: Callable[[World], str]) -> None:
    expected = change(world)
    assert expected in world.compare()


def test_orchestrator_that_was_killed_is_a_reason(world: World) -> None:
    world.containers()[1]["State"] = "exited"
    world.api.answers["POST /containers/runyard.dev.orchestrator/exec"] = (409, {"message": "is not running"})
    assert world.compare() == ["container runyard.dev.orchestrator is exited"]


def test_counts_and_what_drains_are_none(world: World) -> None:
    del world.containers()[2]
    world.holdings["services"][0]["documents"]["hello-ffffffff"] = "0" * 64
    assert world.compare() == []


def test_glob_that_matches_another_file_is_a_reason(world: World) -> None:
    world.paths = f"{world.manifests}/*/*.yaml"
    assert world.update() == ""
    assert world.compare() == []
    (world.manifests / "more").mkdir()
    assert world.compare() == []
    (world.manifests / "more" / "new.yaml").write_text("kind: Service\n")
    assert world.compare() == [f"{world.paths} changed"]


def test_link_to_another_file_is_a_reason(world: World) -> None:
    link = world.manifests / "linked.yaml"
    (world.checkout / "one").write_text("a: 1\n")
    (world.checkout / "two").write_text("a: 2\n")
    link.symlink_to(world.checkout / "one")
    assert world.update() == ""
    assert world.compare() == []
    link.unlink()
    link.symlink_to(world.checkout / "two")
    assert world.compare() == [f"{link} changed"]


def test_manifests_that_pulumi_writes_into_the_settings_are_no_change(world: World) -> None:
    world.settings.write_text(f"{world.settings.read_text()}config:\n  runyard:manifests: {world.paths}\n")
    assert world.compare() == []


def test_what_changes_while_an_update_runs_is_not_recorded(world: World) -> None:
    assert world.update(lambda: change_manifest(world)).endswith("cart.yaml changed meanwhile")
    assert world.compare() == [NO_RECORD]
    assert world.update(lambda: change_code(world)) == "the code changed meanwhile"
    assert world.compare() == [NO_RECORD]


def test_update_that_fails_leaves_no_record(world: World) -> None:
    world.uptodate().begin(world.paths, ())
    assert world.compare() == [NO_RECORD]


def test_update_whose_program_told_nothing_is_not_recorded(world: World) -> None:
    asked = world.uptodate()
    asked.begin(world.paths, ())
    assert "reads.dev.json" in asked.record(world.paths, (), world.environment["DOCKER_HOST"])
    assert world.compare() == [NO_RECORD]


def test_state_with_resources_of_another_kind_is_not_recorded(world: World) -> None:
    text = world.state_file.read_text().replace("pulumi:providers:docker", "random:index/randomPet:RandomPet")
    world.state_file.write_text(text)
    assert world.update() == "the state has resources of another kind: random:index/randomPet:RandomPet"


def test_state_of_a_killed_update_is_not_recorded(world: World) -> None:
    text = world.state_file.read_text().replace(
        '"latest": {', '"latest": {"pending_operations": [{"type": "creating"}], '
    )
    world.state_file.write_text(text)
    assert world.update() == "an update was killed before it ended"


def test_other_backends_and_saved_plans_are_never_judged(world: World) -> None:
    backend = world.environment.pop("PULUMI_BACKEND_URL")
    world.environment["PULUMI_BACKEND_URL"] = "s3://bucket"
    assert world.compare() == ["not judged"]
    world.environment["PULUMI_BACKEND_URL"] = backend
    world.environment["RUNYARD_PLAN"] = "plan.json"
    assert world.compare() == ["not judged"]


def test_first_update_of_a_stack_is_not_asked_why(world: World) -> None:
    world.record_file.unlink()
    world.state_file.unlink()
    assert world.compare() == ["not judged"]


def test_context_of_the_docker_command_is_a_reason(world: World) -> None:
    engine = world.environment.pop("DOCKER_HOST")
    reason = f"which engine is meant is for the docker command to say: DOCKER_HOST is not set, and was {engine}"
    assert world.compare() == [reason]


def test_gateway_that_takes_a_change_just_now_is_asked_again(world: World) -> None:
    behind = {**world.holdings, "in_step": False}
    world.api.relayed = [behind, world.holdings]
    assert world.compare() == []
    world.api.relayed = [behind, behind, world.holdings]
    assert world.compare() == []


def test_record_is_whole_private_and_holds_no_secret(world: World) -> None:
    assert world.record_file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in world.record_file.parent.iterdir()] == [f"record.{STACK}.json"]
    text = world.record_file.read_text()
    for planted in (SECRET, "hunter2-in-the-state", "v1:salt"):
        assert planted in world.state_file.read_text() + world.settings.read_text() + str(world.environment)
        assert planted not in text


def test_records_of_one_secret_differ(world: World) -> None:
    first = world.record_file.read_text()
    world.update()
    assert world.record_file.read_text() != first


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}', '{"version": 1}', "null"])
def test_record_that_cannot_be_read_is_none(world: World, text: str) -> None:
    world.record_file.write_text(text)
    assert world.compare() == [NO_RECORD]
