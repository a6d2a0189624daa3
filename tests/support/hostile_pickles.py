"""Weight files that try to run code, to fill the memory, or to pass for what they are not."""

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

RAN: list[str] = []  # what a file got to run; it must stay empty


def ran(what: str) -> None:
    """What the files below try to have called."""
    RAN.append(what)


class _Calls:
    """Has a function called when it is read, as any pickle can."""

    def __reduce__(self) -> tuple[Any, ...]:
        return ran, ("a pickle",)


def _with(content: Any, path: Path) -> None:
    torch.save(content, path)


def _code_alone(path: Path) -> None:
    """Nothing but a call."""
    _with(_Calls(), path)


def _members(path: Path, members: dict[str, bytes], *, packed: bool = False) -> None:
    how = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(f"archive/{name}", content)


def _tensor_pickle(size: tuple[int, ...], stride: tuple[int, ...], count: int, kind: str = "FloatStorage") -> bytes:
    """The pickle of `{"logit_scale": tensor}` with whatever numbers."""

    class Storage:
        pass

    class Tensor:
        def __reduce__(self) -> tuple[Any, ...]:
            return torch._utils._rebuild_tensor_v2, (Storage(), 0, size, stride, False, {})

    class Writer(pickle.Pickler):
        def persistent_id(self, obj: Any) -> Any:
            return ("storage", getattr(torch, kind), "0", "cpu", count) if isinstance(obj, Storage) else None

    buffer = io.BytesIO()
    Writer(buffer, protocol=2).dump({"logit_scale": Tensor()})
    return buffer.getvalue()


def _bomb(path: Path) -> None:
    """200 MB of zeros in a fifth of one."""
    count = 50_000_000
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", _tensor_pickle((count,), (1,), count))
        with archive.open("archive/data/0", "w", force_zip64=True) as member:
            for _ in range(count * 4 // 2**20 + 1):
                member.write(bytes(2**20))


def _bomb_of_right_size(path: Path) -> None:
    """Zeros that are as many as they are said to be, packed."""
    count = 5_000_000
    _members(path, {"data.pkl": _tensor_pickle((count,), (1,), count), "data/0": bytes(4 * count)}, packed=True)


def _outside(path: Path) -> None:
    """A tensor that reaches beyond its numbers."""
    _members(path, {"data.pkl": _tensor_pickle((1000, 1000), (1000, 1), 4), "data/0": bytes(16)})


def _short(path: Path) -> None:
    _members(path, {"data.pkl": _tensor_pickle((4,), (1,), 4), "data/0": bytes(8)})


def _strange(path: Path) -> None:
    _members(path, {"readme.txt": b"no weights"})


def _garbage(path: Path) -> None:
    _members(path, {"data.pkl": b"\x80\x02garbage"})


def _other_byte_order(path: Path) -> None:
    _members(path, {"data.pkl": _tensor_pickle((1,), (1,), 1), "data/0": bytes(4), "byteorder": b"big"})


def _two_models(path: Path) -> None:
    one = torch.ones([])
    _with({"student.logit_scale": one, "teacher.logit_scale": one}, path)


def _adapter(path: Path) -> None:
    weights = {"visual.proj.lora_A.weight": torch.ones(2, 2), "visual.proj.lora_B.weight": torch.ones(2, 2)}
    _with({"state_dict": weights}, path)


HOSTILE_ARCHIVES: tuple[tuple[Callable[[Path], object], str], ...] = (
    (_code_alone, "is not a table of named tensors"),
    (_bomb, "is packed"),
    (_bomb_of_right_size, "is packed"),
    (_outside, "lies outside its numbers"),
    (_short, "bytes instead of"),
    (_strange, "none that torch.save writes"),
    (_garbage, "is damaged"),
    (_other_byte_order, "another byte order"),
    (_two_models, "holds several models"),
    (_adapter, "merge it into its model first"),
)
