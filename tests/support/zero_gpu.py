"""The package `spaces` as a ZeroGPU Space has it, as far as it matters: work in a forked process, all by pickle.

As `spaces.GPU` does it: a decorated generator runs in a process that was forked from the server's, its arguments and
whatever it yields are pickled, the process is used again for the next call, and is told to stop when nobody listens any
more. The real one also asks the Space's own servers for a GPU, which no test can.
"""

import multiprocessing
import os
import pickle
from collections.abc import Callable, Iterator
from typing import Any

FORK = multiprocessing.get_context("fork")
CALLS: list[tuple[int, float]] = []  # process, seconds asked for


class Refusal(Exception):
    """As `gr.Error`."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Lender:
    """`GPU`, with one process that is kept between calls.

    Attributes:
        refuses: what a visitor is told who may have no GPU; empty to lend one.
    """

    refuses = ""

    def __init__(self) -> None:
        self._worker: Any = None

    def __call__(self, duration: Callable[..., int]) -> Callable[[Callable[..., Iterator[Any]]], Callable[..., Any]]:
        """The decorator."""

        def decorate(task: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
            def run(*args: Any) -> Iterator[Any]:
                if self.refuses:
                    raise Refusal(self.refuses)
                tasks, answers, stop = self._process(task)
                stop.clear()
                CALLS.append((self._worker[0].pid, duration(*args)))
                tasks.put(pickle.dumps(args))
                answer = b""
                try:
                    while (answer := answers.get(timeout=300)) is not None:
                        yield pickle.loads(answer)
                finally:
                    stop.set()
                    while answer is not None:
                        answer = answers.get(timeout=300)

            return run

        return decorate

    def end(self) -> None:
        """Take the GPU back."""
        if self._worker:
            self._worker[0].terminate()
            self._worker[0].join()
            self._worker = None

    def _process(self, task: Callable[..., Iterator[Any]]) -> tuple[Any, Any, Any]:
        if self._worker is None:
            tasks, answers, stop = FORK.Queue(), FORK.Queue(), FORK.Event()
            process = FORK.Process(target=_work, args=(task, tasks, answers, stop, os.getpid()), daemon=True)
            process.start()
            self._worker = process, tasks, answers, stop
        return self._worker[1], self._worker[2], self._worker[3]


def _work(task: Callable[..., Iterator[Any]], tasks: Any, answers: Any, stop: Any, parent: int) -> None:
    assert os.getpid() != parent
    while True:
        steps = task(*pickle.loads(tasks.get()))
        for item in steps:
            if stop.is_set():
                steps.close()  # type: ignore[attr-defined]
                break
            answers.put(pickle.dumps(item))
        answers.put(None)
