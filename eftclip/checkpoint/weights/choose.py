"""Which file of a checkpoint holds the weights, or which files, where they are split."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eftclip.checkpoint.error_text import short_list
from eftclip.checkpoint.json_files import read_json
from eftclip.errors import CheckpointError

PICKLE_SUFFIXES = (".bin", ".pth", ".pt", ".ckpt")
WEIGHT_SUFFIXES = (".safetensors", *PICKLE_SUFFIXES)
INDEX_SUFFIX = ".index.json"
MOST_INDEX_MB = 10.0  # a name and a file for each tensor; of a large CLIP some 100 kB
PLAIN_NAME = re.compile(r"[\w.-]+")  # names go to the Hub client as patterns: nothing that it could expand


@dataclass(frozen=True)
class WeightFile:
    """What is loaded.

    Attributes:
        name: of the file; of the index where the weights are split.
        format: `safetensors` or `pickle`.
        parts: the files that split weights lie in, in their order; empty where they are one file.
    """

    name: str
    format: str
    parts: tuple[str, ...] = ()

    def described(self, where: str) -> str:
        """For messages: the checkpoint and the file, but a checkpoint that is one file once."""
        return where if where.endswith(self.name) else f"{where}: {self.name}"

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the files with the tensors."""
        return self.parts or (self.name,)


def choose_weights(
    files: Mapping[str, int], safe: Sequence[str], pickled: Sequence[str], where: str, texts: Path | None = None
) -> WeightFile:
    """Choose the weight file among the names of a folder; safetensors before any pickle.

    Args:
        files: names with sizes.
        safe: the usual names of a safetensors file, the first that is there wins.
        pickled: those of a pickle.
        where: the checkpoint's name in errors.
        texts: a folder with the index of split weights, where there is one.

    Raises:
        CheckpointError: there is none, or several of which none has a usual name, or an index cannot be used.
    """
    plain = sorted(name for name in files if PLAIN_NAME.fullmatch(name))
    for kind, suffixes, usual in (("safetensors", (".safetensors",), safe), ("pickle", PICKLE_SUFFIXES, pickled)):
        found = [name for name in plain if name.endswith(suffixes)]
        if not found:
            continue
        index = next((f"{name}{INDEX_SUFFIX}" for name in usual if f"{name}{INDEX_SUFFIX}" in files), None)
        if index is not None and texts is not None and not set(usual) & set(found):
            return WeightFile(index, kind, _parts(texts / index, found, where))
        return WeightFile(_pick(found, usual, where), kind)
    raise CheckpointError(f"{where}: no weights were found ({safe[0]} is expected), only {short_list(files)}.")


def index_limits(*usual: Sequence[str]) -> dict[str, float]:
    """The names that an index of split weights may have, each with its largest size in MB."""
    return {f"{name}{INDEX_SUFFIX}": MOST_INDEX_MB for names in usual for name in names}


def holds_weights(folder: Path) -> bool:
    """Whether there is any file that could be weights, whole or not."""
    return any(path.suffix in WEIGHT_SUFFIXES for path in folder.iterdir() if path.is_file())


def _parts(index: Path, found: Sequence[str], where: str) -> tuple[str, ...]:
    """The files that an index names; all lie beside it."""
    lies_in = read_json(index, where).get("weight_map")
    if not isinstance(lies_in, dict) or not lies_in or not all(isinstance(name, str) for name in lies_in.values()):
        raise CheckpointError(f"{where}: {index.name} does not say which file each tensor lies in; get it again.")
    if missing := set(lies_in.values()) - set(found):
        raise CheckpointError(
            f"{where}: no weights were found in {short_list(missing)}, which {index.name} names; get what is missing."
        )
    return tuple(sorted(set(lies_in.values())))


def _pick(names: list[str], usual: Sequence[str], where: str) -> str:
    if chosen := next((name for name in usual if name in names), None):
        return chosen
    if len(names) > 1:
        raise CheckpointError(
            f"{where}: several files could be the weights ({short_list(names)}); give one of them as the checkpoint, "
            f"or name the right one {usual[0]}."
        )
    return names[0]
