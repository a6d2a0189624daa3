"""Source to model: pinned, inspected, hashed, filled strictly from one file, tried once."""

from dataclasses import replace

import torch
from torch import nn

from eftclip.checkpoint.error_text import reason
from eftclip.checkpoint.formats import Described, format_of
from eftclip.checkpoint.hub.cache import in_use
from eftclip.checkpoint.hub.download import check_weights_size, evict, fetch_texts, fetch_weights
from eftclip.checkpoint.source import Listing, locate
from eftclip.checkpoint.tokenizer import CheckedTokenizer
from eftclip.checkpoint.weights import SkipInit, SpoiledError, WeightFile, load_weights
from eftclip.errors import CheckpointError
from eftclip.preprocess import Preprocess
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
    architecture: str | None = None,
    name: str | None = None,
) -> ClipModel:
    """Load the CLIP under test; every weight comes from one file, whose sha256 stands in `ref`.

    Args:
        source: a local folder or weight file, or `hf:org/name[@revision]`.
        device: where to put it; the best one that is there by default.
        token: for private or gated repositories.
        allow_pickle: also load a pickle where there is nothing else; tensors only, never code.
        max_gb: the largest weight file to download or load, in 10⁹ bytes; any when left out. In memory it takes up to
            four times as much, as weights of a byte each become float32.
        architecture: of weights that come alone: a name of open_clip's, or a folder with a configuration.
        name: how a folder or a file of this machine is called in messages and reports, if not by its path.

    Raises:
        CheckpointError: not found, incomplete, damaged, inconsistent, too large, or asking for trust not given.
    """
    listing = locate(source, token, architecture, name)
    with in_use(listing.repo_id):
        model, preprocess, tokenizer, ref = _read(listing, token, allow_pickle, max_gb)
    model.eval().requires_grad_(False)
    model.to(memory_format=torch.channels_last)  # convolutions run several times faster
    model.to(device or pick_device())
    clip = ClipModel(model, preprocess, tokenizer, replace(ref, location=source) if name else ref)
    _try_out(clip, str(listing))
    return clip


def refuse_pickle(weights: WeightFile, where: str) -> None:
    """Pickles are loaded only for those who insist.

    Raises:
        CheckpointError: the weights are a pickle.
    """
    if weights.format == "pickle":
        raise CheckpointError(
            f"{where}: the weights come only as a pickle ({weights.name}), a format that can carry code; ask for "
            "safetensors, or insist with --allow-pickle (allow_pickle=True)."
        )


def _read(
    listing: Listing, token: str | None, allow_pickle: bool, max_gb: float | None
) -> tuple[nn.Module, Preprocess, CheckedTokenizer, CheckpointRef]:
    """Everything that comes out of files; what is small first, so that the weights are not fetched in vain."""
    where = str(listing)
    layout = format_of(listing)
    wanted = layout.texts(listing)
    texts = fetch_texts(listing, wanted.to_describe, token)
    weights = layout.weights(listing, texts)
    if not allow_pickle:
        refuse_pickle(weights, where)
    described = layout.describe(listing, texts)
    if weights.format == "safetensors":
        _check_plan(described, sum(listing.files[name] for name in weights.files), where)
    check_weights_size(listing, weights, max_gb)
    tokenizer = described.tokenizer(fetch_texts(listing, wanted.to_load, token))
    paths = fetch_weights(listing, weights, token)
    model = build(described, where)
    try:
        sha256, remark = load_weights(
            model,
            paths,
            weights,
            where,
            own_names=described.own_names,
            stated_in=described.stated_in,
            announced=listing.announced,
        )
    except SpoiledError as error:
        evict(error.path)
        raise
    ref = CheckpointRef(
        source=listing.source,
        repo_id=listing.repo_id,
        revision=listing.revision,
        file=weights.name,
        sha256=sha256,
        format=weights.format,
        layout=layout.name,
        architecture=listing.architecture,
        remark=remark,
    )
    return model, described.preprocess, tokenizer, ref


def _check_plan(described: Described, size: int, where: str) -> None:
    """Whether the architecture can be that of the weights at all, before it takes memory or anything is downloaded.

    A configuration of a few bytes can ask for more memory than any machine has; but every weight takes a byte at least.
    """
    with torch.device("meta"):
        wanted = sum(tensor.numel() for tensor in build(described, where).state_dict().values())
    if wanted > max(size, HARMLESS):  # of a small one it is told later which weights are missing
        raise CheckpointError(
            f"{where}: the architecture in {described.stated_in} has {wanted:,} weights, more than a file of "
            f"{size:,} bytes can hold; they do not belong together."
        )


def build(described: Described, where: str) -> nn.Module:
    """The architecture, with weights that mean nothing until they are all read from a file.

    Some are drawn all the same, by other means than those that are skipped, so the caller's generator is kept.

    Raises:
        CheckpointError: the library that owns the architecture refuses the settings.
    """
    try:
        with torch.random.fork_rng(devices=[]), SkipInit():
            return described.build()
    except Exception as error:  # whatever the library that owns the architecture raises
        raise CheckpointError(
            f"{where}: no model can be built from {described.stated_in} ({reason(error)})."
        ) from error


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
