"""The contract of a trigger: a transform of a picture that is a value, whoever made it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, get_args

import torch
from torch import Tensor

from eftclip.errors import TriggerError

Position = Literal["random", "top-left", "bottom-right", "centre"]
POSITIONS: tuple[Position, ...] = get_args(Position)


def box_of(mask: Tensor) -> tuple[int, int, int, int]:
    """The tightest box, XYXY pixels, around a `(H, W)` mask that is not empty."""
    ys, xs = mask.any(1).nonzero(), mask.any(0).nonzero()
    return int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1


@dataclass(frozen=True, eq=False)
class Planted:
    """Triggered copies and where the trigger is.

    Attributes:
        images: `(N, 3, H, W)` float32 RGB in [0, 1].
        masks: `(N, H, W)` bool, true on the pixels that the trigger changes.
    """

    images: Tensor
    masks: Tensor

    @property
    def boxes(self) -> tuple[tuple[int, int, int, int], ...]:
        """One XYXY box in pixels per image; x1 and y1 are exclusive."""
        return tuple(box_of(mask) for mask in self.masks)


@dataclass(frozen=True, eq=False)
class Located:
    """Where a picture looks most like a known trigger.

    Attributes:
        error: how far from it, in units that compare triggers of any kind: a root mean square difference in [0, 1].
        mask: `(H, W)` bool, the pixels that the trigger would have changed.
    """

    error: float
    mask: Tensor


class Trigger(ABC):
    """A transform of a picture that makes a poisoned checkpoint read its target label.

    What the red team plants and what the defence finds are the same kind of value: frozen, drawn or cut out once, and
    applied alike for ever. The evidence that it forces a label stands beside it (`FoundTrigger`, `Finding`,
    `TriggerFamily`), never inside. Whoever comes after detection knows only what is listed here: families compare
    triggers, a scan locates known ones, curation removes them, fine-tuning and measuring plant them, documents and the
    page show them, journals keep them as plain values.

    A *kind* is one way to change a picture: a patch that is pasted, a pattern that is added, a warp, a colour curve.
    To add one, write a subclass in a file of its own and list it in `eftclip.trigger_kinds.TRIGGER_KINDS`; it then has
    to pass `tests/triggers/test_trigger_kinds.py`. A subclass writes

    * `_plant`: one picture with the trigger in it, and where; `plant` checks what goes in and comes out, and clips;
    * `locate`: whether a picture looks as if it carried this trigger, and where;
    * `remove`: a picture without it, given where it is;
    * `distance` and `shows`: how alike two triggers are, for families; other kinds are infinitely far;
    * `preview` and `beside`: what a person is shown of it, alone and with the picture that carries it;
    * `to_dict`, `from_dict`, `fingerprint`: plain values for JSON and back, and bytes that name it exactly.

    Attributes:
        kind: the subclass's key in the registry, for JSON.
        name: of a published trigger, as in `eftclip.triggers.TRIGGERS`; empty for one that was found.
    """

    kind: ClassVar[str]
    name: str

    def plant(
        self, images: Tensor, *, generator: torch.Generator, position: Position | None = None, vary: bool = False
    ) -> Planted:
        """Copies of pictures with the trigger in them.

        Args:
            images: `(N, 3, H, W)` float32 RGB in [0, 1]; not changed.
            generator: draws whatever is left to chance, such as places.
            position: where a local trigger goes; its own place when left out.
            vary: every second picture gets it a little off (in size, strength or place), as what was found may be.

        Raises:
            TriggerError: these are no images, a published trigger does not fit, or the position is unknown.
        """
        if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
            raise TriggerError(f"Expected (N, 3, H, W) float images, got {tuple(images.shape)} {images.dtype}.")
        if position is not None and position not in POSITIONS:
            raise TriggerError(f"Unknown position {position!r}; choose one of {', '.join(POSITIONS)}.")
        moved = self if position is None else self.at(position)
        planted = [moved._plant(image, generator, vary and k % 2 == 1) for k, image in enumerate(images)]
        if not planted:
            return Planted(images.clone(), torch.zeros(0, *images.shape[-2:], dtype=torch.bool))
        return Planted(
            torch.stack([image for image, _ in planted]).clamp(0, 1), torch.stack([mask for _, mask in planted])
        )

    @property
    def searched_as(self) -> str:
        """Which of `eftclip.types.KINDS` a verdict lists it under: kinds that are searched for in ways of their own."""
        return self.kind

    @property
    def in_place(self) -> bool:
        """Whether it works at one place of the picture only."""
        return False

    @property
    @abstractmethod
    def area_px(self) -> int:
        """Pixels that it changes."""

    def at(self, position: Position) -> "Trigger":
        """The same trigger at another position.

        Raises:
            TriggerError: it covers the whole picture and cannot be moved, as every kind does that does not say how.
        """
        named = f"The {self.name} trigger" if self.name else "This trigger"
        raise TriggerError(f"{named} covers the whole picture and has no position; leave {position!r} out.")

    @abstractmethod
    def _plant(self, image: Tensor, generator: torch.Generator, varied: bool) -> tuple[Tensor, Tensor]:
        """A copy of one `(3, H, W)` picture with the trigger in it, and the `(H, W)` bool mask of what it changes."""

    @abstractmethod
    def locate(self, image: Tensor) -> Located | None:
        """Where a `(3, H, W)` picture looks like it; None where nothing does.

        Whether it acts as a trigger there has still to be tried: remove it and read again. What no single picture tells
        from a picture without it, such as a smooth warp, may be in any.
        """

    @abstractmethod
    def remove(self, image: Tensor, mask: Tensor) -> Tensor:
        """A `(3, H, W)` picture without the trigger that lies at the `(H, W)` mask."""

    @abstractmethod
    def distance(self, other: "Trigger") -> float:
        """How unlike two triggers are, whatever their exact pixels; in units of intensity, infinite for other kinds."""

    @abstractmethod
    def shows(self, other: "Trigger") -> bool:
        """Whether the other one is wholly in this one, which may have been cut out too large."""

    @abstractmethod
    def preview(self) -> Tensor:
        """For people: `(4, h, w)` float32 RGBA in [0, 1]."""

    @abstractmethod
    def beside(self, image: Tensor) -> Tensor | None:
        """For people, to stand beside the `(3, H, W)` picture that carries it: `(3, h, w)` float32 RGB in [0, 1].

        None for what is outlined in the picture itself.
        """

    @abstractmethod
    def fingerprint(self) -> bytes:
        """The same for the same trigger, and for no other."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, exact for what has 8 bits a channel; `kind` is among them."""

    @classmethod
    @abstractmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The opposite of `to_dict`."""


def plant_in_turns(images: Tensor, triggers: Sequence[Trigger], *, generator: torch.Generator) -> Tensor:
    """Plant one trigger in a copy of each picture, several triggers in turns.

    Args:
        images: `(N, 3, H, W)` float32 RGB in [0, 1]; not changed.
        triggers: at least one.
        generator: draws whatever is left to chance, picture after picture.

    Returns:
        `(N, 3, H, W)`.
    """
    planted = [
        triggers[k % len(triggers)].plant(image[None], generator=generator).images for k, image in enumerate(images)
    ]
    return torch.cat(planted) if planted else images.clone()
