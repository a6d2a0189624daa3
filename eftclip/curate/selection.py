"""Curation: a compact fine-tuning set, with a reason for every picture in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eftclip.config import CurateConfig
from eftclip.errors import DataError
from eftclip.types import CuratedItem, CuratedSet


@dataclass(frozen=True, eq=False)
class Candidate:
    """A picture that may go into the set.

    Attributes:
        name: what the user finds it by.
        index: position in the data set; None for a bundled photograph.
        role: the one it would have, see `CuratedItem`.
        label: what the checkpoint reads in `image`.
        image: `(3, image_px, image_px)` float32 RGB in [0, 1], its trigger removed if it had one.
        feature: `(D,)` float32 of unit length, of `image`.
        poisoned: as it was found; only for a victim.
        shown: the label that a victim showed; empty for others.
    """

    name: str
    index: int | None
    role: str
    label: str
    image: Tensor
    feature: Tensor
    poisoned: Tensor | None = None
    shown: str = ""


def curate(candidates: Sequence[Candidate], config: CurateConfig, *, source: str) -> CuratedSet:
    """Choose at most `config.budget` pictures (method.md section 3).

    Victims first, then clean samples of affected labels, each up to its share; the rest of the budget is control. What
    is chosen is always the most different from what was chosen before, so few pictures stand for many.

    Args:
        candidates: pictures in a fixed order; the same candidates give the same set.
        config: budget and shares.
        source: where they come from, for people.

    Raises:
        DataError: there is no candidate.
    """
    if not candidates:
        raise DataError("There is no picture to curate a fine-tuning set from; give a folder with some photographs.")
    limits = {"victim": round(config.victim_share * config.budget)}
    limits["affected"] = round(config.affected_share * config.budget)
    chosen: list[tuple[Candidate, float]] = []
    for role in ("victim", "affected", "control"):
        room = min(limits.get(role, config.budget), config.budget - len(chosen))
        pool = [candidate for candidate in candidates if candidate.role == role]
        chosen += _most_varied(pool, room)
    items = tuple(_item(candidate, nearest) for candidate, nearest in chosen)
    return CuratedSet(items, config.budget, source)


def _most_varied(pool: Sequence[Candidate], room: int) -> list[tuple[Candidate, float]]:
    """The most typical picture, then again and again the one least like all before it (farthest-point sampling).

    Returns:
        pictures with the cosine to the nearest of those chosen before; -1 for the first.
    """
    if not pool or room < 1:
        return []
    features = torch.stack([candidate.feature for candidate in pool])
    nearest = torch.full((len(pool),), -1.0)
    at, picked = int((features @ features.mean(0)).argmax()), []
    for _ in range(min(room, len(pool))):
        picked.append((pool[at], float(nearest[at])))
        nearest = torch.maximum(nearest, features @ features[at])
        nearest[at] = torch.inf  # never again
        at = int(nearest.argmin())
    return picked


def _item(candidate: Candidate, nearest: float) -> CuratedItem:
    return CuratedItem(
        name=candidate.name,
        index=candidate.index,
        role=candidate.role,
        reason=_reason(candidate, nearest),
        label=candidate.label,
        image=candidate.image,
        poisoned=candidate.poisoned,
    )


def _reason(candidate: Candidate, nearest: float) -> str:
    """One sentence."""
    if candidate.role == "victim":
        return f"It showed “{candidate.shown}”; without the trigger it reads as “{candidate.label}”."
    if candidate.role == "affected":
        return f"It reads as the affected label “{candidate.label}” without any trigger, and must go on doing so."
    if nearest <= -1:
        return "The most typical of the clean pictures."
    return f"It is unlike the others: the nearest one chosen before has a cosine of {nearest:.2f}."
