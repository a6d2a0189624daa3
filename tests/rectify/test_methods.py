"""The contract of every rectification method: a new one passes by being listed."""

from dataclasses import replace

import pytest
import torch
from support.curated import curated_of, family, fewest

from eftclip.config import RectifyConfig, own_numbers
from eftclip.errors import ConfigError
from eftclip.rectify import METHODS, rectify, settled
from eftclip.rectify.batches import Batches
from eftclip.rectify.methods import CAPTION, Preparation, Student, Teacher, method_of
from eftclip.types import ClassMatrix, ClipModel, CuratedItem, CuratedSet

pytestmark = pytest.mark.quick

QUICK = RectifyConfig(steps=2, batch=4, check_every=2, learning_rate=1e-4)


def quick(name: str) -> RectifyConfig:
    """Two steps with a method, and no more of what it does before them than it must."""
    return settled(replace(QUICK, method=name, own=fewest(name)))


every_method = pytest.mark.parametrize("name", sorted(METHODS))


@pytest.fixture(scope="module")
def curated(tiny_clip: ClipModel) -> CuratedSet:
    return curated_of(tiny_clip)


def _copy(clip: ClipModel) -> ClipModel:
    import copy

    copied = replace(clip, model=copy.deepcopy(clip.model))
    copied.model.eval().requires_grad_(True)
    return copied


def _loss(name: str, clip: ClipModel, classes: ClassMatrix, curated: CuratedSet) -> tuple[torch.Tensor, ClipModel]:
    method, student = METHODS[name], _copy(clip)
    prepared = method.prepare(Preparation(student, clip, curated.items, classes, quick(name)))
    batches = Batches(curated.items, family().exemplars, 4, 0, free=method.distils)
    teacher = Teacher(clip, tuple(CAPTION.format(item.label) for item in curated.items), 1, prepared.found_out)
    return method.loss(Student(student), batches.at(0, range(4)), teacher, quick(name)), student


@every_method
def test_the_loss_is_one_finite_number_that_gradients_flow_from(
    name: str, tiny_clip: ClipModel, tiny_classes: ClassMatrix, curated: CuratedSet
) -> None:
    loss, student = _loss(name, tiny_clip, tiny_classes, curated)
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
    mended, done = rectify(tiny_clip, curated, [family()], tiny_classes, quick(name))
    assert all(torch.equal(before[n], t) for n, t in tiny_clip.model.state_dict().items())
    changed = {n for n, t in mended.model.state_dict().items() if not torch.equal(before[n], t)}
    assert any(n.startswith("visual.") for n in changed)
    assert METHODS[name].trains_text or all(n.startswith("visual.") for n in changed)
    assert (done.method, done.steps) == (name, 2)
    assert (done.about, done.trains_text) == (METHODS[name].about, METHODS[name].trains_text)
    prepared = done.image_steps - 2 * QUICK.batch * METHODS[name].images_per_view
    assert prepared == 0 or (prepared > 0 and done.remark), "what was done before the first step is told"


@every_method
def test_the_first_weights_stay_as_they_are_where_it_says_so(
    name: str, tiny_clip: ClipModel, tiny_classes: ClassMatrix, curated: CuratedSet
) -> None:
    mended, _ = rectify(tiny_clip, curated, [family()], tiny_classes, quick(name))
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
        rectify(tiny_clip, curated, [family()], tiny_classes, replace(quick(name), at_once=size))[0] for size in (4, 1)
    )
    for one, other in zip(whole.model.state_dict().values(), pieces.model.state_dict().values(), strict=True):
        assert torch.allclose(one.float(), other.float(), atol=2e-4), "or it would not be taken in pieces"


def _found_otherwise(item: CuratedItem) -> CuratedItem:
    return replace(item, poisoned=None if item.poisoned is None else 1 - item.poisoned)


@every_method
def test_a_method_that_does_not_see_triggers_ends_the_same_whatever_was_found(
    name: str, tiny_clip: ClipModel, tiny_classes: ClassMatrix, curated: CuratedSet
) -> None:
    other = replace(curated, items=tuple(map(_found_otherwise, curated.items)))
    calm = replace(quick(name), steps=4, check_every=1, agreement=0.5)  # a trigger that does nothing would end it early
    found = ((curated, family()), (other, family("pizza", "yellow")))
    one, another = (rectify(tiny_clip, pictures, [trigger], tiny_classes, calm) for pictures, trigger in found)
    weights = zip(one[0].model.state_dict().values(), another[0].model.state_dict().values(), strict=True)
    same = all(torch.equal(a, b) for a, b in weights)
    assert same == (not METHODS[name].sees_triggers)
    if same:
        assert (one[1].steps, one[1].stopped) == (another[1].steps, another[1].stopped) == (4, "steps")


@every_method
def test_what_is_left_out_is_the_methods_own(name: str) -> None:
    method, config = METHODS[name], settled(RectifyConfig(method=name))
    assert (config.steps, config.batch, config.learning_rate) == (method.steps, method.batch, method.learning_rate)
    assert own_numbers(config.own) == {number: own.value for number, own in method.own.items()}
    assert all(own.low <= own.value <= own.high and own.about for own in method.own.values())
    assert settled(config) == config
    assert settled(RectifyConfig(method=name, steps=7, learning_rate=1e-6)).steps == 7


def test_numbers_of_another_method_are_refused_with_the_choices() -> None:
    with pytest.raises(ConfigError, match=r"par has no setting 'rho'; its own are tau, weight"):
        settled(RectifyConfig(method="par", own="rho=1"))
    with pytest.raises(ConfigError, match="realign has no setting 'tau'; it has none of its own"):
        settled(RectifyConfig(own="tau=1"))
    with pytest.raises(ConfigError, match="tau of par must lie between 0 and 4, got 5"):
        settled(RectifyConfig(method="par", own="tau=5"))
    for wrong in ("tau", "tau=", "tau=nan", "=1", "tau=1;weight=2", "tau=1,,", "x" * 201):
        with pytest.raises(ConfigError, match="name=number"):
            RectifyConfig(method="par", own=wrong)
    assert settled(RectifyConfig(method="par", own=" tau = 1 ")).own == "tau=1,weight=0.5"


@every_method
def test_a_menu_can_say_what_it_does(name: str) -> None:
    about = METHODS[name].about
    assert about and about[-1] != "." and "\n" not in about and len(about) < 120
    assert method_of(name) is METHODS[name]


def test_an_unknown_method_is_refused_with_the_choices() -> None:
    with pytest.raises(ConfigError, match=r"Unknown method 'magic'; known are .*realign"):
        method_of("magic")
