"""Photographs as one tensor of bytes, so that every crop is made on the device; and the pack in which they travel."""

import csv
import io
import multiprocessing
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES
from PIL import Image
from torch import Tensor

SETS = ("imagenet-sample", "caltech101", "caltech101-more")
SHORT, LONG = 224, 288
PART = 256  # photographs that one process decodes at a time
QUALITY = 25  # of WebP: all 9,209 photographs in 36.5 MiB


@dataclass(frozen=True, eq=False)
class Photos:
    """Decoded photographs.

    Attributes:
        pixels: `(N, 3, 224, 288)` uint8; upright pictures are stored transposed, what is over is black.
        long_side: `(N,)` int64, 224 to 288; the other side has 224 px.
        upright: `(N,)` bool.
        labels: of each; empty where it has none.
        sets: the folder of each.
        held_out: of each, whether it is kept aside for measuring.
    """

    pixels: Tensor
    long_side: Tensor
    upright: Tensor
    labels: tuple[str, ...]
    sets: tuple[str, ...]
    held_out: tuple[bool, ...]

    def where(self, wanted: Callable[[str, str, bool], bool]) -> list[int]:
        """The photographs of which `wanted(label, set, held_out)` is true."""
        rows = zip(self.labels, self.sets, self.held_out, strict=True)
        return [k for k, row in enumerate(rows) if wanted(*row)]

    def take(self, rows: Sequence[int], device: torch.device) -> "Photos":
        """Some of them, on a device."""
        index = torch.tensor(rows, dtype=torch.long)
        return Photos(
            self.pixels[index].to(device),
            self.long_side[index].to(device),
            self.upright[index].to(device),
            tuple(self.labels[k] for k in rows),
            tuple(self.sets[k] for k in rows),
            tuple(self.held_out[k] for k in rows),
        )

    def held_out_of(self, kind: str, device: torch.device) -> "Photos":
        """What is kept aside of one set."""
        return self.take(self.where(lambda _, name, held: held and name == kind), device)

    def categories(self) -> list[str]:
        """The Caltech-101 categories, in alphabetical order."""
        return sorted({label for label, kind in zip(self.labels, self.sets, strict=True) if kind == "caltech101"})


def pack(root: Path, out: Path) -> None:
    """Write all photographs below `root` as `photos.zip` and `metadata.csv`; one in four is held out.

    The split is that of `examples.build.checkpoints.list_photos`: every fourth by name within its set.
    """
    out.mkdir(parents=True, exist_ok=True)
    rows = [(name, *row) for name in SETS for row in listed(root / name)]
    with ThreadPoolExecutor() as pool, zipfile.ZipFile(out / "photos.zip", "w") as archive:
        for k, data in enumerate(pool.map(lambda row: _shrunk(root / row[0] / row[1]), rows)):
            archive.writestr(zipfile.ZipInfo(f"{k:05d}.webp"), data)
    _write_table(rows, out)
    print(f"{len(rows):,} photographs in {(out / 'photos.zip').stat().st_size / 2**20:.1f} MiB", flush=True)


def _write_table(rows: list[tuple[str, str, str, str]], out: Path) -> None:
    with (out / "metadata.csv").open("w", newline="", encoding="utf-8") as handle:
        table = csv.writer(handle, lineterminator="\n")
        table.writerow(["file_name", "label", "set", "split"])
        for k, (kind, _, label, split) in enumerate(rows):
            table.writerow([f"{k:05d}.webp", label, kind, split])


def listed(folder: Path) -> list[tuple[str, str, str]]:
    """File name, label and split, `train` or `held_out`, of each photograph of a set."""
    with (folder / "metadata.csv").open(encoding="utf-8") as handle:
        rows = sorted(csv.DictReader(handle), key=lambda row: row["file_name"])
    return [(row["file_name"], _label(row), "held_out" if k % 4 == 3 else "train") for k, row in enumerate(rows)]


def _label(row: dict[str, str]) -> str:
    """ImageNet's as open_clip words it, which is what the bundled text side knows best."""
    index = row.get("class_index")
    return IMAGENET_CLASSNAMES[int(index)] if index else row["label"].replace("_", " ")


def _shrunk(path: Path) -> bytes:
    """Short side 224, at most 288 of the long side around the centre, as WebP."""
    picture = Image.open(path).convert("RGB")
    share = SHORT / min(picture.size)
    width, height = (max(SHORT, round(side * share)) for side in picture.size)
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    width, height = (min(side, LONG) for side in picture.size)
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    buffer = io.BytesIO()
    picture.crop((left, top, left + width, top + height)).save(buffer, "WEBP", quality=QUALITY, method=4)
    return buffer.getvalue()


def load(folder: Path, work: Path) -> Photos:
    """The photographs of a pack; decoded once, into `work`, and from there read as they are needed."""
    with (folder / "metadata.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    cache = work / "photos.npy"
    if not cache.exists():
        _decode(folder / "photos.zip", [row["file_name"] for row in rows], cache)
    pixels = torch.from_numpy(np.load(cache, mmap_mode="c"))
    sizes = np.load(cache.with_suffix(".sizes.npy"))
    if len(pixels) != len(rows):
        raise ValueError(f"{cache} holds {len(pixels)} photographs and {folder} {len(rows)}; delete the former.")
    return Photos(
        pixels,
        torch.from_numpy(sizes.max(1)),
        torch.from_numpy(sizes[:, 0] > sizes[:, 1]),
        tuple(row["label"] for row in rows),
        tuple(row["set"] for row in rows),
        tuple(row["split"] == "held_out" for row in rows),
    )


def _decode(archive: Path, names: list[str], cache: Path) -> None:
    """Write all pixels, and beside them height and width; in as many processes as there are cores."""
    cache.parent.mkdir(parents=True, exist_ok=True)
    fresh = cache.with_suffix(".new")
    shape = (len(names), 3, SHORT, LONG)
    np.lib.format.open_memmap(fresh, mode="w+", dtype=np.uint8, shape=shape).flush()
    parts = [(archive, fresh, names, k) for k in range(0, len(names), PART)]
    if len(parts) == 1:
        sizes = [_decode_part(parts[0])]
    else:
        with multiprocessing.get_context("fork").Pool() as pool:  # Pillow decodes WebP in one thread at a time
            sizes = pool.map(_decode_part, parts, chunksize=1)
    np.save(cache.with_suffix(".sizes.npy"), np.concatenate(sizes))
    fresh.replace(cache)


def _decode_part(part: tuple[Path, Path, list[str], int]) -> NDArray[np.int64]:
    """Some 256 photographs from the given one on; their `(n, 2)` heights and widths."""
    archive, fresh, names, first = part
    pixels, chosen = np.load(fresh, mmap_mode="r+"), names[first : first + PART]
    sizes = np.zeros((len(chosen), 2), dtype=np.int64)
    with zipfile.ZipFile(archive) as opened:
        for k, name in enumerate(chosen):
            picture = np.asarray(Image.open(io.BytesIO(opened.read(name))).convert("RGB"))
            sizes[k] = picture.shape[:2]
            turned = picture.transpose(2, 1, 0) if sizes[k, 0] > sizes[k, 1] else picture.transpose(2, 0, 1)
            pixels[first + k, :, : turned.shape[1], : turned.shape[2]] = turned
    pixels.flush()
    return sizes
