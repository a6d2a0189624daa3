"""A mended model back to a folder in the format of its source: the source's own texts around new weights."""

from collections.abc import Sequence
from pathlib import Path

import torch

from eftclip.checkpoint.error_text import reason
from eftclip.checkpoint.formats import FORMATS, format_of
from eftclip.checkpoint.hub.cache import in_use
from eftclip.checkpoint.hub.download import fetch_texts, fetch_weights
from eftclip.checkpoint.source import HUB_PREFIX, locate
from eftclip.checkpoint.weights import State, WeightFile, read_tensors, weights_sha256
from eftclip.errors import CheckpointError
from eftclip.types import ClipModel

# In whatever format.
SAVED_FILES = tuple(dict.fromkeys(name for one in FORMATS for name in (one.saved_weights, *one.saved_texts)))


def save_clip(clip: ClipModel, source: str, folder: Path, *, token: str | None = None) -> str:
    """Write a changed model next to the configuration and the tokenizer of the checkpoint it was made from.

    Weights keep the precision they have in the source: a half-precision checkpoint stays one. If the configuration
    names a normalisation with which the checkpoint does not work, the one that does (`clip.preprocess`) is written.

    Args:
        clip: the model with its provenance; `ref.sha256` is of the weights that it was loaded from. Weights that came
            alone go to a folder with a configuration.
        source: where those are, as for `load_clip`; a Hub repository is read at the revision of `ref`.
        folder: where to write; made if it is not there. Other files in it stay.
        token: for private repositories.

    Returns:
        sha256 of the weights written, 64 hex digits.

    Raises:
        CheckpointError: the source is gone or has changed, or the folder cannot be written.
    """
    pinned = f"{HUB_PREFIX}{clip.ref.repo_id}@{clip.ref.revision}" if clip.ref.repo_id else source
    listing = locate(pinned, token, clip.ref.architecture, clip.ref.source if clip.ref.location else None)
    with in_use(listing.repo_id):
        layout = format_of(listing)
        wanted = layout.texts(listing)
        weights = layout.weights(listing, fetch_texts(listing, wanted.to_describe, token))
        paths = fetch_weights(listing, weights, token)
        _check_unchanged(clip, paths, weights, str(listing))
        texts = fetch_texts(listing, wanted.to_load, token)
        precision = _precision(read_tensors(paths, weights, str(listing)).state)
        state = {
            name: (tensor.to(precision) if tensor.is_floating_point() else tensor).cpu().contiguous()
            for name, tensor in clip.model.state_dict().items()
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return layout.save(clip, state, listing, texts, folder)
        except OSError as error:
            raise CheckpointError(f"The checkpoint cannot be written to {folder} ({reason(error)}).") from error


def _check_unchanged(clip: ClipModel, paths: Sequence[Path], weights: WeightFile, where: str) -> None:
    try:
        found = weights_sha256(paths, weights)
    except OSError as error:
        raise CheckpointError(f"{weights.name} cannot be read ({reason(error)}); load the checkpoint again.") from error
    if found != clip.ref.sha256:
        raise CheckpointError(f"{where}: {weights.name} is no longer the file that was loaded; load it again.")


def _precision(state: State) -> torch.dtype:
    """What most of the numbers in the file are stored as."""
    sizes: dict[torch.dtype, int] = {}
    for tensor in state.values():
        if tensor.is_floating_point():
            sizes[tensor.dtype] = sizes.get(tensor.dtype, 0) + tensor.numel()
    return max(sizes, key=lambda dtype: sizes[dtype])
