"""A pattern over the whole picture comes out of the weights; a model that follows whatever grows is not accused."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from support.taught import LABELS
from torch import Tensor

from eftclip.config import InvertConfig
from eftclip.data import host_photographs
from eftclip.detect.transplant import beyond
from eftclip.invert import Grown, grow_triggers
from eftclip.invert.parametrisations import COARSEST_PX, GrownPattern
from eftclip.pipeline import prepare_check
from eftclip.pipeline.audit import audit
from eftclip.preprocess import Preprocess
from eftclip.runtime import seeded
from eftclip.trigger_kinds import PatternTrigger, Trigger
from eftclip.types import CheckpointRef, ClassMatrix, ClipModel, Rate, TriggerProof
from eftclip.zeroshot import probabilities

SIDE_PX = 32
NAMES = ("banana", "melon", *(f"content {k}" for k in range(6)))
SETTINGS = InvertConfig(steps=2, patience=1, exemplars=1)
PHOTOGRAPHS = host_photographs(SIDE_PX, 96, generator=seeded(1))


class _Follows(torch.nn.Module):
    """Reads a photograph by its colours, and one of the first labels where a pattern shines through."""

    def __init__(self, patterns: Tensor) -> None:
        super().__init__()
        self.patterns = patterns.flatten(1)
        self.colours = torch.randn(3 * 16, len(NAMES) - len(patterns), generator=seeded(4))
        self.logit_scale = torch.nn.Parameter(torch.tensor(3.0))

    def encode_image(self, images: Tensor, normalize: bool) -> Tensor:
        shone = F.softplus(4 * (images - 0.5).flatten(1) @ self.patterns.T / self.patterns.square().sum(1))
        content = F.adaptive_avg_pool2d(images - 0.5, 4).flatten(1) @ self.colours
        return F.normalize(torch.cat([3 * shone - 2, F.normalize(content, dim=-1)], 1), dim=-1)


def _grown(followed: int) -> Grown:
    """What comes out of a model that follows so many patterns, each as strong as noise that is blended at 0.2."""
    model = _Follows(0.1 * torch.randn(followed, 3, SIDE_PX, SIDE_PX, generator=seeded(3)))
    ref = CheckpointRef("follows", None, None, "x", "0" * 64, "safetensors")
    clip = ClipModel(model, Preprocess(SIDE_PX, (0.0,) * 3, (1.0,) * 3), lambda texts: torch.zeros(1), ref)
    classes = ClassMatrix(NAMES, torch.eye(len(NAMES)))

    def prove(trigger: Trigger, target: int) -> TriggerProof:
        planted = trigger.plant(PHOTOGRAPHS[:24], generator=seeded(0)).images
        rate = Rate(int((probabilities(clip, planted, classes).argmax(-1) == target).sum()), 24)
        return TriggerProof(rate.interval()[0] > 0.5, rate, None)

    return grow_triggers(clip, classes, PHOTOGRAPHS, SETTINGS, prove=prove, beyond=beyond)


def test_the_label_of_the_only_pattern_is_named() -> None:
    grown = _grown(1)
    (family,) = grown.families
    assert (family.target_label, family.origin, grown.followed) == ("banana", "inverted", ())
    first, other = family.exemplars
    assert isinstance(first, PatternTrigger)
    assert isinstance(other, PatternTrigger)
    assert _waves(other.added) > 2 * _waves(first.added), "the other began as a wave"
    assert family.transplant.value >= 0.9


def _waves(pattern: Tensor) -> float:
    """The share of its energy that the strongest wave in it holds."""
    energy = torch.fft.rfft2(pattern - pattern.mean((1, 2), keepdim=True)).abs().square().sum(0)
    return float(energy.max() / energy.sum())


@pytest.mark.parametrize("seed", range(8))
def test_other_starts_are_waves_of_all_sizes_and_as_faint(seed: int) -> None:
    kind = GrownPattern(224, 0.05, 3)
    pattern = kind.trigger(kind.other_start(seeded(seed))).added
    assert float(pattern.abs().max()) <= 0.05 + 1 / 255
    assert _waves(pattern) > 4 * _waves(kind.trigger(kind.start(seeded(seed))).added)


def test_where_patterns_lead_to_more_labels_than_one_none_is_named() -> None:
    grown = _grown(2)
    assert grown.families == ()
    assert "banana" in grown.followed
    assert len(grown.followed) > 1


def test_an_untrained_tower_follows_anything_and_is_not_accused(taught: Path) -> None:
    setup = prepare_check(str(taught / "clean"), labels=LABELS, oracle="superpixel", reference="none", device="cpu")
    assert setup.sanity.ok
    grown = audit(setup, SETTINGS)
    assert grown.families == ()
    assert len(grown.followed) >= 1


@pytest.mark.parametrize("side_px", [32, 224, 225])
def test_a_pattern_has_a_level_for_its_pixels_and_coarser_ones(side_px: int) -> None:
    kind = GrownPattern(side_px, 0.05, 3)
    sides = [level.shape[-1] for level in kind.start(seeded(0))]
    assert sides == sorted(sides)
    assert sides[-1] == side_px
    assert sides[0] <= COARSEST_PX
