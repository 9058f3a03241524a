from dataclasses import replace

from runyard.contracts import ServiceStatus, ShiftStatus, TrafficShare
from runyard.plan import plan
from runyard.plan.outlook import describe_moved, describe_outlook
from runyard.scaling.schedule import parse_schedule
from tests.unit.runyard.plan.example import manifests, service

HELLO = ("Service", "default.hello")
GATEWAY = ("Gateway", "gateway")
NONE = "effect on running traffic: none: "


def test_outlook_of_equal_facts_is_empty_whatever_lists_are_made_of():
    assert describe_outlook({HELLO: {"uses": ["cart"]}}, {HELLO: {"uses": ("cart",)}}) == []


def test_outlook_names_the_service_the_reason_and_the_field():
    before = {HELLO: {"containers": {"hello": {"env": {"A": "1"}, "cpu": 1}}, "revision": "hello-1"}}
    after = {HELLO: {"containers": {"hello": {"env": {"A": "2"}, "cpu": 1}}, "revision": "hello-2"}}
    assert describe_outlook(before, after) == [
        f"{NONE}service default.hello: a new revision is ready before it gets traffic, and the old one drains "
        "(containers.hello.env.A, revision)"
    ]


def test_outlook_tells_the_worst_effect_of_each_thing_and_only_the_fields_that_have_it():
    before = {GATEWAY: {"image": "g:1", "port": 3000, "memory_mib": 512}, HELLO: {"traffic": {"latest": 100}}}
    after = {GATEWAY: {"image": "g:2", "port": 3001, "memory_mib": 512}, HELLO: {"traffic": {"latest": 90}}}
    first, second = describe_outlook(before, after)
    assert first.startswith("effect on running traffic: gap: gateway: the gateway leaves an address or port")
    assert first.endswith(" (port)")
    assert second.startswith(f"{NONE}service default.hello: ")


def test_outlook_of_a_service_whose_volume_has_one_writer_is_a_gap_while_instances_change() -> None:
    before = {"containers": {"hello": {"image": "a:1"}}, "persistentVolumes": {"data": {"sizeBytes": 1}}, "cache": True}
    after = {**before, "containers": {"hello": {"image": "a:2"}}, "cache": False}
    (line,) = describe_outlook({HELLO: before}, {HELLO: after})
    assert line == (
        "effect on running traffic: gap: service default.hello: its volume has one writer: the old instance ends "
        "before the new one starts; requests wait, and in vain get 503 (containers.hello.image)"
    )


def test_outlook_of_a_volume_that_comes_goes_or_is_another_is_none() -> None:
    without, one, other = ({"persistentVolumes": volumes} for volumes in ({}, {"a": {"path": "/a"}}, {"b": {}}))
    for before, after in ((without, one), (one, without), (one, other)):
        (line,) = describe_outlook(
            {HELLO: {"revision": "hello-1", **before}}, {HELLO: {"revision": "hello-2", **after}}
        )
        assert line.startswith(NONE)


def test_outlook_tells_of_a_replaced_gateway_as_a_restart():
    (line,) = describe_outlook({GATEWAY: {"image": "g:1"}}, {GATEWAY: {"image": "g:2"}})
    assert line.startswith("effect on running traffic: restart: gateway: Docker makes the gateway's container anew")


def test_outlook_of_a_route_a_tag_or_a_declared_call_that_goes_is_a_gap_and_of_one_that_comes_none():
    more = {"routes": {"a.example.com": "as it is"}, "tags": {"now": "latest"}, "uses": {"cart": "declared"}}
    for key, paths in (("routes", 'routes["a.example.com"]'), ("tags", "tags.now"), ("uses", "uses.cart")):
        less = {name: value for name, value in more.items() if name != key}
        (gone,), (come,) = (
            describe_outlook({HELLO: more}, {HELLO: less}),
            describe_outlook({HELLO: less}, {HELLO: more}),
        )
        assert gone.startswith("effect on running traffic: gap: service default.hello: ")
        assert gone.endswith(f" ({paths})")
        assert come.startswith(NONE)


def test_outlook_of_a_tag_that_moves_is_none():
    (line,) = describe_outlook({HELLO: {"tags": {"now": "hello-1"}}}, {HELLO: {"tags": {"now": "latest"}}})
    assert line.startswith(NONE)


def test_outlook_tells_what_is_new_in_one_line():
    after = {("Service", f"default.web-{number}"): {"minScale": 1} for number in range(5)}
    assert describe_outlook({}, after) == [
        f"{NONE}service default.web-0, service default.web-1, service default.web-2 and 2 more: "
        "nothing ran there before"
    ]


def test_outlook_of_a_service_that_goes_is_a_gap():
    (line,) = describe_outlook({HELLO: {"minScale": 1}}, {})
    assert line.startswith("effect on running traffic: gap: service default.hello: its hosts are answered 404")


def test_outlook_tells_nothing_of_a_state_from_before_there_were_facts():
    assert describe_outlook({GATEWAY: {}}, {GATEWAY: {"image": "g:1"}}) == []


def status(*traffic):
    return ServiceStatus("default", "hello", (), (), traffic)


def test_moved_traffic_is_told_with_what_is_in_force_and_what_was_applied():
    applied = {"default/hello": (TrafficShare("hello-2", 100),)}
    (line,) = describe_moved(applied, [status(TrafficShare("hello-1", 100), TrafficShare("hello-2", 0, "next"))])
    assert line == (
        "traffic of default/hello was moved since the last update: 100% hello-1, 0% hello-2 (next); "
        "an update moves it back to what its manifest says (100% hello-2 at the last one)"
    )


def test_traffic_that_is_as_applied_or_of_no_known_service_was_not_moved():
    share = TrafficShare("hello-2", 100)
    assert describe_moved({"default/hello": [share]}, [status(share)]) == []
    assert describe_moved({}, [status(share)]) == []


def test_traffic_on_its_way_to_what_was_applied_was_not_moved():
    goal = (TrafficShare("hello-2", 100),)
    moving = replace(status(TrafficShare("hello-1", 60), TrafficShare("hello-2", 40)), shift=ShiftStatus(goal, 30))
    assert describe_moved({"default/hello": goal}, [moving]) == []
    assert len(describe_moved({"default/hello": moving.traffic}, [moving])) == 1


def test_outlook_of_a_schedule_is_that_of_counts_without_a_new_revision() -> None:
    before, after = (
        plan(manifests(service(schedule=parse_schedule(text)))).services[0]
        for text in ("2 at 0 8 * * *", "3 at 0 8 * * *; 0 at 0 18 * * * Europe/Berlin")
    )
    assert before.revision == after.revision
    assert [each.instances for each in after.rollout.schedule] == [3, 0]
    (line,) = describe_outlook({HELLO: before.facts}, {HELLO: after.facts})
    assert line.startswith(f"{NONE}service default.hello: ")
    assert "schedule" in line
