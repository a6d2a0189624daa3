"""The app as a process of its own, open to everybody as on a Space, and what it costs the machine.

    python -m examples.attack.served PORT

serves it on 127.0.0.1 until its standard input ends. It is for the scripts that put the app under load and attack:
each line that it reads is answered with one line of JSON: how many objects that a visit may leave behind still live.
"""

import argparse
import gc
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from eftclip.pipeline.check import versions
from eftclip.runtime import release_memory
from examples.measure.measured_at import commit

ROOT = Path(__file__).resolve().parents[2]
SCHEMA_VERSION = 1
START_S, SAMPLED_S = 180.0, 0.2
ALIVE = {  # what a visit may leave behind
    "visits": "eftclip.ui.serving.sessions._Session",
    "sessions": "gradio.state_holder.SessionState",
    "events": "gradio.queueing.Event",
    "photographs": "eftclip.ui.check.photographs.Choice",
    "threads": "threading.Thread",
}
QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONUNBUFFERED": "1",
}


@dataclass(frozen=True)
class Sample:
    """The server at one moment.

    Attributes:
        rss_mb: memory that it holds, in 10⁶ bytes.
        threads: of the process.
        descriptors: open files and connections.
        files, folders, disk_mb: below its upload folder; MB are 10⁶ bytes.
    """

    rss_mb: float
    threads: int
    descriptors: int
    files: int
    folders: int
    disk_mb: float

    def document(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


@dataclass
class Peaks:
    """The most that the server held in a stretch of time: memory in 10⁶ bytes, threads, open files and connections."""

    rss_mb: float = 0.0
    threads: int = 0
    descriptors: int = 0

    def document(self) -> dict[str, Any]:
        """As plain values."""
        return {"rss_mb": self.rss_mb, "threads": self.threads, "descriptors": self.descriptors}


class Served:
    """The app for the length of a `with`; its uploads and its log lie in a folder that goes with it.

    Attributes:
        url: where it listens.
        uploads: the folder of all that visitors sent, and of what they may take home.
    """

    def __init__(
        self, *, kept_s: float | None = None, home: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        """Nothing is started yet.

        Args:
            kept_s: seconds after which uploads and forgotten pages go; what the app says when left out.
            home: where its own folder is made; the system's place for temporary files when left out.
            environment: more variables for the process.
        """
        self._home = tempfile.TemporaryDirectory(prefix="eftclip-served-", dir=home, ignore_cleanup_errors=True)
        self.uploads = Path(self._home.name) / "uploads"
        self.log = Path(self._home.name) / "log.txt"
        self._port = _free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._kept_s = kept_s
        self._environment = {**os.environ, **QUIET, "GRADIO_TEMP_DIR": str(self.uploads), **(environment or {})}
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Served":
        """Start it and wait until it answers.

        Raises:
            RuntimeError: it ended, or did not answer in time.
        """
        kept = [] if self._kept_s is None else ["--kept-s", str(self._kept_s)]
        command = [sys.executable, "-m", "examples.attack.served", str(self._port), *kept]
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self._environment,
                cwd=ROOT,
            )
        until = time.monotonic() + START_S
        while not _answers(self._port):
            if self._process.poll() is not None or time.monotonic() > until:
                said = self.log.read_text()
                self.__exit__()
                raise RuntimeError(f"The app did not start:\n{said}")
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it and take its folder away."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._home.cleanup()

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process is not None and self._process.poll() is None

    def sample(self) -> Sample:
        """The server now."""
        assert self._process is not None  # noqa: S101  # started
        files, folders, size = 0, -1, 0
        for folder, _, names in os.walk(self.uploads):  # what goes meanwhile is not counted
            folders += 1
            for name in names:
                with suppress(FileNotFoundError):
                    size += (Path(folder) / name).stat().st_size
                    files += 1
        return Sample(*self._held(), files, max(folders, 0), round(size / 1e6, 3))

    @contextmanager
    def watched(self) -> Iterator[Peaks]:
        """The most that it holds until the end of the `with`, looked at five times a second."""
        peaks, over = Peaks(), threading.Event()

        def look() -> None:
            while not over.wait(SAMPLED_S) and self.alive:
                held = self._held()
                peaks.rss_mb = max(peaks.rss_mb, held[0])
                peaks.threads, peaks.descriptors = max(peaks.threads, held[1]), max(peaks.descriptors, held[2])

        looking = threading.Thread(target=look, daemon=True)
        looking.start()
        try:
            yield peaks
        finally:
            over.set()
            looking.join()

    def deserted(self, patience_s: float = 30.0) -> bool:
        """Wait until the server knows that all pages were closed; whether it came to know in time."""
        until = time.monotonic() + patience_s
        while self.census()["visits"]:
            if time.monotonic() > until:
                return False
            time.sleep(0.2)
        return True

    def _held(self) -> tuple[float, int, int]:
        """Memory, threads, open files and connections."""
        assert self._process is not None  # noqa: S101  # started
        process = psutil.Process(self._process.pid)
        with process.oneshot():
            return round(process.memory_info().rss / 1e6, 1), process.num_threads(), process.num_fds()

    def census(self) -> dict[str, int]:
        """How many objects live in the server, by the names in `ALIVE`."""
        assert self._process is not None  # noqa: S101  # started
        assert self._process.stdin is not None  # noqa: S101
        assert self._process.stdout is not None  # noqa: S101
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        while not (line := self._process.stdout.readline()).startswith("{"):
            if not line:
                raise RuntimeError("The app has ended.")
        counted: dict[str, int] = json.loads(line)
        return counted


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def census() -> dict[str, int]:
    """Living objects of this process, by the names in `ALIVE`.

    Memory that is free goes back to the system first: up to a gigabyte is kept otherwise (see `settle_memory`), more or
    less of it by how many happened to work at once, and that is not what a visit leaves behind.
    """
    release_memory()
    counted = Counter(f"{type(thing).__module__}.{type(thing).__qualname__}" for thing in gc.get_objects())
    return {name: counted[cls] for name, cls in ALIVE.items()}


def head(kind: str, command: str) -> dict[str, Any]:
    """What every result begins with."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": kind,
        "command": command,
        "commit": commit(),
        "versions": {**versions(), "gradio": version("gradio")},
        "machine": {"cores": os.cpu_count(), "threads": int(os.environ.get("OMP_NUM_THREADS") or 0) or None},
    }


def write(document: Mapping[str, Any], out: Path) -> None:
    """Keep a result."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False) + "\n")
    print(f"wrote {out}")


def files_below(folder: Path) -> Iterator[Path]:
    """All files below a folder; what goes away meanwhile is passed over."""
    for home, _, names in os.walk(folder):
        yield from (Path(home) / name for name in names)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Serve the app as a Space would, for scripts.")
    parser.add_argument("port", type=int)
    parser.add_argument("--kept-s", type=float, help="seconds after which uploads go")
    args = parser.parse_args(arguments)
    from eftclip.ui import server  # after the environment was set by whoever started this

    server.is_private = lambda host: False  # whoever reaches the port may come in, as on a Space
    if args.kept_s is not None:
        vars(server)["KEPT_S"] = args.kept_s
    server.launch("127.0.0.1", args.port, prevent_thread_lock=True, quiet=True)
    for _ in sys.stdin:
        print(json.dumps(census()), flush=True)


if __name__ == "__main__":
    main()
