"""A mended model's tensors to a file."""

from pathlib import Path

from safetensors.torch import save_file

from eftclip.checkpoint.digests import sha256_of
from eftclip.checkpoint.weights.unwrap import State


def write_weights(state: State, path: Path) -> str:
    """Write a safetensors file in one step, so that whoever looks sees the whole file or none; its sha256.

    Raises:
        OSError: it cannot be written.
    """
    fresh = path.with_name(f"{path.name}.new")
    save_file(state, fresh, metadata={"format": "pt"})
    sha256 = sha256_of(fresh)
    fresh.replace(path)
    return sha256
