"""The audit ends, whatever what it grows does; patches come first, then patterns."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from eftclip.config import InvertConfig
from eftclip.detect.transplant import beyond
from eftclip.invert import Grown, InvertedTrigger, grow_triggers, growing, inversion, invert
from eftclip.invert.parametrisations import PUSHES, GrownPatch, GrownPattern
from eftclip.preprocess import Preprocess
from eftclip.runtime import OnProgress, ignore
from eftclip.trigger_kinds import PatchTrigger, PatternTrigger, Trigger
from eftclip.types import CheckpointRef, ClassMatrix, ClipModel, Rate, TriggerFamily, TriggerProof

pytestmark = pytest.mark.quick

LABELS = tuple(f"label {k}" for k in range(60))
CLASSES = ClassMatrix(LABELS, torch.eye(len(LABELS)))
QUICK = InvertConfig(steps=1, starts=1, pattern_steps=1, batch=2, check_every=1)
ACCEPTED = TriggerProof(True, Rate(24, 24), Rate(0, 24))


class _OneLabel(torch.nn.Module):
    """Reads everything as one label; the next one after each trigger that was named, if it is `changing`."""

    def __init__(self, changing: bool) -> None:
        super().__init__()
        self.changing, self.asked = changing, 0
        self.logit_scale = torch.nn.Parameter(torch.tensor(3.0))

    def encode_image(self, images: Tensor, normalize: bool) -> Tensor:
        if not torch.is_grad_enabled():  # each trigger is named with two looks
            self.asked += 1
        number = (self.asked // 2) % len(LABELS) if self.changing else 0
        return torch.eye(len(LABELS))[number].repeat(len(images), 1) + 0 * images.mean((1, 2, 3))[:, None]


def _grow(
    prove: Callable[[Trigger, int], TriggerProof | None], config: InvertConfig = QUICK, *, changing: bool = False
) -> tuple[tuple[TriggerFamily, ...], int]:
    """The families and the steps that it took."""
    steps: list[object] = []
    return _grown(prove, config, changing=changing, on_progress=steps.append).families, len(steps)


def _grown(
    prove: Callable[[Trigger, int], TriggerProof | None],
    config: InvertConfig = QUICK,
    *,
    changing: bool = False,
    on_progress: OnProgress = ignore,
) -> Grown:
    photographs = torch.rand(96, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    clip = _clip(_OneLabel(changing))
    return grow_triggers(clip, CLASSES, photographs, config, prove=prove, beyond=beyond, on_progress=on_progress)


def _clip(model: torch.nn.Module) -> ClipModel:
    ref = CheckpointRef("made up", None, None, "x", "0" * 64, "safetensors")
    return ClipModel(model, Preprocess(32, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)), lambda texts: torch.zeros(1), ref)


@pytest.mark.parametrize("patience", [1, 2, 5])
def test_a_model_whose_every_patch_leads_to_one_label_is_audited_to_the_end(patience: int) -> None:
    """Seen on a checkpoint poisoned by plain contrastive training: every patch was accepted, and the loop went on."""
    tried: list[int] = []

    def prove(trigger: Trigger, target: int) -> TriggerProof:
        tried.append(target)
        return ACCEPTED

    families, steps = _grow(prove, replace(QUICK, patience=patience))
    assert [len(family.exemplars) for family in families] == [QUICK.exemplars], "no more are kept than may be"
    assert tried == [0] * QUICK.exemplars, "what leads to a known label is not even tried"
    assert steps == QUICK.exemplars + patience + patience, "patterns that lead to that label bring nothing new either"
    assert {trigger.kind for trigger in families[0].exemplars} == {"patch"}


def test_a_model_whose_every_trigger_leads_to_another_label_is_bounded_too() -> None:
    families, steps = _grow(lambda trigger, target: ACCEPTED, changing=True)
    assert steps == growing.MOST_TRIGGERS + 2, "of patterns, two labels are enough to know that it follows any"
    kinds = [trigger.kind for family in families for trigger in family.exemplars]
    assert kinds.count("patch") == growing.MOST_TRIGGERS
    assert len(families) > 10


def test_after_a_try_that_brought_nothing_a_patch_is_pushed_harder_and_begins_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At one push a second backdoor is not reached, at another it is; patterns keep to the one that was tried."""
    tries: list[tuple[str, float, int]] = []

    def noted(*args: Any, push: float, starts: int, **options: Any) -> InvertedTrigger | None:
        found = invert(*args, push=push, starts=starts, **options)
        assert found is not None
        tries.append((found.trigger.kind, push, starts))
        return found

    monkeypatch.setattr(growing, "invert", noted)
    _grow(lambda trigger, target: TriggerProof(False, Rate(0, 4), None), replace(QUICK, patience=3, starts=2))
    mild, hard = PUSHES
    assert tries == [("patch", mild, 1), ("patch", hard, 2), ("patch", mild, 2), *[("pattern", mild, 1)] * 3]


class _Bright(torch.nn.Module):
    """Reads a picture with something white in it as one label, and any other by where it is brightest."""

    def __init__(self) -> None:
        super().__init__()
        self.logit_scale = torch.nn.Parameter(torch.tensor(3.0))

    def encode_image(self, images: Tensor, normalize: bool) -> Tensor:
        number = 1 + images.mean(1).flatten(1).argmax(1) % (len(LABELS) - 1)
        number[images.amin(1).flatten(1).amax(1) > 0.95] = 0
        return torch.eye(len(LABELS))[number] + 0 * images.mean((1, 2, 3))[:, None]


def test_of_the_patches_that_are_drawn_the_best_one_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    shades = iter([-4.0, 0.0, 6.0, -1.0])
    monkeypatch.setattr(GrownPatch, "other_start", lambda kind, generator: [torch.full((3, 8, 8), next(shades))])
    photographs = 0.9 * torch.rand(96, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    found = invert(_clip(_Bright()), CLASSES, photographs, QUICK, GrownPatch(8, steps=1), starts=4)
    assert found is not None
    assert next(shades, None) is None, "all of them are drawn"
    assert isinstance(found.trigger, PatchTrigger)
    assert float(found.trigger.pixels.min()) > 0.95
    assert (found.target, found.taken.value) == (0, 1.0)


class _Leaning(torch.nn.Module):
    """Reads a picture as label 0 the more, the brighter its brightest place is; a part of them needs more for it."""

    def __init__(self, shy: float) -> None:
        super().__init__()
        self.shy, self.logit_scale = shy, torch.nn.Parameter(torch.tensor(3.0))

    def encode_image(self, images: Tensor, normalize: bool) -> Tensor:
        needed = 0.6 + 0.3 * (images[:, 0, -1, -1] < self.shy)
        towards = (20 * (images.amin(1).flatten(1).amax(1) - needed)).sigmoid()
        features = torch.zeros(len(images), len(LABELS))
        return torch.nn.functional.normalize(
            features.index_fill(1, torch.tensor([0]), 1) * towards[:, None]
            + (features.index_fill(1, torch.tensor([1]), 1) * (1 - towards)[:, None]),
            dim=-1,
        )


@pytest.mark.parametrize(
    ("shy", "known", "further"),
    [(0.25, (), True), (0.45, (), False), (0.25, (0,), False)],
    ids=["half of them lead to it", "a tenth does", "it is known"],
)
def test_what_leads_to_one_new_label_grows_on_towards_it(
    monkeypatch: pytest.MonkeyPatch, shy: float, known: tuple[int, ...], further: bool
) -> None:
    """By being alike alone it stays where it is."""
    monkeypatch.setattr(inversion._Objective, "alike", lambda aim, features: 0 * features.sum())
    monkeypatch.setattr(GrownPatch, "start", lambda kind, generator: [torch.full((3, 8, 8), 1.1)])
    photographs = 0.5 * torch.rand(96, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    steps: list[object] = []
    config, kind = replace(QUICK, check_every=5), GrownPatch(8, steps=20)
    found = invert(_clip(_Leaning(shy)), CLASSES, photographs, config, kind, known=known, on_progress=steps.append)
    assert found is not None
    assert (len(steps) > kind.steps) == further
    assert (found.taken.value >= inversion.SURE) == further


def test_a_pattern_stays_as_it_is() -> None:
    """It has room for a way to any label."""
    assert GrownPattern(32, 0.05, steps=7).steps_towards == 0
    assert GrownPatch(8, steps=7).steps_towards == 7


@pytest.mark.parametrize("proven", [0, 1, 2])
def test_of_the_patterns_that_begin_as_waves_only_those_that_are_proven_are_kept(proven: int) -> None:
    """They grow towards the label of the family, and accuse nothing new."""
    asked = 0

    def prove(trigger: Trigger, target: int) -> TriggerProof:
        nonlocal asked
        asked += isinstance(trigger, PatternTrigger)
        accepted = isinstance(trigger, PatternTrigger) and asked <= QUICK.exemplars + proven
        return TriggerProof(accepted, Rate(24 * accepted, 24), Rate(0, 24))

    (family,), _ = _grow(prove)
    assert len(family.exemplars) == QUICK.exemplars + proven
    assert family.transplant == Rate(24 * len(family.exemplars), 24 * len(family.exemplars))


@pytest.mark.parametrize("accepted", [(True, False, False, True), (True, False, False, False)])
def test_a_label_gets_the_patches_that_it_lacks(accepted: tuple[bool, ...]) -> None:
    """One try for each: the search for others ended before there were enough."""
    answers = iter(accepted)

    def prove(trigger: Trigger, target: int) -> TriggerProof:
        fine = isinstance(trigger, PatchTrigger) and next(answers)
        return TriggerProof(fine, Rate(24 * fine, 24), None)

    (family,), steps = _grow(prove)
    assert next(answers, None) is None
    assert len(family.exemplars) == sum(accepted)
    assert steps == len(accepted) + QUICK.patience, "and patterns that lead to the same label"


def test_what_forces_nothing_ends_it() -> None:
    families, steps = _grow(lambda trigger, target: TriggerProof(False, Rate(0, 4), None))
    assert families == ()
    assert steps == 2 * QUICK.patience


def test_a_pattern_is_named_where_no_patch_is() -> None:
    def prove(trigger: Trigger, target: int) -> TriggerProof:
        return ACCEPTED if isinstance(trigger, PatternTrigger) else TriggerProof(False, Rate(0, 4), None)

    (family,), _ = _grow(prove)
    assert len(family.exemplars) == 2 * QUICK.exemplars, "as many again from other starts"
    for pattern in family.exemplars:
        assert isinstance(pattern, PatternTrigger)
        assert 0 < float(pattern.added.abs().max()) <= QUICK.pattern_strength + 1 / 255
        assert float(pattern.kept.min()) == 1


def test_a_stop_keeps_what_was_found() -> None:
    answers = iter([ACCEPTED, None])
    grown = _grown(lambda trigger, target: next(answers))
    families = grown.families
    assert not grown.complete
    assert [len(family.exemplars) for family in families] == [1]
    assert families[0].origin == "inverted"
    assert families[0].control == Rate(0, 24)


def test_a_stop_leaves_a_pattern_undecided() -> None:
    """Nobody knows whether others lead elsewhere."""
    patterns = iter([ACCEPTED, None])

    def prove(trigger: Trigger, target: int) -> TriggerProof | None:
        return next(patterns) if isinstance(trigger, PatternTrigger) else TriggerProof(False, Rate(0, 4), None)

    grown = _grown(prove)
    assert grown.families == ()
    assert grown.followed == (LABELS[0],)
    assert not grown.complete
