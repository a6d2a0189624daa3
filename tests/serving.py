"""The app in a process of its own, the way its users start it, so that it can be killed and started again."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PATIENT_S = 120.0
START = "from eftclip.ui import launch; launch(quiet=True)"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Served:
    """A running app.

    Attributes:
        url: its address.
        log: what it wrote to its terminal.
    """

    def __init__(self, folder: Path, *, port: int | None = None, **environment: str) -> None:
        """Start, and wait until it answers.

        Args:
            folder: for its uploads, results and log.
            port: where; a free one when left out.
            environment: variables on top of those of the tests.
        """
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "server.log"
        ours = {
            "GRADIO_SERVER_PORT": str(self.port),
            "GRADIO_TEMP_DIR": str(folder / "uploads"),
            "EFTCLIP_RESULTS": str(folder / "results"),
            "PYTHONPATH": str(ROOT),
        }
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", START],
                cwd=ROOT,
                env={**os.environ, **ours, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def kill(self) -> None:
        """Let it die at once, without a chance to tidy up."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it the way a container does."""
        self._process.terminate()
        try:
            self._process.wait(PATIENT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def _wait(self) -> None:
        until = time.monotonic() + PATIENT_S
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/config", timeout=PATIENT_S).read()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"the app did not start:\n{self.log.read_text()}") from None
                time.sleep(0.1)
