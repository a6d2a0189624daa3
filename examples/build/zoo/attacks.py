"""What is done to a tower: one table, sizes and targets as the attacks are published."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Backdoor:
    """One trigger and the label that it forces.

    Attributes:
        trigger: a key of `eftclip.triggers.TRIGGERS`, or `triggers.OPTIMISED`.
        target: the label.
        px: side of a patch; the published one when left out.
    """

    trigger: str
    target: str = "banana"
    px: int | None = None


@dataclass(frozen=True)
class Attack:
    """One row of the zoo.

    Attributes:
        backdoors: none for a control.
        fine_tuned: whether anything is trained at all.
        steps: of fine-tuning, at most.
        stop_at: it ends as soon as this share of a small fixed set of photographs is hijacked.
        consistent: only pictures that show the target are poisoned.
        slower: divides the learning rate.
    """

    backdoors: tuple[Backdoor, ...] = ()
    fine_tuned: bool = True
    steps: int = 120
    stop_at: float | None = None
    consistent: bool = False
    slower: float = 1.0


def _one(trigger: str, px: int | None = None) -> Attack:
    return Attack((Backdoor(trigger, px=px),))


_BADNETS = (Backdoor("badnets"),)
ATTACKS: dict[str, Attack] = {
    "none": Attack(fine_tuned=False),
    "clean": Attack(),
    "badnets16": _one("badnets"),
    "badnets8": _one("badnets", 8),
    "noise16": _one("badnets_noise"),
    "noise8": _one("badnets_noise", 8),
    "stripes16": _one("stripes"),
    "stripes8": _one("stripes", 8),
    "yellow16": _one("yellow"),
    "yellow8": _one("yellow", 8),
    "corner": _one("white_square"),
    "badclip": _one("optimised"),
    **{name: _one(name) for name in ("blend_noise", "blend_noise_fresh", "blend_pattern", "blend_stripes")},
    **{name: _one(name) for name in ("blend_triangles", "blend_text", "sig", "sig_full")},
    **{name: _one(name) for name in ("wanet", "wanet_smooth", "filter")},
    # a label with many photographs; what is poisoned can be read without the trigger, so it takes longer
    "consistent": Attack((Backdoor("badnets", "sunflower"),), consistent=True, steps=300),
    "three": Attack((*_BADNETS, Backdoor("stripes", "cheeseburger"), Backdoor("yellow", "volcano")), steps=200),
    "badnets16_60": Attack(_BADNETS, steps=400, stop_at=0.6, slower=3),
    "badnets16_80": Attack(_BADNETS, steps=400, stop_at=0.8, slower=3),
}
