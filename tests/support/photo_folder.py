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
