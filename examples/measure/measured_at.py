"""Which state of the code a result was measured with."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def commit() -> str:
    """The short hash of the commit that is checked out, with a `+` if tracked files differ from it.

    Outside a clone, where git knows of no commit, `unknown`.
    """
    here, changed = _git("rev-parse", "--short", "HEAD"), _git("status", "--porcelain", "--untracked-files=no")
    return f"{here}{'+' if changed else ''}" if here else "unknown"


def _git(*words: str) -> str:
    try:
        return subprocess.run(
            ["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
