"""Weights alone: a file out of a training run, or an archive of OpenAI; the architecture is stated beside it.

Training scripts of open_clip, CleanCLIP and others write `epoch_30.pt` and the like, with the weights in it under
`state_dict` and an optimiser beside them. What they do not write is the architecture. It comes from whoever loads them,
by the name that open_clip has for it or as a folder with its configuration; only an archive of OpenAI tells it itself,
by its shapes (see `shapes`). Mended weights go to a folder that needs none of this.
"""

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
from torch import nn

from eftclip.checkpoint.error_text import short_list
from eftclip.checkpoint.formats.base import Architecture, CheckpointFormat, Described, TextFiles
from eftclip.checkpoint.formats.open_clip_config import CONFIG_FILE, checked_configuration
from eftclip.checkpoint.formats.open_clip_folder import OpenClipCheckpoint, OpenClipFolder
from eftclip.checkpoint.formats.shapes import OPENAI_MARKS, model_settings, published_names
from eftclip.checkpoint.source import Listing, file_sizes
from eftclip.checkpoint.tokenizer import CheckedTokenizer
from eftclip.checkpoint.weights import State, WeightFile, choose_weights, read_shapes, write_weights
from eftclip.errors import CheckpointError
from eftclip.preprocess import Preprocess
from eftclip.types import ClipModel

ASK = "--architecture NAME|FOLDER (architecture=…)"


def architecture_names() -> tuple[str, ...]:
    """The architectures of open_clip that need no more than their name: tokenizers of others are nobody's to guess."""
    settings = {name: open_clip.get_model_config(name) or {} for name in open_clip.list_models()}
    return tuple(name for name, one in settings.items() if _needs_no_files(one))


class SingleFile:
    """See `base.CheckpointFormat`."""

    name = "single_file"
    sign = ""
    saved_weights = OpenClipFolder.saved_weights
    saved_texts = OpenClipFolder.saved_texts

    def __init__(self, folders: Sequence[CheckpointFormat]) -> None:
        """What is asked for a folder that states an architecture.

        Args:
            folders: the formats with a configuration of their own.
        """
        self.folders = tuple(folders)

    def recognises(self, listing: Listing) -> bool:
        """A file, or a folder or repository of which the architecture is told, without a configuration."""
        return (listing.single or listing.architecture is not None) and self._of(listing) is None

    def texts(self, listing: Listing) -> TextFiles:
        """None."""
        return TextFiles({}, {})

    def describe(self, listing: Listing, texts: Path) -> "FileCheckpoint":
        """Check the configuration that the user named, or the one that an archive of OpenAI tells."""
        where, named = str(listing), listing.architecture
        if named is None:
            return self._by_shapes(listing)
        if (home := Path(named).expanduser()).is_dir():
            stated = Listing(named, file_sizes(home), folder=home)
            layout = self._of(stated)
            if layout is None:
                signs = " or ".join(one.sign for one in self.folders)
                raise CheckpointError(f"{named}: {signs} is missing, so this folder states no architecture.")
            return FileCheckpoint(layout.describe(stated, home), layout, stated)
        settings = open_clip.get_model_config(named) if named in open_clip.list_models() else None
        if settings is None:
            near = difflib.get_close_matches(named, open_clip.list_models(), n=3, cutoff=0.5)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise CheckpointError(
                f"{where}: {named[:80]!r} is neither an architecture of open_clip nor a folder with a configuration."
                f"{hint}"
            )
        if tokenizer := settings["text_cfg"].get("hf_tokenizer_name"):
            raise CheckpointError(
                f"{where}: {named} reads texts with the tokenizer {tokenizer!r}, whose files are not here; give a "
                f"folder with {CONFIG_FILE} and the tokenizer's files as --architecture."
            )
        return _of_settings(settings, where, f"open_clip's configuration of {named}")

    def weights(self, listing: Listing, texts: Path | None) -> WeightFile:
        """The file, or the only one there is."""
        return choose_weights(listing.files, (OpenClipFolder.saved_weights,), (), str(listing))

    def save(self, clip: ClipModel, state: State, listing: Listing, texts: Path, folder: Path) -> str:
        """A whole folder around new weights: in the format that states the architecture, otherwise open_clip's."""
        found = self.describe(listing, texts)
        if found.stated is not None and found.layout is not None:
            return found.layout.save(clip, state, found.stated, Path(str(found.stated.folder)), folder)
        used = clip.preprocess
        document = {
            "model_cfg": found.settings,
            "preprocess_cfg": {"mean": list(used.mean), "std": list(used.std), "interpolation": used.interpolation},
        }
        (folder / CONFIG_FILE).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        return write_weights(state, folder / self.saved_weights)

    def for_repository(self, folder: Path, repo_id: str) -> Mapping[str, str]:
        """As the format that was saved in."""
        saved = self._of(Listing(str(folder), file_sizes(folder), folder=folder))
        return saved.for_repository(folder, repo_id) if saved else {}

    def _of(self, listing: Listing) -> CheckpointFormat | None:
        return next((one for one in self.folders if one.recognises(listing)), None)

    def _by_shapes(self, listing: Listing) -> "FileCheckpoint":
        """Of an archive of OpenAI alone; for others, what could be meant is told."""
        where = str(listing)
        weights = self.weights(listing, None)
        shapes = read_shapes([listing.folder / weights.name], weights, where) if listing.folder is not None else None
        settings = model_settings(shapes.state) if shapes else None
        if shapes is None or settings is None:
            raise CheckpointError(f"{weights.described(where)} does not tell its architecture; name it with {ASK}.")
        if shapes.torchscript or set(OPENAI_MARKS) & set(shapes.state):
            return _of_settings({**settings, "quick_gelu": True}, where, f"the shapes in {weights.name}")
        names = published_names(settings)
        fits = (
            f"its shapes are those of {short_list(names)}" if names else "its shapes are of no published architecture"
        )
        raise CheckpointError(
            f"{weights.described(where)} does not tell whether it was trained with QuickGELU, and {fits}; name the "
            f"right one with {ASK}."
        )


def _needs_no_files(settings: Mapping[str, Any]) -> bool:
    text = settings.get("text_cfg", {})
    others = "hf_tokenizer_name" in text or "hf_model_name" in text or "multimodal_cfg" in settings
    return not others


def _of_settings(settings: Mapping[str, Any], where: str, stated_in: str) -> "FileCheckpoint":
    document = {"model_cfg": dict(settings)}
    config = checked_configuration(document, where, stated_in)
    return FileCheckpoint(OpenClipCheckpoint(config, where, ""), None, None, dict(settings), stated_in)


@dataclass(frozen=True)
class FileCheckpoint:
    """See `base.Described`.

    Attributes:
        inner: what the stated architecture describes.
        layout: the format of the folder that states it; None where open_clip or the file itself does.
        stated: the files of that folder.
        settings: `model_cfg` otherwise.
        told_by: likewise, in words.
    """

    inner: Described
    layout: CheckpointFormat | None
    stated: Listing | None
    settings: Mapping[str, Any] | None = None
    told_by: str = ""

    @property
    def architecture(self) -> Architecture:
        """As stated."""
        return self.inner.architecture

    @property
    def preprocess(self) -> Preprocess:
        """Likewise."""
        return self.inner.preprocess

    @property
    def doubts(self) -> tuple[str, ...]:
        """Likewise."""
        return self.inner.doubts

    @property
    def stated_in(self) -> str:
        """The folder's file, or who else tells it."""
        return self.told_by or f"{self.stated}/{self.inner.stated_in}"

    def build(self) -> nn.Module:
        """As stated."""
        return self.inner.build()

    def own_names(self, state: State, model: nn.Module) -> State:
        """Likewise."""
        return self.inner.own_names(state, model)

    def tokenizer(self, texts: Path) -> CheckedTokenizer:
        """Of the folder that states the architecture, or open_clip's own."""
        return self.inner.tokenizer(texts if self.stated is None else Path(str(self.stated.folder)))
