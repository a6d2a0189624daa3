"""The app as a process of its own, started as a Space or its user starts it: `python app.py` and an environment."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import TimeoutExpired

from support.forked import Program

ROOT = Path(__file__).resolve().parents[2]
# app.py itself, with every logger at its most talkative: what is not said then is never said.
START = "import logging, runpy; logging.basicConfig(level=logging.DEBUG); runpy.run_path('app.py', run_name='__main__')"
READY = "Running on local URL"
PATIENT_S = 120.0  # a busy machine is no failure


@dataclass(eq=False)
class Started:
    """A running app.

    Attributes:
        url: where it is.
        process: that it is.
        said: the lines of its output, both streams, so far.
    """

    url: str
    process: Program
    said: list[str] = field(default_factory=list)

    @property
    def output(self) -> str:
        """All that it has said so far."""
        return "".join(self.said)

    def kill(self) -> None:
        """Let it die at once, without a chance to tidy up."""
        self.process.kill()


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def started(folder: Path, port: int, **environment: str) -> Iterator[Started]:
    """The app, until the end of the block.

    Args:
        folder: for everything that it writes.
        port: to listen on.
        environment: what is different from that of the tests, which are offline and have nobody's token.
    """
    own = {
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_TEMP_DIR": str(folder / "gradio"),
        "EFTCLIP_RESULTS": str(folder / "results"),
        "HF_HOME": str(folder / "hub"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }
    left_out = {"HF_TOKEN", "HF_ENDPOINT", "GRADIO_SERVER_NAME", "SYSTEM", "SPACE_ID"}
    inherited = {name: value for name, value in os.environ.items() if name not in left_out}
    process = Program(["-c", START], folder=ROOT, environment={**inherited, **own, **environment})
    app, ready = Started(f"http://127.0.0.1:{port}", process), threading.Event()

    def listen() -> None:
        for line in process.output:
            app.said.append(line)
            if READY in line:
                ready.set()
        ready.set()  # it has ended, which is no reason to wait

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        assert ready.wait(PATIENT_S), f"the app does not start:\n{app.output}"
        assert process.poll() is None, f"the app has ended:\n{app.output}"
        yield app
    finally:
        process.terminate()
        try:
            process.wait(PATIENT_S)
        except TimeoutExpired:
            process.kill()
        listener.join(PATIENT_S)
