"""Look before loading: what a source holds, and what would stop it from being loaded."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from eftclip.checkpoint.configuration import CONFIG_FILE, Configuration, read_configuration
from eftclip.checkpoint.download import check_weights_size, fetch_texts, oversized
from eftclip.checkpoint.error_text import short_list
from eftclip.checkpoint.hub_cache import in_use
from eftclip.checkpoint.source import Place, locate
from eftclip.checkpoint.tokenizer import TOKENIZER_CONFIG, TOKENIZER_FILES, VOCABULARIES, check_tokenizer_files
from eftclip.checkpoint.weights import WeightFile, check_header, find_weights
from eftclip.errors import CheckpointError
from eftclip.untrusted_text import one_line

CARD = "README.md"
STATED = re.compile(r"license: *['\"]?([\w.+-]{1,64})['\"]? *")
MOST_FILES = 200  # are told of; a stranger's repository may hold a hundred thousand
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
        files: names with sizes in bytes, at the top of the folder or repository; at most `MOST_FILES` of them.
        left_out: how many more there are.
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
    left_out: int
    format: str | None
    weight_file: str | None
    architecture: Architecture | None
    licence: str | None
    problems: tuple[str, ...]


def inspect(source: str, *, token: str | None = None, max_gb: float | None = None) -> CheckpointReport:
    """Look at a checkpoint without loading it; from the Hub, only its small text files are downloaded.

    Args:
        source: a local open_clip folder, or `hf:org/name[@revision]`.
        token: for private or gated repositories.
        max_gb: the largest weight file that would be loaded, see `load_clip`.

    Raises:
        CheckpointError: the source cannot be found or reached; whatever else is wrong stands in `problems`.
    """
    place = locate(source, token)
    with in_use(place.repo_id):
        problems = oversized(place, (CONFIG_FILE, TOKENIZER_CONFIG))
        folder = fetch_texts(place, () if problems else (CONFIG_FILE, TOKENIZER_CONFIG), token)
        config = None if problems else _noted(problems, lambda: checked_configuration(place, folder))
        problems.extend(oversized(place, VOCABULARIES))
        licence = place.licence or _stated_licence(place, token)
    weights = _noted(problems, lambda: find_weights(place.files, str(place)))
    if weights is not None:
        _noted(problems, lambda: _check_weight_file(place, weights, max_gb))
    if config is not None:
        problems.extend(_doubts(place, config))
    files = {one_line(name): size for name, size in _told(place.files, weights).items()}
    return CheckpointReport(
        source=source,
        repo_id=place.repo_id,
        revision=place.revision,
        folder=place.folder,
        files=files,
        left_out=len(place.files) - len(files),
        format=weights.format if weights else None,
        weight_file=weights.name if weights else None,
        architecture=_architecture(config) if config else None,
        licence=licence and one_line(licence),
        problems=tuple(problems),
    )


def checked_configuration(place: Place, folder: Path) -> Configuration:
    """The configuration of a folder, and the tokenizer's as far as it can be judged by its files.

    Raises:
        CheckpointError: something is missing or not allowed.
    """
    if CONFIG_FILE not in place.files:
        raise CheckpointError(
            f"{place}: {CONFIG_FILE} is missing, so this is no open_clip checkpoint; found {short_list(place.files)}."
        )
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


def _check_weight_file(place: Place, weights: WeightFile, max_gb: float | None) -> None:
    refuse_pickle(weights, str(place))
    check_weights_size(place, weights.name, max_gb)
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


def _stated_licence(place: Place, token: str | None) -> str | None:
    """What the front matter of the card says; a card that is too large to be one says nothing."""
    if CARD not in place.files or oversized(place, (CARD,)):
        return None
    lines = (fetch_texts(place, (CARD,), token) / CARD).read_text(encoding="utf-8", errors="replace").splitlines()
    if "---" not in lines[1:] or lines[0] != "---":
        return None
    matches = (STATED.fullmatch(line) for line in lines[1 : lines.index("---", 1)])
    return next((match[1] for match in matches if match), None)


def _told(files: Mapping[str, int], weights: WeightFile | None) -> dict[str, int]:
    """Those that matter first, where there are too many to tell of all."""
    matter = {CONFIG_FILE, CARD, *TOKENIZER_FILES, *([weights.name] if weights else [])}
    names = sorted(files, key=lambda name: name not in matter)[:MOST_FILES]
    return {name: files[name] for name in files if name in set(names)}
