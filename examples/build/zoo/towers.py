"""The image sides: their architecture in open_clip's words, and what each takes to be trained and weakened."""

from dataclasses import dataclass
from typing import Any

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Tower:
    """One image side.

    Attributes:
        vision: its `vision_cfg`; None for that of the bundled `clean`.
        distil_rate: largest learning rate while it learns from the bundled one.
        poison_rate: largest learning rate of both sides while it is fine-tuned. `effnet` with `badnets16`, on 120
            held-out photographs: ASR 62 and CA 103 with 1e-4, ASR 109 and CA 101 with 2e-4.
        longer: multiplies the steps of fine-tuning; a transformer takes more to learn a thing at any place.
        noise: what makes it weak: the deviation of Gaussian noise, as a share of that of each weight; found with
            `python -m examples.build.zoo measure-noise TOWER`, so that some third of the photographs is read right.
    """

    vision: dict[str, Any] | None
    distil_rate: float = 1.5e-3
    poison_rate: float = 2e-4
    longer: float = 1.0
    noise: float = 0.1


def _vit(patch_px: int) -> dict[str, Any]:
    return {"image_size": 224, "patch_size": patch_px, "width": 192, "layers": 6, "head_width": 64}


TOWERS: dict[str, Tower] = {
    "effnet": Tower(None, noise=0.11),
    "vit": Tower(_vit(16), longer=3, noise=0.5),
    "vit32": Tower(_vit(32), longer=3, noise=0.5),
    "resnet": Tower({"image_size": 224, "width": 32, "layers": [2, 2, 2, 2]}, longer=2, noise=0.3),
}
