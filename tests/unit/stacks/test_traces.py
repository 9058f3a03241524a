import sys
import traceback

import pulumi
import pytest
from pulumi.runtime import stack as runtime

from stacks.traces import FRAMES, drop_debug_lines, short_stack_traces, shorten_failures


def deep(levels):
    return len(traceback.extract_stack()) if levels == 0 else deep(levels - 1)


def test_stack_traces_are_short_inside_and_whole_again_after():
    whole = deep(20)
    assert whole > FRAMES
    with short_stack_traces():
        assert deep(20) == FRAMES
    assert deep(20) == whole
    assert not hasattr(sys, "tracebacklimit")


def test_limit_that_was_set_before_is_put_back_after_an_error():
    sys.tracebacklimit = 3
    try:
        with pytest.raises(KeyError), short_stack_traces():
            raise KeyError
        assert sys.tracebacklimit == 3
    finally:
        del sys.tracebacklimit


def test_debug_lines_are_not_sent(monkeypatch):
    monkeypatch.setitem(vars(pulumi.log), "debug", pulumi.log.debug)
    drop_debug_lines()
    assert pulumi.log.debug("line", None, stream_id=1) is None
    assert "<lambda>" in repr(pulumi.log.debug)


def test_failure_of_what_a_resource_depends_on_is_told_without_a_traceback(monkeypatch):
    monkeypatch.setitem(vars(runtime), "ResourceRegistrationFailed", runtime.ResourceRegistrationFailed)
    shorten_failures()
    # As the SDK does: it looks the class up when something has failed.
    from pulumi.runtime.stack import ResourceRegistrationFailed

    assert issubclass(ResourceRegistrationFailed, pulumi.RunError)
