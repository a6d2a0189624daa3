"""Programs of ours as processes of their own, without the seconds in which each would read torch again.

`multiprocessing` keeps a process that has imported what takes longest (`read_before`), and forks it for every program.
Gradio, huggingface_hub and the package itself are imported by each program, with its own environment. Real starts of
the interpreter are in `test_hosted`, `test_consoles`, `test_cli` and `test_documents`.
"""

import atexit
import multiprocessing
import os
import runpy
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired
from threading import Thread
from typing import IO, Any

PATIENT_S = 300.0  # a busy machine is no failure

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["support.read_before"])


class Program:
    """A program that runs; what it says can be read from `output`, both streams, unless `errors` are kept apart.

    Attributes:
        output: what it prints, as text; it ends with the program.
        errors: its errors, if they are kept apart.
    """

    def __init__(
        self,
        words: Sequence[object],
        *,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        apart: bool = False,
        before: Callable[[], None] | None = None,
    ) -> None:
        """Start it.

        Args:
            words: what would follow after the interpreter: `-m MODULE`, `-c CODE` or a script, and its arguments.
            folder: to work in; that of the tests if missing.
            environment: all of it; that of the tests if missing.
            apart: keep errors apart from what it prints.
            before: what the process does first; a function of a module.
        """
        said, says = _forks.Pipe(duplex=False)
        told, tells = _forks.Pipe(duplex=False) if apart else (said, says)
        own = dict(os.environ if environment is None else environment)
        todo = ([str(word) for word in words], folder or Path.cwd(), own, says, tells, before)
        self._process = _forks.Process(target=_run, args=todo)
        self._process.start()
        for pipe in {says, tells}:
            pipe.close()
        self._pipes = (said, told)  # they close with the last reference
        self.output, self.errors = (_text(pipe) for pipe in self._pipes)

    def poll(self) -> int | None:
        """The exit code, minus a signal's number; none while it runs."""
        return self._process.exitcode

    def kill(self) -> None:
        """Let it die at once, without a chance to tidy up, and wait until it has."""
        self._process.kill()
        self.wait()

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def wait(self, seconds: float = PATIENT_S) -> int:
        """Its exit code, once it has ended.

        Raises:
            TimeoutExpired: it has not within these seconds.
        """
        self._process.join(seconds)
        if self._process.exitcode is None:
            raise TimeoutExpired("a program", seconds)
        return self._process.exitcode


def run(words: Sequence[object], *, seconds: float = PATIENT_S, **start: Any) -> "CompletedProcess[str]":
    """Run a program to its end, as `subprocess.run` does: its exit code, what it printed and its errors.

    Args:
        words: see `Program`.
        seconds: after which it is killed.
        **start: see `Program`.

    Raises:
        TimeoutExpired: it took longer.
    """
    program = Program(words, **start)
    said: dict[str, str] = {}
    readers = [
        Thread(target=lambda name, stream: said.update({name: stream.read()}), args=pair)
        for pair in (("output", program.output), ("errors", program.errors))[: 2 if start.get("apart") else 1]
    ]
    for reader in readers:
        reader.start()
    try:
        code = program.wait(seconds)
    finally:
        if program.poll() is None:
            program.kill()
        for reader in readers:
            reader.join()
    return CompletedProcess([str(word) for word in words], code, said["output"], said.get("errors", ""))


def _text(pipe: "Connection[Any, Any]") -> IO[str]:
    return open(pipe.fileno(), encoding="utf-8", errors="replace", closefd=False)


def _run(
    words: list[str],
    folder: Path,
    environment: dict[str, str],
    says: "Connection[Any, Any]",
    tells: "Connection[Any, Any]",
    before: Callable[[], None] | None,
) -> None:
    """Become the program: in the new process, before anything else."""
    if before is not None:
        before()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    os.dup2(says.fileno(), 1)
    os.dup2(tells.fileno(), 2)
    letters = environment.get("PYTHONIOENCODING", "utf-8")
    sys.stdout, sys.stderr = (open(k, "w", 1, letters, closefd=False) for k in (1, 2))  # noqa: SIM115
    sys.path[:0] = environment.get("PYTHONPATH", "").split(os.pathsep)
    try:
        _interpret(words)
    finally:
        atexit._run_exitfuncs()  # a fork skips them
        sys.stdout.flush()


def _interpret(words: list[str]) -> None:
    """What the interpreter does with its arguments."""
    if words[0] == "-c":
        sys.argv = ["-c", *words[2:]]
        exec(words[1], {"__name__": "__main__"})
    elif words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        sys.path.insert(0, str(Path(words[0]).resolve().parent))
        runpy.run_path(words[0], run_name="__main__")
