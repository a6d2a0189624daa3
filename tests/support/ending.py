"""Programs that are meant to end at once, started as a user starts them: what they say, and their exit code."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APP, COMMAND = ["app.py"], ["-m", "eftclip", "app"]
PATIENT_S = 120  # a busy machine is no failure
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1  # of Linux' prctl.h and capability.h
PROXIES = [f"{kind}_proxy" for kind in ("http", "https", "all", "no")]


def ended(arguments: list[str], folder: Path, **environment: str) -> tuple[int, str]:
    """Run a program of ours to its end; the exit code, and all that it said.

    Args:
        arguments: of the interpreter.
        folder: for what it writes, unless the environment says otherwise.
        environment: what is different from that of the tests.
    """
    left_out = {"GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT", *PROXIES, *(name.upper() for name in PROXIES)}
    inherited = {name: value for name, value in os.environ.items() if name not in left_out}
    own = {"GRADIO_TEMP_DIR": str(folder / "gradio"), "EFTCLIP_RESULTS": str(folder / "results")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**inherited, **own, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=PATIENT_S,
        check=False,
        preexec_fn=_as_everybody if sys.platform == "linux" else None,
    )
    return done.returncode, done.stdout


def _as_everybody() -> None:
    """Permissions of files count for the program even where the tests run as root."""
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE)
