"""The tensors of a weight file, and nothing else of it."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from eftclip.checkpoint.error_text import reason
from eftclip.checkpoint.weights.choose import WeightFile
from eftclip.checkpoint.weights.inert_pickle import InertPickleError, read_archive
from eftclip.checkpoint.weights.unwrap import NoTensorsError, State, Tensors, unwrap
from eftclip.errors import CheckpointError

_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def read_tensors(paths: Sequence[Path], weights: WeightFile, where: str) -> Tensors:
    """The tensors of a weight file, as they are stored, by plain names.

    Raises:
        CheckpointError: a file is damaged, or there is no one table of tensors in it.
    """
    if weights.format == "safetensors":
        return _unwrapped(
            {name: t for path in paths for name, t in _read_safetensors(path, where).items()}, paths, where
        )
    return _of_pickles([_read_pickle(path, where) for path in paths], paths, where)


def read_shapes(paths: Sequence[Path], weights: WeightFile, where: str) -> Tensors | None:
    """The same on the meta device: names, shapes and kinds, and no value is read.

    Returns:
        None for a pickle of the time before torch 1.6, which tells nothing until it is read.

    Raises:
        CheckpointError: as `read_tensors`.
    """
    if weights.format == "safetensors":
        return _unwrapped({name: t for path in paths for name, t in _header(path, where).items()}, paths, where)
    if not all(zipfile.is_zipfile(path) for path in paths):
        return None
    return _of_pickles([_read_pickle(path, where, shapes_only=True) for path in paths], paths, where)


def _header(path: Path, where: str) -> State:
    try:
        with safe_open(path, framework="pt") as handle:
            pieces = {name: handle.get_slice(name) for name in handle.keys()}  # noqa: SIM118  (no mapping)
            return {
                name: torch.empty(piece.get_shape(), dtype=_DTYPES.get(piece.get_dtype(), torch.uint8), device="meta")
                for name, piece in pieces.items()
            }
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(path, where, error) from error


def _read_safetensors(path: Path, where: str) -> State:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(path, where, error) from error


def _read_pickle(path: Path, where: str, *, shapes_only: bool = False) -> Any:
    """Whatever kind of pickle: nothing that it names is run."""
    try:
        if zipfile.is_zipfile(path):
            return read_archive(path, shapes_only=shapes_only)
        return torch.load(path, map_location="cpu", weights_only=True)
    except InertPickleError as error:
        raise CheckpointError(f"{where}: {path.name} {error}; get it again, or as safetensors.") from error
    except OSError as error:
        raise _damaged(path, where, error) from error
    except Exception as error:  # the reader of old files raises whatever it meets
        raise CheckpointError(
            f"{where}: {path.name} is damaged, or it is a pickle of before torch 1.6 that holds more than tensors and "
            "could run code; it was not loaded. Save its state_dict again with a newer torch, or as safetensors."
        ) from error


def _of_pickles(contents: list[Any], paths: Sequence[Path], where: str) -> Tensors:
    """Parts of split weights are flat tables."""
    if len(contents) == 1:
        return _unwrapped(contents[0], paths, where)
    parts = [_unwrapped(content, [path], where).state for content, path in zip(contents, paths, strict=True)]
    return _unwrapped({name: tensor for part in parts for name, tensor in part.items()}, paths, where)


def _unwrapped(content: Any, paths: Sequence[Path], where: str) -> Tensors:
    if content == {}:
        return Tensors({})
    try:
        return unwrap(content)
    except NoTensorsError as error:
        raise CheckpointError(f"{where}: {paths[0].name} {error}.") from error


def _damaged(path: Path, where: str, error: Exception) -> CheckpointError:
    return CheckpointError(f"{where}: {path.name} is damaged or cut short ({reason(error)}); get it again.")
