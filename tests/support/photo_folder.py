"""A folder of photographs as the measuring scripts want it, made of those inside the dependencies."""

import csv
from pathlib import Path

from PIL import Image, ImageEnhance

from eftclip.data import bundled_photographs, read_picture

SHADES = (1.0, 0.9, 0.8)


def write_photo_folder(root: Path) -> Path:
    """The bundled photographs in three shades, all of them as unseen ones of COCO; the other two sets are empty."""
    for name in ("imagenet-sample", "caltech101"):
        (root / name).mkdir()
        with (root / name / "metadata.csv").open("w", newline="") as handle:
            csv.writer(handle).writerow(["file_name", "label", *(["class_index"] if "imagenet" in name else [])])
    pictures = root / "coco128" / "images"
    pictures.mkdir(parents=True)
    for k, photograph in enumerate(bundled_photographs()):
        picture = read_picture(photograph.path).convert("RGB")
        small = picture.resize((160, 120), Image.Resampling.BOX)
        for shade in SHADES:
            ImageEnhance.Brightness(small).enhance(shade).save(pictures / f"{k:02d}-{shade}.jpg")
    return root


def write_labelled_folder(root: Path, times: int = 1) -> Path:
    """All three sets, eight photographs of each labelled one, `times` over; a quarter of them counts as unseen."""
    known = bundled_photographs()[:8]
    for kind in ("imagenet-sample", "caltech101"):
        rows = [(f"{k}.jpg", photograph.path, photograph.label) for k, photograph in enumerate(known * times)]
        _write_set(root / kind, rows)
    (root / "coco128" / "images").mkdir(parents=True)
    (root / "coco128" / "object_detection").mkdir()
    for k, photograph in enumerate(known[:2]):
        _save(photograph.path, root / "coco128" / "images" / f"{k}.jpg")
    (root / "coco128" / "object_detection" / "0.txt").write_text("45 0.5 0.5 0.2 0.2\n15 0.5 0.5 0.9 0.8\n")
    return root


def write_more(root: Path) -> None:
    """Four photographs more, of which one counts as unseen."""
    known = bundled_photographs()[:4]
    rows = [(f"{k}.jpg", photograph.path, photograph.label) for k, photograph in enumerate(known)]
    _write_set(root / "caltech101-more", rows)


def _write_set(folder: Path, rows: list[tuple[str, Path, str]]) -> None:
    folder.mkdir()
    for name, source, _ in rows:
        _save(source, folder / name)
    with (folder / "metadata.csv").open("w", newline="") as handle:
        table = csv.writer(handle)
        imagenet = folder.name.startswith("imagenet")
        table.writerow(["file_name", "label", *(["class_index"] if imagenet else [])])
        for k, (name, _, label) in enumerate(rows):
            table.writerow([name, label, *([k] if imagenet else [])])


def _save(source: Path, target: Path) -> None:
    with Image.open(source) as picture:
        picture.convert("RGB").resize((160, 120)).save(target)
