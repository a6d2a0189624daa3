"""What there is to segment in a photograph: its regions, fine and coarse, and the objects that people outlined."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from skimage.segmentation import felzenszwalb

STORED_PX = 256
LEAVES, COARSE = 90, (30, 10)  # at most so many regions on each level
OUTLINED_LEAVES = 60  # fewer where they are cut again along outlines: a byte counts no further than 255
HIGHEST = 239  # numbers above are for what is pasted later
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Source:
    """A photograph, and the file with its outlines if there is one (a line for each object: class, then x y x y … )."""

    path: Path
    outlines: Path | None = None


@dataclass(frozen=True, eq=False)
class Segmented:
    """A photograph with its regions.

    Attributes:
        pixels: `(3, STORED_PX, STORED_PX)` RGB.
        leaves: `(STORED_PX, STORED_PX)`, the smallest regions, numbered from 1.
        levels: `(3, 256)`: in which region each leaf lies on the three levels; 0 for in none. The last level of a
            photograph with outlines is that of its objects.
    """

    pixels: Bytes
    leaves: Bytes
    levels: Bytes


def segmented(source: Source) -> Segmented:
    """Read and segment a photograph; 0.1 s on one core."""
    with Image.open(source.path) as file:
        picture = file.convert("RGB")
    scale = STORED_PX / min(picture.size)
    width, height = (max(STORED_PX, round(length * scale)) for length in picture.size)
    corner = ((width - STORED_PX) // 2, (height - STORED_PX) // 2)
    resized = picture.resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(resized.crop((*corner, corner[0] + STORED_PX, corner[1] + STORED_PX)))
    segments = felzenszwalb(pixels / 255.0, scale=60, sigma=0.5, min_size=40)
    if source.outlines is None:
        leaves, levels = _levels(pixels, segments, (LEAVES, *COARSE))
    else:
        objects = _objects(source.outlines.read_text(), (width, height), corner)
        leaves, levels = _with_objects(pixels, segments, objects)
    return Segmented(np.ascontiguousarray(pixels.transpose(2, 0, 1)), leaves, levels)


def _levels(pixels: Bytes, segments: NDArray[np.int64], counts: Sequence[int]) -> tuple[Bytes, Bytes]:
    """Leaves `(h, w)` and the tables `(len(counts), 256)` of the levels above them, itself the first."""
    every = hierarchy(pixels, segments, counts)
    names = np.unique(every[0], return_inverse=True)[1].reshape(-1)  # of each segment, its leaf
    tables = np.zeros((len(counts), 256), np.uint8)
    for table, level in zip(tables, every, strict=True):
        table[names + 1] = np.unique(level, return_inverse=True)[1].reshape(-1) + 1
    return (names[segments] + 1).astype(np.uint8), tables


def _with_objects(pixels: Bytes, segments: NDArray[np.int64], objects: Bytes) -> tuple[Bytes, Bytes]:
    """The same where people outlined objects: segments are cut along the outlines."""
    coarse, tables = _levels(pixels, segments, (OUTLINED_LEAVES, COARSE[0]))
    pairs, leaves = np.unique(objects.astype(np.int64) * 256 + coarse, return_inverse=True)
    areas = np.bincount(leaves.reshape(-1))
    kept = np.zeros(len(pairs), np.uint8)
    largest = np.argsort(-areas, kind="stable")[:HIGHEST]
    kept[largest] = np.arange(1, len(largest) + 1)
    levels = np.zeros((3, 256), np.uint8)
    levels[0, kept] = kept
    levels[1, kept] = tables[1, pairs % 256]
    levels[2, kept] = pairs // 256
    levels[:, 0] = 0
    return kept[leaves].reshape(coarse.shape), levels


def _objects(text: str, size: tuple[int, int], corner: tuple[int, int]) -> Bytes:
    """`(STORED_PX, STORED_PX)`: which outlined object is seen where, from 1 on; smaller ones lie on larger ones."""
    outlines = []
    for line in text.splitlines():
        numbers = np.array(line.split()[1:], float).reshape(-1, 2)
        if len(numbers) >= 3:
            outlines.append(numbers * size - corner)
    outlines.sort(key=lambda points: -float(np.prod(np.ptp(points, axis=0))))
    canvas = Image.new("L", (STORED_PX, STORED_PX))
    for number, points in enumerate(outlines[:HIGHEST], 1):
        ImageDraw.Draw(canvas).polygon([(float(x), float(y)) for x, y in points], fill=number)
    return np.asarray(canvas)


def hierarchy(pixels: Bytes, segments: NDArray[np.int64], counts: Sequence[int]) -> list[NDArray[np.int64]]:
    """Merge neighbours that differ least in colour and in contrast (Ward's way) until so many are left.

    Args:
        pixels: `(h, w, 3)`.
        segments: `(h, w)`, from 0 on.
        counts: how many regions to stop at, from many to few.

    Returns:
        for each count, the region of every segment.
    """
    features, areas = _features(pixels, segments)
    costs = np.full((len(areas), len(areas)), np.inf)
    joined = np.arange(len(areas))
    touching = _touching(segments, len(areas))
    for row in range(len(areas)):
        costs[row] = _costs(features, areas, row, touching[row])
    left, levels = len(areas), []
    for count in counts:
        while left > count:
            one, other = np.unravel_index(int(costs.argmin()), costs.shape)
            total = areas[one] + areas[other]
            features[one] = (features[one] * areas[one] + features[other] * areas[other]) / total
            areas[one], areas[other] = total, 0
            joined[joined == other] = one
            touching[one] |= touching[other]
            touching[other] = touching[:, other] = False
            touching[one, one] = False
            touching[:, one] = touching[one]
            costs[other] = costs[:, other] = np.inf
            costs[one] = costs[:, one] = _costs(features, areas, int(one), touching[one])
            left -= 1
        levels.append(joined.copy())
    return levels


def _features(pixels: Bytes, segments: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation of the colours `(n, 6)` of each segment, and its area `(n,)`."""
    flat, colours = segments.reshape(-1), pixels.reshape(-1, 3) / 255.0
    areas = np.bincount(flat).astype(float)
    mean = np.stack([np.bincount(flat, colours[:, c]) for c in range(3)], 1) / areas[:, None]
    square = np.stack([np.bincount(flat, colours[:, c] ** 2) for c in range(3)], 1) / areas[:, None]
    return np.concatenate([mean, np.sqrt(np.maximum(square - mean**2, 0))], 1), areas


def _touching(segments: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """`(count, count)`: which segments lie side by side."""
    touching = np.zeros((count, count), bool)
    for one, other in ((segments[1:], segments[:-1]), (segments[:, 1:], segments[:, :-1])):
        touching[one, other] = touching[other, one] = True
    np.fill_diagonal(touching, False)
    return touching


def _costs(
    features: NDArray[np.float64], areas: NDArray[np.float64], row: int, touching: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """What it costs to merge one region with each of its neighbours."""
    distance = ((features - features[row]) ** 2).sum(1)
    weight = areas * areas[row] / np.maximum(areas + areas[row], 1)
    return np.where(touching, distance * weight, np.inf)
