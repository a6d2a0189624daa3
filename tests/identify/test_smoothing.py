"""What a small blur takes from nearly all pictures of one label is doubted, and no single picture is for its detail."""

from collections.abc import Iterable, Mapping, Sequence

import pytest
import torch
from support.poisoned import poisoned_set
from support.scanning import scan
from support.taught import LABELS, shaded
from torch import Tensor

from eftclip.config import ScanConfig
from eftclip.identify.serialize import identification_from_dict, identification_to_dict
from eftclip.identify.together.smoothing import LEAST, doubtful, enough_of, losses
from eftclip.pipeline import CheckSetup, prepare_check
from eftclip.runtime import seeded
from eftclip.triggers import draw_trigger
from eftclip.types import ClassMatrix, ClipModel, Searched, Status

Losses = dict[int, tuple[str, bool]]


def _readings(**counts: tuple[int, int]) -> Losses:
    """For each label how many pictures lose it, of how many."""
    read = [(label, k < gone) for label, (gone, of) in counts.items() for k in range(of)]
    return dict(enumerate(read))


def test_a_label_that_nearly_all_its_pictures_lose_is_doubted() -> None:
    [one] = doubtful(_readings(banana=(6, 6), dog=(1, 20), cat=(0, 11)), ["banana", "dog", "cat"])
    assert (one.label, one.indices, one.of, one.others) == ("banana", (0, 1, 2, 3, 4, 5), 6, (1, 31))
    assert "“banana” from 6 of 6 pictures tried that read as it, and from 1 of 31 others" in one.reason


@pytest.mark.parametrize(
    ("why", "read"),
    [
        ("too few pictures", _readings(zebra=(2, 2), dog=(0, 40))),
        ("half of them", _readings(zebra=(6, 12), dog=(0, 40))),
        ("all labels are lost alike", _readings(zebra=(6, 6), dog=(30, 40))),
        ("nothing to hold them against", _readings(zebra=(3, 3))),
    ],
)
def test_nobody_is_doubted_for(why: str, read: Losses) -> None:
    assert doubtful(read, sorted({label for label, _ in read.values()})) == [], why


def test_among_many_labels_more_is_asked_for() -> None:
    read = _readings(zebra=(3, 3), dog=(0, 28))
    assert doubtful(read, ["zebra", "dog"])
    assert not doubtful(read, ["zebra", *(f"label {k}" for k in range(60))])


def test_labels_of_most_pictures_come_first() -> None:
    suspects = {"few": [1] * (LEAST - 1), "some": [1] * LEAST, "many": [1] * 9, "also": [1] * LEAST}
    assert enough_of(suspects) == ["many", "also", "some"]


def test_each_picture_is_read_twice(tiny_clip: ClipModel, tiny_classes: ClassMatrix) -> None:
    pictures = torch.rand(5, 3, tiny_clip.image_px, tiny_clip.image_px)
    read, forwards = losses(tiny_clip, tiny_classes, ((k, "", picture) for k, picture in enumerate(pictures)))
    assert forwards == 10
    assert list(read) == list(range(5)), "eight labels leave the best of them an eighth at least"
    assert {label for label, _ in read.values()} == {""}


def test_a_picture_that_reads_otherwise_the_second_time_says_nothing(
    tiny_clip: ClipModel, tiny_classes: ClassMatrix
) -> None:
    picture = torch.rand(3, tiny_clip.image_px, tiny_clip.image_px)
    read = [losses(tiny_clip, tiny_classes, [(0, label, picture)])[0] for label in tiny_classes.labels]
    assert sum(map(len, read)) == 1


@pytest.fixture(scope="module")
def setup(taught: object) -> CheckSetup:
    return prepare_check(f"{taught}/clean", labels=LABELS, oracle="superpixel", reference="none", device="cpu")


def _lost_by_one_label(chosen: Mapping[int, str], label: str) -> Losses:
    return {index: (read, read == label) for index, read in chosen.items()}


@pytest.fixture
def labels(monkeypatch: pytest.MonkeyPatch) -> dict[int, str]:
    """What samples were tried as. What a blur does is played: all pictures of the label that has most lose it.

    On a checkpoint with a warp it was measured (`smoothing.SURE`).
    """
    labels: dict[int, str] = {}

    def played(
        clip: ClipModel, classes: ClassMatrix, pictures: Iterable[tuple[int, str, Tensor]]
    ) -> tuple[Losses, int]:
        read, forwards = losses(clip, classes, pictures)
        labels.update({index: label for index, (label, _) in read.items() if label})
        return _lost_by_one_label(labels, _most(list(labels.values()))), forwards

    monkeypatch.setattr("eftclip.identify.together.passes.losses", played)
    return labels


def test_a_scan_alone_leaves_such_pictures_undecided(setup: CheckSetup, labels: dict[int, str]) -> None:
    squares = torch.cat([shaded(setup.clip, shade)[:6] for shade in (1.0, 0.97, 0.94, 0.91)])
    found = scan(setup, poisoned_set(setup, squares, []).images, ScanConfig())
    label = _most(list(labels.values()))
    doubted = [index for index, read in labels.items() if read == label]
    assert found.status is Status.INCONCLUSIVE
    assert found.families == ()
    assert f"“{label}” from {len(doubted)} of {len(doubted)} pictures" in found.reason
    assert found.kinds["warp"] is Searched.UNDECIDED
    assert found.coverage.doubted == len(doubted) >= LEAST
    assert found.coverage.undecided >= len(doubted)
    assert found.coverage.searched + found.coverage.undecided == 24, "each sample in one count"
    assert {fault.index for fault in found.faults} >= set(doubted)
    assert set(found.clean_pool).isdisjoint(doubted)
    again = identification_from_dict(identification_to_dict(found))
    assert (again.coverage, again.kinds) == (found.coverage, found.kinds)


def test_it_does_so_beside_a_trigger_that_was_found(taught: object, labels: dict[int, str]) -> None:
    poisoned = prepare_check(f"{taught}/badnets", labels=LABELS, oracle="superpixel", reference="none", device="cpu")
    squares = torch.cat([shaded(poisoned.clip, shade)[:6] for shade in (1.0, 0.97, 0.94, 0.91)])
    trigger = draw_trigger("badnets", generator=seeded(0), patch_px=10)
    found = scan(poisoned, poisoned_set(poisoned, squares, [(trigger, "banana")]).images, ScanConfig())
    assert found.status is Status.FOUND
    assert found.affected_labels == ("banana",)
    label = _most(list(labels.values()))
    assert label != "banana"
    assert f"“{label}” from" in found.reason
    assert found.coverage.doubted >= LEAST
    assert {victim.index for victim in found.victims}.isdisjoint(fault.index for fault in found.faults)


def test_beside_a_reference_single_pictures_are_doubted_instead(
    setup: CheckSetup, taught: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = prepare_check(
        f"{taught}/clean", labels=LABELS, oracle="superpixel", reference=f"{taught}/badnets", device="cpu"
    )
    monkeypatch.setattr("eftclip.identify.together.passes.losses", None)  # would end in an error
    squares = torch.cat([shaded(setup.clip, shade)[:3] for shade in (1.0, 0.97, 0.94)])
    assert scan(beside, poisoned_set(setup, squares, []).images, ScanConfig()).coverage.doubted == 0


def _most(labels: Sequence[str]) -> str:
    return max(sorted(set(labels)), key=labels.count)
