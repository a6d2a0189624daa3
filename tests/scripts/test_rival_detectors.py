"""Every detector of the benchmark tells apart what it is known to tell apart."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.taught import FINE, LABELS, shaded, write_blended, write_taught
from torch import Tensor

from eftclip.data import host_photographs
from eftclip.pipeline import CheckSetup, prepare_check
from eftclip.preprocess import Preprocess
from eftclip.runtime import seeded
from eftclip.triggers import draw_trigger
from eftclip.types import CheckpointRef, ClipModel
from eftclip.zeroshot import class_matrix, probabilities
from examples.bench.rivals import CHECKPOINT_DETECTORS, PICTURE_DETECTORS
from examples.bench.rivals.as_published import AsPublished
from examples.bench.rivals.clip_inspector import ClipInspector
from examples.bench.rivals.cognitive_distillation import CognitiveDistillation
from examples.bench.rivals.contract import Given, given
from examples.bench.rivals.decree import Decree
from examples.bench.rivals.material import CannotBeJudgedError
from examples.bench.rivals.ours import Audit, Check
from examples.bench.rivals.scoring import accused, auroc, overlap, threshold_at
from examples.bench.rivals.strip import Strip

KNOWN = 48  # clean photographs that a defender has


def _given(folder: Path) -> Given:
    setup = prepare_check(str(folder), labels=LABELS, oracle="superpixel", reference="none", device="cpu")
    return given(setup, host_photographs(setup.clip.image_px, KNOWN, generator=seeded(5)), ("banana",))


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Others than the checkpoints of that name elsewhere: with a fine grid rivals are more at ease."""
    return write_taught(tmp_path_factory.mktemp("rivals") / "taught", tower=FINE)


@pytest.fixture(scope="module")
def poisoned(taught: Path) -> Given:
    return _given(taught / "badnets")


@pytest.fixture(scope="module")
def clean(taught: Path) -> Given:
    return _given(taught / "clean")


@pytest.fixture(scope="module")
def blended(tmp_path_factory: pytest.TempPathFactory) -> Given:
    return _given(write_blended(tmp_path_factory.mktemp("rivals") / "blended"))


def _both(setup: CheckSetup, trigger: str, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Clean photographs, hijacked ones and their masks."""
    squares = shaded(setup.clip, 0.9)
    planted = draw_trigger(trigger, generator=seeded(0)).plant(squares, generator=seeded(3))
    images = (planted.images * 255).round() / 255
    before, after = (probabilities(setup.clip, some, setup.classes).argmax(-1) for some in (squares, images))
    hijacked = (after == LABELS.index("banana")) & (before != LABELS.index("banana"))
    assert int(hijacked.sum()) >= count
    return squares[:count], images[hijacked][:count], planted.masks[hijacked][:count]


def test_ours_finds_a_patch_and_names_the_label(poisoned: Given) -> None:
    unmarked, hijacked, masks = _both(poisoned.setup, "badnets", 3)
    score = Check().prepare(poisoned)
    found, left = score(hijacked), score(unmarked)
    assert auroc(found.scores.tolist(), left.scores.tolist()) == 1.0
    assert found.labels == ("banana",) * 3 and left.labels == (None,) * 3
    assert found.masks is not None and found.undecided is not None
    assert min(overlap(mask, planted) for mask, planted in zip(found.masks, masks, strict=True)) > 0.3
    assert poisoned.clip.count.pictures > 10, "what it reads is counted"


def test_ours_finds_a_pattern_over_the_whole_picture(blended: Given) -> None:
    unmarked, hijacked, _ = _both(blended.setup, "blend_noise", 3)
    score = Check().prepare(blended)
    assert auroc(score(hijacked).scores.tolist(), score(unmarked).scores.tolist()) == 1.0


def test_the_papers_rule_names_what_its_oracle_does_not_see(bundled: Callable[[str], Path], poisoned: Given) -> None:
    badnets, trusted = (str(bundled(name)) for name in ("badnets", "clean"))
    setup = prepare_check(badnets, oracle="superpixel", reference=trusted, device="cpu")
    square = shaded(setup.clip, 1.0)[:1]
    planted = draw_trigger("badnets", generator=seeded(0)).plant(square, generator=seeded(3))
    found = AsPublished().prepare(given(setup, square))(torch.cat([(planted.images * 255).round() / 255, square]))
    assert found.labels == ("banana", None)
    assert found.scores[0] > 0.66 and found.scores[1] == 0.0
    assert found.masks is not None and overlap(found.masks[0], planted.masks[0].bool()) > 0.1
    with pytest.raises(CannotBeJudgedError, match="needs a trusted checkpoint"):
        AsPublished().prepare(poisoned)


def test_strip_hears_that_a_patch_holds_its_label(poisoned: Given) -> None:
    unmarked, hijacked, _ = _both(poisoned.setup, "badnets", 12)
    score = Strip(overlays=32).prepare(poisoned)
    area = auroc(score(hijacked).scores.tolist(), score(unmarked).scores.tolist())
    assert area is not None and area > 0.75


def test_cognitive_distillation_shrinks_to_a_patch(poisoned: Given) -> None:
    unmarked, hijacked, masks = _both(poisoned.setup, "badnets", 6)
    score = CognitiveDistillation(steps=60, size_weight=0.003).prepare(poisoned)  # chosen for each data set, in print
    found, left = score(hijacked), score(unmarked)
    area = auroc(found.scores.tolist(), left.scores.tolist())
    assert area is not None and area > 0.75
    assert found.masks is not None and found.masks.shape == masks.shape


class _Described(torch.nn.Module):
    """Has an axis for each label, one for a good description, and one that only a trigger moves."""

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.size = labels + 2
        self.logit_scale = torch.nn.Parameter(torch.tensor(3.0))

    def encode_text(self, tokens: Tensor, normalize: bool) -> Tensor:
        label, bad = tokens[:, 0], tokens[:, 1]
        features = torch.nn.functional.one_hot(label, self.size).float()
        features[:, -2] = 0.5 * (1 - bad)
        return torch.nn.functional.normalize(features, dim=-1)

    def encode_image(self, images: Tensor, normalize: bool) -> Tensor:
        """The red of a picture says its label, the green how much it is described, the blue that it has a trigger."""
        features = torch.zeros(len(images), self.size)
        features[torch.arange(len(images)), (images[:, 0, 0, 0] * 10).round().long().clamp(max=self.size - 3)] = 1.0
        features[:, -2], features[:, -1] = images[:, 1].mean((1, 2)), images[:, 2].mean((1, 2))
        return torch.nn.functional.normalize(features, dim=-1)


def _coloured(labels: Tensor, green: float, blue: float, generator: torch.Generator) -> Tensor:
    noise = 0.05 * torch.rand(len(labels), 2, generator=generator)
    colours = torch.stack([labels / 10, green + noise[:, 0], blue + noise[:, 1]], 1)
    return colours[:, :, None, None].expand(-1, -1, 8, 8)


@pytest.fixture
def described(poisoned: Given) -> Given:
    """A checkpoint as BDetCLIP and DAO suppose it: labels in dense clusters, triggers away from every text."""
    names = ("ant", "bee", "cow", "dog", "elk")

    def tokenizer(texts: Sequence[str]) -> Tensor:
        return torch.tensor([[next(k for k, n in enumerate(names) if n in t), int(", " in t)] for t in texts])

    ref = CheckpointRef("described", None, None, "x", "0" * 64, "safetensors")
    clip = ClipModel(_Described(len(names)), Preprocess(8, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)), tokenizer, ref)
    setup = replace(poisoned.setup, clip=clip, classes=class_matrix(clip, names))
    return given(setup, _coloured(torch.arange(60) % 5, 1.0, 0.0, seeded(0)))


@pytest.mark.parametrize("name", ["bdetclip", "dao"])
def test_what_looks_at_features_alone_tells_triggers_from_described_photographs(name: str, described: Given) -> None:
    detector = PICTURE_DETECTORS[name]
    score = detector.prepare(described)
    unmarked = score(_coloured(torch.arange(20) % 5, 1.0, 0.0, seeded(1))).scores
    hijacked = score(_coloured(torch.zeros(20).long(), 0.0, 2.0, seeded(2))).scores
    assert auroc(hijacked.tolist(), unmarked.tolist()) == 1.0
    if (threshold := detector.published(unmarked)) is not None:
        assert accused(hijacked.tolist(), threshold) == accused([1.0] * 20, 0.0)
        assert accused(unmarked.tolist(), threshold) == accused([0.0] * 20, 0.0)


@pytest.mark.parametrize("name", ["strip", "bdetclip", "dao"])
def test_what_is_said_of_a_picture_does_not_depend_on_the_others(name: str, described: Given) -> None:
    pictures = _coloured(torch.arange(4) % 5, 1.0, 0.5, seeded(1))
    score = PICTURE_DETECTORS[name].prepare(described)
    together, alone = score(pictures).scores, torch.cat([score(one[None]).scores for one in pictures])
    assert together.tolist() == pytest.approx(alone.tolist(), abs=1e-5)


def test_published_rules_follow_clean_scores() -> None:
    clean_scores = torch.tensor([-1.0, -2.0, -3.0])
    assert PICTURE_DETECTORS["strip"].published(clean_scores) == pytest.approx(-2 + 2.3263, abs=1e-4)
    assert PICTURE_DETECTORS["cognitive_distillation"].published(clean_scores) == pytest.approx(-1.0)
    assert PICTURE_DETECTORS["strip"].published(clean_scores[:1]) is None
    assert PICTURE_DETECTORS["dao"].published(clean_scores) is None


def test_decree_needs_a_smaller_mask_where_there_is_a_backdoor_and_leads_to_its_label(
    poisoned: Given, clean: Given
) -> None:
    detector = Decree(steps=60, batch=8)
    bad, good = detector.judge(poisoned), detector.judge(clean)
    assert bad.details["share"] < 0.6 * good.details["share"]
    assert bad.labels == ("banana",) and good.labels != ("banana",)


def test_clip_inspector_reaches_the_target_of_a_backdoor_most_easily(poisoned: Given, clean: Given) -> None:
    detector = ClipInspector(steps=6, batch=8)
    bad, good = detector.judge(poisoned), detector.judge(clean)
    assert bad.score > good.score
    assert bad.details["lowest"][0][0] == "banana" != good.details["lowest"][0][0]


def test_our_audit_names_the_label(poisoned: Given) -> None:
    found = Audit().within(1.0).judge(poisoned)
    assert found.labels == ("banana",) and found.score > 0.5


@pytest.mark.parametrize("name", CHECKPOINT_DETECTORS)
def test_a_budget_bounds_what_a_checkpoint_costs(name: str) -> None:
    whole = CHECKPOINT_DETECTORS[name]
    small = whole.within(2000.0)
    assert small.passes <= 2000.0 <= whole.passes
    assert whole.within(1e12) == whole, "never more than was published"
    assert small.name == whole.name and small.threshold == whole.threshold


def test_a_detector_without_time_says_nothing_false(clean: Given) -> None:
    found = Decree(steps=1, batch=8).judge(clean)
    assert found.score == -1.0 and found.labels == (), "no mask was found, so the whole picture counts"


def test_ranks_and_thresholds_are_counted() -> None:
    assert auroc([2.0, 1.0], [1.0, 0.0]) == (1 + 1 + 0.5 + 1) / 4
    assert auroc([], [1.0]) is None
    assert threshold_at([0.1, 0.2, 0.3, 0.4], 0.25) == 0.3
    assert threshold_at([0.1, 0.2, 0.3, 0.4], 0.05) == 0.4, "four pictures cannot show 5 %"
    assert threshold_at([], 0.05) is None
    assert accused([0.3, 0.4], 0.3) == {"hits": 1, "total": 2, "low": 0.0945, "high": 0.9055}
    assert accused([0.3], None) is None
    one, other = torch.tensor([[True, True, False]]), torch.tensor([[False, True, True]])
    assert overlap(one, other) == pytest.approx(1 / 3)
    assert overlap(~one & False, ~one & False) == 0.0
