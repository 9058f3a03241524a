"""Earlier revisions in Pulumi's program: the same resources again, whose inputs the state alone decides."""

from runyard.plan import KeptRevision, keep_revisions, plan
from tests.unit.runyard.plan.example import manifests, service

CONTAINER = "docker:index/container:Container"
EARLIER = KeptRevision("hello-1", "hello-1", "d" * 64, {"hello": "runyard/hello:0", "logger": "log:1"})


def kept():
    given = manifests(service())
    return keep_revisions(plan(given), given, {"default/hello": [EARLIER]})


def test_earlier_revision_is_declared_under_the_urn_that_it_was_made_with(preview):
    planned = kept()
    shown = preview(planned)
    made = planned.services[0].revision
    latest, earlier = shown.named(f"default.{made.name}.hello"), shown.named("default.hello-1.hello")
    assert earlier.parent == "default.hello-1"
    assert shown.named("default.hello-1").parent == shown.named(f"default.{made.name}").parent == "default.hello"
    assert (earlier.type, shown.named("default.hello-1").type) == (CONTAINER, "runyard:revision:Revision")
    assert set(earlier.depends_on) == set(latest.depends_on)
    assert shown.named("default.hello-1").inputs == {"digest": EARLIER.digest}


def test_earlier_revision_gives_no_input_but_the_image_that_the_sdk_insists_on_and_changes_none(preview):
    shown = preview(kept())
    for name, image in (("hello", "runyard/hello:0"), ("logger", "log:1")):
        template = shown.named(f"default.hello-1.{name}")
        assert template.inputs == {"image": image}
        assert template.ignored == ["*"]
    assert all(not each.ignored for each in shown.all if "hello-1." not in each.name)


def test_rollout_keeps_the_history_and_outlives_every_template(preview):
    planned = kept()
    rollout = preview(planned).named("default.hello.rollout")
    made = planned.services[0].revision
    assert rollout.inputs["history"] == [made.identity, "hello-1"]
    assert rollout.inputs["digest"] == made.digest
    assert {f"default.{made.name}.hello", "default.hello-1.hello", "default.hello-1.logger"} <= set(rollout.depends_on)


def test_components_show_the_facts_that_effects_are_told_by(preview):
    planned = kept()
    shown = preview(planned)
    facts = {each.type.rpartition(":")[2]: each.inputs for each in shown.all if each.type.startswith("runyard:")}
    assert (facts["Gateway"]["port"], facts["Gateway"]["domain"]) == (3000, "localhost")
    assert facts["Gateway"]["image"] == shown.named("gateway.container").inputs["image"]
    # Its values, not the whole nginx.conf, which would hide the rest.
    assert facts["Gateway"]["configuration"]["hold_timeout_ms"] == 10_000
    assert facts["Orchestrator"]["environment"]["RUNYARD_HTTP_ADDRESS"] == "127.0.0.1:3001"
    assert facts["Network"]["subnet"].endswith("/22")
    assert facts["Service"]["revision"] == planned.services[0].revision.identity
