"""Meanwhile: a question that is answered in a thread of its own while others are asked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Meanwhile(Generic[Result]):
    """Asks at once; `result` waits for the answer, and raises what asking raised.

    Use it as a context manager: the block ends when it has been answered, wanted or not.
    """

    def __init__(self, ask: Callable[[], Result]) -> None:
        self._ask = ask
        self._answers: list[Result] = []
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def __enter__(self) -> Meanwhile[Result]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.join()

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
