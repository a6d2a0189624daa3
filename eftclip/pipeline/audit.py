"""A checkpoint and nothing else: triggers are grown out of its weights, and proven like any other."""

from dataclasses import dataclass, field, replace

from eftclip import data
from eftclip.config import InvertConfig
from eftclip.detect import PatchProof, Reader, Stopped, prove_patch
from eftclip.invert import Inverted, invert
from eftclip.pipeline.prepare import CheckSetup
from eftclip.runtime import Cancelled, OnProgress, ignore, never, seeded
from eftclip.types import Identification, Patch, Rate, Status, TriggerFamily

PHOTOGRAPHS = 96


@dataclass
class _Grown:
    """A family that is being grown."""

    target: int
    patches: list[Patch] = field(default_factory=list)
    transplant: Rate = field(default_factory=lambda: Rate(0, 0))
    control: Rate | None = None

    def add(self, patch: Patch, proof: PatchProof) -> None:
        """One more patch that forces the label."""
        self.patches.append(patch)
        self.transplant += proof.transplant
        if proof.control is not None:
            self.control = (self.control or Rate(0, 0)) + proof.control


def audit(
    setup: CheckSetup,
    config: InvertConfig,
    *,
    seed: int = 0,
    on_progress: OnProgress = ignore,
    cancelled: Cancelled = never,
) -> tuple[TriggerFamily, ...]:
    """Grow patches until several in a row force nothing.

    A patch counts when it takes over strangers' photographs, in views that it was not grown on, and the trusted
    reference checkpoint does not fall for it as well. What is found has the effect of the trigger that was planted, not
    its looks; triggers that work at one place only, or are much larger than the patch, are not found.

    Args:
        setup: what `prepare_check` returned.
        config: settings.
        seed: of the first pixels and of every draw.
        on_progress: told after every step.
        cancelled: asked before every step; what was found until then is returned.
    """
    photographs = data.strangers(setup.clip.image_px, PHOTOGRAPHS, generator=seeded(seed + 1))
    families: list[_Grown] = []
    failures, tries = 0, 0
    while failures < config.patience:
        grown = [family for family in families if len(family.patches) < config.exemplars]
        known = [family.target for family in families if family not in grown]
        tries += 1
        found = invert(
            setup.clip,
            setup.classes,
            photographs,
            config,
            known=known,
            seed=seed + tries,
            on_progress=on_progress,
            cancelled=cancelled,
        )
        proof = None if found is None else _proven(setup, found, seed, on_progress, cancelled)
        if found is None or proof is None:
            break
        if not proof.accepted:
            failures += 1
            continue
        failures = 0
        family = next((family for family in families if family.target == found.target), None)
        if family is None:
            family = _Grown(found.target)
            families.append(family)
        family.add(found.patch, proof)
    return tuple(_finished(setup, family) for family in families)


def _proven(
    setup: CheckSetup, found: Inverted, seed: int, on_progress: OnProgress, cancelled: Cancelled
) -> PatchProof | None:
    """Whether the patch is a trigger; None when the work was stopped."""
    read = Reader(setup.clip, setup.classes, on_progress, cancelled)
    try:
        return prove_patch(
            read,
            found.patch,
            found.target,
            setup.strangers,
            setup.config,
            reference=setup.reference,
            generator=seeded(seed),
        )
    except Stopped:
        return None


def _finished(setup: CheckSetup, family: _Grown) -> TriggerFamily:
    label = setup.classes.labels[family.target]
    return TriggerFamily(label, tuple(family.patches), family.transplant, family.control, origin="inverted")


def with_inverted(found: Identification, families: tuple[TriggerFamily, ...]) -> Identification:
    """A scan that found nothing, and what came out of the weights after it."""
    if not families:
        return found
    labels = ", ".join(dict.fromkeys(f"“{family.target_label}”" for family in families))
    kinds = "1 trigger was" if len(families) == 1 else f"{len(families)} triggers were"
    reason = f"No picture carries a trigger, but {kinds} grown out of the weights, forcing {labels}."
    coverage = replace(found.coverage, complete=True)
    return replace(found, status=Status.FOUND, reason=reason, families=families, coverage=coverage)
