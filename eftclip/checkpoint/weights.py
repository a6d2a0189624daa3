"""Which file holds the weights, what is in it exactly, and whether all of a model comes from it.

The same for every format: only tensors are read, all of a model is filled or nothing, and the sha256 is recorded.
"""

import hashlib
import pickle
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from eftclip.checkpoint.digests import git_sha1_of, sha256_of
from eftclip.checkpoint.error_text import reason, short_list
from eftclip.errors import CheckpointError

State = dict[str, Tensor]

PICKLE_SUFFIXES = (".bin", ".pth", ".pt")
PLAIN_NAME = re.compile(r"[\w.-]+")  # names go to the Hub client as patterns: nothing that it could expand
FEW = 3


class SpoiledError(CheckpointError):
    """A file is not the one that the Hub announced.

    Attributes:
        path: of the file.
    """

    def __init__(self, message: str, path: Path) -> None:
        """The sentence, and the file that it is about."""
        super().__init__(message)
        self.path = path


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

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the files with the tensors."""
        return self.parts or (self.name,)


def choose_weights(files: Mapping[str, int], safe: Sequence[str], pickled: Sequence[str], where: str) -> WeightFile:
    """Choose the weight file among the names of a folder; safetensors before any pickle.

    Args:
        files: names with sizes.
        safe: the usual names of a safetensors file, the first that is there wins.
        pickled: those of a pickle.
        where: the checkpoint's name in errors.

    Raises:
        CheckpointError: there is none, or several of which none has a usual name.
    """
    plain = sorted(name for name in files if PLAIN_NAME.fullmatch(name))
    if found := [name for name in plain if name.endswith(".safetensors")]:
        return WeightFile(_pick(found, safe, where), "safetensors")
    if found := [name for name in plain if name.endswith(PICKLE_SUFFIXES)]:
        return WeightFile(_pick(found, pickled, where), "pickle")
    raise CheckpointError(f"{where}: no weights were found ({safe[0]} is expected), only {short_list(files)}.")


def holds_weights(folder: Path) -> bool:
    """Whether there is any file that could be weights, whole or not."""
    return any(path.suffix in (".safetensors", *PICKLE_SUFFIXES) for path in folder.iterdir() if path.is_file())


def load_weights(
    model: nn.Module,
    paths: Sequence[Path],
    weights: WeightFile,
    where: str,
    *,
    own_names: Callable[[State, nn.Module], State],
    stated_in: str,
    announced: Mapping[str, str],
) -> str:
    """Fill a model from its weight file, whose sha256 is returned.

    Args:
        model: of the architecture that the checkpoint describes.
        paths: of the file, or of its parts.
        weights: which they are.
        where: the checkpoint's name in errors.
        own_names: see `formats.base.Described`.
        stated_in: likewise.
        announced: the digests that files must have: sha256, or git's sha1; of others nobody said.

    Raises:
        SpoiledError: not the announced file.
        CheckpointError: truncated, not what its name says, not fitting, or changed meanwhile.
    """
    before = [_stamp(path) for path in paths]
    digests = [_checked_sha256(path, where, announced.get(path.name)) for path in paths]
    _fill(model, own_names(read_state(paths, weights, where), model), f"{where}: {weights.name}", stated_in)
    # Only now: tensors of a safetensors file are windows on it until they are copied.
    if changed := [path.name for path, stamp in zip(paths, before, strict=True) if _stamp(path) != stamp]:
        raise CheckpointError(f"{where}: {changed[0]} changed while it was being read; try again.")
    return _joined(digests, weights)


def weights_sha256(paths: Sequence[Path], weights: WeightFile) -> str:
    """The sha256 of a weight file; of split weights that of the list of their digests, as `sha256sum` prints it.

    Raises:
        OSError: a file cannot be read.
    """
    return _joined([sha256_of(path) for path in paths], weights)


def write_weights(state: State, path: Path) -> str:
    """Write a safetensors file in one step, so that whoever looks sees the whole file or none; its sha256.

    Raises:
        OSError: it cannot be written.
    """
    fresh = path.with_name(f"{path.name}.new")
    save_file(state, fresh, metadata={"format": "pt"})
    sha256 = sha256_of(fresh)
    fresh.replace(path)
    return sha256


def read_state(paths: Sequence[Path], weights: WeightFile, where: str) -> State:
    """The tensors of a weight file, as they are stored.

    Raises:
        CheckpointError: a file is damaged, or a pickle that holds more than tensors.
    """
    read = _read_safetensors if weights.format == "safetensors" else _read_pickle
    state: State = {}
    for path in paths:
        state.update(read(path, where))
    return state


def check_header(path: Path, where: str) -> None:
    """Whether a safetensors file is complete, without reading its tensors.

    Raises:
        CheckpointError: it is not.
    """
    try:
        with safe_open(path, framework="pt") as handle:
            handle.keys()
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(path, where, error) from error


def _checked_sha256(path: Path, where: str, announced: str | None) -> str:
    try:
        sha256 = sha256_of(path)
        same = not announced or announced == (sha256 if len(announced) == 64 else git_sha1_of(path))
    except OSError as error:
        raise CheckpointError(f"{where}: {path.name} cannot be read ({reason(error)}).") from error
    if not same:
        raise SpoiledError(  # the Hub's client does not check what it downloads
            f"{where}: {path.name} is not the file that the Hub announced; the copy on this machine was deleted, so "
            "try again.",
            path,
        )
    return sha256


def _joined(digests: Sequence[str], weights: WeightFile) -> str:
    if not weights.parts:
        return digests[0]
    lines = "".join(f"{digest}  {name}\n" for digest, name in zip(digests, weights.parts, strict=True))
    return hashlib.sha256(lines.encode()).hexdigest()


def _fill(model: nn.Module, state: State, file: str, stated_in: str) -> None:
    """Give every parameter and every buffer of a model its value from the file; nothing stays as it was drawn."""
    own = model.state_dict()
    misfits = [
        ("missing", [name for name in own if name not in state]),
        ("unknown", [name for name in state if name not in own]),
        ("of another shape or kind", [_difference(n, t, own[n]) for n, t in state.items() if not _fits(t, own.get(n))]),
    ]
    if any(names for _, names in misfits):
        told = "; ".join(f"{len(names)} {how} ({_few(names)})" for how, names in misfits if names)
        raise CheckpointError(f"{file} does not fit the architecture in {stated_in}; tensors: {told}.")
    if broken := [name for name, tensor in state.items() if not bool(tensor.isfinite().all())]:
        raise CheckpointError(f"{file} holds infinite values or NaN; tensors: {len(broken)} ({_few(broken)}).")
    model.load_state_dict(state, strict=True)


def _pick(names: list[str], usual: Sequence[str], where: str) -> str:
    if chosen := next((name for name in usual if name in names), None):
        return chosen
    if len(names) > 1:
        raise CheckpointError(
            f"{where}: several files could be the weights ({short_list(names)}); name the right one {usual[0]}."
        )
    return names[0]


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:  # it is gone
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _read_safetensors(path: Path, where: str) -> State:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(path, where, error) from error


def _read_pickle(path: Path, where: str) -> State:
    """Tensors only: `weights_only` refuses a pickle that would run anything."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{where}: {path.name} is damaged, or it is a pickle that holds more than tensors and could run code; "
            "it was not loaded."
        ) from error
    state = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(state, dict) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise CheckpointError(f"{where}: {path.name} is not a table of named tensors; save the model's state_dict.")
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def _fits(tensor: Tensor, own: Tensor | None) -> bool:
    """Shape and kind agree, and the values are really there: a pickle may hold sparse or empty (meta) tensors."""
    if own is None:
        return True
    dense = tensor.layout is torch.strided and tensor.device.type == "cpu"
    return dense and tensor.shape == own.shape and tensor.is_floating_point() == own.is_floating_point()


def _difference(name: str, tensor: Tensor, own: Tensor) -> str:
    return f"{name}: {_kind(tensor)} instead of {_kind(own)}"


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"


def _few(names: list[str]) -> str:
    return ", ".join(names[:FEW]) + (", …" if len(names) > FEW else "")


def _damaged(path: Path, where: str, error: Exception) -> CheckpointError:
    return CheckpointError(f"{where}: {path.name} is damaged or cut short ({reason(error)}); get it again.")
