"""The contract of a checkpoint format: what has to be known of a layout of files before a CLIP in it can be judged.

A format answers for one way of laying out a CLIP: which files there are, what they are called, what the settings in
them mean, and how the library that writes them names its tensors. Nobody else knows any of that. It does so in four
steps, each of which costs no more than it must:

1. *Recognise*, from the names and sizes of the files alone.
2. *Describe*, from small text files: first `to_describe` is fetched, no weights. Every key that a stranger may set is
   checked against a list, and what is not on it is refused; what comes out is a `Described` checkpoint.
3. *Load*: `weights` names the file (or the parts of it) that is read, `to_load` the texts that are fetched besides, and
   the described checkpoint builds its architecture, its tokenizer and the names of its tensors.
4. *Save in kind*: a mended model goes to a folder that the library which wrote the format loads, with one weight file.
   Weights that came alone go to a folder that states their architecture.

What decides about trust is not left to a format and is the same for all: `hub.download` holds every file to its limit
and to the announced digest, `load` asks before a pickle is read and whether an architecture can be that of the weights
at all, `weights` reads tensors and nothing else, fills all of a model or refuses, and records the sha256.

To add a format: write a module with its class, list it in `FORMATS` behind those that must be asked before it, and give
`tests/support/checkpoint_examples.py` a small real one. Whatever it raises of its own is a `CheckpointError` that
begins with the checkpoint's name, `str(listing)`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import nn

from eftclip.checkpoint.source import Listing
from eftclip.checkpoint.tokenizer import CheckedTokenizer
from eftclip.checkpoint.weights import State, WeightFile
from eftclip.preprocess import Preprocess
from eftclip.types import ClipModel


@dataclass(frozen=True)
class Architecture:
    """The two towers by name, the length D of an embedding, and the side of the picture in pixels."""

    vision: str
    text: str
    embed_dim: int
    image_px: int


@dataclass(frozen=True)
class TextFiles:
    """Small files that are read, each with the largest size in MB that it may have; not all need exist.

    Attributes:
        to_describe: fetched first, and for a look nothing else.
        to_load: all that loading and saving read, those of `to_describe` among them.
    """

    to_describe: Mapping[str, float]
    to_load: Mapping[str, float]


class Described(Protocol):
    """A checkpoint whose settings passed every check, without its weights."""

    @property
    def architecture(self) -> Architecture:
        """What is told of it."""
        ...

    @property
    def preprocess(self) -> Preprocess:
        """How a picture becomes what the image tower sees."""
        ...

    @property
    def doubts(self) -> tuple[str, ...]:
        """Sentences about what would load, but should be known before."""
        ...

    @property
    def stated_in(self) -> str:
        """Where the architecture is stated, for messages: the name of a file."""
        ...

    def build(self) -> nn.Module:
        """The architecture with any weights; also called on the meta device. It may raise whatever it likes.

        The model has `encode_image` and `encode_text`, each with `normalize=True`, `logit_scale`, and its image tower
        as `visual`.
        """
        ...

    def own_names(self, state: State, model: nn.Module) -> State:
        """The tensors of the weight file under the names of the model; misfits are left for the loader to refuse."""
        ...

    def tokenizer(self, texts: Path) -> CheckedTokenizer:
        """The tokenizer out of the folder with the fetched texts, tried on one; nothing is run or fetched.

        Raises:
            CheckpointError: it cannot be loaded, or does not belong to the text tower.
        """
        ...


class CheckpointFormat(Protocol):
    """One layout of files; see the module's text."""

    @property
    def name(self) -> str:
        """Of the library or tool that writes it, in one word."""
        ...

    @property
    def sign(self) -> str:
        """The file that a person would look for to see that a checkpoint has this format; empty where there is none."""
        ...

    @property
    def saved_weights(self) -> str:
        """The one weight file that `save` writes."""
        ...

    @property
    def saved_texts(self) -> tuple[str, ...]:
        """All other files that `save` may write."""
        ...

    def recognises(self, listing: Listing) -> bool:
        """Whether these files are laid out in this format; at most one format of `FORMATS` says so."""
        ...

    def texts(self, listing: Listing) -> TextFiles:
        """The small files to fetch."""
        ...

    def describe(self, listing: Listing, texts: Path) -> Described:
        """Check the settings in the folder with the fetched texts of `to_describe`; no weight file is opened.

        Raises:
            CheckpointError: something is missing or not allowed.
        """
        ...

    def weights(self, listing: Listing, texts: Path | None) -> WeightFile:
        """Choose what is loaded: the same as the library would, but safetensors before any pickle.

        Args:
            listing: the files there are.
            texts: the folder with the texts of `to_describe`; None where they could not be had.

        Raises:
            CheckpointError: there are no weights, or it cannot be said which.
        """
        ...

    def save(self, clip: ClipModel, state: State, listing: Listing, texts: Path, folder: Path) -> str:
        """Write a mended model so that the library loads it.

        The normalisation that is written is the one that was used, `clip.preprocess`.

        Args:
            clip: the model.
            state: its tensors by the model's names, in the precision that the source has.
            listing: the files of the source.
            texts: the folder with its fetched texts.
            folder: where to write; it exists, and other files in it stay.

        Returns:
            sha256 of the weight file, 64 hex digits.

        Raises:
            CheckpointError: the source's texts cannot be used.
            OSError: the folder cannot be written.
        """
        ...

    def for_repository(self, folder: Path, repo_id: str) -> Mapping[str, str]:
        """Those texts of a saved folder that have to name the repository they are published in, by file name.

        Raises:
            ValueError, KeyError, TypeError, AttributeError, OSError: the folder is not as `save` wrote it.
        """
        ...
