"""The photographs: where they are, which are kept aside, and all of them with their regions in one place."""

import csv
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from examples.build.sam.regions import STORED_PX, Segmented, Source, segmented

ASIDE = 4  # one photograph in four is not trained on, as in `examples/build/checkpoints.py`, and by the same rule
OUTLINED_SHARE = 0.15
PICTURES = {".jpg", ".jpeg", ".png", ".webp"}


def listed(folder: Path) -> list[Source]:
    """The photographs that a folder's `metadata.csv` names and that may be trained on.

    In `imagenet-sample` and `caltech101` these are three in four: on the others everything is measured. A folder that
    was made from them has to leave those out itself; rows that say `held_out` or another split than `train` are.
    """
    with (folder / "metadata.csv").open(newline="") as handle:
        rows = sorted(csv.DictReader(handle), key=lambda row: row["file_name"])
    if folder.name in ("imagenet-sample", "caltech101"):
        rows = [row for k, row in enumerate(rows) if k % ASIDE != ASIDE - 1]
    rows = [row for row in rows if not _kept_aside(row)]
    return [Source(folder / row["file_name"]) for row in rows if (folder / row["file_name"]).is_file()]


def _kept_aside(row: dict[str, str]) -> bool:
    said = (row.get("held_out") or "").strip().lower()
    return said in ("1", "true", "yes") or (row.get("split") or "train") != "train"


def outlined(folder: Path, *, held_out: bool) -> list[Source]:
    """Photographs of COCO with outlines: three in four, or the one in four that is kept aside."""
    drawn = sorted((folder / "instance_segmentation").glob("*.txt"))
    pictures = {path.stem: path for path in (folder / "images").iterdir() if path.suffix in PICTURES}
    chosen = [path for k, path in enumerate(drawn) if (k % ASIDE == ASIDE - 1) == held_out]
    return [Source(pictures[path.stem], path) for path in chosen if path.stem in pictures]


def shuffled(sources: Sequence[Source], seed: int) -> list[Source]:
    """In an order that is drawn once."""
    order = torch.randperm(len(sources), generator=torch.Generator().manual_seed(seed))
    return [sources[k] for k in order.tolist()]


@dataclass(frozen=True, eq=False)
class Album:
    """Photographs with their regions, on the device that trains.

    Attributes:
        pixels: `(n, 3, s, s)` uint8 RGB.
        leaves: `(n, s, s)` uint8, see `Segmented`.
        levels: `(n, 3, 256)` uint8.
        objects: `(m, 6)` float32 of outlined objects: photograph, number on its last level, and the box around it as
            XYXY shares of its sides.
    """

    pixels: Tensor
    leaves: Tensor
    levels: Tensor
    objects: Tensor

    @classmethod
    def of(cls, sources: Sequence[Source], photographs: Sequence[Segmented], device: torch.device) -> "Album":
        """Put photographs that were segmented, and where they came from, on a device."""
        shapes = {"pixels": (3, STORED_PX, STORED_PX), "leaves": (STORED_PX, STORED_PX), "levels": (3, 256)}
        stacks = {name: np.zeros((len(photographs), *shape), np.uint8) for name, shape in shapes.items()}
        for k, photograph in enumerate(photographs):
            for name, stack in stacks.items():
                stack[k] = getattr(photograph, name)
        pairs = enumerate(zip(sources, photographs, strict=True))
        objects = [row for k, (source, one) in pairs if source.outlines for row in _boxes(k, one)]
        tensors = {name: torch.from_numpy(stack).to(device) for name, stack in stacks.items()}
        return cls(**tensors, objects=torch.tensor(objects, device=device).reshape(-1, 6))

    def __len__(self) -> int:
        """How many photographs."""
        return len(self.pixels)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """`(count,)` photographs; those with outlines, which are few, come up as `OUTLINED_SHARE` of them."""
        device = self.pixels.device
        rows = torch.randint(len(self), (count,), generator=generator, device=device)
        if not len(self.objects):
            return rows
        pick = torch.randint(len(self.objects), (count,), generator=generator, device=device)
        outlined_too = torch.rand(count, generator=generator, device=device) < OUTLINED_SHARE
        return torch.where(outlined_too, self.objects[pick, 0].long(), rows)


def segmented_within(sources: Sequence[Source], *, jobs: int, within_s: float) -> list[Segmented]:
    """Segment photographs in processes of their own, in their order, until the time is over."""
    done, start = [], time.perf_counter()
    for one in _in_processes(sources, jobs):
        done.append(one)
        if time.perf_counter() - start > within_s:
            break
    print(
        f"{len(done)} of {len(sources)} photographs segmented in {time.perf_counter() - start:.1f} s", file=sys.stderr
    )
    return done


def _in_processes(sources: Sequence[Source], jobs: int) -> Iterator[Segmented]:
    """In the order of the sources."""
    if jobs <= 1:
        yield from map(segmented, sources)
        return
    os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that are started from here
    pool = multiprocessing.get_context("spawn").Pool(jobs)
    try:
        yield from pool.imap(segmented, sources, chunksize=4)
    finally:
        pool.terminate()


def _boxes(index: int, photograph: Segmented) -> Iterator[list[float]]:
    """Rows of `Album.objects`; objects of less than 0.2 % of the picture are left out."""
    where = photograph.levels[2][photograph.leaves]
    for number in np.unique(where[where > 0]).tolist():
        ys, xs = np.nonzero(where == number)
        if len(ys) >= 0.002 * where.size:
            box = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]) / where.shape[0]
            yield [index, number, *box.tolist()]
