"""Which file holds the weights, what is in it exactly, and whether all of a model comes from it."""

import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from open_clip.model import convert_to_custom_text_state_dict
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from eftclip.checkpoint.digests import git_sha1_of, sha256_of
from eftclip.checkpoint.error_text import reason, short_list
from eftclip.errors import CheckpointError

State = dict[str, Tensor]

# The order of open_clip, so that both read the same file of a folder.
SAFE_NAMES = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "model.safetensors")
PICKLE_NAMES = (
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
    "pytorch_model.bin",
    "pytorch_model.pth",
    "model.pth",
)
PICKLE_SUFFIXES = (".bin", ".pth", ".pt")
PLAIN_NAME = re.compile(r"[\w.-]+")  # names go to the Hub client as patterns: nothing that it could expand
FEW = 3


class SpoiledError(CheckpointError):
    """A file is not the one that the Hub announced."""


@dataclass(frozen=True)
class WeightFile:
    """The one file that is loaded: its name and `safetensors` or `pickle`."""

    name: str
    format: str


def find_weights(files: Mapping[str, int], where: str) -> WeightFile:
    """Choose the weight file among the names of a folder; safetensors before any pickle.

    Raises:
        CheckpointError: there is none, or several of which none has a usual name.
    """
    plain = sorted(name for name in files if PLAIN_NAME.fullmatch(name))
    safe = [name for name in plain if name.endswith(".safetensors")]
    if safe:
        return WeightFile(_pick(safe, SAFE_NAMES, where), "safetensors")
    pickles = [name for name in plain if name.endswith(PICKLE_SUFFIXES)]
    if pickles:
        return WeightFile(_pick(pickles, PICKLE_NAMES, where), "pickle")
    raise CheckpointError(f"{where}: no weights were found ({SAFE_NAMES[0]} is expected), only {short_list(files)}.")


def holds_weights(folder: Path) -> bool:
    """Whether there is any file that could be weights, whole or not."""
    return any(path.suffix in (".safetensors", *PICKLE_SUFFIXES) for path in folder.iterdir() if path.is_file())


def load_weights(model: nn.Module, path: Path, file: WeightFile, where: str, announced: str | None = None) -> str:
    """Fill a model from a file, whose sha256 is returned.

    Args:
        model: of the architecture that the configuration describes.
        path: of the weights.
        file: its name and format.
        where: the checkpoint's name in errors.
        announced: the digest that the file must have: sha256, or git's sha1; None where nobody said.

    Raises:
        SpoiledError: not the announced file.
        CheckpointError: truncated, not what its name says, not fitting, or changed meanwhile.
    """
    try:
        before = _stamp(path)
        sha256 = sha256_of(path)
    except OSError as error:
        raise CheckpointError(f"{where}: {file.name} cannot be read ({reason(error)}).") from error
    if announced and announced != (sha256 if len(announced) == 64 else git_sha1_of(path)):
        raise SpoiledError(  # the Hub's client does not check what it downloads
            f"{where}: {file.name} is not the file that the Hub announced; the copy on this machine was deleted, so "
            "try again."
        )
    _fill(model, read_state(path, file, where), file, where)
    if _stamp(path) != before:  # only now: tensors of a safetensors file are windows on it until they are copied
        raise CheckpointError(f"{where}: {file.name} changed while it was being read; try again.")
    return sha256


def read_state(path: Path, file: WeightFile, where: str) -> State:
    """The tensors of a file, as they are stored.

    Raises:
        CheckpointError: the file is damaged, or a pickle that holds more than tensors.
    """
    return (_read_safetensors if file.format == "safetensors" else _read_pickle)(path, where)


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


def _fill(model: nn.Module, state: State, file: WeightFile, where: str) -> None:
    """Give every parameter and every buffer of a model its value from the file; nothing stays as it was drawn."""
    own = model.state_dict()
    state = _same_names(state, own)
    misfits = [
        ("missing", [name for name in own if name not in state]),
        ("unknown", [name for name in state if name not in own]),
        ("of another shape or kind", [_difference(n, t, own[n]) for n, t in state.items() if not _fits(t, own.get(n))]),
    ]
    if any(names for _, names in misfits):
        told = "; ".join(f"{len(names)} {how} ({_few(names)})" for how, names in misfits if names)
        raise CheckpointError(
            f"{where}: {file.name} does not fit the architecture in open_clip_config.json; tensors: {told}."
        )
    if broken := [name for name, tensor in state.items() if not bool(tensor.isfinite().all())]:
        raise CheckpointError(
            f"{where}: {file.name} holds infinite values or NaN; tensors: {len(broken)} ({_few(broken)})."
        )
    model.load_state_dict(state, strict=True)


def _pick(names: list[str], usual: tuple[str, ...], where: str) -> str:
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


def _same_names(state: State, own: State) -> State:
    """The file's tensors under the model's names: older files keep the text tower at the top."""
    if "text.positional_embedding" in own:
        state = convert_to_custom_text_state_dict(state)
    for name in {"logit_scale", "logit_bias"} & set(state) & set(own):
        if state[name].numel() == own[name].numel():  # () in some files, (1,) in others
            state = {**state, name: state[name].reshape(own[name].shape)}
    return state


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
