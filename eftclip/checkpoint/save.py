"""A mended model back to a folder that open_clip loads: the source's own files around new weights."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from eftclip.checkpoint.configuration import CONFIG_FILE, read_json
from eftclip.checkpoint.digests import sha256_of
from eftclip.checkpoint.download import fetch_texts, fetch_weights
from eftclip.checkpoint.error_text import reason
from eftclip.checkpoint.hub_cache import in_use
from eftclip.checkpoint.source import HUB_PREFIX, Place, locate
from eftclip.checkpoint.tokenizer import TOKENIZER_FILES
from eftclip.checkpoint.weights import SAFE_NAMES, find_weights, read_state
from eftclip.errors import CheckpointError
from eftclip.types import ClipModel

SAVED_FILES = (SAFE_NAMES[0], CONFIG_FILE, *TOKENIZER_FILES)


def save_clip(clip: ClipModel, source: str, folder: Path, *, token: str | None = None) -> str:
    """Write a changed model next to the configuration and the tokenizer of the checkpoint it was made from.

    Weights keep the precision they have in the source: a half-precision checkpoint stays one. If the configuration
    names a normalisation with which the checkpoint does not work, the one that does (`clip.preprocess`) is written.

    Args:
        clip: the model with its provenance; `ref.sha256` is of the weights that it was loaded from.
        source: where those are, as for `load_clip`; a Hub repository is read at the revision of `ref`.
        folder: where to write; made if it is not there. Other files in it stay.
        token: for private repositories.

    Returns:
        sha256 of the weights written, 64 hex digits.

    Raises:
        CheckpointError: the source is gone or has changed, or the folder cannot be written.
    """
    pinned = f"{HUB_PREFIX}{clip.ref.repo_id}@{clip.ref.revision}" if clip.ref.repo_id else source
    place = locate(pinned, token)
    with in_use(place.repo_id):
        precision = _copied(clip, place, folder, token)
    try:
        return _write_weights(clip, folder, precision)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _copied(clip: ClipModel, place: Place, folder: Path, token: str | None) -> torch.dtype:
    """Copy everything but the weights; what those are stored as."""
    weights = find_weights(place.files, str(place))
    path = fetch_weights(place, weights.name, token)
    if _sha256(path) != clip.ref.sha256:
        raise CheckpointError(f"{place}: {weights.name} is no longer the file that was loaded; load it again.")
    home = fetch_texts(place, (CONFIG_FILE, *TOKENIZER_FILES), token)
    precision = _precision(read_state(path, weights, str(place)))
    config = _with_normalisation(read_json(home / CONFIG_FILE, str(place)), clip)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in TOKENIZER_FILES:
            if (home / name).is_file():
                (folder / name).write_bytes((home / name).read_bytes())
        (folder / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise _unwritable(folder, error) from error
    return precision


def _unwritable(folder: Path, error: OSError) -> CheckpointError:
    return CheckpointError(f"The checkpoint cannot be written to {folder} ({reason(error)}).")


def _precision(state: dict[str, Tensor]) -> torch.dtype:
    """What most of the numbers in the file are stored as."""
    sizes: dict[torch.dtype, int] = {}
    for tensor in state.values():
        if tensor.is_floating_point():
            sizes[tensor.dtype] = sizes.get(tensor.dtype, 0) + tensor.numel()
    return max(sizes, key=lambda dtype: sizes[dtype])


def _write_weights(clip: ClipModel, folder: Path, precision: torch.dtype) -> str:
    """In one step: whoever looks sees the whole file or none."""
    state = {
        name: (tensor.to(precision) if tensor.is_floating_point() else tensor).cpu().contiguous()
        for name, tensor in clip.model.state_dict().items()
    }
    fresh = folder / f"{SAFE_NAMES[0]}.new"
    save_file(state, fresh, metadata={"format": "pt"})
    sha256 = _sha256(fresh)
    fresh.replace(folder / SAFE_NAMES[0])
    return sha256


def _with_normalisation(config: dict[str, Any], clip: ClipModel) -> dict[str, Any]:
    """The configuration with the mean and deviation that were used."""
    used = {"mean": list(clip.preprocess.mean), "std": list(clip.preprocess.std)}
    return {**config, "preprocess_cfg": {**(config.get("preprocess_cfg") or {}), **used}}


def _sha256(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read ({reason(error)}); load the checkpoint again.") from error
