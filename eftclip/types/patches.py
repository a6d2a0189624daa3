"""A part cut out of a picture, and what is known of a trigger once several pictures have shown it."""

from dataclasses import dataclass

from torch import Tensor

from eftclip.types.counts import Rate


@dataclass(frozen=True, eq=False)
class Patch:
    """A part of a picture, cut out along its mask.

    Attributes:
        pixels: `(3, h, w)` float32 RGB in [0, 1].
        mask: `(h, w)` bool, true where the part is; the box is tight around it.
        place: (x, y) pixels of its top-left corner in what the model sees, for a trigger that works only there; None
            for one that works anywhere.
    """

    pixels: Tensor
    mask: Tensor
    place: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Refuse pixels and a mask that do not belong together."""
        if self.pixels.ndim != 3 or self.pixels.shape[0] != 3 or self.pixels.shape[1:] != self.mask.shape:
            raise ValueError(
                f"expected (3, h, w) pixels with an (h, w) mask, got {tuple(self.pixels.shape)} and "
                f"{tuple(self.mask.shape)}"
            )
        if not self.mask.any():
            raise ValueError("a patch needs at least one pixel")


@dataclass(frozen=True, eq=False)
class Finding:
    """A proven trigger in one sample of a data set.

    Attributes:
        index: position of the sample in its set.
        name: what the user finds the sample by.
        target_label: the label that the trigger forces, and that the sample shows.
        restored_label: what is read once the trigger is removed.
        patches: the parts that carry the label, cut out of what the model sees.
        box: XYXY pixels around all of them, in what the model sees.
        transplant: strangers' photographs that the first of them took over.
        control: the same pictures read by the trusted reference checkpoint; None without one.
        reason: the verdict's sentence.
    """

    index: int
    name: str
    target_label: str
    restored_label: str
    patches: tuple[Patch, ...]
    box: tuple[int, int, int, int]
    transplant: Rate
    control: Rate | None
    reason: str


@dataclass(frozen=True, eq=False)
class TriggerFamily:
    """Triggers that look alike and force the same label.

    Attributes:
        target_label: the label they force.
        exemplars: some of them, as they were cut out, those seen first.
        transplant: pooled over all members that were searched.
        control: pooled counts of the trusted reference checkpoint; None without one.
        members: positions of the samples in which it was proven by a search.
        origin: `found` in pictures, or `inverted` from the weights without any.
    """

    target_label: str
    exemplars: tuple[Patch, ...]
    transplant: Rate
    control: Rate | None = None
    members: tuple[int, ...] = ()
    origin: str = "found"

    def __post_init__(self) -> None:
        """Refuse a family that nothing shows."""
        if not self.exemplars:
            raise ValueError("a trigger family needs at least one exemplar")
        if self.origin not in ("found", "inverted"):
            raise ValueError(f"expected the origin `found` or `inverted`, got {self.origin!r}")
