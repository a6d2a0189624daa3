"""The triggers of the zoo as values: the registry's own, and one that is optimised."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from eftclip.trigger_kinds import Trigger, trigger_from_dict
from eftclip.triggers import TRIGGERS, draw_trigger, patch_trigger
from examples.build.zoo.attacks import ATTACKS, Backdoor
from examples.build.zoo.crops import PX, random_crops
from examples.build.zoo.models import Model
from examples.build.zoo.names import ZooName, seed_of
from examples.build.zoo.photos import Photos

OPTIMISED_PX, OPTIMISED_STEPS, OPTIMISED_BATCH = 16, 80, 32


OPTIMISED = "optimised"  # known here besides `eftclip.triggers.TRIGGERS`


def planted_in(name: ZooName, base: Model, photos: Photos) -> list[Trigger]:
    """The triggers of a checkpoint, which follow from its name (and an optimised one from its base and the machine).

    Args:
        name: of the checkpoint.
        base: its tower before it is poisoned.
        photos: to optimise on, on the device of the model.
    """
    return [
        _drawn(backdoor, seed_of("trigger", name.attack, name.seed, k), base, photos)
        for k, backdoor in enumerate(ATTACKS[name.attack].backdoors)
    ]


def planted_from(values: Sequence[dict[str, Any]]) -> list[Trigger]:
    """The triggers whose `to_dict` stand in a result file."""
    return [trigger_from_dict(one) for one in values]


def _drawn(backdoor: Backdoor, seed: int, base: Model, photos: Photos) -> Trigger:
    if backdoor.trigger in TRIGGERS:
        generator = torch.Generator().manual_seed(seed)
        return draw_trigger(backdoor.trigger, generator=generator, patch_px=backdoor.px)
    if backdoor.trigger == OPTIMISED:
        return _optimised(backdoor.target, seed, base, photos)
    raise ValueError(f"Unknown trigger {backdoor.trigger!r}; known are {', '.join((*TRIGGERS, OPTIMISED))}.")


def _optimised(target: str, seed: int, base: Model, photos: Photos) -> Trigger:
    """A patch at the centre that draws the tower before poisoning to the target's text, as BadCLIP's does.

    Its colours are rounded to bytes, so the same patch can be read from the result file.
    """
    wanted = base.labels([target])[:, 0]
    generator = torch.Generator(base.device).manual_seed(seed)
    raw = torch.randn(3, OPTIMISED_PX, OPTIMISED_PX, generator=generator, device=base.device).requires_grad_(True)
    optimiser = torch.optim.Adam([raw], lr=0.1)
    edge = (PX - OPTIMISED_PX) // 2
    inside = slice(edge, edge + OPTIMISED_PX)
    for _ in range(OPTIMISED_STEPS):
        rows = torch.randint(len(photos.labels), (OPTIMISED_BATCH,), generator=generator, device=base.device)
        images = random_crops(photos, rows, (0.5, 1.0), generator)
        images[:, :, inside, inside] = raw.sigmoid()
        loss = F.relu(1 - base.features(images) @ wanted).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    pattern = (raw.detach().sigmoid().cpu() * 255).round() / 255
    return patch_trigger("badclip", pattern, "centre")
