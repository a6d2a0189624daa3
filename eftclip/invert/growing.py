"""Trigger after trigger is grown out of the weights, kind by kind, until several in a row bring nothing new."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from torch import Tensor

from eftclip.config import InvertConfig
from eftclip.invert.inversion import InvertedTrigger, invert
from eftclip.invert.parametrisations import GrownPatch, GrownPattern, Parametrisation
from eftclip.runtime import Cancelled, OnProgress, ignore, never
from eftclip.trigger_kinds import Trigger
from eftclip.types import ClassMatrix, ClipModel, Rate, TriggerFamily, TriggerProof

MOST_TRIGGERS = 48  # grown of a kind, whatever comes of them: a bound where every one forces another label
SMALLEST_PX = 4  # side of a patch
Prove = Callable[[Trigger, int], TriggerProof | None]


@dataclass(frozen=True)
class Grown:
    """What came out of the weights.

    Attributes:
        families: triggers with what they force, patches first.
        followed: labels that patterns lead to, where they do not lead to one of them alone: then none is named, as a
            model that follows whatever covers a picture cannot be told from one with several backdoors.
        complete: the search came to its end.
    """

    families: tuple[TriggerFamily, ...]
    followed: tuple[str, ...] = ()
    complete: bool = True


@dataclass
class _Family:
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
    beyond: Callable[[Rate, Rate], bool],
    seed: int = 0,
    on_progress: OnProgress = ignore,
    cancelled: Cancelled = never,
) -> Grown:
    """Grow patches, then patterns, until `config.patience` in a row bring nothing new, or `MOST_TRIGGERS` were grown.

    The first one grows from grey, others from the best of several colours, so that they are unlike each other: what is
    mended with one alone may still follow the trigger that was planted. Every one is pushed away from the labels that
    have enough exemplars, a little first, and harder where that brought nothing. One that leads to one of those all the
    same brings nothing new, however well it works: a checkpoint whose every patch leads to one label would otherwise be
    audited for ever. A pattern that leads to a label that patches force brings nothing new either.

    Only a model with a backdoor has a small patch that works. A pattern has room for more: untrained towers follow
    whatever grows over the whole picture, to one label after the other. So a label counts only if patterns that are
    pushed away from it lead nowhere else.

    At last every label that counts gets the exemplars that it lacks, grown towards it.

    Args:
        clip: the checkpoint under test.
        classes: the vocabulary as it reads it.
        photographs: `(N, 3, image_px, image_px)` float32 RGB in [0, 1], varied, to grow on.
        config: settings.
        prove: whether something is a trigger for a label; None when the work was stopped.
        beyond: whether one rate is more than another beyond chance.
        seed: of the first pixels and of every draw.
        on_progress: told after every step.
        cancelled: asked before every step; what was found until then is returned.
    """
    families: list[_Family] = []
    followed: tuple[int, ...] = ()
    grow = partial(invert, clip, classes, photographs, config, on_progress=on_progress, cancelled=cancelled)
    for kind in _kinds(clip.image_px, config):
        search = _searched(kind, grow, prove, config, [family.target for family in families], seed)
        named = not kind.alone or _one_alone(search, beyond)
        if named:
            families += search.families
        else:
            followed = tuple(family.target for family in search.families)
        if not search.complete:
            break
        if named:
            _fill(search, kind, grow, prove, config, seed)
    finished = tuple(_finished(classes, family) for family in families)
    return Grown(finished, tuple(classes.labels[target] for target in followed), search.complete)


def _kinds(image_px: int, config: InvertConfig) -> tuple[Parametrisation, ...]:
    """What is grown, in this order."""
    side_px = max(SMALLEST_PX, round(config.patch_share * image_px))
    patch = GrownPatch(side_px, config.steps, config.starts, config.exemplars)
    # As many again as waves: with those that grow around nothing alone, half of a backdoor of stripes stayed.
    return patch, GrownPattern(image_px, config.pattern_strength, config.pattern_steps, 2 * config.exemplars)


@dataclass(frozen=True)
class _Search:
    """What triggers of one kind force.

    Attributes:
        families: with the labels that they force.
        others: how many took another label from what was grown away from those.
        tries: how many were grown.
        complete: the search came to its end.
    """

    families: list[_Family]
    others: list[Rate]
    tries: int
    complete: bool


def _searched(
    kind: Parametrisation,
    grow: Callable[..., InvertedTrigger | None],
    prove: Prove,
    config: InvertConfig,
    before: Sequence[int],
    seed: int,
) -> _Search:
    """What triggers of one kind force beside the labels known `before`."""
    families: dict[int, _Family] = {}
    others: list[Rate] = []
    failures = 0
    for tries in range(1, MOST_TRIGGERS + 1):
        enough = [target for target, family in families.items() if len(family.triggers) >= config.exemplars]
        known = [*before, *enough]
        push, starts = kind.pushes[failures % len(kind.pushes)], kind.starts if tries > 1 else 1
        found = grow(kind, known=known, push=push, starts=starts, seed=seed + tries)
        news = _proven(found, known, prove) if found is not None else None
        if found is None or news is None:
            return _Search(list(families.values()), others, tries, complete=False)
        if news.accepted:
            families.setdefault(found.target, _Family(found.target)).add(found.trigger, news)
        elif found.target not in families:
            others.append(found.taken)
        failures = 0 if news.accepted else failures + 1
        if failures >= config.patience or (kind.alone and len(families) > 1):
            break
    return _Search(list(families.values()), others, tries, complete=True)


def _fill(
    search: _Search,
    kind: Parametrisation,
    grow: Callable[..., InvertedTrigger | None],
    prove: Prove,
    config: InvertConfig,
    seed: int,
) -> None:
    """Grow what lacks of each family, one try for each; none of it accuses anything new."""
    lacking = [family for family in search.families for _ in range(kind.exemplars - len(family.triggers))]
    for tries, family in enumerate(lacking[: MOST_TRIGGERS - search.tries], search.tries + 1):
        found = grow(kind, towards=family.target, starts=config.starts, seed=seed + tries)
        if found is None or found.target != family.target:
            continue
        news = prove(found.trigger, family.target)
        if news is not None and news.accepted:
            family.add(found.trigger, news)


def _one_alone(search: _Search, beyond: Callable[[Rate, Rate], bool]) -> bool:
    """Whether one label at most is forced, and everything else far less; of a search that was stopped nobody knows."""
    rates = [family.transplant for family in search.families]
    less = all(beyond(rate, other) for rate in rates for other in search.others)
    return not rates or (search.complete and len(rates) == 1 and less)


def _proven(found: InvertedTrigger, known: Sequence[int], prove: Prove) -> TriggerProof | None:
    """Whether a trigger brings something new; one that leads to a known label is not even tried."""
    if found.target in known:
        return TriggerProof(False, Rate(0, 0), None)
    return prove(found.trigger, found.target)


def _finished(classes: ClassMatrix, family: _Family) -> TriggerFamily:
    label = classes.labels[family.target]
    return TriggerFamily(label, tuple(family.triggers), family.transplant, family.control, origin="inverted")
