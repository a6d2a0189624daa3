"""Source to model: pinned, inspected, hashed, filled strictly from one file, tried once."""

from typing import Any

import torch
from open_clip.model import CLIP, CustomTextCLIP
from torch import nn

from eftclip.checkpoint.configuration import CONFIG_FILE, Configuration
from eftclip.checkpoint.download import check_weights_size, evict, fetch_texts, fetch_weights
from eftclip.checkpoint.error_text import reason
from eftclip.checkpoint.hub_cache import in_use
from eftclip.checkpoint.inspection import checked_configuration, refuse_pickle
from eftclip.checkpoint.source import Place, locate
from eftclip.checkpoint.tokenizer import TOKENIZER_CONFIG, TOKENIZER_FILES, CheckedTokenizer, load_tokenizer
from eftclip.checkpoint.weights import SpoiledError, find_weights, load_weights
from eftclip.errors import CheckpointError
from eftclip.runtime import pick_device
from eftclip.types import CheckpointRef, ClipModel

HARMLESS = 50_000_000  # weights of a model that any machine can hold


def load_clip(
    source: str,
    *,
    device: torch.device | None = None,
    token: str | None = None,
    allow_pickle: bool = False,
    max_gb: float | None = None,
) -> ClipModel:
    """Load the CLIP under test; every weight comes from one file, whose sha256 stands in `ref`.

    Args:
        source: a local open_clip folder, or `hf:org/name[@revision]`.
        device: where to put it; the best one that is there by default.
        token: for private or gated repositories.
        allow_pickle: also load a pickle where there is nothing else; tensors only, never code.
        max_gb: the largest weight file to download or load, in 10⁹ bytes; any when left out. In memory it takes up to
            four times as much, as weights of a byte each become float32.

    Raises:
        CheckpointError: not found, incomplete, damaged, inconsistent, too large, or asking for trust not given.
    """
    place = locate(source, token)
    with in_use(place.repo_id):
        model, config, tokenizer, ref = _read(place, token, allow_pickle, max_gb)
    model.eval().requires_grad_(False)
    model.to(memory_format=torch.channels_last)  # convolutions run several times faster
    model.to(device or pick_device())
    clip = ClipModel(model, config.preprocess, tokenizer, ref)
    _try_out(clip, str(place))
    return clip


def _read(
    place: Place, token: str | None, allow_pickle: bool, max_gb: float | None
) -> tuple[nn.Module, Configuration, CheckedTokenizer, CheckpointRef]:
    """Everything that comes out of files; what is small first, so that the weights are not fetched in vain."""
    where = str(place)
    config = checked_configuration(place, fetch_texts(place, (CONFIG_FILE, TOKENIZER_CONFIG), token))
    weights = find_weights(place.files, where)
    if not allow_pickle:
        refuse_pickle(weights, where)
    if weights.format == "safetensors":
        _check_plan(config, place.files[weights.name], where)
    check_weights_size(place, weights.name, max_gb)
    tokenizer = load_tokenizer(config, fetch_texts(place, (CONFIG_FILE, *TOKENIZER_FILES), token), where)
    path = fetch_weights(place, weights.name, token)
    model = _build(config, where)
    try:
        sha256 = load_weights(model, path, weights, where, place.announced.get(weights.name))
    except SpoiledError:
        evict(path)
        raise
    return (
        model,
        config,
        tokenizer,
        CheckpointRef(place.source, place.repo_id, place.revision, weights.name, sha256, weights.format),
    )


def _check_plan(config: Configuration, size: int, where: str) -> None:
    """Whether the architecture can be that of the weights at all, before it takes memory or anything is downloaded.

    A configuration of a few bytes can ask for more memory than any machine has; but every weight takes a byte at least.
    """
    with torch.device("meta"):
        wanted = sum(tensor.numel() for tensor in _build(config, where).state_dict().values())
    if wanted > max(size, HARMLESS):  # of a small one it is told later which weights are missing
        raise CheckpointError(
            f"{where}: the architecture in {CONFIG_FILE} has {wanted:,} weights, more than a file of {size:,} bytes "
            "can hold; they do not belong together."
        )


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
