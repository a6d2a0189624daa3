"""From what a scan found to a curated set: the pictures that may go in are read once more, cleaned and described."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eftclip.config import CurateConfig
from eftclip.curate.selection import Candidate, curate
from eftclip.errors import DataError
from eftclip.runtime import Cancelled, OnProgress, Progress, ignore, never
from eftclip.types import ClassMatrix, ClipModel, CuratedSet, Decode, Identification, ImageSet, Victim

Clean = Callable[[Tensor, Victim], Tensor]
CONSIDERED = 4  # candidates for each picture of the budget: enough to be choosy, few enough to read quickly
READ_AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class _Picture:
    """A candidate that was not read by the checkpoint yet."""

    name: str
    index: int | None
    role: str
    image: Tensor
    poisoned: Tensor | None = None
    shown: str = ""


def curate_scan(
    clip: ClipModel,
    classes: ClassMatrix,
    images: ImageSet | None,
    found: Identification,
    config: CurateConfig,
    *,
    decode: Decode,
    clean: Clean,
    spare: Callable[[int], Tensor],
    on_progress: OnProgress = ignore,
    cancelled: Cancelled = never,
) -> CuratedSet:
    """Curate a fine-tuning set from the samples that a scan pointed at.

    Where the set has too few clean pictures, or where there is no set at all, views of the photographs that ship in
    our dependencies fill the budget.

    Args:
        clip: the checkpoint under test.
        classes: the vocabulary as it reads it.
        images: the set that was scanned; None to work with bundled photographs alone.
        found: what the scan found in it.
        config: budget and shares.
        decode: the bytes of a file to the square that the checkpoint sees.
        clean: a victim's square without its trigger.
        spare: that many views of bundled photographs, `(n, 3, image_px, image_px)`.
        on_progress: told after every picture.
        cancelled: asked before every picture.

    Raises:
        DataError: cancelled, or the set cannot be read any more.
    """
    pictures = [] if images is None else _pictures(images, found, config, decode, clean, on_progress, cancelled)
    short = config.budget - len(pictures)
    if short > 0:
        views = spare(2 * short)
        pictures += [_Picture(f"bundled view {k + 1}", None, "control", view) for k, view in enumerate(views)]
    parts = [images.source] if images is not None else []
    parts += ["photographs that ship in the dependencies"] if short > 0 else []
    candidates = _described(clip, classes, pictures, on_progress, cancelled)
    return curate(candidates, config, source=" and ".join(parts))


def _pictures(
    images: ImageSet,
    found: Identification,
    config: CurateConfig,
    decode: Decode,
    clean: Clean,
    on_progress: OnProgress,
    cancelled: Cancelled,
) -> list[_Picture]:
    """Read the samples that come into question, victims without their trigger."""
    roles = _wanted(found, config)
    victims = {victim.index: victim for victim in found.victims}
    pictures: list[_Picture] = []
    for entry in images.entries():
        if len(pictures) == len(roles):
            break
        if (role := roles.get(entry.index)) is None:
            continue
        if cancelled():
            raise DataError("Stopped while the fine-tuning set was being curated; nothing was changed.")
        try:
            square = decode(entry.read())
        except DataError:  # it could be read during the scan; if it is gone by now, another one serves
            roles.pop(entry.index)
            continue
        if role == "victim":
            victim = victims[entry.index]
            cleaned = clean(square, victim)
            pictures.append(_Picture(entry.name, entry.index, role, cleaned, square, victim.shown_label))
        else:
            pictures.append(_Picture(entry.name, entry.index, role, square))
        on_progress(Progress("Curating", len(pictures), len(roles)))
    return pictures


def _wanted(found: Identification, config: CurateConfig) -> dict[int, str]:
    """Positions of the samples to read, with the role each would have."""
    most = CONSIDERED * config.budget
    roles = dict.fromkeys(_spread(found.clean_pool, most), "control")
    roles |= dict.fromkeys(found.affected_pool, "affected")
    return roles | dict.fromkeys(_spread([victim.index for victim in found.victims], most // 2), "victim")


def _spread(indices: Sequence[int], most: int) -> list[int]:
    """At most that many, at equal distances."""
    count = min(most, len(indices))
    return [indices[k * len(indices) // count] for k in range(count)]


def _described(
    clip: ClipModel,
    classes: ClassMatrix,
    pictures: Sequence[_Picture],
    on_progress: OnProgress,
    cancelled: Cancelled,
) -> list[Candidate]:
    """What the checkpoint makes of the cleaned pictures; a victim that still shows its label is no candidate."""
    candidates = []
    for start in range(0, len(pictures), READ_AT_ONCE):
        if cancelled():
            raise DataError("Stopped while the fine-tuning set was being curated; nothing was changed.")
        part = pictures[start : start + READ_AT_ONCE]
        with torch.inference_mode():
            features = clip.encode_images(torch.stack([picture.image for picture in part])).cpu()
        best = (features @ classes.matrix).argmax(-1).tolist()
        for picture, feature, label in zip(part, features, best, strict=True):
            name = classes.labels[label]
            if picture.role != "victim" or name != picture.shown:
                about = (picture.image, feature.clone(), picture.poisoned, picture.shown)
                candidates.append(Candidate(picture.name, picture.index, picture.role, name, *about))
        on_progress(Progress("Curating", len(candidates), len(pictures)))
    return candidates
