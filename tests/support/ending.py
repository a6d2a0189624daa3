"""Programs that are meant to end at once, started as a user starts them: what they say, and their exit code."""

import ctypes
import os
import sys
from pathlib import Path

from support.forked import run

ROOT = Path(__file__).resolve().parents[2]
APP, COMMAND = ["app.py"], ["-m", "eftclip", "app"]
PATIENT_S = 120  # a busy machine is no failure
CAPABILITIES_V3, CAP_DAC_OVERRIDE = 0x20080522, 1  # of Linux' capability.h
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
    before = _as_everybody if sys.platform == "linux" else None
    done = run(
        arguments, folder=ROOT, environment={**inherited, **own, **environment}, seconds=PATIENT_S, before=before
    )
    return done.returncode, done.stdout


def _as_everybody() -> None:
    """Permissions of files count for the program even where the tests run as root."""
    library, header, sets = ctypes.CDLL(None), (ctypes.c_uint32 * 2)(CAPABILITIES_V3, 0), (ctypes.c_uint32 * 6)()
    library.capget(header, sets)
    for k in (0, 1):  # what it may do now, and what it may take back
        sets[k] &= ~(1 << CAP_DAC_OVERRIDE)
    library.capset(header, sets)
