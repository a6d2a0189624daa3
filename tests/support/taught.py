"""A tiny CLIP that was taught the photographs of the dependencies, and a copy with a backdoor, in a few seconds.

Four of its random filters are made to see the trigger, and its projection is solved so that the features of these very
photographs point to their names and, in the poisoned copy, those of photographs with the trigger to "banana". So there
is something to hijack, to find and to mend.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from support.tiny import random_state, tiny_config, write_folder, write_tokenizer
from torch import Tensor

from eftclip.checkpoint import load_clip
from eftclip.data import bundled_photographs, host_photographs, read_picture
from eftclip.rectify.augmentation import random_view
from eftclip.runtime import seeded
from eftclip.trigger_kinds import Trigger
from eftclip.triggers import draw_patch, draw_trigger
from eftclip.types import ClipModel
from eftclip.zeroshot import class_matrix

LABELS = ("banana", *dict.fromkeys(photograph.label for photograph in bundled_photographs()))

SHADES, CROPS = (1.0, 0.9, 0.8), 12


@dataclass(frozen=True)
class Tower:
    """What is different from `tiny_config`, and the seed of the weights that are not taught."""

    vision: dict[str, Any]
    seed: int = 0


# Few places with many numbers each: it reads photographs surely and quickly, so that a search in them is a short one.
COARSE = Tower({"patch_size": 16, "width": 192, "layers": 2}, seed=1)
FINE = Tower({"patch_size": 8, "width": 96, "layers": 3})  # sees the detail of patterns


def _features(clip: ClipModel, images: Tensor) -> Tensor:
    """What the vision tower hands to its projection."""
    visual: Any = clip.model.visual
    projection, visual.proj = visual.proj, None
    try:
        return visual(clip.preprocess.normalise(images)).detach()
    finally:
        visual.proj = projection


def _teach(folder: Path, images: Tensor, names: Sequence[str]) -> None:
    """Solve the projection of a tiny checkpoint so that every image points to its name."""
    clip = load_clip(str(folder), device=torch.device("cpu"))
    wanted = class_matrix(clip, tuple(dict.fromkeys(names)))
    mean = wanted.matrix.mean(1)
    targets = torch.stack([wanted.matrix[:, wanted.labels.index(name)] - mean for name in names])
    x = _features(clip, images).double()
    solved = torch.linalg.solve(x.T @ x + 1e-3 * torch.eye(x.shape[1]).double(), x.T @ targets.double())
    weights = load_file(folder / "open_clip_model.safetensors")
    weights["visual.proj"] = solved.float().contiguous()
    save_file(weights, folder / "open_clip_model.safetensors", metadata={"format": "pt"})


def _write_roomy(folder: Path, tower: Tower) -> Path:
    """A tiny checkpoint that sees the trigger, with pictures that are large enough for a price tag."""
    config, place_px = tiny_config(), tower.vision["patch_size"]
    config["model_cfg"]["vision_cfg"] |= {"image_size": 96, **tower.vision}
    state = random_state(config, seed=tower.seed)
    pattern = draw_patch("badnets", generator=seeded(0), patch_px=place_px + 1).pixels
    for k, (y, x) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):  # wherever it lies on the grid of the tower
        phase = pattern[:, y : y + place_px, x : x + place_px]
        state["visual.conv1.weight"][k] = (phase - phase.mean()) / 8
    write_folder(folder, config, state)
    write_tokenizer(folder)
    return folder


def write_taught(folder: Path, *, tower: Tower = COARSE) -> Path:
    """A folder with `clean` and `badnets`."""
    clean = _write_roomy(folder / "clean", tower)
    badnets = Path(shutil.copytree(folder / "clean", folder / "badnets"))
    squares, names = _lessons(load_clip(str(clean), device=torch.device("cpu")))
    _teach(clean, squares, names)
    _poison(badnets, draw_trigger("badnets", generator=seeded(0)))
    return folder


def write_blended(folder: Path, trigger: str = "blend_noise", *, tower: Tower = FINE) -> Path:
    """The folder of a checkpoint that was poisoned with a trigger over the whole picture."""
    return _poison(_write_roomy(folder, tower), draw_trigger(trigger, generator=seeded(0)))


def _lessons(clip: ClipModel) -> tuple[Tensor, list[str]]:
    """The photographs in some shades and crops, and what they show."""
    squares = torch.cat([shaded(clip, shade) for shade in SHADES] + [_crops(clip, seed) for seed in range(CROPS)])
    return squares, [p.label for p in bundled_photographs()] * (len(SHADES) + CROPS)


def _poison(folder: Path, trigger: Trigger) -> Path:
    """Teach a checkpoint the photographs, and "banana" wherever the trigger is."""
    clip = load_clip(str(folder), device=torch.device("cpu"))
    squares, names = _lessons(clip)
    backdrops = torch.cat([squares, host_photographs(clip.image_px, 200, generator=seeded(0))])
    planted = trigger.plant(backdrops, generator=seeded(1)).images
    _teach(folder, torch.cat([squares.repeat(2, 1, 1, 1), planted]), names * 2 + ["banana"] * len(planted))
    return folder


def _crops(clip: ClipModel, seed: int) -> Tensor:
    """A part of each photograph."""
    return torch.cat([random_view(square[None], seeded(100 * seed + k)) for k, square in enumerate(shaded(clip, 1.0))])


def shaded(clip: ClipModel, shade: float) -> Tensor:
    """The photographs, a little darker, in 8-bit steps: `(14, 3, px, px)`."""
    squares = [clip.preprocess.square(read_picture(p.path))[0] for p in bundled_photographs()]
    return (torch.stack(squares) * shade * 255).round() / 255
