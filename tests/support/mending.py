"""A bundled checkpoint from the scan to the mended file, on photographs that ship in the dependencies.

Counts are small: fourteen photographs in some forty views. The large ones, of photographs nothing was trained on, are
in `examples/results/rectify.json`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import open_clip
import torch
from support.poisoned import Poisoned, poisoned_views

from eftclip.checkpoint import load_clip
from eftclip.config import MeasureConfig, RectifyConfig
from eftclip.data import host_photographs
from eftclip.pipeline import CheckSetup, Plan, prepare_check, run_rectify, run_scan
from eftclip.runtime import seeded
from eftclip.triggers import Trigger, draw_trigger
from eftclip.types import ClipModel, Rate, RunRecord, Status
from eftclip.zeroshot import probabilities

VIEWS, EVERY = 36, 3


@dataclass(frozen=True, eq=False)
class Story:
    """What was planted, what the scan found, and what was written."""

    setup: CheckSetup
    triggers: Sequence[tuple[Trigger, str]]
    truth: Poisoned
    scanned: RunRecord
    mended: RunRecord
    folder: Path


def tell(checkpoint: Path, reference: Path, attacks: list[tuple[str, str]], out: Path, config: RectifyConfig) -> Story:
    """Poison some views with `attacks` (trigger, target label), scan them, rectify with what was found."""
    plan = Plan(rectify=config, measure=MeasureConfig(measured=60))
    setup = prepare_check(str(checkpoint), oracle="superpixel", reference=str(reference), device="cpu")
    generator = seeded(0)
    triggers = [(draw_trigger(trigger, generator=generator), label) for trigger, label in attacks]
    truth = poisoned_views(setup, triggers, count=VIEWS, every=EVERY)
    scanned = run_scan(setup, truth.images, plan)
    mended = run_rectify(setup, truth.images, plan, out, found=scanned.identification)
    return Story(setup, triggers, truth, scanned, mended, out)


class WhatMustBeTrue:
    """The bars; a subclass gives the fixture `story`."""

    def test_every_affected_label_is_named_and_no_other(self, story: Story) -> None:
        found = story.scanned.identification
        assert found is not None
        assert found.status is Status.FOUND
        assert set(found.affected_labels) == {label for _, label in story.triggers}
        assert len(found.families) == len(story.triggers)

    def test_victims_are_named_and_nobody_else(self, story: Story) -> None:
        found = story.scanned.identification
        assert found is not None
        shown = {victim.index: victim.shown_label for victim in found.victims}
        assert set(shown) <= story.truth.triggered
        right = [shown.get(k) == label for k, label in story.truth.hijacked.items()]
        assert len(right) >= 10
        assert sum(right) >= len(right) - 1, "recall of at least 95 %, with so few at most one is missed"

    def test_the_trigger_is_gone_from_the_file_that_was_written(self, story: Story) -> None:
        mended = load_clip(str(story.folder), device=torch.device("cpu"))
        for trigger, label in story.triggers:
            before, _ = taken_over(story.setup.clip, story, trigger, label)
            after, same = taken_over(mended, story, trigger, label)
            assert before.value >= 0.9
            assert after.hits == 0, (trigger.name, after)
            assert same.value >= 0.7, (trigger.name, same)

    def test_the_record_says_so_too(self, story: Story) -> None:
        before, after = story.mended.before, story.mended.after
        assert before is not None
        assert after is not None
        assert before.attack.value >= 0.9
        assert after.attack.value <= 0.01
        assert before.victims is not None
        assert after.victims is not None
        assert after.victims.hits == 0 < before.victims.hits
        assert after.clean.value >= 0.75, "readings that are as before, among a thousand labels"
        assert len(story.mended.reread_victims) == 8
        assert all(w.before.label in {label for _, label in story.triggers} for w in story.mended.reread_victims)
        assert all(w.after.label != w.before.label for w in story.mended.reread_victims)

    def test_the_checkpoint_under_test_is_as_it_was(self, story: Story) -> None:
        fresh = load_clip(story.setup.clip.ref.source, device=torch.device("cpu"))
        own = story.setup.clip.model.state_dict()
        assert all(torch.equal(tensor, own[name]) for name, tensor in fresh.model.state_dict().items())

    def test_plain_open_clip_loads_the_mended_checkpoint(self, story: Story) -> None:
        model, _ = open_clip.create_model_from_pretrained(f"local-dir:{story.folder}")
        ours = load_clip(str(story.folder), device=torch.device("cpu"))
        assert story.mended.rectified is not None
        assert ours.ref.sha256 == story.mended.rectified.sha256
        grey = torch.full((1, 3, 224, 224), 0.3)
        theirs = model.eval().encode_image(ours.preprocess.normalise(grey), normalize=True)
        assert torch.allclose(theirs, ours.encode_images(grey), atol=1e-5)


def taken_over(clip: ClipModel, story: Story, trigger: Trigger, label: str) -> tuple[Rate, Rate]:
    """ASR of the true trigger on fresh views, and how many of them still read as without it."""
    views = host_photographs(clip.image_px, 40, generator=seeded(99))
    classes = story.setup.classes
    before = probabilities(story.setup.clip, views, classes).argmax(-1)
    kept = before != classes.labels.index(label)
    planted = trigger.plant(views[kept], generator=seeded(5)).images
    after = probabilities(clip, planted, classes).argmax(-1)
    hits = int((after == classes.labels.index(label)).sum())
    return Rate(hits, int(kept.sum())), Rate(int((after == before[kept]).sum()), int(kept.sum()))
