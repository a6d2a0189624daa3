"""JSON files of a checkpoint, which a stranger wrote."""

import json
from pathlib import Path
from typing import Any

from eftclip.checkpoint.error_text import reason
from eftclip.errors import CheckpointError


def read_json(path: Path, where: str) -> dict[str, Any]:
    """A JSON object from a file.

    Args:
        path: of the file.
        where: the checkpoint's name in errors.

    Raises:
        CheckpointError: it cannot be read, or is something else.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{where}: {path.name} is not readable JSON ({reason(error)}); repair or replace it."
        ) from error
    if not isinstance(document, dict):
        raise CheckpointError(f"{where}: {path.name} holds a {type(document).__name__}, but a JSON object is expected.")
    return document
