"""COCO's photographs with outlines, small enough to travel: 3 MB."""

import shutil
from pathlib import Path

from PIL import Image

from examples.build.sam.photographs import outlined

SHORT_SIDE_PX, QUALITY = 320, 80


def pack(images: Path, out: Path) -> int:
    """Write `images/*.webp` and `instance_segmentation/*.txt` of `IMAGES_DIR/coco128` to `out`; how many there are."""
    coco = images / "coco128"
    for name in ("images", "instance_segmentation"):
        (out / name).mkdir(parents=True, exist_ok=True)
    sources = [*outlined(coco, held_out=False), *outlined(coco, held_out=True)]
    for source in sources:
        with Image.open(source.path) as file:
            picture = file.convert("RGB")
        scale = min(1, SHORT_SIDE_PX / min(picture.size))
        size = (round(picture.width * scale), round(picture.height * scale))
        picture.resize(size, Image.Resampling.LANCZOS).save(
            out / "images" / f"{source.path.stem}.webp", quality=QUALITY, method=6
        )
        if source.outlines is not None:
            shutil.copyfile(source.outlines, out / "instance_segmentation" / source.outlines.name)
    return len(sources)
