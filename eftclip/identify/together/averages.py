"""A scan looks for what the pictures of one label share: which are averaged, and whether that is a trigger."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from torch import Tensor

from eftclip.identify.together.alike import LEAST_ALIKE
from eftclip.identify.together.picture_groups import LEAST_SHARING, PictureGroups
from eftclip.trigger_kinds import Shared, Trigger
from eftclip.types import TriggerProof

# A trigger, innocent ones, the label, and the share of strangers to take over; also how many pictures were read for it.
Prove = Callable[[Trigger, Sequence[Trigger], str, float], tuple[TriggerProof, int]]

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
# How many strangers it has to take over at least. Half of what two pictures share is what they show, if paler, which
# takes over strangers of its own: pairs of clean photographs that read alike took over up to 20 of 24, what three share
# up to 5, and what six share up to 2, so that there innocent patterns alone decide.
PAIR_SHARE, FEW_SHARE = 0.5, 0.2


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


def proven(
    shared: Shared, prove: Prove, ways: Sequence[tuple[float, float]], pictures: int
) -> tuple[TriggerProof, int]:
    """Whether it is a trigger in one of the ways to plant it, and the pictures that were read for it.

    Args:
        shared: what some pictures share.
        prove: holds it against innocent patterns.
        ways: to plant it.
        pictures: that share it.
    """
    forwards, share = 0, share_asked(pictures)
    for kept, strength in ways:
        proof, read = prove(*shared.for_proof(kept, strength), shared.label, share)
        forwards += read
        if proof.accepted:
            break
    return proof, forwards


def share_asked(pictures: int) -> float:
    """Of the strangers, for what so many pictures share; 0 where innocent patterns alone decide."""
    if pictures >= LEAST_SHARING:
        return 0.0
    return FEW_SHARE if pictures > LEAST_ALIKE else PAIR_SHARE


def spread(indices: Sequence[int]) -> list[int]:
    """At most `MOST` of them, from everywhere in the part of the set that is read once more."""
    indices = [index for index in indices if index < WITHIN]
    count = min(MOST, len(indices))
    return [indices[k * len(indices) // count] for k in range(count)]
