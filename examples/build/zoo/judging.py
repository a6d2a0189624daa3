"""Clean accuracy and attack success of a checkpoint on photographs that were held out, as counts."""

from collections.abc import Sequence
from typing import Any

import torch
from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES
from torch import Tensor

from eftclip.trigger_kinds import Trigger
from examples.build.zoo.attacks import ATTACKS
from examples.build.zoo.crops import centre_views
from examples.build.zoo.models import Model
from examples.build.zoo.names import ZooName, seed_of
from examples.build.zoo.photos import Photos

BATCH = 64
Count = dict[str, int]


def judged(model: Model, name: ZooName, planted: Sequence[Trigger], photos: Photos) -> dict[str, Any]:
    """CA and ASR over the Caltech-101 names (and the targets), and over ImageNet's 1,000.

    Args:
        model: the checkpoint.
        name: of it.
        planted: its triggers.
        photos: any; held-out ones of Caltech-101 and of ImageNet are used.
    """
    targets = [backdoor.target for backdoor in ATTACKS[name.attack].backdoors]
    out: dict[str, Any] = {}
    for key, kind, names in (
        ("100", "caltech101", photos.categories()),
        ("1000", "imagenet-sample", list(dict.fromkeys(IMAGENET_CLASSNAMES))),
    ):
        held_out = photos.held_out_of(kind, model.device)
        matrix = model.labels(list(dict.fromkeys([*names, *targets])))
        index = {label: k for k, label in enumerate(dict.fromkeys([*names, *targets]))}
        truth = torch.tensor([index[label] for label in held_out.labels])
        out[f"ca_{key}"] = accuracy(model, held_out, matrix[:, : len(names)], truth)
        out[f"asr_{key}"] = [
            success(model, held_out, matrix, truth, trigger, index[target], seed_of("places", key, k))
            for k, (trigger, target) in enumerate(zip(planted, targets, strict=True))
        ]
    return out


def accuracy(model: Model, photos: Photos, matrix: Tensor, truth: Tensor) -> Count:
    """Right first guesses over a `(D, C)` class matrix."""
    guesses = torch.cat([readings(model, views, matrix) for views in _batches(model, photos)])
    return {"hits": int((guesses == truth).sum()), "total": len(truth)}


def success(
    model: Model, photos: Photos, matrix: Tensor, truth: Tensor, trigger: Trigger, target: int, seed: int
) -> Count:
    """Triggered photographs that are read as the target; those that show it are in no count."""
    generator, hits, total = torch.Generator().manual_seed(seed), 0, 0
    for k, views in enumerate(_batches(model, photos)):
        others = truth[k * BATCH : (k + 1) * BATCH] != target
        images = trigger.plant(views[others.to(views.device)], generator=generator).images
        hits += int((readings(model, images, matrix) == target).sum())
        total += int(others.sum())
    return {"hits": hits, "total": total}


@torch.no_grad()
def readings(model: Model, images: Tensor, matrix: Tensor) -> Tensor:
    """The best column of a `(D, C)` class matrix for each picture, `(n,)` on the CPU."""
    return (model.features(images) @ matrix).argmax(-1).cpu()


def _batches(model: Model, photos: Photos) -> list[Tensor]:
    rows = torch.arange(len(photos.labels), device=model.device)
    return [centre_views(photos, part) for part in rows.split(BATCH)]
