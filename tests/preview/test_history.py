"""Earlier revisions in Pulumi's program: named in the history, and known to the state alone."""

import dataclasses
import json

from runyard.contracts import RevisionDocument, decode
from runyard.plan import RevisionPlan, keep_revisions, plan
from tests.unit.runyard.plan.example import manifests, service

GIVEN = manifests(service())
MADE = plan(GIVEN).services[0].revision
EARLIER = RevisionPlan(dataclasses.replace(MADE.document, name="hello-1", identity="hello-1", digest="d" * 64))


def kept():
    return keep_revisions(plan(GIVEN), GIVEN, {"default/hello": [EARLIER]})


def test_history_names_the_revisions_that_stay_newest_first(preview):
    inputs = preview(kept()).named("default.hello").inputs
    assert json.loads(inputs["history"]) == [MADE.identity, "hello-1"]
    assert json.loads(inputs["rollout"])["history"] == [MADE.name, "hello-1"]


def test_earlier_revision_is_no_resource_and_none_of_its_document_an_input(preview):
    before, after = preview(plan(GIVEN)), preview(kept())
    assert {each.name for each in before.all} == {each.name for each in after.all}
    made = after.named("default.hello").inputs
    assert decode(RevisionDocument, made["document"]) == MADE.document
    assert "d" * 64 not in json.dumps(made)


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
    assert json.loads(facts["Service"]["facts"])["revision"] == planned.services[0].revision.identity
