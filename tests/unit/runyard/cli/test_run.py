"""What `run` asks of the orchestrator, and how it ends."""

from __future__ import annotations

import pytest

from runyard.cli.live import Target
from runyard.cli.run import attend, exit_code_of, parse_variables
from runyard.contracts import RunRequest, RunState, RunStatus
from runyard.errors import CancelledError, DeadlineError, HostError, NotFound, UsageError

TARGET = Target("shop", "web", "dev")
REQUEST = RunRequest("shop", "web", "ab12", ("migrate",))


def status(state: RunState, **fields: object) -> RunStatus:
    return RunStatus("shop", "web", "web-1", "ab12", state, **fields)  # type: ignore[arg-type]


class FakeOrchestrator:
    """An orchestrator that answers in turn, and notes what it is asked."""

    def __init__(self, *answers: RunStatus | BaseException) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def _answer(self) -> RunStatus:
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def begin_run(self, request: RunRequest) -> RunStatus:
        self.asked.append(f"begin {request.run}")
        return self._answer()

    def await_run(self, tenant: str, service: str, run: str, wait_s: float) -> RunStatus:
        self.asked.append(f"await {tenant}/{service}/{run}")
        return self._answer()

    def end_run(self, tenant: str, service: str, run: str) -> None:
        self.asked.append(f"end {tenant}/{service}/{run}")


def test_run_is_asked_for_until_it_has_ended_and_then_taken_leave_of() -> None:
    orchestrator = FakeOrchestrator(status("starting"), status("starting"), status("running"), status("ended"))
    assert attend(orchestrator, REQUEST).state == "ended"
    assert orchestrator.asked == ["begin ab12", *["await shop/web/ab12"] * 3, "end shop/web/ab12"]


@pytest.mark.parametrize("error", [NotFound("gone"), KeyboardInterrupt()], ids=["gone", "interrupted"])
def test_nothing_of_a_run_is_left_however_its_beginning_ends(error: BaseException) -> None:
    orchestrator = FakeOrchestrator(status("starting"), error)
    with pytest.raises(type(error)):
        attend(orchestrator, REQUEST)
    assert orchestrator.asked[-1] == "end shop/web/ab12"


def test_interrupt_stops_what_runs() -> None:
    orchestrator = FakeOrchestrator(status("running"), KeyboardInterrupt())
    with pytest.raises(CancelledError, match="run shop/web: interrupted, and stopped"):
        attend(orchestrator, REQUEST)
    assert "end shop/web/ab12" in orchestrator.asked


def test_exit_code_is_the_command_s_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(TARGET, status("ended", exit_code=3)) == 3
    assert capsys.readouterr().err == ""
    assert exit_code_of(TARGET, status("ended", exit_code=137, reason="killed (OOM)")) == 137
    assert capsys.readouterr().err == "error: run shop/web: killed (OOM)\n"


@pytest.mark.parametrize(
    ("told", "error", "message"),
    [
        (status("failed", reason="no image"), HostError, "run shop/web: no image"),
        (status("failed", reason="ended after the 5 s", late=True), DeadlineError, "run shop/web: ended after the 5 s"),
        (status("ending"), HostError, "run shop/web: it was ended by somebody else"),
    ],
    ids=["failed", "late", "ended_by_others"],
)
def test_run_without_an_exit_code_is_an_error(told: RunStatus, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        exit_code_of(TARGET, told)
    assert (type(caught.value), str(caught.value)) == (error, message)


def test_variables_are_given_or_taken_from_the_shell() -> None:
    assert parse_variables(["A=b=c", "B", "C="], {"B": "x"}) == {"A": "b=c", "B": "x", "C": ""}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("=x", "run: --env: must be NAME=VALUE or NAME, got '=x'"),
        ("B", "run: --env B: must be a variable here or have =VALUE, got neither"),
    ],
)
def test_variable_that_is_neither_is_refused(given: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_variables([given], {})
    assert str(caught.value) == message
