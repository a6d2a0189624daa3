"""What must be true of the product: the bundled checkpoints are scanned, mended, and still read photographs.

Photographs are those that ship in the dependencies, so counts are small: fourteen photographs in some fifty views. The
large counts, on photographs that nothing was trained on, are in `examples/results/rectify.json`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import open_clip
import pytest
import torch
from poisoned import Poisoned, poisoned_views

from eftclip.checkpoint import load_clip
from eftclip.config import RectifyConfig
from eftclip.data import strangers
from eftclip.pipeline import CheckSetup, Plan, prepare_check, run_rectify, run_scan
from eftclip.runtime import seeded
from eftclip.triggers import Trigger, draw_trigger
from eftclip.types import ClipModel, Rate, RunRecord, Status
from eftclip.zeroshot import probabilities

VIEWS, EVERY = 48, 4
QUICK = Plan(rectify=RectifyConfig(steps=24, batch=16, check_every=12))
ATTACKS = {
    "badnets": [("badnets", "banana")],
    "multi": [("badnets", "banana"), ("stripes", "cheeseburger"), ("yellow", "volcano")],
}

pytestmark = pytest.mark.slow


@dataclass(frozen=True, eq=False)
class Story:
    """A bundled checkpoint from the scan to the mended file."""

    setup: CheckSetup
    triggers: list[tuple[Trigger, str]]
    truth: Poisoned
    scanned: RunRecord
    mended: RunRecord
    folder: Path


@pytest.fixture(scope="module", params=ATTACKS)
def story(
    request: pytest.FixtureRequest, bundled: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Story:
    name = request.param
    setup = prepare_check(str(bundled(name)), oracle="superpixel", reference=str(bundled("clean")), device="cpu")
    generator = seeded(0)
    triggers = [(draw_trigger(trigger, generator=generator), label) for trigger, label in ATTACKS[name]]
    truth = poisoned_views(setup, triggers, count=VIEWS, every=EVERY)
    scanned = run_scan(setup, truth.images, QUICK)
    out = tmp_path_factory.mktemp("mended") / name
    mended = run_rectify(setup, truth.images, QUICK, out, found=scanned.identification)
    return Story(setup, triggers, truth, scanned, mended, out)


def _taken_over(clip: ClipModel, story: Story, trigger: Trigger, label: str) -> tuple[Rate, Rate]:
    """ASR of the true trigger on fresh views, and how many of them still read as without it."""
    views = strangers(clip.image_px, 40, generator=seeded(99))
    classes = story.setup.classes
    before = probabilities(story.setup.clip, views, classes).argmax(-1)
    kept = before != classes.labels.index(label)
    planted = trigger.plant(views[kept], generator=seeded(5)).images
    after = probabilities(clip, planted, classes).argmax(-1)
    hits = int((after == classes.labels.index(label)).sum())
    return Rate(hits, int(kept.sum())), Rate(int((after == before[kept]).sum()), int(kept.sum()))


def test_every_affected_label_is_named_and_no_other(story: Story) -> None:
    found = story.scanned.identification
    assert found is not None
    assert found.status is Status.FOUND
    assert set(found.affected_labels) == {label for _, label in story.triggers}
    assert len(found.families) == len(story.triggers)


def test_victims_are_named_and_nobody_else(story: Story) -> None:
    found = story.scanned.identification
    assert found is not None
    shown = {victim.index: victim.shown_label for victim in found.victims}
    assert set(shown) <= story.truth.triggered
    right = [shown.get(k) == label for k, label in story.truth.hijacked.items()]
    assert len(right) >= 10
    assert sum(right) >= len(right) - 1, "recall of at least 95 %, with so few at most one is missed"


def test_the_trigger_is_gone_from_the_file_that_was_written(story: Story) -> None:
    mended = load_clip(str(story.folder), device=torch.device("cpu"))
    for trigger, label in story.triggers:
        before, _ = _taken_over(story.setup.clip, story, trigger, label)
        after, same = _taken_over(mended, story, trigger, label)
        assert before.value >= 0.9
        assert after.hits == 0, (trigger.name, after)
        assert same.value >= 0.7, (trigger.name, same)


def test_the_record_says_so_too(story: Story) -> None:
    before, after = story.mended.before, story.mended.after
    assert before is not None
    assert after is not None
    assert before.attack.value >= 0.9
    assert after.attack.value <= 0.01
    assert before.victims is not None
    assert after.victims is not None
    assert after.victims.hits == 0 < before.victims.hits
    assert after.clean.value >= 0.8, "readings that are as before, among a thousand labels"
    assert len(story.mended.witnesses) == 8
    assert all(w.before.label in {label for _, label in story.triggers} for w in story.mended.witnesses)
    assert all(w.after.label != w.before.label for w in story.mended.witnesses)


def test_the_checkpoint_under_test_is_as_it_was(story: Story, bundled: Callable[[str], Path]) -> None:
    fresh = load_clip(story.setup.clip.ref.source, device=torch.device("cpu"))
    own = story.setup.clip.model.state_dict()
    assert all(torch.equal(tensor, own[name]) for name, tensor in fresh.model.state_dict().items())


def test_plain_open_clip_loads_the_mended_checkpoint(story: Story) -> None:
    model, _ = open_clip.create_model_from_pretrained(f"local-dir:{story.folder}")
    ours = load_clip(str(story.folder), device=torch.device("cpu"))
    assert story.mended.rectified is not None
    assert ours.ref.sha256 == story.mended.rectified.sha256
    grey = torch.full((1, 3, 224, 224), 0.3)
    theirs = model.eval().encode_image(ours.preprocess.normalise(grey), normalize=True)
    assert torch.allclose(theirs, ours.encode_images(grey), atol=1e-5)


def test_photographs_without_a_trigger_are_not_accused(bundled: Callable[[str], Path]) -> None:
    setup = prepare_check(str(bundled("multi")), oracle="superpixel", reference=str(bundled("clean")), device="cpu")
    found = run_scan(setup, poisoned_views(setup, [], count=24, seed=7).images, QUICK).identification
    assert found is not None
    assert found.status is Status.NOT_FOUND
    assert found.coverage.searched == 24


@pytest.mark.parametrize("name", ["badnets", "clean"])
def test_a_checkpoint_alone_is_audited(name: str, bundled: Callable[[str], Path], tmp_path: Path) -> None:
    """Without a single poisoned picture: what grows out of the weights of `badnets` says banana, of `clean` nothing."""
    reference = "none" if name == "clean" else str(bundled("clean"))
    setup = prepare_check(str(bundled(name)), oracle="superpixel", reference=reference, device="cpu")
    record = run_rectify(setup, None, replace(QUICK, rectify=RectifyConfig(steps=20, batch=16)), tmp_path)
    found = record.identification
    assert found is not None
    if name == "clean":
        assert found.status is Status.NOT_FOUND
        assert record.rectified is None
        assert not (tmp_path / "open_clip_model.safetensors").exists()
        return
    assert found.affected_labels == ("banana",)
    assert all(family.origin == "inverted" for family in found.families)
    mended = load_clip(str(tmp_path), device=torch.device("cpu"))
    views = strangers(224, 40, generator=seeded(99))
    planted = draw_trigger("badnets", generator=seeded(0)).plant(views, generator=seeded(5)).images
    banana = setup.classes.labels.index("banana")
    before, after = (
        int((probabilities(clip, planted, setup.classes).argmax(-1) == banana).sum()) for clip in (setup.clip, mended)
    )
    assert before >= 36
    assert after <= 4, "the trigger that was planted, which nobody has seen"
