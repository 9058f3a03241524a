import pytest

from runyard.errors import ManifestError
from runyard.manifest.model import TrafficTarget
from runyard.plan import check_traffic, plan
from tests.unit.runyard.plan.example import manifests, service, template


def planned(*targets: TrafficTarget):
    return plan(manifests(service(name="web", template=template(name="web-2"), traffic=targets)))


def test_traffic_on_the_latest_revision_or_on_its_own_name_is_accepted():
    check_traffic(planned(TrafficTarget(60), TrafficTarget(40, "web-2", "next")))


def test_traffic_on_revisions_that_the_manifest_does_not_make_is_refused_for_each():
    with pytest.raises(ManifestError) as raised:
        check_traffic(planned(TrafficTarget(90), TrafficTarget(10, "web-1"), TrafficTarget(0, "web-0", "old")))
    assert [line.partition("spec.traffic: ")[2] for line in str(raised.value).splitlines()] == [
        "must name the revision that this manifest makes (web-2), got web-1 (earlier revisions are not kept yet)",
        "must name the revision that this manifest makes (web-2), got web-0 (earlier revisions are not kept yet)",
    ]


def test_named_revision_without_share_or_tag_is_left_out_of_the_rollout():
    rollout = planned(TrafficTarget(100), TrafficTarget(0, "web-1")).services[0].rollout
    assert [share.revision for share in rollout.traffic] == ["web-2"]
