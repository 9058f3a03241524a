"""What `revisions` makes of a service and its revisions, without anybody to ask."""

from __future__ import annotations

from runyard.cli.revisions import KeptRevision, join
from runyard.contracts import RevisionStatus, ServiceStatus, TrafficShare

SHARES = (TrafficShare("web-2", 90), TrafficShare("web-1", 10), TrafficShare("web-1", 0, tag="old"))
WEB = ServiceStatus("shop", "web", (), (), SHARES, history=("web-2", "web-1", "web-0"))


def test_revisions_are_from_new_to_old_with_share_tags_and_instances() -> None:
    running = [
        RevisionStatus("shop", "web", "web-1", 1, 0, reason="container app: exited with code 3"),
        RevisionStatus("shop", "web", "web-2", 2, 2),
    ]
    assert join(WEB, running) == [
        KeptRevision("web-2", 90, (), 2, 2, asleep=False, reason=""),
        KeptRevision("web-1", 10, ("old",), 0, 1, asleep=False, reason="container app: exited with code 3"),
        KeptRevision("web-0", 0, (), 0, 0, asleep=False, reason=""),
    ]


def test_revision_that_is_no_more_kept_is_listed_while_it_has_instances() -> None:
    found = join(WEB, [RevisionStatus("shop", "web", "web-9", 0, 1)])
    assert [each.revision for each in found] == ["web-2", "web-1", "web-0", "web-9"]
