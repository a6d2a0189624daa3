"""How good the network is on photographs that it was not trained on."""

from collections.abc import Callable
from typing import Any

import torch
from segment_anything import SamAutomaticMaskGenerator
from segment_anything.modeling import Sam
from torch import Tensor

from examples.build.sam.losses import enlarged, ious
from examples.build.sam.network import decode, encode
from examples.build.sam.photographs import Album
from examples.build.sam.prompts import Asked, asked, for_encoder
from examples.build.sam.scenes import FIRST_THING, SCENE_PX, Scenes, scenes

SEED = 1_000_003
BATCH, PER_PICTURE = 16, 8
LEAST_IOU, LEAST_STABILITY, POINT_EVERY_PX = 0.7, 0.8, 8  # of the product's oracle
SMALL_PX = 24 * 24
FOUND_IOU = 0.5
Score = dict[str, Any]


def scored(sam: Sam, photographs: Album, outlined: Album, *, batches: int, pictures: int) -> Score:
    """Points on regions, on pasted things and on outlined objects, then whole pictures.

    Args:
        sam: in eval mode.
        photographs: kept aside.
        outlined: kept aside, with outlines.
        batches: of 16 pictures with 8 points each, for each kind of region.
        pictures: to look for everything in.
    """
    kinds: dict[str, tuple[Album, int, Callable[[Tensor], Tensor]]] = {
        "regions": (photographs, 0, lambda parts: parts),
        "things": (photographs, 4, lambda parts: parts * (parts >= FIRST_THING)),
        "outlined_objects": (outlined, 0, _last_level),
    }
    scores = {name: _prompted(sam, *kind, batches) for name, kind in kinds.items() if len(kind[0])}
    return {"one_point": scores, "everything": _everything(sam, photographs, pictures) if pictures else None}


def _last_level(parts: Tensor) -> Tensor:
    """Of `(b, 3, h, h)` what people outlined, alone."""
    only = torch.zeros_like(parts)
    only[:, 2] = parts[:, 2]
    return only


@torch.no_grad()
def _prompted(sam: Sam, album: Album, things: int, keep: Callable[[Tensor], Tensor], batches: int) -> Score:
    """The IoU of the mask that the network itself likes best of three, and of the one that is best."""
    device = album.pixels.device
    generator = torch.Generator(device).manual_seed(SEED)
    picked, best, small = [], [], []
    for _ in range(batches):
        rows = torch.randint(len(album), (BATCH,), generator=generator, device=device)
        scene = scenes(album, rows, generator, things=things)
        parts = keep(scene.parts)
        some = (parts > 0).flatten(1).any(1)
        if not some.any():
            continue
        questions = asked(parts[some], PER_PICTURE, generator)
        each, quality = _answers(sam, scene.pictures[some], questions)
        picked.append(each.gather(1, quality.argmax(1, keepdim=True))[:, 0])
        best.append(each.amax(1))
        small.append(questions.masks.sum((1, 2)) <= SMALL_PX)
    if not picked:
        return {"points": 0}
    liked, highest, little = torch.cat(picked), torch.cat(best), torch.cat(small)
    return {
        "points": len(liked),
        "mean_iou": _mean(liked),
        "mean_iou_best_of_three": _mean(highest),
        "small_points": int(little.sum()),
        "small_mean_iou": _mean(liked[little]),
        "small_mean_iou_best_of_three": _mean(highest[little]),
    }


def _answers(sam: Sam, pictures: Tensor, questions: Asked) -> tuple[Tensor, Tensor]:
    """The IoU `(n, 3)` of each mask with what was wanted, and the IoU predicted."""
    side = sam.image_encoder.img_size
    embeddings = encode(sam, pictures)[questions.pictures]
    inside = torch.ones(len(embeddings), 1, device=embeddings.device)
    logits, quality = decode(sam, embeddings, points=(for_encoder(questions.points, side, SCENE_PX)[:, None], inside))
    return ious(enlarged(logits[:, 1:], SCENE_PX), questions.masks[:, None])[:, :, 0], quality[:, 1:]


def _mean(values: Tensor) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None


def _everything(sam: Sam, album: Album, count: int) -> Score:
    """How many masks a picture has when it is asked for all, and how well the best of them fit what was pasted."""
    generator = torch.Generator(album.pixels.device).manual_seed(SEED + 1)
    rows = torch.arange(count, device=album.pixels.device) % len(album)
    scene = scenes(album, rows, generator)
    masks, fits = [], []
    for k in range(count):
        found = _all_masks(sam, scene.pictures[k])
        masks.append(len(found))
        fits += _fits(found, scene, k)
    return {
        "pictures": count,
        "masks": masks,
        "things": len(fits),
        "mean_iou_of_things": round(sum(fits) / len(fits), 4) if fits else None,
        "things_found": sum(fit >= FOUND_IOU for fit in fits),
    }


def _all_masks(sam: Sam, picture: Tensor) -> Tensor:
    """`(n, h, h)` bool on the CPU, with the settings of the product's oracle."""
    generator = SamAutomaticMaskGenerator(
        sam,
        points_per_side=SCENE_PX // POINT_EVERY_PX,
        pred_iou_thresh=LEAST_IOU,
        stability_score_thresh=LEAST_STABILITY,
    )
    pixels = (picture * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().cpu().numpy()
    found = [torch.from_numpy(one["segmentation"]) for one in generator.generate(pixels)]
    return torch.stack(found) if found else torch.zeros(0, SCENE_PX, SCENE_PX, dtype=torch.bool)


def _fits(found: Tensor, scene: Scenes, index: int) -> list[float]:
    """For every thing in a picture, its IoU with the mask that fits best."""
    parts = scene.parts[index, 0].cpu()
    fits = []
    for number in parts.unique().tolist():
        wanted = parts == number
        if number < FIRST_THING or int(wanted.sum()) < SMALL_PX / 16:
            continue
        shared, either = (found & wanted).sum((1, 2)), (found | wanted).sum((1, 2))
        fits.append(float((shared / either).max()) if len(found) else 0.0)
    return fits
