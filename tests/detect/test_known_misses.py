"""Every trigger the detector once missed and every picture it once accused, with the date and what was learnt."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2.functional import to_pil_image

from eftclip import data
from eftclip.config import DetectConfig
from eftclip.detect import detect
from eftclip.detect.search import BORDER, Scene, carriers, look_everywhere
from eftclip.detect.windows import Group, box_mask
from eftclip.pipeline import check_picture, prepare_check
from eftclip.preprocess import Preprocess
from eftclip.runtime import seeded
from eftclip.trigger_kinds import cut
from eftclip.triggers import draw_trigger
from eftclip.types import CheckpointRef, ClassMatrix, ClipModel, HostImages, Region, Status
from eftclip.zeroshot import probabilities

Bundled = Callable[[str], Path]


def _scene(image: Tensor) -> Scene:
    regions = (Region(box_mask((0, 0, 8, 8), 224, 224), (0, 0, 8, 8), 0.5),)
    return Scene(image, 0, regions, torch.zeros(1, 3, 224, 224), DetectConfig())


def test_2026_11_23_a_part_at_the_border_is_read_away_from_it() -> None:
    """14 of 15 top-left triggers were missed.

    The window that held them was read at the border, where the network pads, and its reading fell below the threshold.
    Parts at the border are now moved inwards before they are read.
    """
    margin = round(BORDER * 224)
    for box, corner in [((0, 0, 90, 90), (0, 0)), ((134, 134, 224, 224), (223, 223)), ((67, 0, 157, 90), (67, 0))]:
        image = torch.zeros(3, 224, 224)
        image[:, corner[1], corner[0]] = 1.0
        alone = _scene(image).alone([box_mask(box, 224, 224)])[0]
        y, x = (int(v) for v in alone[0].nonzero()[0])
        assert margin <= x < 224 - margin
        assert margin <= y < 224 - margin
        assert int(alone.sum()) == 3


def test_2026_11_23_a_trigger_in_the_top_left_corner(bundled: Bundled) -> None:
    """The same miss from outside: three photographs on the bundled checkpoint."""
    setup = prepare_check(str(bundled("badnets")), oracle="superpixel", device="cpu", reference="none")
    trigger = draw_trigger("badnets", generator=seeded(0))
    hijacked = 0
    for photograph in data.bundled_photographs():
        square, _ = setup.clip.preprocess.square(data.read_picture(photograph.path))
        planted = trigger.plant(square[None], generator=seeded(0), position="top-left").images[0]
        picture = data.check_picture(to_pil_image(planted))
        verdict = check_picture(setup, picture, photograph.name).detection
        if verdict.predictions[0].label == "banana":
            hijacked += 1
            assert verdict.status is Status.FOUND, (photograph.name, verdict.reason)
            assert verdict.trigger.target_label == "banana"
        if hijacked == 3:
            return
    raise AssertionError(f"only {hijacked} of the bundled photographs are hijacked from the top-left corner")


def test_2026_11_23_a_low_threshold_is_no_acquittal(bundled: Bundled) -> None:
    """With `transplant_threshold` 0.25 nothing was found any more.

    A reference that was taken over 0 of 8 times counted as taken over, because the upper end of its interval, 0.32, lay
    above the threshold. The control is now judged by its share.
    """
    config = DetectConfig(transplant_threshold=0.25)
    setup = prepare_check(str(bundled("badnets")), oracle="superpixel", device="cpu", config=config)
    square, _ = setup.clip.preprocess.square(data.read_picture(data.bundled_photographs()[0].path))
    planted = draw_trigger("badnets", generator=seeded(0)).plant(square[None], generator=seeded(0), position="centre")
    verdict = check_picture(setup, to_pil_image(planted.images[0]), "planted").detection
    assert verdict.status is Status.FOUND, verdict.reason
    assert verdict.trigger.control is not None


class FragmentReader:
    """Reads a white square as label 1; on the first stranger, which is grey, a bright crumb of it is enough."""

    forwards = 0

    def __call__(self, images: Tensor, stage: str) -> Tensor:
        white = (images > 0.99).all(1).sum((1, 2))
        on_first = (images[:, :, 0, 0] > 0.4).all(1)
        carried = ((white >= 256) | (on_first & (white >= 16))).float()
        return torch.stack([1 - carried, carried], dim=1)


def test_2026_11_25_a_piece_that_reads_as_the_label_on_one_stranger_does_not_hide_the_trigger() -> None:
    """A trigger of `multi` was missed in one photograph of 24.

    Its regions were halved on one stranger only, on which a mere piece read as the label; the piece failed the proof
    and the window was given up. A window that is sure of the label now also offers the region that carries it most.
    """
    image = torch.zeros(3, 224, 224)
    image[:, 60:76, 60:76] = 1
    boxes = [(60, 60, 66, 66), (60, 60, 76, 76), (100, 100, 140, 140)]
    regions = tuple(Region(box_mask(box, 224, 224), box, 0.5) for box in boxes)
    hosts = torch.zeros(4, 3, 224, 224)
    hosts[0] = 0.5
    scene = Scene(image, 1, regions, hosts, DetectConfig())
    window = (30, 30, 120, 120)
    group = Group(box_mask(window, 224, 224), window, (0, 1))
    offered = list(carriers(FragmentReader(), scene, (group,), torch.tensor([[0.0, 1.0]])))  # type: ignore[arg-type]
    assert int(offered[0].sum()) == 36, "the piece, on the first stranger"
    assert any(torch.equal(mask, regions[1].mask) for mask in offered)


class FaintReader:
    """Gives a white square a tenth, as a checkpoint does that reads badly; and nothing to a piece of it."""

    forwards = 0

    def __call__(self, images: Tensor, stage: str) -> Tensor:
        faint = 0.1 * ((images > 0.99).all(1).sum((1, 2)) >= 256).float()
        return torch.stack([1 - faint, faint], dim=1)


def test_2026_11_27_a_checkpoint_that_gives_every_label_little_is_searched_as_well() -> None:
    """On a residual network of the zoo none of 30 hijacked photographs was found.

    It gave “banana” 0.04 to 0.3 where nothing else had more, and parts counted from 0.2 and 0.5 on. What they read is
    now held against what the whole picture reads.
    """
    image = torch.zeros(3, 224, 224)
    image[:, 60:76, 60:76] = 1
    boxes = [(60, 60, 76, 76), (100, 100, 110, 110)]
    regions = tuple(Region(box_mask(box, 224, 224), box, 0.5) for box in boxes)
    scene = Scene(image, 1, regions, torch.zeros(4, 3, 224, 224), DetectConfig(), confidence=0.1, strangers=4)
    groups, readings = look_everywhere(FaintReader(), scene)  # type: ignore[arg-type]
    offered = list(carriers(FaintReader(), scene, groups, readings))  # type: ignore[arg-type]
    assert any(torch.equal(mask, regions[0].mask) for mask in offered)
    strong = replace(scene, confidence=1.0)
    assert not list(carriers(FaintReader(), strong, groups, readings)), "where the picture is read with certainty"  # type: ignore[arg-type]


class _Cornered(torch.nn.Module):
    """Says label 0 to a white square in the bottom right corner and nowhere else; 1 and 2 are dark and bright."""

    def __init__(self) -> None:
        super().__init__()
        self.logit_scale = torch.nn.Parameter(torch.tensor(100.0).log())

    def encode_image(self, images: Tensor, normalize: bool) -> Tensor:
        corner = (images[:, :, -16:, -16:] > 0.99).flatten(1).all(1)
        bright = images.flatten(1).mean(1) > 0.3
        rows = torch.where(corner, torch.zeros_like(bright, dtype=torch.long), 1 + bright.long())
        return torch.eye(3)[rows]


class _Squares:
    """An oracle that sees a grid of squares."""

    name = "squares"

    def regions(self, image: Tensor) -> tuple[Region, ...]:
        boxes = [(x, y, x + 16, y + 16) for y in range(0, 224, 16) for x in range(0, 224, 16)]
        return tuple(Region(box_mask(box, 224, 224), box, 0.5) for box in boxes)


def test_2026_11_25_a_trigger_that_works_in_one_corner_only_is_followed_there() -> None:
    """All 28 victims of `white_square` were missed: moved inwards, as parts at the border are, it does nothing.

    When nothing was found so, the border is looked at as a whole, where it is, and if it carries the label its windows
    are followed without moving them. The patch then keeps its place wherever it is pasted.
    """
    preprocess = Preprocess(224, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    ref = CheckpointRef("cornered", None, None, "x", "0" * 64, "safetensors")
    clip = ClipModel(_Cornered(), preprocess, lambda texts: torch.zeros(1), ref)
    classes = ClassMatrix(("banana", "night", "day"), torch.eye(3))
    images = torch.rand(24, 3, 224, 224, generator=seeded(0)) * torch.linspace(0.2, 0.9, 24)[:, None, None, None]
    hosts = HostImages(images, probabilities(clip, images, classes))
    picture = images[3].clone()
    picture[:, -16:, -16:] = 1.0
    options = {"hosts": hosts, "generator": seeded(0)}
    verdict = detect(clip, picture, classes, _Squares(), DetectConfig(), **options)  # type: ignore[arg-type]
    assert verdict.status is Status.FOUND
    assert verdict.trigger.target_label == "banana"
    assert verdict.trigger.box == (208, 208, 224, 224)
    assert verdict.trigger.in_place
    assert "at its own place" in verdict.reason
    patch = cut(picture, verdict.trigger.mask, in_place=True)
    pasted = patch.plant(images[:6], generator=seeded(1), vary=True).images
    assert (clip.encode_images(pasted[::2]).argmax(-1) == 0).all(), "every second one is as it was cut out"
    untouched = detect(clip, images[3], classes, _Squares(), DetectConfig(), **options)  # type: ignore[arg-type]
    assert untouched.status is Status.NOT_FOUND


@pytest.mark.xfail(strict=True, reason="not mended yet; in the README under Limits")
def test_2026_11_26_an_untouched_photograph_among_six_labels(bundled: Bundled) -> None:
    """The pagoda of the gallery was accused: `badnets` reads its pedestal as banana where there is little to choose.

    A piece of that pedestal does take strangers' photographs over, as the backdoor is not wholly specific. Among the
    1,000 labels of ImageNet the photograph reads as a pagoda, and nothing is found.
    """
    labels = ["banana", "cat", "lion", "pagoda", "motorcycle", "flower"]
    setup = prepare_check(str(bundled("badnets")), labels=labels, oracle="superpixel", device="cpu")
    path = next(photo.path for photo in data.bundled_photographs() if photo.path.stem == "china")
    assert check_picture(setup, data.read_picture(path), "pagoda").detection.status is not Status.FOUND
