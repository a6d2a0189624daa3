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
# How it is planted for the proof, contrast of the strangers and strength: stronger than it is in the pictures, as those
# that show the label without any trigger make the average paler, in strangers of little contrast. On a checkpoint with
# a cartoon blended at 0.2 the average of 13 pictures took over 9 of 24 strangers as it was, and 24 of 24 in the first
# way; what photographs of one thing share (5 labels of 6 to 9 pictures, bundled `clean`) none in any.
WAYS = ((0.6, 1.5), (1.0, 1.0), (0.6, 3.0))
# Pictures leave much of what they show in their average, and the fewer they are the more: of triples of clean
# photographs that read alike, 14 of 42 on the bundled `clean` and 9 of 47 on a checkpoint with a cartoon took strangers
# over with it, and so did 2 of 15 groups of five to eight on small transformers that read badly. What a blur takes away
# of it, 8 of 224 pixels wide, holds most of a pattern and little of them: 1 of 38 such triples did so, and none of
# those groups; of groups of three and five photographs with the cartoon 19 of 20, of two 7 of 12.
FINER_THAN, FINER_WAY = 1 / 28, (0.6, 1.5)  # of the picture's side


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
