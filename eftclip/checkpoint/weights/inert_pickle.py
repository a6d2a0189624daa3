"""A pickle of `torch.save` or a TorchScript archive, read without running anything: its tensors, and inert values.

A pickle names the functions and classes that rebuild what was saved, and reading it calls them: that is how a file runs
code. Here nothing that a file names is ever imported. The few names that rebuild a tensor stand for functions of this
module, and every other name for `Inert`, which keeps what it is given and does nothing. So training arguments, numpy
scalars or a whole model may lie beside the tensors. TorchScript code in an archive is not opened.

`torch.load(weights_only=True)` refuses all of these, and reads no TorchScript archive.
"""

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

MOST_PICKLE_MB = 64  # names and shapes; that of a CLIP with its optimiser has less than one
_STORED = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
# Values without behaviour; the names of both Pythons.
_PLAIN = {("collections", "OrderedDict"): OrderedDict, ("builtins", "set"): set, ("__builtin__", "set"): set}


class InertPickleError(Exception):
    """Why a file cannot be read: the part of a sentence that follows its name."""


class Inert:
    """Whatever a pickle asks to build and no tensor is made of.

    Attributes:
        named: the class or function that the pickle names.
        state: what it would have been given.
    """

    named = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Keep nothing."""
        self.state: dict[Any, Any] = {}

    def __new__(cls, *args: Any, **kwargs: Any) -> "Inert":
        """Take any arguments."""
        made = super().__new__(cls)
        made.state = {}
        return made

    def __setstate__(self, state: Any) -> None:
        """The attributes, where they are told as a table."""
        self.state = state if isinstance(state, dict) else {}

    def __setitem__(self, key: Any, value: Any) -> None:
        """As a dictionary."""
        self.state[key] = value

    def append(self, value: Any) -> None:
        """As a list, whose entries nobody needs."""

    def extend(self, values: Any) -> None:
        """Likewise."""


def read_archive(path: Path, *, shapes_only: bool = False) -> Any:
    """What a zip file of `torch.save` or TorchScript holds.

    Args:
        path: of the file.
        shapes_only: tensors come on the meta device, and their values are not read.

    Returns:
        plain values, tensors on the CPU, and `Inert` for everything else.

    Raises:
        InertPickleError: damaged, or not such a file.
        OSError: it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _Reader(archive, path.stat().st_size, shapes_only).read()
    except (InertPickleError, OSError):
        raise
    except Exception as error:  # a damaged file makes the readers stumble anywhere
        raise InertPickleError(f"is damaged ({type(error).__name__})") from error


class _Reader:
    """One archive, open."""

    def __init__(self, archive: zipfile.ZipFile, size: int, shapes_only: bool) -> None:
        self.archive, self.size, self.shapes_only = archive, size, shapes_only
        home = next((name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")), None)
        if home is None:
            raise InertPickleError("is a zip file, but none that torch.save writes")
        self.root = home.removesuffix("data.pkl")
        self.storages: dict[str, Tensor] = {}
        self.sizes: dict[str, int] = {}

    def read(self) -> Any:
        if self._has("byteorder") and self._record("byteorder") != b"little":
            raise InertPickleError("was written on a machine with another byte order")
        if self._info("data.pkl").file_size > MOST_PICKLE_MB * 1_000_000:
            raise InertPickleError(f"lists its tensors in more than {MOST_PICKLE_MB} MB")
        return _Unpickler(io.BytesIO(self._record("data.pkl")), self.storage).load()

    def storage(self, kind: Any, key: str, count: int) -> Tensor:
        """Numbers in a row; several tensors may be windows on one."""
        if not isinstance(kind, torch.dtype):
            raise InertPickleError("holds a kind of tensor that no CLIP has")
        if key not in self.storages:
            self.storages[key] = self._read_storage(kind, str(key), int(count))
        return self.storages[key]

    def _read_storage(self, dtype: torch.dtype, key: str, count: int) -> Tensor:
        name, wanted = f"data/{key}", count * dtype.itemsize
        if (found := self._info(name).file_size) != wanted:
            raise InertPickleError(f"is damaged: {name} has {found:,} bytes instead of {wanted:,}")
        if self.shapes_only:
            return torch.empty(count, dtype=dtype, device="meta")
        if not count:
            return torch.empty(0, dtype=dtype)
        return torch.frombuffer(bytearray(self._record(name)), dtype=dtype)

    def _has(self, name: str) -> bool:
        return f"{self.root}{name}" in self.archive.namelist()

    def _record(self, name: str) -> bytes:
        return self.archive.read(self._info(name))

    def _info(self, name: str) -> zipfile.ZipInfo:
        """A member; together they are not larger than the file, as torch stores them unpacked and once."""
        info = self.archive.getinfo(f"{self.root}{name}")
        self.sizes[name] = info.file_size
        if info.compress_type != zipfile.ZIP_STORED or sum(self.sizes.values()) > self.size:
            raise InertPickleError(f"is packed: {name} would grow to {info.file_size:,} bytes, which is never read")
        return info


class _Unpickler(pickle.Unpickler):
    """Rebuilds tensors; everything else is inert."""

    def __init__(self, file: io.BytesIO, storage: Callable[[Any, str, int], Tensor]) -> None:
        super().__init__(file, encoding="utf-8", errors="replace")
        self.storage = storage

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a name; never the thing itself."""
        if (module, name) in _PLAIN:
            return _PLAIN[module, name]
        if module == "torch" and name in _STORED:
            return _STORED[name]
        if module == "torch._utils" and name in _REBUILT:
            return _REBUILT[name]
        return type("Inert", (Inert,), {"named": f"{module}.{name}"})

    def persistent_load(self, told: Any) -> Tensor:
        """The numbers of a tensor; `told` is ("storage", kind, key, device, count)."""
        _, kind, key, _, count = told
        return self.storage(kind, key, count)


def _tensor(storage: Tensor, offset: int, size: Any, stride: Any, *_: Any) -> Tensor:
    if math.prod(size) > 0 and offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True)) >= len(storage):
        raise InertPickleError("is damaged: a tensor lies outside its numbers")
    return storage.as_strided(tuple(size), tuple(stride), offset)


def _parameter(data: Tensor, *_: Any) -> Tensor:
    return data


_REBUILT = {
    "_rebuild_tensor_v2": _tensor,
    "_rebuild_tensor": _tensor,
    "_rebuild_parameter": _parameter,
    "_rebuild_parameter_with_state": _parameter,
}
