"""Look before loading: what a source holds, and what would stop it from being loaded."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from eftclip.checkpoint.configuration import CONFIG_FILE, Configuration, read_configuration
from eftclip.checkpoint.source import Place, fetch, locate
from eftclip.checkpoint.tokenizer import TOKENIZER_CONFIG, check_tokenizer_files
from eftclip.checkpoint.weights import WeightFile, check_header, find_weights
from eftclip.errors import CheckpointError

CARD = "README.md"
LICENCE = re.compile(r"\A---\n(?:.*\n)*?license: *['\"]?([\w.+-]+)['\"]? *\n(?:.*\n)*?---")
T = TypeVar("T")


@dataclass(frozen=True)
class Architecture:
    """The two towers by name, the length D of an embedding, and the side of the picture in pixels."""

    vision: str
    text: str
    embed_dim: int
    image_px: int


@dataclass(frozen=True)
class CheckpointReport:
    """What is known of a checkpoint without its weights.

    Attributes:
        source: what the user typed.
        repo_id: `org/name` on the Hub; None for a local folder.
        revision: the commit, 40 hex digits; None for a local folder.
        folder: the local folder; None for the Hub.
        files: names with sizes in bytes, at the top of the folder or repository.
        format: `safetensors` or `pickle`; None without weights.
        weight_file: the file that would be loaded; None without weights.
        architecture: None where the configuration cannot be used.
        licence: what the card says; None where it says nothing.
        problems: sentences; what would stop the loading, or should be known before.
    """

    source: str
    repo_id: str | None
    revision: str | None
    folder: Path | None
    files: Mapping[str, int]
    format: str | None
    weight_file: str | None
    architecture: Architecture | None
    licence: str | None
    problems: tuple[str, ...]


def inspect(source: str, *, token: str | None = None) -> CheckpointReport:
    """Look at a checkpoint without loading it; from the Hub, only its small text files are downloaded.

    Args:
        source: a local open_clip folder, or `hf:org/name[@revision]`.
        token: for private or gated repositories.

    Raises:
        CheckpointError: the source cannot be found or reached; whatever else is wrong stands in `problems`.
    """
    place = locate(source, token)
    folder = fetch(place, (CONFIG_FILE, TOKENIZER_CONFIG, CARD), token)
    problems: list[str] = []
    config = _noted(problems, lambda: checked_configuration(place, folder))
    weights = _noted(problems, lambda: find_weights(place.files, str(place)))
    if weights is not None:
        _noted(problems, lambda: _check_weight_file(place, weights))
    if config is not None:
        problems.extend(_doubts(place, config))
    return CheckpointReport(
        source=source,
        repo_id=place.repo_id,
        revision=place.revision,
        folder=place.folder,
        files=place.files,
        format=weights.format if weights else None,
        weight_file=weights.name if weights else None,
        architecture=_architecture(config) if config else None,
        licence=place.licence or (_licence(folder / CARD) if CARD in place.files else None),
        problems=tuple(problems),
    )


def checked_configuration(place: Place, folder: Path) -> Configuration:
    """The configuration of a folder, and the tokenizer's as far as it can be judged by its files.

    Raises:
        CheckpointError: something is missing or not allowed.
    """
    if CONFIG_FILE not in place.files:
        found = ", ".join(place.files) or "nothing"
        raise CheckpointError(f"{place}: {CONFIG_FILE} is missing, so this is no open_clip checkpoint; found {found}.")
    config = read_configuration(folder, str(place))
    check_tokenizer_files(config, place.files, folder, str(place))
    return config


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


def _noted(problems: list[str], check: Callable[[], T]) -> T | None:
    try:
        return check()
    except CheckpointError as error:
        problems.append(str(error))
        return None


def _check_weight_file(place: Place, weights: WeightFile) -> None:
    refuse_pickle(weights, str(place))
    if place.folder is not None:
        check_header(place.folder / weights.name, str(place))


def _doubts(place: Place, config: Configuration) -> list[str]:
    """OpenAI trained with QuickGELU; weights read with the other activation look sound and are not."""
    name = place.repo_id or Path(place.source).name
    if "openai" not in name.lower() or config.model.get("quick_gelu"):
        return []
    return [
        f"{place}: OpenAI's weights need quick_gelu, but {CONFIG_FILE} does not set it; if these are OpenAI's, "
        'add "quick_gelu": true to model_cfg.'
    ]


def _architecture(config: Configuration) -> Architecture:
    vision, text = config.vision, config.text
    layers, width = vision.get("layers", 12), vision.get("width", 768)
    if name := vision.get("timm_model_name"):
        tower = str(name)
    elif isinstance(layers, list):
        tower = f"ResNet {'-'.join(map(str, layers))}, width {width}"
    else:
        tower = f"ViT /{vision.get('patch_size', 16)}, {layers} layers, width {width}"
    return Architecture(
        vision=tower,
        text=f"Transformer, {text.get('layers', 12)} layers, width {text.get('width', 512)}",
        embed_dim=config.model["embed_dim"],
        image_px=config.preprocess.image_px,
    )


def licence_of(source: str, *, token: str | None = None) -> str | None:
    """The licence that a checkpoint states; None where it says nothing or is gone."""
    with suppress(CheckpointError, OSError):
        return inspect(source, token=token).licence
    return None


def _licence(card: Path) -> str | None:
    found = LICENCE.match(card.read_text(encoding="utf-8", errors="replace"))
    return found[1] if found else None
