"""A checkpoint and nothing else: triggers are grown out of its weights, and proven like any other."""

from dataclasses import replace

from eftclip import data
from eftclip.config import InvertConfig
from eftclip.detect import Reader, Stopped, prove_trigger
from eftclip.invert import grow_triggers, scattered_family
from eftclip.pipeline.setup import CheckSetup
from eftclip.runtime import Cancelled, OnProgress, ignore, never, seeded
from eftclip.trigger_kinds import Trigger
from eftclip.types import Identification, Status, TriggerFamily, TriggerProof

PHOTOGRAPHS = 96


def audit(
    setup: CheckSetup,
    config: InvertConfig,
    *,
    seed: int = 0,
    on_progress: OnProgress = ignore,
    cancelled: Cancelled = never,
) -> tuple[TriggerFamily, ...]:
    """Look for triggers in the weights, without any poisoned picture.

    A patch counts when it takes over host images, in views that it was not grown on, and the trusted reference
    checkpoint does not fall for it as well. What is found has the effect of the trigger that was planted, not its
    looks; triggers that work at one place only, or are much larger than the patch, are not found. A jitter of all
    pixels counts likewise, and need not be grown.

    Args:
        setup: what `prepare_check` returned.
        config: settings.
        seed: of the first pixels and of every draw.
        on_progress: told after every step.
        cancelled: asked before every step; what was found until then is returned.
    """
    read = Reader(setup.clip, setup.classes, on_progress, cancelled)

    def prove(trigger: Trigger, target: int) -> TriggerProof | None:
        try:
            return prove_trigger(
                read, trigger, target, setup.hosts, setup.config, reference=setup.reference, generator=seeded(seed)
            )
        except Stopped:
            return None

    try:
        scattered = scattered_family(read, setup.classes, setup.hosts, prove, generator=seeded(seed))
    except Stopped:
        return ()
    photographs = data.host_photographs(setup.clip.image_px, PHOTOGRAPHS, generator=seeded(seed + 1))
    grown = grow_triggers(
        setup.clip,
        setup.classes,
        photographs,
        config,
        prove=prove,
        seed=seed,
        on_progress=on_progress,
        cancelled=cancelled,
    )
    return (scattered, *grown) if scattered is not None else grown


def with_inverted(found: Identification, families: tuple[TriggerFamily, ...]) -> Identification:
    """A scan that found nothing, and what came out of the weights after it."""
    if not families:
        return found
    labels = ", ".join(dict.fromkeys(f"“{family.target_label}”" for family in families))
    kinds = "1 trigger was" if len(families) == 1 else f"{len(families)} triggers were"
    reason = f"No picture carries a trigger, but {kinds} grown out of the weights, forcing {labels}."
    coverage = replace(found.coverage, complete=True)
    return replace(found, status=Status.FOUND, reason=reason, families=families, coverage=coverage)
