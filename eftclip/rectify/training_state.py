"""How far a fine-tuning came, on disk: written in one step, so that a kill leaves the old state or the new one."""

import os
import pickle
from pathlib import Path
from typing import Any

import torch

from eftclip.errors import DataError

FILE = "rectify.state"


def save(folder: Path, state: dict[str, Any]) -> None:
    """Replace the state in a folder."""
    fresh = folder / f"{FILE}.new"
    with fresh.open("wb") as stream:
        torch.save(state, stream)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(folder / FILE)


def delete_state(folder: Path) -> None:
    """Remove the state of a run whose result is safe; it is as large as three copies of what was trained."""
    (folder / FILE).unlink(missing_ok=True)


def load(folder: Path, about: dict[str, Any]) -> dict[str, Any] | None:
    """The state in a folder; None where a run has not begun.

    Args:
        folder: where `save` wrote.
        about: what the run is of; a state of another one is refused.

    Raises:
        DataError: the state is of another run, or damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)  # tensors and numbers, no code
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, KeyError) as error:
        raise DataError(f"{path} is damaged; delete it to begin the fine-tuning anew.") from error
    if state.get("about") != about:
        raise DataError(
            f"{path} belongs to another fine-tuning (other checkpoint, pictures or settings); "
            "choose another folder, or delete it to begin anew."
        )
    return state
