"""Look before loading: what a source holds, and what would stop it from being loaded."""

import re
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch

from eftclip.checkpoint.formats import FORMATS, Architecture, Described, format_of
from eftclip.checkpoint.hub.cache import in_use
from eftclip.checkpoint.hub.download import check_weights_size, fetch_texts, oversized
from eftclip.checkpoint.hub.headers import fetch_headers
from eftclip.checkpoint.load import build, refuse_pickle
from eftclip.checkpoint.source import Listing, locate
from eftclip.checkpoint.weights import WeightFile, fitting, read_shapes
from eftclip.errors import CheckpointError
from eftclip.untrusted_text import one_line

CARD, MOST_CARD_MB = "README.md", 1.0
STATED = re.compile(r"license: *['\"]?([\w.+-]{1,64})['\"]? *")
MOST_FILES = 200  # are told of; a stranger's repository may hold a hundred thousand
T = TypeVar("T")


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
        layout: the checkpoint format by name, e.g. `open_clip` or `transformers`; None where none was recognised.
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
    layout: str | None
    format: str | None
    weight_file: str | None
    architecture: Architecture | None
    licence: str | None
    problems: tuple[str, ...]


def inspect(
    source: str,
    *,
    token: str | None = None,
    max_gb: float | None = None,
    allow_pickle: bool = False,
    architecture: str | None = None,
    name: str | None = None,
) -> CheckpointReport:
    """Look at a checkpoint without loading it.

    From the Hub come only its small text files, and what its tensors are called and how large they are.

    Args:
        source: a local folder or weight file, or `hf:org/name[@revision]`.
        token: for private or gated repositories.
        max_gb: the largest weight file that would be loaded, see `load_clip`.
        allow_pickle: a pickle would be loaded, so it is no problem.
        architecture: see `load_clip`.
        name: likewise.

    Raises:
        CheckpointError: the source cannot be found or reached; whatever else is wrong stands in `problems`.
    """
    listing = locate(source, token, architecture, name)
    problems: list[str] = []
    # What no format recognises is looked at as the first one, so that its weights are told all the same.
    recognised = _noted(problems, lambda: format_of(listing))
    layout = recognised or FORMATS[0]
    wanted = layout.texts(listing)
    later = {name: limit for name, limit in wanted.to_load.items() if name not in wanted.to_describe}
    with in_use(listing.repo_id):
        problems.extend(oversized(listing, wanted.to_describe))
        texts = None if problems else fetch_texts(listing, wanted.to_describe, token)
        described = _noted(problems, lambda: layout.describe(listing, texts)) if texts is not None else None
        problems.extend(oversized(listing, later))
        licence = listing.licence or _stated_licence(listing, token)
    weights = _noted(problems, lambda: layout.weights(listing, texts))
    if weights is not None:
        known = len(problems)
        _noted(problems, lambda: _check_weight_file(listing, weights, max_gb, allow_pickle))
        if listing.folder is not None or len(problems) == known:  # the Hub is not asked about what is refused anyhow
            _noted(problems, lambda: _check_fit(listing, weights, described, token))
    if described is not None:
        problems.extend(described.doubts)
    files = {one_line(name): size for name, size in _told(listing.files, {*wanted.to_load, CARD}, weights).items()}
    return CheckpointReport(
        source=listing.source,
        repo_id=listing.repo_id,
        revision=listing.revision,
        folder=listing.folder,
        files=files,
        left_out=len(listing.files) - len(files),
        layout=recognised.name if recognised else None,
        format=weights.format if weights else None,
        weight_file=weights.name if weights else None,
        architecture=described.architecture if described else None,
        licence=licence and one_line(licence),
        problems=tuple(problems),
    )


def _noted(problems: list[str], check: Callable[[], T]) -> T | None:
    try:
        return check()
    except CheckpointError as error:
        problems.append(str(error))
        return None


def _check_weight_file(listing: Listing, weights: WeightFile, max_gb: float | None, allow_pickle: bool) -> None:
    if not allow_pickle:
        refuse_pickle(weights, str(listing))
    check_weights_size(listing, weights, max_gb)


def _check_fit(listing: Listing, weights: WeightFile, described: Described | None, token: str | None) -> None:
    """Whether a file is whole and has the tensors of the architecture; none of their values is read or fetched."""
    where = str(listing)
    with tempfile.TemporaryDirectory() as home:
        paths: list[Path] | None = None
        if listing.folder is not None:
            paths = [listing.folder / name for name in weights.files]
        elif weights.format == "safetensors":
            paths = fetch_headers(listing, weights, token, Path(home))
        shapes = read_shapes(paths, weights, where) if paths else None
    if shapes is None or described is None:
        return
    with torch.device("meta"):
        model = build(described, where)
    fitting(shapes.state, model, described.own_names, weights.described(where), described.stated_in)


def licence_of(source: str, *, token: str | None = None) -> str | None:
    """The licence that a checkpoint states; None where it says nothing or is gone."""
    with suppress(CheckpointError, OSError):
        return inspect(source, token=token).licence
    return None


def _stated_licence(listing: Listing, token: str | None) -> str | None:
    """What the front matter of the card says; a card that is too large to be one says nothing."""
    if CARD not in listing.files or oversized(listing, {CARD: MOST_CARD_MB}):
        return None
    lines = (
        (fetch_texts(listing, {CARD: MOST_CARD_MB}, token) / CARD)
        .read_text(encoding="utf-8", errors="replace")
        .splitlines()
    )
    if "---" not in lines[1:] or lines[0] != "---":
        return None
    matches = (STATED.fullmatch(line) for line in lines[1 : lines.index("---", 1)])
    return next((match[1] for match in matches if match), None)


def _told(files: Mapping[str, int], texts: set[str], weights: WeightFile | None) -> dict[str, int]:
    """Those that matter first, where there are too many to tell of all."""
    matter = texts | ({weights.name, *weights.files} if weights else set())
    names = sorted(files, key=lambda name: name not in matter)[:MOST_FILES]
    return {name: files[name] for name in files if name in set(names)}
