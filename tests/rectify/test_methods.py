"""The contract of every rectification method: a new one passes by being listed."""

from dataclasses import replace

import pytest
import torch
from support.curated import curated_of, family

from eftclip.config import RectifyConfig
from eftclip.errors import ConfigError
from eftclip.rectify import METHODS, rectify
from eftclip.rectify.batches import Batches
from eftclip.rectify.methods import CAPTION, Student, Teacher, method_of
from eftclip.types import ClassMatrix, ClipModel, CuratedSet

pytestmark = pytest.mark.quick

QUICK = RectifyConfig(steps=2, batch=4, check_every=2, learning_rate=1e-4)
every_method = pytest.mark.parametrize("name", sorted(METHODS))


@pytest.fixture(scope="module")
def curated(tiny_clip: ClipModel) -> CuratedSet:
    return curated_of(tiny_clip)


def _copy(clip: ClipModel) -> ClipModel:
    import copy

    copied = replace(clip, model=copy.deepcopy(clip.model))
    copied.model.eval().requires_grad_(True)
    return copied


def _loss(name: str, clip: ClipModel, curated: CuratedSet) -> tuple[torch.Tensor, ClipModel]:
    method, student = METHODS[name], _copy(clip)
    batches = Batches(curated.items, family().exemplars, 4, 0, free=method.distils)
    teacher = Teacher(clip, tuple(CAPTION.format(item.label) for item in curated.items))
    return method.loss(Student(student), batches.at(0, range(4)), teacher, QUICK), student


@every_method
def test_the_loss_is_one_finite_number_that_gradients_flow_from(
    name: str, tiny_clip: ClipModel, curated: CuratedSet
) -> None:
    loss, student = _loss(name, tiny_clip, curated)
    assert loss.shape == () and torch.isfinite(loss)
    loss.backward()
    moved = {n for n, p in student.model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert any(n.startswith("visual.") for n in moved), "the image side, where these backdoors sit, learns"
    assert all(parameter.grad is None for parameter in tiny_clip.model.parameters()), "the original is not asked to"


@every_method
def test_a_run_changes_the_towers_it_names_and_leaves_the_original(
    name: str, tiny_clip: ClipModel, tiny_classes: ClassMatrix, curated: CuratedSet
) -> None:
    before = {n: t.clone() for n, t in tiny_clip.model.state_dict().items()}
    mended, done = rectify(tiny_clip, curated, [family()], tiny_classes, replace(QUICK, method=name))
    assert all(torch.equal(before[n], t) for n, t in tiny_clip.model.state_dict().items())
    changed = {n for n, t in mended.model.state_dict().items() if not torch.equal(before[n], t)}
    assert any(n.startswith("visual.") for n in changed)
    assert METHODS[name].trains_text or all(n.startswith("visual.") for n in changed)
    assert (done.method, done.steps) == (name, 2)
    assert done.image_steps == 2 * QUICK.batch * METHODS[name].images_per_view


@every_method
def test_the_first_weights_stay_as_they_are_where_it_says_so(
    name: str, tiny_clip: ClipModel, tiny_classes: ClassMatrix, curated: CuratedSet
) -> None:
    mended, _ = rectify(tiny_clip, curated, [family()], tiny_classes, replace(QUICK, method=name))
    before, after = (
        {n: p for n, p in clip.model.named_parameters() if n.startswith("visual.")} for clip in (tiny_clip, mended)
    )
    enough, seen = METHODS[name].frozen * sum(weight.numel() for weight in before.values()), 0
    for parameter, weight in before.items():
        if seen < enough:
            assert torch.equal(weight, after[parameter]), parameter
        seen += weight.numel()
    assert not all(torch.equal(before[parameter], after[parameter]) for parameter in before)
    assert 0 <= METHODS[name].frozen < 0.5


@every_method
def test_a_step_in_pieces_is_the_step_as_a_whole_where_it_says_so(
    name: str, tiny_clip: ClipModel, tiny_classes: ClassMatrix, curated: CuratedSet
) -> None:
    whole, pieces = (
        rectify(tiny_clip, curated, [family()], tiny_classes, replace(QUICK, method=name, at_once=size))[0]
        for size in (4, 1)
    )
    for one, other in zip(whole.model.state_dict().values(), pieces.model.state_dict().values(), strict=True):
        assert torch.allclose(one.float(), other.float(), atol=2e-4), "or it would not be taken in pieces"


@every_method
def test_a_menu_can_say_what_it_does(name: str) -> None:
    about = METHODS[name].about
    assert about and about[-1] != "." and "\n" not in about and len(about) < 120
    assert method_of(name) is METHODS[name]


def test_an_unknown_method_is_refused_with_the_choices() -> None:
    with pytest.raises(ConfigError, match=r"Unknown method 'magic'; known are .*realign"):
        method_of("magic")
