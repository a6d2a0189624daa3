"""Transplants: pasted where they should be, counted honestly, stopped when the counts decide."""

from typing import cast

import pytest
import torch
from scipy.stats import fisher_exact
from torch import Tensor

from eftclip.config import DetectConfig
from eftclip.detect.case import Case
from eftclip.detect.innocent import held_against, innocent_parts
from eftclip.detect.reader import Reader
from eftclip.detect.transplant import (
    AMONG_LABELS,
    BY_CHANCE,
    THAN_EACH,
    beyond,
    prove,
    prove_shared,
    prove_trigger,
    suitable,
)
from eftclip.trigger_kinds import cut
from eftclip.types import ClassMatrix, HostImages, Rate

pytestmark = pytest.mark.quick

PX, TARGET = 32, 1


class Painted:
    """Reads label 1 in pictures with at least `enough` pure red pixels, else label 0."""

    def __init__(self, enough: int) -> None:
        self.enough, self.forwards = enough, 0

    def __call__(self, images: Tensor, stage: str) -> Tensor:
        self.forwards += len(images)
        red = ((images[:, 0] == 1) & (images[:, 1] == 0) & (images[:, 2] == 0)).flatten(1).sum(1)
        return torch.nn.functional.one_hot((red >= self.enough).long(), 2).float()


def scene(patch: int = 6) -> tuple[Tensor, Tensor, HostImages]:
    image = torch.full((3, PX, PX), 0.5)
    mask = torch.zeros(PX, PX, dtype=torch.bool)
    mask[4 : 4 + patch, 8 : 8 + patch] = True
    image[:, mask] = torch.tensor([1.0, 0.0, 0.0])[:, None]
    others = torch.rand(24, 3, PX, PX, generator=torch.Generator().manual_seed(1)) * 0.9
    return image, mask, HostImages(others, torch.tensor([[1.0, 0.0]]).repeat(24, 1))


@pytest.mark.parametrize("in_place", [False, True])
def test_exactly_the_masked_pixels_are_pasted(in_place: bool) -> None:
    image, mask, hosts = scene()
    before = hosts.images.clone()
    trigger = cut(image, mask, in_place=in_place)
    out = trigger.plant(hosts.images, generator=torch.Generator().manual_seed(0)).images
    assert torch.equal(hosts.images, before)
    changed = (out != before).any(1)
    assert (changed.flatten(1).sum(1) == mask.sum()).all()
    assert torch.equal(changed[0], mask) is in_place
    assert len({tuple(c.nonzero()[0].tolist()) for c in changed}) == (1 if in_place else 24)


def test_a_trigger_is_accepted_as_soon_as_the_counts_decide() -> None:
    image, mask, hosts = scene()
    read = Painted(enough=36)
    proof = prove(read, cut(image, mask), TARGET, hosts, 0.5, generator=torch.Generator().manual_seed(0))
    assert proof.accepted is True
    assert (proof.rate.hits, proof.rate.total) == (8, 8) == (read.forwards, len(proof.images))


def test_an_innocent_patch_is_rejected_after_four() -> None:
    image, mask, hosts = scene()
    proof = prove(Painted(99), cut(image, mask), TARGET, hosts, 0.5, generator=torch.Generator().manual_seed(0))
    assert proof.accepted is False
    assert (proof.rate.hits, proof.rate.total) == (0, 4)


def test_counts_too_close_to_the_threshold_stay_undecided() -> None:
    image, mask, hosts = scene()

    class Sometimes(Painted):
        def __call__(self, images: Tensor, stage: str) -> Tensor:
            rows = super().__call__(images, stage)
            rows[::2] = torch.tensor([1.0, 0.0])
            return rows

    proof = prove(Sometimes(36), cut(image, mask), TARGET, hosts, 0.5, generator=torch.Generator().manual_seed(0))
    assert proof.accepted is None
    assert proof.rate.total == 24


@pytest.mark.parametrize(("every", "accepted"), [(2, False), (3, True)])
def test_what_was_grown_is_tried_on_mirrored_strangers_too_where_counts_do_not_decide(
    every: int, accepted: bool
) -> None:
    """One of `every` strangers is not taken over: two of three are more than a half only where they are many."""
    image, mask, hosts = scene()

    class Mostly(Painted):
        def __call__(self, images: Tensor, stage: str) -> Tensor:
            rows = super().__call__(images, stage)
            rows[::every] = torch.tensor([1.0, 0.0])
            return rows

    read, generator = Mostly(36), torch.Generator().manual_seed(0)
    proof = prove_trigger(read, cut(image, mask), TARGET, hosts, DetectConfig(), reference=None, generator=generator)
    assert proof.accepted is accepted
    assert proof.transplant == Rate(48 - 48 // every, 48)
    assert read.forwards == 24 + 48


@pytest.mark.parametrize(("share", "patch", "accepted"), [(0.5, 0, False), (0.0, 0, True), (0.0, 6, False)])
def test_what_was_not_cut_out_has_to_take_over_a_share_and_more_than_something_innocent(
    share: float, patch: int, accepted: bool
) -> None:
    """It takes over half of the strangers; so does the innocent one if it is a patch of the same size."""
    image, mask, hosts = scene()
    innocent_image, innocent_mask, _ = scene(max(1, patch))

    class Half(Painted):
        def __call__(self, images: Tensor, stage: str) -> Tensor:
            rows = super().__call__(images, stage)
            rows[::2] = torch.tensor([1.0, 0.0])
            return rows

    proof = prove_shared(
        Half(36),
        cut(image, mask),
        TARGET,
        hosts,
        DetectConfig(),
        reference=None,
        generator=torch.Generator().manual_seed(0),
        innocents=[cut(innocent_image, innocent_mask)],
        share=share,
    )
    assert proof.accepted is accepted
    assert proof.transplant.total == 24


def test_strangers_that_show_the_label_are_left_out() -> None:
    rows = torch.tensor([[0.1, 0.9], [0.8, 0.2], [0.6, 0.4], [0.99, 0.01]])
    kept = suitable(HostImages(torch.rand(4, 3, PX, PX), rows), TARGET, 24)
    assert kept.probabilities[:, TARGET].tolist() == pytest.approx([0.2, 0.4, 0.01])
    least = suitable(HostImages(torch.rand(4, 3, PX, PX), rows), TARGET, 2)
    assert least.probabilities[:, TARGET].tolist() == pytest.approx([0.2, 0.01])


def test_a_proof_goes_on_until_an_innocent_part_could_not_do_the_same() -> None:
    """Six of eight are more than a fifth, but against none of eight they are no proof yet."""
    image, mask, hosts = scene()

    class Mostly(Painted):
        def __call__(self, images: Tensor, stage: str) -> Tensor:
            rows = super().__call__(images, stage)
            if self.forwards <= 8:
                rows[0] = torch.tensor([1.0, 0.0])
            return rows

    proof = prove(Mostly(36), cut(image, mask), TARGET, hosts, 0.2, generator=torch.Generator().manual_seed(0))
    assert proof.accepted is True
    assert (proof.rate.hits, proof.rate.total) == (10, 12)


@pytest.mark.parametrize(
    "counts", [(8, 8, 0, 8), (7, 8, 0, 8), (6, 8, 0, 8), (9, 24, 0, 24), (8, 24, 0, 24), (20, 24, 9, 24)]
)
def test_two_counts_are_compared_as_fisher_does(counts: tuple[int, int, int, int]) -> None:
    hits, total, innocent, others = counts
    table = [[hits, total - hits], [innocent, others - innocent]]
    expected = fisher_exact(table, alternative="greater").pvalue <= BY_CHANCE
    assert beyond(Rate(hits, total), Rate(innocent, others)) == expected


def test_few_strangers_are_enough_only_where_no_innocent_pattern_takes_over_any() -> None:
    assert beyond(Rate(6, 24), Rate(0, 24), THAN_EACH)
    assert beyond(Rate(6, 24), Rate(0, 96), AMONG_LABELS)
    assert not beyond(Rate(6, 24), Rate(1, 24), THAN_EACH)
    assert not beyond(Rate(5, 24), Rate(0, 96), AMONG_LABELS)


def test_an_innocent_part_has_the_size_of_the_suspected_one_and_lies_elsewhere() -> None:
    image, mask, hosts = scene()
    others = innocent_parts(image, mask, in_place=False, generator=torch.Generator().manual_seed(0))
    planted = others(hosts.images[:8])
    changed = (planted != hosts.images[:8]).any(1)
    assert (changed.flatten(1).sum(1) == mask.sum()).all()
    assert (planted[changed.unsqueeze(1).expand_as(planted)] == 0.5).all(), "the background of the picture"


class Partly:
    """Reads the target in some of the strangers that show pure red, and in some of those that show pure grey.

    The arguments say how many of a hundred, by what the last corner of a stranger shows; `anyway`: how many read so
    by themselves, by what the first corner shows, which is not so of a single one as it is.
    """

    def __init__(self, red: int, grey: int, anyway: int = 0) -> None:
        self.red, self.grey, self.anyway, self.forwards = red, grey, anyway, 0

    def __call__(self, images: Tensor, stage: str) -> Tensor:
        self.forwards += len(images)
        red = ((images[:, 0] == 1) & (images[:, 1] == 0)).flatten(1).any(1) & (_drawn(images[:, :, -1, -1]) < self.red)
        grey = (images == 0.5).all(1).flatten(1).any(1) & (_drawn(images[:, :, -1, -1]) < self.grey)
        anyway = _drawn(images[:, :, 0, 0]) < self.anyway
        return torch.nn.functional.one_hot((red | grey | anyway).long(), 2).float()


def _drawn(corner: Tensor) -> Tensor:
    """A number in 0 to 99 from `(n, 3)` colours."""
    return (corner * 1e4).round().long().sum(1) % 100


@pytest.mark.parametrize(
    ("red", "grey", "accepted", "forwards"),
    [
        (100, 0, True, 13),  # five innocent ones tell it from eight of eight
        (0, 0, False, 12),
        (12, 0, None, 72 + 4 * 24 + 4 * 24),  # few of four views of each, but more than anything does
        (30, 30, False, 72 + 4 * 24 + 4 * 24),  # as many as anything does
        (30, 0, None, 72 + 4 * 24 + 4 * 24),
        (70, 70, True, 24 + 10 + 24 + 24 + 24),  # decided; that anything does as much is a doubt, see Case.accept
        # as anything does, but where that is most, it acquits nothing
    ],
)
def test_what_counts_do_not_decide_is_tried_on_turned_strangers_too(
    red: int, grey: int, accepted: bool | None, forwards: int
) -> None:
    image, mask, hosts = scene()
    read = Partly(red, grey)
    assert _held(read, image, mask, hosts) is accepted
    assert read.forwards == forwards


def test_turned_strangers_that_read_so_by_themselves_say_nothing() -> None:
    """A label that a checkpoint sees in every third picture would hide what a trigger does, and cost a trial of all."""
    image, mask, hosts = scene()
    kept = _drawn(hosts.images[:, :, 0, 0]) >= 33
    hosts = HostImages(hosts.images[kept], hosts.probabilities[kept])
    innocent, few = Partly(0, 0, anyway=33), Partly(30, 0, anyway=33)
    turned = len(case_of(innocent, hosts).turned(hosts, TARGET))
    assert 3 * len(hosts.images) * 0.5 < turned < 3 * len(hosts.images) * 0.85
    assert _held(innocent, image, mask, hosts) is False
    assert _held(few, image, mask, hosts) is None


def case_of(read: Partly, hosts: HostImages) -> Case:
    generator = torch.Generator().manual_seed(0)
    return Case(cast("Reader", read), cast("ClassMatrix", None), DetectConfig(), hosts, None, generator)


def _held(read: Partly, image: Tensor, mask: Tensor, hosts: HostImages) -> bool | None:
    case = case_of(read, hosts)
    others = innocent_parts(image, mask, in_place=True, generator=case.generator)
    return held_against(case, cut(image, mask, in_place=True), TARGET, hosts, 0.2, others)[0].accepted
