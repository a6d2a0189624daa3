"""From a weight file into a model: all of the model comes from it or nothing, and its sha256 is recorded."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from eftclip.checkpoint.digests import git_sha1_of, sha256_of
from eftclip.checkpoint.error_text import reason
from eftclip.checkpoint.weights.choose import WeightFile
from eftclip.checkpoint.weights.read import read_tensors
from eftclip.checkpoint.weights.unwrap import State
from eftclip.errors import CheckpointError

FEW = 3
# What other versions of the libraries store beside the weights, by the last part of the name. All can be done without:
# counts and sizes that the configuration tells, positions 0, 1, 2, … and a causal mask, and a bias that shifts all
# logits of a picture alike, which changes no reading.
LEFTOVERS = ("position_ids", "attn_mask", "input_resolution", "context_length", "vocab_size", "logit_bias")
KINDS_OF_OTHERS = {
    "lora_A": "This is a LoRA adapter: merge it into its model first (peft: merge_and_unload()).",
    "lora_B": "This is a LoRA adapter: merge it into its model first (peft: merge_and_unload()).",
    "text_decoder": "This is a CoCa, and only CLIP models can be judged.",
}

OwnNames = Callable[[State, nn.Module], State]


class SpoiledError(CheckpointError):
    """A file is not the one that the Hub announced.

    Attributes:
        path: of the file.
    """

    def __init__(self, message: str, path: Path) -> None:
        """The sentence, and the file that it is about."""
        super().__init__(message)
        self.path = path


def load_weights(
    model: nn.Module,
    paths: Sequence[Path],
    weights: WeightFile,
    where: str,
    *,
    own_names: OwnNames,
    stated_in: str,
    announced: Mapping[str, str],
) -> tuple[str, str]:
    """Fill a model from its weight file.

    Args:
        model: of the architecture that the checkpoint describes.
        paths: of the file, or of its parts.
        weights: which they are.
        where: the checkpoint's name in errors.
        own_names: see `formats.base.Described`.
        stated_in: likewise.
        announced: the digests that files must have: sha256, or git's sha1; of others nobody said.

    Returns:
        the sha256 of the file; and where in it the weights lay and what was left out, empty where that is plain.

    Raises:
        SpoiledError: not the announced file.
        CheckpointError: truncated, not what its name says, not fitting, or changed meanwhile.
    """
    before = [_stamp(path) for path in paths]
    digests = [_checked_sha256(path, where, announced.get(path.name)) for path in paths]
    tensors = read_tensors(paths, weights, where)
    file = weights.described(where)
    state, left = fitting(tensors.state, model, own_names, file, stated_in)
    _fill(model, state, file)
    # Only now: tensors of a safetensors file are windows on it until they are copied.
    if changed := [path.name for path, stamp in zip(paths, before, strict=True) if _stamp(path) != stamp]:
        raise CheckpointError(f"{where}: {changed[0]} changed while it was being read; try again.")
    return _joined(digests, weights), ", ".join(filter(None, [tensors.remark, left]))


def fitting(state: State, model: nn.Module, own_names: OwnNames, file: str, stated_in: str) -> tuple[State, str]:
    """The tensors for a model, which may be on the meta device as they may be, and what was left out.

    Raises:
        CheckpointError: they are not the tensors of this architecture.
    """
    own = model.state_dict()
    state = own_names(state, model)
    left = [name for name in state if name not in own and name.rpartition(".")[2] in LEFTOVERS]
    state = {name: tensor for name, tensor in state.items() if name not in left}
    misfits = [
        ("missing", [name for name in own if name not in state]),
        ("unknown", [name for name in state if name not in own]),
        ("of another shape or kind", [_difference(n, t, own[n]) for n, t in state.items() if not _fits(t, own.get(n))]),
    ]
    if any(names for _, names in misfits):
        told = "; ".join(f"{len(names)} {how} ({_few(names)})" for how, names in misfits if names)
        known = next((says for part, says in KINDS_OF_OTHERS.items() if any(part in name for name in state)), "")
        raise CheckpointError(f"{file} does not fit the architecture in {stated_in}; tensors: {told}. {known}".strip())
    return state, f"without {_few(sorted(left))}, which nothing needs" if left else ""


def weights_sha256(paths: Sequence[Path], weights: WeightFile) -> str:
    """The sha256 of a weight file; of split weights that of the list of their digests, as `sha256sum` prints it.

    Raises:
        OSError: a file cannot be read.
    """
    return _joined([sha256_of(path) for path in paths], weights)


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


def _fill(model: nn.Module, state: State, file: str) -> None:
    """Give every parameter and every buffer of a model its value from the file; nothing stays as it was drawn."""
    if broken := [name for name, tensor in state.items() if not _is_finite(tensor)]:
        raise CheckpointError(f"{file} holds infinite values or NaN; tensors: {len(broken)} ({_few(broken)}).")
    model.load_state_dict(state, strict=True)


def _is_finite(tensor: Tensor) -> bool:
    """By its least and its greatest value, which are NaN where one of them is: ten times faster than value by value."""
    return not tensor.numel() or bool(torch.stack(torch.aminmax(tensor)).isfinite().all())


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:  # it is gone
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _fits(tensor: Tensor, own: Tensor | None) -> bool:
    """Shape and kind agree, and the values are really there: a pickle may hold sparse or empty (meta) tensors."""
    if own is None:
        return True
    dense = tensor.layout is torch.strided and tensor.device.type in ("cpu", own.device.type)
    return dense and tensor.shape == own.shape and tensor.is_floating_point() == own.is_floating_point()


def _difference(name: str, tensor: Tensor, own: Tensor) -> str:
    return f"{name}: {_kind(tensor)} instead of {_kind(own)}"


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"


def _few(names: list[str]) -> str:
    return ", ".join(names[:FEW]) + (", …" if len(names) > FEW else "")
