"""A checkpoint and nothing else: triggers are grown out of its weights, and proven like any other."""

from collections.abc import Iterable
from dataclasses import replace

from eftclip import data
from eftclip.config import InvertConfig
from eftclip.detect import Reader, Stopped, prove_trigger
from eftclip.detect.transplant import beyond
from eftclip.invert import Grown, grow_triggers, scattered_family
from eftclip.pipeline.setup import CheckSetup
from eftclip.runtime import Cancelled, OnProgress, ignore, never, seeded
from eftclip.trigger_kinds import Trigger
from eftclip.types import Identification, Status, TriggerProof

PHOTOGRAPHS = 96
LOOKED_FOR = (
    "In the weights no small patch, faint pattern or jitter of the pixels was found that forces a label; stronger "
    "patterns, and patches that work at one place only, were not looked for."
)
STOPPED = "The audit of the weights was stopped before its end, so that nothing is said of them."
FOLLOWS = (
    "Faint patterns that were grown out of the weights lead to {}: a checkpoint that follows whatever covers a picture "
    "cannot be told from one with several backdoors."
)


def audit(
    setup: CheckSetup,
    config: InvertConfig,
    *,
    seed: int = 0,
    on_progress: OnProgress = ignore,
    cancelled: Cancelled = never,
) -> Grown:
    """Look for triggers in the weights, without any poisoned picture.

    A patch counts when it takes over host images, in views that it was not grown on, and the trusted reference
    checkpoint does not fall for it as well. What is found has the effect of the trigger that was planted, not its
    looks; triggers that work at one place only, or are much larger than the patch, are not found. A pattern over the
    whole picture counts likewise where it is faint and no other pattern forces another label. A jitter of all pixels
    counts likewise, and need not be grown.

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
        return Grown((), complete=False)
    photographs = data.host_photographs(setup.clip.image_px, PHOTOGRAPHS, generator=seeded(seed + 1))
    grown = grow_triggers(
        setup.clip,
        setup.classes,
        photographs,
        config,
        prove=prove,
        beyond=beyond,
        seed=seed,
        on_progress=on_progress,
        cancelled=cancelled,
    )
    return replace(grown, families=(scattered, *grown.families)) if scattered is not None else grown


def with_inverted(found: Identification, grown: Grown) -> Identification:
    """A scan that found nothing, and what came out of the weights after it."""
    if not grown.families:
        return _without(found, grown)
    labels = _quoted(dict.fromkeys(family.target_label for family in grown.families))
    count = len(grown.families)
    kinds = "1 trigger was" if count == 1 else f"{count} triggers were"
    reason = f"No picture carries a trigger, but {kinds} grown out of the weights, forcing {labels}."
    reason += f" {FOLLOWS.format(_quoted(grown.followed))}" if grown.followed else ""
    coverage = replace(found.coverage, complete=True)
    return replace(found, status=Status.FOUND, reason=reason, families=grown.families, coverage=coverage)


def _without(found: Identification, grown: Grown) -> Identification:
    """The same, with what was looked for in the weights; what was stopped or leads to several labels is a doubt."""
    if grown.complete and not grown.followed:
        return replace(found, reason=f"{found.reason} {LOOKED_FOR}")
    doubt = FOLLOWS.format(_quoted(grown.followed)) if grown.followed else STOPPED
    return replace(found, status=Status.INCONCLUSIVE, reason=f"{doubt} {found.reason}")


def _quoted(labels: Iterable[str]) -> str:
    return ", ".join(f"“{label}”" for label in labels)
