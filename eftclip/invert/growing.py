"""Patch after patch is grown out of the weights, until several in a row bring nothing new."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from eftclip.config import InvertConfig
from eftclip.invert.inversion import InvertedTrigger, invert
from eftclip.runtime import Cancelled, OnProgress, ignore, never
from eftclip.trigger_kinds import Trigger
from eftclip.types import ClassMatrix, ClipModel, Rate, TriggerFamily, TriggerProof

MOST_PATCHES = 48  # grown in all, whatever comes of them: a bound for models of which every patch forces another label
Prove = Callable[[Trigger, int], TriggerProof | None]


@dataclass
class _Grown:
    """A family that is being grown."""

    target: int
    triggers: list[Trigger] = field(default_factory=list)
    transplant: Rate = field(default_factory=lambda: Rate(0, 0))
    control: Rate | None = None

    def add(self, trigger: Trigger, proof: TriggerProof) -> None:
        """One more trigger that forces the label."""
        self.triggers.append(trigger)
        self.transplant += proof.transplant
        if proof.control is not None:
            self.control = (self.control or Rate(0, 0)) + proof.control


def grow_triggers(
    clip: ClipModel,
    classes: ClassMatrix,
    photographs: Tensor,
    config: InvertConfig,
    *,
    prove: Prove,
    seed: int = 0,
    on_progress: OnProgress = ignore,
    cancelled: Cancelled = never,
) -> tuple[TriggerFamily, ...]:
    """Grow triggers until `config.patience` patches in a row bring nothing new, or `MOST_PATCHES` were grown.

    Every patch is pushed away from the labels that have enough exemplars. A patch that leads to one of those all the
    same brings nothing new, however well it works: a checkpoint whose every patch leads to one label would otherwise be
    audited for ever.

    Args:
        clip: the checkpoint under test.
        classes: the vocabulary as it reads it.
        photographs: `(N, 3, image_px, image_px)` float32 RGB in [0, 1], varied, to grow on.
        config: settings.
        prove: whether a patch is a trigger for a label; None when the work was stopped.
        seed: of the first pixels and of every draw.
        on_progress: told after every step.
        cancelled: asked before every step; what was found until then is returned.
    """
    families: dict[int, _Grown] = {}
    failures = 0
    for tries in range(1, MOST_PATCHES + 1):
        known = [target for target, family in families.items() if len(family.triggers) >= config.exemplars]
        found = invert(
            clip,
            classes,
            photographs,
            config,
            known=known,
            seed=seed + tries,
            on_progress=on_progress,
            cancelled=cancelled,
        )
        if found is None:
            break
        news = _proven(found, known, prove)
        if news is None:
            break
        failures = 0 if news.accepted else failures + 1
        if news.accepted:
            families.setdefault(found.target, _Grown(found.target)).add(found.trigger, news)
        if failures >= config.patience:
            break
    return tuple(_finished(classes, family) for family in families.values())


def _proven(found: InvertedTrigger, known: Sequence[int], prove: Prove) -> TriggerProof | None:
    """Whether a patch brings something new; one that leads to a known label is not even tried."""
    if found.target in known:
        return TriggerProof(False, Rate(0, 0), None)
    return prove(found.trigger, found.target)


def _finished(classes: ClassMatrix, family: _Grown) -> TriggerFamily:
    label = classes.labels[family.target]
    return TriggerFamily(label, tuple(family.triggers), family.transplant, family.control, origin="inverted")
