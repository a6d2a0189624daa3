"""What must be true of a bundled checkpoint that is audited alone, without a single poisoned picture."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from eftclip.checkpoint import load_clip
from eftclip.config import InvertConfig, MeasureConfig, RectifyConfig
from eftclip.data import host_photographs
from eftclip.pipeline import Plan, prepare_check, run_rectify
from eftclip.runtime import seeded
from eftclip.triggers import draw_trigger
from eftclip.types import Status
from eftclip.zeroshot import probabilities

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["badnets", "clean"])
def test_a_checkpoint_alone_is_audited(name: str, bundled: Callable[[str], Path], tmp_path: Path) -> None:
    """What grows out of the weights of `badnets` says banana, of `clean` nothing."""
    reference = "none" if name == "clean" else str(bundled("clean"))
    setup = prepare_check(str(bundled(name)), oracle="superpixel", reference=reference, device="cpu")
    plan = Plan(
        rectify=RectifyConfig(steps=8, batch=16, learning_rate=6e-4),
        invert=InvertConfig(steps=20, batch=8, patience=1, exemplars=1),
        measure=MeasureConfig(measured=40),
    )
    record = run_rectify(setup, None, plan, tmp_path)
    found = record.identification
    assert found is not None
    if name == "clean":
        assert found.status is Status.NOT_FOUND
        assert record.rectified is None
        assert not (tmp_path / "open_clip_model.safetensors").exists()
        return
    assert found.affected_labels == ("banana",)
    assert all(family.origin == "inverted" for family in found.families)
    assert "may still work" in record.conclusion, "measured with what was grown"
    mended = load_clip(str(tmp_path), device=torch.device("cpu"))
    views = host_photographs(224, 40, generator=seeded(99))
    planted = draw_trigger("badnets", generator=seeded(0)).plant(views, generator=seeded(5)).images
    banana = setup.classes.labels.index("banana")
    before, after = (
        int((probabilities(clip, planted, setup.classes).argmax(-1) == banana).sum()) for clip in (setup.clip, mended)
    )
    assert before >= 36
    assert after <= 4, "the trigger that was planted, which nobody has seen"
