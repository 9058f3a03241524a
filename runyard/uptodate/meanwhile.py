"""Meanwhile: a question that is answered in a thread of its own while others are asked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Meanwhile(Generic[Result]):
    """Asks at once; `result` waits for the answer, and raises what asking raised."""

    def __init__(self, ask: Callable[[], Result]) -> None:
        self._ask = ask
        self._answers: list[Result] = []
        self._error: Exception | None = None
        # A daemon: whoever ends early, because another question has settled it, does not wait for this one.
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._answers.append(self._ask())
        except Exception as error:
            # Whatever it is, it is raised where the answer is wanted.
            self._error = error

    def result(self) -> Result:
        """Wait for the answer and give it."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._answers[0]
