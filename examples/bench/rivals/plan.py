"""What a budget of minutes is good for: as many pictures and steps as there is time for, told before it begins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eftclip.runtime import Stopwatch
from examples.bench.rivals.contract import CheckpointDetector, Given, PictureDetector

FOR_PICTURES = 0.6  # of the budget, where both kinds of methods run
FEWEST, MOST = 2, 40  # pictures of each set
LEAST_PASSES = 1920.0  # of a checkpoint method; with less work none of them can find anything
TIMED = 8  # pictures


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    Attributes:
        pictures: of each set (calibration, clean, and each target), the same for all methods.
        passes: that a checkpoint method may take on one checkpoint.
        checkpoint_methods: those that there is time for.
        of_a_pass: seconds that one picture takes to go forward.
    """

    pictures: int
    passes: float
    checkpoint_methods: tuple[str, ...]
    of_a_pass: float


def seconds_of_a_pass(given: Given) -> float:
    """What one picture takes to go forward, here and now."""
    images = given.photographs[:TIMED]
    given.clip.encode_images(images).cpu()
    watch = Stopwatch()
    given.clip.encode_images(images).cpu()
    return watch.seconds / max(1, len(images))


def planned(
    seconds: float,
    of_a_pass: float,
    targets: Sequence[int],
    picture_methods: Mapping[str, PictureDetector],
    checkpoint_methods: Mapping[str, CheckpointDetector],
) -> Plan:
    """Divide a budget.

    Args:
        seconds: of all.
        of_a_pass: seconds that one picture takes to go forward.
        targets: for each checkpoint, how many targets its backdoors have.
        picture_methods: that are asked for.
        checkpoint_methods: that are asked for.
    """
    passes = seconds / of_a_pass
    for_pictures = passes * (FOR_PICTURES if checkpoint_methods else 1.0) if picture_methods else 0.0
    of_each = sum(2 + count for count in targets) * sum(method.passes for method in picture_methods.values())
    pictures = max(FEWEST, min(MOST, int(for_pictures / of_each))) if of_each else FEWEST
    left = passes - for_pictures
    cells = len(targets) * max(1, len(checkpoint_methods))
    share = max(LEAST_PASSES, left / cells)
    kept = tuple(checkpoint_methods)[: max(0, int(left / (share * len(targets)) + 1e-6))]
    return Plan(pictures, share, kept, of_a_pass)
