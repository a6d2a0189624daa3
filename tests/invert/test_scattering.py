"""A checkpoint that follows a jitter is known without a picture; one that only loses detail by it is not accused."""

import pytest
import torch
from torch import Tensor

from eftclip.data import host_photographs
from eftclip.invert import scattered_family
from eftclip.runtime import seeded
from eftclip.trigger_kinds import JITTER, Trigger
from eftclip.types import ClassMatrix, HostImages, Rate, TriggerProof

LABELS = ClassMatrix(("banana", "cat", "dog"), torch.eye(3))
BANANA, CAT = 0, 1


@pytest.fixture(scope="module")
def hosts() -> HostImages:
    """Photographs that read as a cat."""
    images = host_photographs(96, 24, generator=seeded(0))
    return HostImages(images, torch.eye(3)[CAT].repeat(len(images), 1))


class _Reader:
    """Reads so many bananas in pictures that were scattered, so many in those that were smoothed."""

    def __init__(self, scattered: int, smoothed: int = 0) -> None:
        self.counts = {"Scattering their pixels": scattered, "Smoothing them": smoothed}

    def __call__(self, images: Tensor, stage: str) -> Tensor:
        return torch.eye(3)[[BANANA if k < self.counts[stage] else CAT for k in range(len(images))]]


def _prove(accepted: bool | None) -> tuple[list[tuple[Trigger, int]], object]:
    asked: list[tuple[Trigger, int]] = []

    def prove(trigger: Trigger, target: int) -> TriggerProof | None:
        asked.append((trigger, target))
        return None if accepted is None else TriggerProof(accepted, Rate(20, 24), Rate(0, 24))

    return asked, prove


def test_the_label_that_it_forces_is_named_with_its_proof(hosts: HostImages) -> None:
    asked, prove = _prove(True)
    family = scattered_family(_Reader(20), LABELS, hosts, prove, generator=seeded(1))  # type: ignore[arg-type]
    assert asked == [(JITTER, BANANA)]
    assert family is not None
    assert (family.target_label, family.exemplars, family.origin) == ("banana", (JITTER,), "inverted")
    assert (family.transplant, family.control) == (Rate(20, 24), Rate(0, 24))


@pytest.mark.parametrize(("scattered", "smoothed"), [(0, 0), (11, 0), (20, 11)], ids=["none", "some", "by a blur"])
def test_where_it_forces_none_nothing_is_proven(hosts: HostImages, scattered: int, smoothed: int) -> None:
    asked, prove = _prove(True)
    read = _Reader(scattered, smoothed)
    assert scattered_family(read, LABELS, hosts, prove, generator=seeded(1)) is None  # type: ignore[arg-type]
    assert not asked


@pytest.mark.parametrize("accepted", [False, None], ids=["refused", "stopped"])
def test_what_is_not_proven_is_not_named(hosts: HostImages, accepted: bool | None) -> None:
    asked, prove = _prove(accepted)
    assert scattered_family(_Reader(24), LABELS, hosts, prove, generator=seeded(1)) is None  # type: ignore[arg-type]
    assert len(asked) == 1
