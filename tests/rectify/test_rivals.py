"""The published rivals: their formulas, what they do before the first step, and what they are shown."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skimage.metrics import structural_similarity
from support.curated import curated_of, family, fewest
from torch import Tensor, nn

from eftclip.config import RectifyConfig
from eftclip.rectify import METHODS, rectify, settled
from eftclip.rectify.autoaugment import OPERATIONS, POLICIES, autoaugmented
from eftclip.rectify.batches import Batch, Batches
from eftclip.rectify.caption_edits import edited
from eftclip.rectify.methods import CAPTION, Preparation, Student, Teacher, invertune
from eftclip.rectify.methods.fineprune import activity, channels_of, prepare
from eftclip.rectify.methods.invertune import mean_activations, upper_cluster
from eftclip.rectify.methods.trigger_inversion import planted, shifted_to, similarity
from eftclip.rectify.schedules import falling, warm_up
from eftclip.runtime import Progress, seeded
from eftclip.types import ClassMatrix, ClipModel, CuratedSet
from eftclip.zeroshot import probabilities

pytestmark = pytest.mark.quick


@pytest.fixture(scope="module")
def curated(tiny_clip: ClipModel) -> CuratedSet:
    return curated_of(tiny_clip)


def _moved(clip: ClipModel, size: float = 0.02) -> ClipModel:
    """A copy whose weights lie a little elsewhere."""
    copied, generator = replace(clip, model=copy.deepcopy(clip.model)), seeded(3)
    with torch.no_grad():
        for parameter in copied.model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=size)
    return copied


def _side(clip: ClipModel) -> nn.Module:
    return clip.model.get_submodule("visual")


def _shown(curated: CuratedSet, clip: ClipModel, count: int = 6) -> tuple[Batch, Teacher]:
    captions = tuple(CAPTION.format(item.label) for item in curated.items)
    return Batches(curated.items, (), count, 0).at(0, range(count)), Teacher(clip, captions)


def _alike(ones: Tensor, others: Tensor, groups: Sequence[int], scale: float) -> float:
    """The mean cross-entropy of each finding its group, one after another."""
    total = 0.0
    for k, row in enumerate((scale * ones @ others.T).log_softmax(-1)):
        own = [j for j, group in enumerate(groups) if group == groups[k]]
        total -= sum(float(row[j]) for j in own) / len(own) / len(groups)
    return total


# --- par ---


@pytest.mark.parametrize(("tau", "perturbs"), [(4.0, True), (0.0, False)])
def test_par_goes_away_from_the_poisoned_encoders_up_to_a_distance(
    tau: float, perturbs: bool, tiny_clip: ClipModel, curated: CuratedSet
) -> None:
    (batch, teacher), student = _shown(curated, tiny_clip), _moved(tiny_clip)
    config = settled(RectifyConfig(method="par", own=f"tau={tau},weight=0.7"))
    loss = METHODS["par"].loss(Student(student), batch, teacher, config)
    told = teacher.told(batch.rows)
    images, texts = student.encode_images(batch.clean), student.encode_text(told)
    groups, scale = teacher.groups(batch.rows).tolist(), tiny_clip.logit_scale
    wanted = (_alike(images, texts, groups, scale) + _alike(texts, images, groups, scale)) / 2
    if perturbs:
        for new, old in ((images, tiny_clip.encode_images(batch.clean)), (texts, tiny_clip.encode_text(told))):
            wanted -= 0.7 * sum(float((a - b).square().sum()) for a, b in zip(new, old, strict=True)) / len(new)
    assert float(loss) == pytest.approx(wanted, abs=1e-4)


def test_the_learning_rate_of_par_falls_and_that_of_the_others_warms_up() -> None:
    assert [round(falling(done, 10), 3) for done in (0, 5, 10)] == [1.0, 0.1, 0.0]
    assert all(falling(k + 1, 40) < falling(k, 40) for k in range(40))
    assert warm_up(0, 40) < warm_up(1, 40) < warm_up(4, 40) == 1.0
    assert all(warm_up(k + 1, 40) < warm_up(k, 40) for k in range(4, 40))


# --- cleanclip ---


def test_cleanclip_also_teaches_each_side_by_itself(tiny_clip: ClipModel, curated: CuratedSet) -> None:
    batch, teacher = _shown(curated, tiny_clip)
    config = settled(RectifyConfig(method="cleanclip", own="weight=0.5"))
    loss = METHODS["cleanclip"].loss(Student(tiny_clip), batch, teacher, config)
    draws, told = [seeded(seed) for seed in batch.seeds.tolist()], teacher.told(batch.rows)
    other = torch.stack([autoaugmented(view, draw) for view, draw in zip(batch.clean, draws, strict=True)])
    edits = [edited(caption, draw) for caption, draw in zip(told, draws, strict=True)]
    images, texts = tiny_clip.encode_images(batch.clean), tiny_clip.encode_text(told)
    groups, rows, scale = teacher.groups(batch.rows).tolist(), batch.rows.tolist(), tiny_clip.logit_scale
    across = (_alike(images, texts, groups, scale) + _alike(texts, images, groups, scale)) / 2
    pictures = _alike(images, tiny_clip.encode_images(other), rows, scale)
    captions = _alike(texts, tiny_clip.encode_text(edits), groups, scale)
    assert float(loss) == pytest.approx(across + 0.5 * (pictures + captions) / 2, rel=1e-3)


def test_augmented_pictures_come_from_their_seed() -> None:
    picture = torch.rand(3, 24, 24, generator=seeded(0))
    many = [autoaugmented(picture, seeded(seed)) for seed in range(60)]
    assert torch.equal(many[7], autoaugmented(picture, seeded(7)))
    assert len({tuple(view.flatten().tolist()) for view in many}) > 20
    assert all(view.shape == picture.shape and 0 <= float(view.min()) <= float(view.max()) <= 1 for view in many)


def test_every_operation_that_the_policies_name_changes_a_picture() -> None:
    picture = (255 * torch.rand(3, 24, 24, generator=seeded(0))).to(torch.uint8) // 2 + 20
    assert {name for pair in POLICIES for name, _, _ in pair} == set(OPERATIONS)
    assert all(not torch.equal(change(picture, 0.8), picture) for change in OPERATIONS.values())
    assert torch.equal(OPERATIONS["Invert"](picture, 0.0), 255 - picture)
    assert torch.equal(OPERATIONS["Posterize"](picture, -1.0), picture // 16 * 16)


def test_an_edited_caption_is_nearly_the_same() -> None:
    caption = "a photo of a great_grey owl."
    edits = [edited(caption, seeded(seed)) for seed in range(80)]
    assert edits[5] == edited(caption, seeded(5))
    words = set("a photo of a great grey owl photograph picture image snapshot".split())
    assert all(set(text.split()) <= words and 1 <= len(text.split()) <= 8 for text in edits)
    lengths = {len(text.split()) for text in edits}
    assert {6, 7, 8} <= lengths, "words go, and come"
    assert any(sorted(text.split()) == sorted("a photo of a great grey owl".split()) for text in edits)
    assert edited("owl", seeded(0)) == "owl" and edited("!?", seeded(0)) == "!?"


# --- fineprune ---


class ConvolutionalSide(nn.Module):
    """Two convolutions, the second with four channels of which two are hardly ever heard."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.act = nn.Conv2d(3, 4, 8, 8), nn.ReLU()
        self.last, self.norm, self.head = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.Linear(4, 64)


def test_the_channels_of_the_last_convolution_go_with_their_batch_norm() -> None:
    side = ConvolutionalSide()
    found = channels_of(side)
    assert found is not None and (found.name, found.heard, found.axis) == ("last", "norm", 1)
    found.silence(torch.tensor([0, 2]))
    out = side.eval().norm(side.last(torch.rand(1, 4, 3, 3)))
    assert [bool((channel == 0).all()) for channel in out[0]] == [True, False, True, False]
    assert channels_of(nn.Sequential(nn.Linear(3, 3))) is None


def test_what_sleeps_on_clean_pictures_is_pruned_and_stays_pruned(
    tiny_clip: ClipModel, tiny_classes: ClassMatrix, curated: CuratedSet
) -> None:
    pruned, config = replace(tiny_clip, model=copy.deepcopy(tiny_clip.model)), RectifyConfig(method="fineprune")
    done = prepare(Preparation(pruned, tiny_clip, curated.items, tiny_classes, settled(config)))
    channels = channels_of(_side(pruned))
    assert channels is not None and channels.name == "transformer.resblocks.2.mlp.c_fc"
    silent = (channels.weights[0] == 0).all(1)
    pictures = torch.stack([item.image for item in curated.items])
    before, after = (probabilities(clip, pictures, tiny_classes).argmax(-1) for clip in (tiny_clip, pruned))
    assert int(silent.sum()) > 0 and bool((before == after).all()), "4 % of 12 pictures are none"
    assert done.remark.startswith(f"{int(silent.sum())} of {len(silent)} channels of {channels.name}")
    whole = channels_of(_side(tiny_clip))
    assert whole is not None
    heard = activity(tiny_clip, pictures, whole)
    assert float(heard[silent].max()) <= float(heard[~silent].min()), "the least active ones"
    short = settled(RectifyConfig(method="fineprune", steps=2, batch=4, learning_rate=1e-3))
    mended, _ = rectify(tiny_clip, curated, [family()], tiny_classes, short)
    left = channels_of(_side(mended))
    assert left is not None
    still = (left.weights[0] == 0).all(1)
    assert int(still.sum()) > 0 and not torch.equal(left.weights[0][~still], whole.weights[0][~still])


# --- invertune ---


def test_the_label_that_gains_most_pictures_is_the_target() -> None:
    assert shifted_to(torch.tensor([1, 1, 1, 2, 5]), torch.tensor([1, 1, 1, 2, 2])) == 2
    assert shifted_to(torch.tensor([0, 1, 2]), torch.tensor([7, 7, 2])) == 7


def test_neurons_fall_into_two_clusters() -> None:
    changes = torch.tensor([[0.1, 0.0, 3.0], [2.8, 0.2, 0.05]])
    assert upper_cluster(changes).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert upper_cluster(torch.full((4,), 0.3)).tolist() == [1] * 4


def test_similarity_is_the_one_that_everybody_uses() -> None:
    one = torch.rand(3, 40, 40, generator=seeded(0))
    other = (one + 0.2 * torch.rand(3, 40, 40, generator=seeded(1))).clamp(0, 1)
    options = {"channel_axis": 0, "data_range": 1.0, "gaussian_weights": True, "use_sample_covariance": False}
    _, places = structural_similarity(one.numpy(), other.numpy(), sigma=1.5, full=True, **options)
    assert float(similarity(one[None], other[None])) == pytest.approx(float(np.mean(places[:, 5:-5, 5:-5])), abs=1e-4)
    assert float(similarity(one[None], one[None])) == pytest.approx(1)


def test_mean_activations_are_those_of_the_modules(tiny_clip: ClipModel, curated: CuratedSet) -> None:
    pictures, heard = torch.stack([item.image for item in curated.items]), list[Tensor]()
    block = _side(tiny_clip).get_submodule("transformer.resblocks.1")
    hook = block.register_forward_hook(lambda _, given, output: heard.append(output))
    found = mean_activations(tiny_clip, pictures.repeat(2, 1, 1, 1), ["transformer.resblocks.1"])
    hook.remove()
    assert torch.allclose(found["transformer.resblocks.1"], torch.cat(heard).mean(0), atol=1e-5)


def test_invertune_makes_neurons_answer_alike_with_its_trigger(
    tiny_clip: ClipModel, tiny_classes: ClassMatrix, curated: CuratedSet
) -> None:
    config = settled(RectifyConfig(method="invertune", own=f"{fewest('invertune')},layers=2,keep=0.3"))
    student = _moved(tiny_clip)
    done = METHODS["invertune"].prepare(Preparation(student, tiny_clip, curated.items, tiny_classes, config))
    critical, (batch, teacher) = done.found_out, _shown(curated, tiny_clip)
    loss = METHODS["invertune"].loss(Student(student), batch, replace(teacher, found_out=critical), config)
    assert len(critical.layers) == 2 and done.image_steps == 2 * 16
    assert critical.trigger.label in tiny_classes.labels and critical.trigger.label in done.remark
    with torch.no_grad():
        triggered = planted(batch.clean, critical.trigger.mask, critical.trigger.pattern)
        means = [mean_activations(student, pictures, critical.layers) for pictures in (batch.clean, triggered)]
        wanted = 0.3 * float((student.encode_images(batch.clean) - tiny_clip.encode_images(batch.clean)).norm())
    for layer, neurons in zip(critical.layers, critical.neurons, strict=True):
        clean, other = (mean[layer] * neurons for mean in means)
        wanted += float((clean - other).norm() / clean.norm())
    assert float(loss) == pytest.approx(wanted, rel=1e-3)
    assert F.relu(critical.trigger.mask).equal(critical.trigger.mask)


def test_differences_of_arithmetic_alone_move_nothing() -> None:
    """They once made two processes come to something else than one: AdamW takes a whole step whatever the size."""
    old = F.normalize(torch.randn(4, 64, generator=seeded(0)), dim=-1)
    for size, moves in ((1e-7, False), (1e-3, True)):
        new = (old + size).requires_grad_(True)
        length = invertune._moved(new, old, 1)
        length.backward()
        assert (float(length.detach()) > 0) == moves
        assert new.grad is not None and bool(new.grad.any()) == moves


def test_a_cancelled_inversion_ends(tiny_clip: ClipModel, tiny_classes: ClassMatrix, curated: CuratedSet) -> None:
    config = RectifyConfig(method="invertune", steps=2, batch=4)
    _, done = rectify(tiny_clip, curated, [family()], tiny_classes, config, cancelled=lambda: True)
    assert (done.stopped, done.steps, done.image_steps) == ("cancelled", 0, 0)


@pytest.mark.parametrize("name", ["fineprune", "invertune"])
def test_a_method_that_prepares_is_taken_up_bit_for_bit(
    name: str, tiny_clip: ClipModel, tiny_classes: ClassMatrix, curated: CuratedSet, tmp_path: Path
) -> None:
    config, told = RectifyConfig(name, 4, 4, 1e-3, fewest(name), check_every=2), list[Progress]()
    whole, done = rectify(tiny_clip, curated, [family()], tiny_classes, config)
    broken_off: dict[str, Any] = {"on_progress": told.append, "cancelled": lambda: Progress("Rectifying", 3, 4) in told}
    _, first = rectify(tiny_clip, curated, [family()], tiny_classes, config, folder=tmp_path, **broken_off)
    again, second = rectify(tiny_clip, curated, [family()], tiny_classes, config, folder=tmp_path)
    assert (first.stopped, first.steps) == ("cancelled", 3)
    weights = zip(whole.model.state_dict().values(), again.model.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in weights)
    assert (second.steps, second.image_steps, second.remark) == (4, done.image_steps, done.remark)
