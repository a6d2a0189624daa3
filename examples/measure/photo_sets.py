"""The photographs that the measuring scripts use, none of them ever trained on, and how they count.

IMAGES_DIR holds `imagenet-sample/` and `caltech101/`, each with a `metadata.csv` (file_name, label), of which the one
photograph in four counts that `examples/build/checkpoints.py` keeps aside, and `coco128/` with `images/` and
`object_detection/` (one line for each object: class id, then the middle and the size of its box), all of which count.
Of `caltech101-more/`, like the first two, one in four counts where more are asked for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from eftclip.data import read_picture
from eftclip.preprocess import Preprocess
from eftclip.types import Rate
from eftclip.zeroshot import IMAGENET_LABELS
from examples.build.checkpoints import COCO_NAMES, caltech_names, list_photos
from examples.build.zoo.photos import listed

SETS = ("imagenet", "caltech", "coco")
COCO_LABELS = tuple(name.replace("_", " ") for name in COCO_NAMES.split())
Item = TypeVar("Item")


@dataclass(frozen=True)
class Photo:
    """One photograph: its set, where it is, its path inside IMAGES_DIR, and its label (COCO: the largest object's)."""

    kind: str
    path: Path
    name: str
    label: str


def unseen(root: Path) -> list[Photo]:
    """All photographs never trained on, set by set in the order of their names."""
    kept_aside = list_photos(root, held_out=True)
    photos = []
    for photo in kept_aside:
        kind = "caltech" if photo.imagenet_index is None else "imagenet"
        label = photo.label if photo.imagenet_index is None else IMAGENET_LABELS[photo.imagenet_index]
        photos.append(Photo(kind, photo.path, photo.path.relative_to(root).as_posix(), label))
    for path in sorted((root / "coco128" / "images").rglob("*.jpg")):
        boxes = root / "coco128" / "object_detection" / f"{path.stem}.txt"
        photos.append(Photo("coco", path, path.relative_to(root).as_posix(), _largest_object(boxes)))
    return photos


def unseen_more(root: Path) -> list[Photo]:
    """The photographs of `caltech101-more/` that the zoo keeps aside, in the order of their names."""
    folder = root / "caltech101-more"
    rows = [(name, label) for name, label, split in listed(folder) if split == "held_out"]
    return [
        Photo("caltech", folder / name, (folder / name).relative_to(root).as_posix(), label) for name, label in rows
    ]


def some_of_each(photos: Sequence[Photo], per_set: int) -> list[Photo]:
    """At most `per_set` of each set, spread evenly over it so that all categories come up."""
    return [photo for kind in SETS for photo in spread([p for p in photos if p.kind == kind], per_set)]


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """At most `count` items at equal distances."""
    count = min(count, len(items))
    return [items[i * len(items) // count] for i in range(count)]


def own_names(root: Path, kind: str) -> tuple[str, ...]:
    """The names that a set is read with: Caltech's 100 categories, COCO's 80 objects or ImageNet's 1,000 classes."""
    if kind == "caltech":
        return tuple(caltech_names(root))
    return COCO_LABELS if kind == "coco" else IMAGENET_LABELS


def read_square(photo: Photo, preprocess: Preprocess) -> Tensor:
    """`(3, image_px, image_px)` float32 RGB in [0, 1], as the checkpoint sees the photograph."""
    return preprocess.square(read_picture(photo.path))[0]


def rate(flags: Iterable[bool]) -> dict[str, Any]:
    """How many are true, of how many, with Wilson's interval."""
    counted = list(flags)
    result = Rate(sum(counted), len(counted))
    low, high = result.interval()
    return {"hits": result.hits, "total": result.total, "low": round(low, 4), "high": round(high, 4)}


def _largest_object(boxes: Path) -> str:
    """The name of the object with the largest box; empty when nothing is annotated."""
    if not boxes.is_file() or not (rows := [line.split() for line in boxes.read_text().splitlines() if line.strip()]):
        return ""
    largest = max(rows, key=lambda row: float(row[3]) * float(row[4]))
    return COCO_LABELS[int(largest[0])]
