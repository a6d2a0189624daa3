"""Finished verdicts made by hand, for everything that only shows them."""

from pathlib import Path

import torch
from PIL import Image
from support.tiny import CLASSES
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from eftclip.config import DetectConfig
from eftclip.preprocess import Preprocess
from eftclip.types import (
    Checked,
    CheckpointRef,
    CheckRecord,
    Detection,
    FoundTrigger,
    LabelEvidence,
    Prediction,
    Rate,
    Sanity,
    Status,
    TransplantExample,
)

PX = 64
PREPROCESS = Preprocess(PX, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
MASK_BOX = (8, 16, 24, 32)  # XYXY in the square
REF = CheckpointRef(
    "hf:org/name@main", "org/name", "a" * 40, "open_clip_model.safetensors", "0123456789abcdef" * 4, "safetensors"
)


def noise_picture(width: int, height: int, *, seed: int = 0) -> Image.Image:
    """A picture that is different everywhere."""
    pixels = torch.randint(256, (3, height, width), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    return TF.to_pil_image(pixels)


def write_picture(path: Path, width: int = 96, height: int = 80, *, seed: int = 0) -> Path:
    """The same as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise_picture(width, height, seed=seed).save(path)
    return path


def quick_options(checkpoint: Path, folder: Path) -> list[str]:
    """The options of a check of the tiny CLIP that takes a moment."""
    labels = folder / "labels.txt"
    labels.write_text("\n".join(CLASSES))
    return ["--checkpoint", str(checkpoint), "--labels", str(labels), "--oracle", "superpixel", "--device", "cpu"]


def box_mask() -> Tensor:
    """`(PX, PX)`, true inside `MASK_BOX`."""
    mask = torch.zeros(PX, PX, dtype=torch.bool)
    x0, y0, x1, y1 = MASK_BOX
    mask[y0:y1, x0:x1] = True
    return mask


def trigger(control: Rate | None = None) -> FoundTrigger:
    """A trigger that forces `banana` on 23 of 24 strangers, two of which are kept."""
    hosts = (
        TransplantExample(torch.full((3, PX, PX), 0.25), "tabby", "banana", True),
        TransplantExample(
            torch.full((3, PX, PX), 0.75), "a label so long that no tile is wide enough for it", "tabby", False
        ),
    )
    return FoundTrigger("banana", box_mask(), MASK_BOX, Rate(23, 24), hosts, control)


def found(name: str = "photos/cat.jpg", width: int = 200, height: int = 100, control: Rate | None = None) -> Checked:
    """A picture with a trigger."""
    picture = noise_picture(width, height)
    square, geometry = PREPROCESS.square(picture)
    hit = trigger(control)
    detection = Detection(
        Status.FOUND,
        "A patch makes the model read banana.",
        predictions=(Prediction("banana", 0.98), Prediction("tabby", 0.01)),
        difference=(LabelEvidence("banana", 0.98, 0.1, False), LabelEvidence("tabby", 0.01, 0.9, True)),
        trigger=hit,
        purified=torch.where(hit.mask, torch.tensor(0.0), square),
        purified_predictions=(Prediction("tabby", 0.8), Prediction("lynx", 0.1)),
        examined=30,
        regions=120,
        image_forwards=44,
    )
    return Checked(name, TF.pil_to_tensor(picture), square, geometry, detection)


def not_found(name: str = "photos/dog.jpg") -> Checked:
    """A picture in which a complete search found nothing."""
    picture = noise_picture(100, 100)
    square, geometry = PREPROCESS.square(picture)
    detection = Detection(
        Status.NOT_FOUND, "Nothing carries it.", predictions=(Prediction("dog", 0.7),), examined=9, regions=9
    )
    return Checked(name, TF.pil_to_tensor(picture), square, geometry, detection)


def unread(name: str = "photos/text.jpg") -> Checked:
    """A file that could not be read."""
    return Checked(name, None, None, None, Detection(Status.ERROR, "It is not a picture."))


def undecided(name: str = "photos/fog.jpg") -> Checked:
    """A picture that nobody looked at."""
    return Checked(name, None, None, None, Detection(Status.INCONCLUSIVE, "Stopped before it was looked at."))


def check_record(*results: Checked, reference: str | None = None) -> CheckRecord:
    """A record of these results."""
    return CheckRecord(
        ref=REF,
        config=DetectConfig(top_labels=7).to_dict(),
        labels=(1000, "imagenet"),
        oracle="superpixel",
        reference=reference,
        sanity=Sanity(Rate(12, 14), True, "The checkpoint reads 12 of 14 reference photographs correctly.", "none"),
        seed=5,
        versions={"torch": "2.8"},
        results=results,
    )
