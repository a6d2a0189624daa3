"""Class matrices that were read once, in memory and on the disk.

A thousand labels in seven templates are the slowest thing before a verdict, minutes for a model of full size, and the
checkpoint under test, its reference and its mended copy often have the same text side. A matrix is known by a digest of
all that it depends on, so it is never of other weights, labels or templates. What lies on the disk is checked when it
is found, and what is damaged is read anew.
"""

import hashlib
import json
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from eftclip.runtime import cache_folder
from eftclip.types import ClipModel

IN_MEMORY, ON_DISK = 8, 64  # matrices; one of a thousand labels has some 2 MB
METHOD = b"3"  # goes up when the reading changes
_MATRICES: "OrderedDict[str, Tensor]" = OrderedDict()
_GUARD = threading.Lock()


def key_of(clip: ClipModel, texts: Sequence[str]) -> str:
    """A digest of all that a class matrix depends on: the weights of the text side, and what the tokenizer writes.

    Seven thousand texts take a tokenizer half a second, so one that is known by its digest is not asked.
    """
    digest = hashlib.sha256(METHOD)
    for name, module in clip.model.named_modules():
        if not name.startswith("visual"):
            digest.update(repr((name, type(module).__qualname__, _settings(module))).encode())
    for name, tensor in clip.model.state_dict().items():
        if not name.startswith("visual."):
            raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            digest.update(name.encode())
            digest.update(raw.numpy().data)
    if known := getattr(clip.tokenizer, "digest", ""):
        digest.update(json.dumps([known, *texts]).encode())
    else:
        digest.update(clip.tokenizer(texts).numpy().tobytes())
    return digest.hexdigest()


def _settings(module: nn.Module) -> list[tuple[str, str]]:
    """What a module keeps besides weights and is not seen in its type: where it reads, how wide a head is, …."""
    plain = {name: value for name, value in vars(module).items() if isinstance(value, int | float | str | None)}
    if (config := getattr(module, "config", None)) is not None and hasattr(config, "to_json_string"):
        plain["config"] = config.to_json_string()
    return sorted((name, str(value)) for name, value in plain.items() if name != "training")


def find(key: str, count: int) -> Tensor | None:
    """A matrix of `count` labels that was kept; None otherwise."""
    with _GUARD:
        if key in _MATRICES:
            _MATRICES.move_to_end(key)
            return _MATRICES[key]
    matrix = _from_disk(key, count)
    if matrix is not None:
        _remember(key, matrix)
    return matrix


def keep(key: str, matrix: Tensor) -> None:
    """Keep a matrix; a disk that is full or closed keeps none."""
    _remember(key, matrix)
    if (folder := cache_folder("labels")) is None:
        return
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = folder / f"{key}.{os.getpid()}.new"
        save_file({"matrix": matrix}, fresh, metadata={"sha256": _digest(matrix)})
        fresh.replace(folder / f"{key}.safetensors")
        _prune(folder)


def _remember(key: str, matrix: Tensor) -> None:
    with _GUARD:
        _MATRICES[key] = matrix
        while len(_MATRICES) > IN_MEMORY:
            _MATRICES.popitem(last=False)


def _from_disk(key: str, count: int) -> Tensor | None:
    if (folder := cache_folder("labels")) is None:
        return None
    path = folder / f"{key}.safetensors"
    try:
        with safe_open(path, framework="pt") as handle:
            matrix, told = handle.get_tensor("matrix").clone(), (handle.metadata() or {}).get("sha256")
        path.touch()
    except (SafetensorError, OSError, ValueError):
        return None
    whole = matrix.ndim == 2 and matrix.shape[1] == count and matrix.dtype == torch.float32
    return matrix if whole and told == _digest(matrix) else None


def _digest(matrix: Tensor) -> str:
    return hashlib.sha256(matrix.numpy().tobytes()).hexdigest()


def _prune(folder: Path) -> None:
    """The oldest go, and what a killed process left half written."""
    kept = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in kept[ON_DISK:]:
        path.unlink(missing_ok=True)
