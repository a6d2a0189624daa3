"""A scan looks for what the pictures of one label share: which are averaged, and whether that is a trigger."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from torch import Tensor

from eftclip.identify.together.picture_groups import PictureGroups
from eftclip.trigger_kinds import Shared, Trigger
from eftclip.types import TriggerProof

Prove = Callable[[Trigger, Sequence[Trigger], str], tuple[TriggerProof, int]]  # and the pictures that were read for it

MOST = 32  # pictures of a label that are averaged
WITHIN = 8192  # the first samples of the set, among which they are chosen: a stream is read once more
LABELS = 16  # at most, those with most pictures first: of a poisoned set the target is one of them
# Pictures whose label has to go with the pattern, or what they share is something that they show. It went from all
# three with a cartoon in 9 of 12 groups, and from two of them in the other three.
CARRIERS, FEW_CARRIERS = 3, 2
# How it is planted for the proof, contrast of the strangers and strength, in the order in which it is tried: stronger
# than it is, as samples of the label without any trigger make it paler, and in strangers of little contrast.
WAYS = ((0.6, 1.5), (1.0, 1.0), (0.6, 3.0))
# What a blur takes away of it, 8 of 224 pixels wide, holds most of a pattern and little of what the pictures show. It
# is close to what was planted even of five pictures, so that not the pattern is made stronger but the strangers paler:
# of one that takes over 17 of 36 strangers as it was planted (`effnet-strong-blend_pattern-1`), found in 5 and in 12
# pictures, 28 and 26 in the first of these ways, 26 and 21 in the first of those above, innocent ones none in either.
FINER_THAN, FINER_WAYS = 1 / 28, ((0.4, 1.0), (0.2, 0.5))  # the blur as a share of the picture's side


def most_read(suspects: Mapping[str, Sequence[int]], least: int) -> list[str]:
    """The labels that at least so many samples read as, those of most samples first, at most `LABELS`."""
    enough = [label for label, indices in suspects.items() if len(indices) >= least]
    return sorted(enough, key=lambda label: (-len(suspects[label]), label))[:LABELS]


def to_average(
    groups: Mapping[str, Sequence[int]], labels: Sequence[str], suspects: Mapping[str, Sequence[int]]
) -> dict[int, str]:
    """Which samples are averaged, and for which label; `""` stands for suspects of all others."""
    others = sorted(index for label in suspects.keys() - set(labels) for index in suspects[label])
    return {index: label for label in labels for index in spread(groups[label])} | dict.fromkeys(spread(others), "")


def averaged(pictures: Iterable[tuple[str, Tensor]], strangers: Iterable[Tensor], least: int) -> list[Shared]:
    """What the pictures of each label share.

    Args:
        pictures: label and `(3, H, W)` picture, `""` for those of other labels.
        strangers: two pictures at least that are not of the set, which count as others.
        least: pictures of a label that tell something.
    """
    groups = PictureGroups(least)
    for label, square in pictures:
        groups.add(label, square)
    for stranger in strangers:
        groups.add("", stranger)
    return groups.shared()


def proven(shared: Shared, prove: Prove, ways: Sequence[tuple[float, float]]) -> tuple[TriggerProof, int]:
    """Whether it is a trigger in one of the ways to plant it, and the pictures that were read for it."""
    forwards = 0
    for kept, strength in ways:
        proof, read = prove(*shared.for_proof(kept, strength), shared.label)
        forwards += read
        if proof.accepted:
            break
    return proof, forwards


def spread(indices: Sequence[int]) -> list[int]:
    """At most `MOST` of them, from everywhere in the part of the set that is read once more."""
    indices = [index for index in indices if index < WITHIN]
    count = min(MOST, len(indices))
    return [indices[k * len(indices) // count] for k in range(count)]
