import pytest

from runyard.errors import ManifestError
from runyard.manifest.model import Location, Platform, Revisions, TrafficTarget
from runyard.plan import keep_revisions, plan
from tests.unit.runyard.plan.example import earlier, manifests, service, template

LATEST = TrafficTarget(100)


def kept(past, *targets, limit=5, made="web-9"):
    platform = Platform(revisions=Revisions(limit))
    subject = service(name="web", template=template(name=made), traffic=targets or (LATEST,))
    given = manifests(subject, platform=platform)
    return keep_revisions(plan(given), given, {"default/web": past}).services[0]


def test_history_of_a_new_service_is_the_revision_that_it_makes():
    planned = kept([])
    assert planned.kept == ()
    assert planned.rollout.history == ("web-9",)


def test_history_puts_the_made_revision_before_those_that_were():
    past = [earlier("web-2"), earlier("web-1")]
    planned = kept(past)
    assert planned.kept == tuple(past)
    assert planned.rollout.history == ("web-9", "web-2", "web-1")


def test_history_keeps_the_newest_idle_revisions_up_to_the_platforms_number():
    past = [earlier(f"web-{number}") for number in (4, 3, 2, 1)]
    assert [each.name for each in kept(past, limit=2).kept] == ["web-4", "web-3"]
    assert kept(past, limit=0).kept == ()


def test_revision_with_traffic_or_a_tag_stays_and_does_not_count_as_idle():
    past = [earlier(f"web-{number}") for number in (5, 4, 3, 2, 1)]
    targets = (TrafficTarget(50), TrafficTarget(50, "web-1"), TrafficTarget(0, "web-3", "old"))
    assert [each.name for each in kept(past, *targets, limit=1).kept] == ["web-5", "web-3", "web-1"]


def test_made_revision_that_was_in_the_history_is_its_first_and_not_kept_twice():
    made = plan(manifests(service())).services[0].revision
    given = manifests(service())
    past = [earlier("hello-2"), earlier(made.identity, made.digest), earlier("hello-0")]
    planned = keep_revisions(plan(given), given, {"default/hello": past}).services[0]
    assert planned.rollout.history == (made.name, "hello-2", "hello-0")


def test_equal_history_gives_an_equal_plan_again():
    once = kept([earlier("web-2"), earlier("web-1")], limit=1)
    assert kept([once.revision, *once.kept], limit=1) == once


def test_traffic_on_made_and_kept_revisions_is_accepted():
    planned = kept(
        [earlier("web-1")], TrafficTarget(60), TrafficTarget(20, "web-9", "next"), TrafficTarget(20, "web-1")
    )
    shares = [(share.revision, share.percent) for share in planned.rollout.traffic]
    assert shares == [("web-9", 60), ("web-9", 20), ("web-1", 20)]


def test_traffic_on_a_revision_that_is_not_kept_is_refused_for_each_with_its_line_and_those_that_are():
    lost = TrafficTarget(5, "web-0", location=Location("web.yaml", 21, 23))
    tagged = TrafficTarget(0, "web-00", "old", location=Location("web.yaml", 22, 23))
    with pytest.raises(ManifestError) as raised:
        kept([earlier("web-2"), earlier("web-1")], TrafficTarget(95), lost, tagged)
    assert str(raised.value).splitlines() == [
        "web.yaml:21:23: spec.traffic[1].revisionName: must be the revision that this manifest makes (web-9) "
        "or one that is kept (web-2, web-1), got web-0",
        "web.yaml:22:23: spec.traffic[2].revisionName: must be the revision that this manifest makes (web-9) "
        "or one that is kept (web-2, web-1), got web-00",
    ]


def test_traffic_without_any_kept_revision_says_that_none_is():
    with pytest.raises(ManifestError, match=r"makes \(web-9\); none is kept, got web-1$"):
        kept([], TrafficTarget(50), TrafficTarget(50, "web-1"))


def test_named_revision_without_share_or_tag_needs_none_and_is_left_out_of_the_rollout():
    rollout = kept([], TrafficTarget(100), TrafficTarget(0, "web-1")).rollout
    assert [share.revision for share in rollout.traffic] == ["web-9"]


def test_revision_name_with_other_content_than_before_is_refused():
    with pytest.raises(ManifestError) as raised:
        kept([earlier("web-9", identity="web-9.00000000")])
    assert str(raised.value) == (
        "manifests/hello.yaml:1:1: spec.template.metadata.name: must be new or stand for the same content as before, "
        "got web-9 with other content (give the revision a new name, or none)"
    )


def test_active_revisions_are_those_that_the_traffic_names():
    planned = kept([earlier("web-2"), earlier("web-1")], TrafficTarget(100), TrafficTarget(0, "web-1", "old"))
    assert [each.name for each in planned.active] == ["web-9", "web-1"]
    assert [each.name for each in kept([earlier("web-1")], TrafficTarget(100, "web-1")).active] == ["web-1"]


def test_kept_revision_keeps_the_network_that_its_service_has_left():
    old = manifests(service(egress="none"))
    before = plan(old)
    given = manifests(service())
    planned = keep_revisions(plan(given), given, {"default/hello": [before.services[0].revision]})
    assert planned.networks == before.networks
    assert len(plan(given).networks) < len(planned.networks)


def test_network_goes_with_the_last_revision_on_it():
    past = [plan(manifests(service(egress="none"))).services[0].revision]
    given = manifests(service(), platform=Platform(revisions=Revisions(0)))
    assert keep_revisions(plan(given), given, {"default/hello": past}).networks == plan(given).networks
