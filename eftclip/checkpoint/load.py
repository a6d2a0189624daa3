"""Source to model: pinned, inspected, hashed, filled strictly from one file, tried once."""

from typing import Any

import torch
from open_clip.model import CLIP, CustomTextCLIP
from torch import nn

from eftclip.checkpoint.configuration import CONFIG_FILE, Configuration
from eftclip.checkpoint.reason import reason
from eftclip.checkpoint.report import checked_configuration, refuse_pickle
from eftclip.checkpoint.source import fetch, locate
from eftclip.checkpoint.tokenizer import TOKENIZER_CONFIG, TOKENIZER_FILES, load_tokenizer
from eftclip.checkpoint.weights import find_weights, load_weights
from eftclip.errors import CheckpointError
from eftclip.runtime import pick_device
from eftclip.types import CheckpointRef, ClipModel


def load_clip(
    source: str,
    *,
    device: torch.device | None = None,
    token: str | None = None,
    allow_pickle: bool = False,
) -> ClipModel:
    """Load the CLIP under test; every weight comes from one file, whose sha256 stands in `ref`.

    Args:
        source: a local open_clip folder, or `hf:org/name[@revision]`.
        device: where to put it; the best one that is there by default.
        token: for private or gated repositories.
        allow_pickle: also load a pickle where there is nothing else; tensors only, never code.

    Raises:
        CheckpointError: not found, incomplete, damaged, inconsistent, or asking for trust that was not given.
    """
    place = locate(source, token)
    config = checked_configuration(place, fetch(place, (CONFIG_FILE, TOKENIZER_CONFIG), token))
    weights = find_weights(place.files, str(place))
    if not allow_pickle:
        refuse_pickle(weights, str(place))
    folder = fetch(place, (CONFIG_FILE, *TOKENIZER_FILES, weights.name), token)
    tokenizer = load_tokenizer(config, folder, str(place))
    model = _build(config, str(place))
    sha256 = load_weights(model, folder / weights.name, weights, str(place), place.announced.get(weights.name))
    model.eval().requires_grad_(False)
    model.to(memory_format=torch.channels_last)  # convolutions run several times faster
    model.to(device or pick_device())
    ref = CheckpointRef(source, place.repo_id, place.revision, weights.name, sha256, weights.format)
    clip = ClipModel(model, config.preprocess, tokenizer, ref)
    _try_out(clip, str(place))
    return clip


def _build(config: Configuration, where: str) -> nn.Module:
    """The architecture; its first weights are drawn and then all overwritten, so the caller's generator is kept."""
    settings: dict[str, Any] = config.model
    try:
        with torch.random.fork_rng(devices=[]):
            model: nn.Module = (CustomTextCLIP if config.custom_text else CLIP)(**settings)
    except Exception as error:  # open_clip and timm check their settings with assert, TypeError, RuntimeError, …
        raise CheckpointError(f"{where}: no model can be built from {CONFIG_FILE} ({reason(error)}).") from error
    return model


@torch.inference_mode()
def _try_out(clip: ClipModel, where: str) -> None:
    """One grey picture and one word: the towers run, fit each other and give numbers."""
    grey = torch.full((1, 3, clip.image_px, clip.image_px), 0.5)
    try:
        product = clip.encode_images(grey) @ clip.encode_text(["a photo"]).T
    except (RuntimeError, AssertionError, IndexError, ValueError, TypeError) as error:
        raise CheckpointError(
            f"{where}: the model cannot read a {clip.image_px} px picture and a text ({reason(error)})."
        ) from error
    if not bool(product.isfinite().all()):
        raise CheckpointError(f"{where}: the model's output is not a number even for a grey picture.")
