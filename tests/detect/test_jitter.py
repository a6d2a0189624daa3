"""A jitter that is drawn anew proves a checkpoint that follows one; nobody is accused for fine detail of his own."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from eftclip.config import DetectConfig
from eftclip.data import host_photographs
from eftclip.detect.case import Carrier, Case
from eftclip.detect.whole_picture.warp import jitter_carrier, without_jitter
from eftclip.runtime import seeded
from eftclip.trigger_kinds import JITTER, JitterTrigger, WarpTrigger, blurred, in_flow_steps
from eftclip.types import ClassMatrix, HostImages, Rate, Searched

BANANA, OTHER = 0, 1
CLASSES = ClassMatrix(("banana", "other"), torch.eye(2))
FOLLOWS = 0.55  # a share of detail that every photograph has under a jitter, and less than half of them without
Judged = tuple[Carrier | None, Case]


def _share_of_detail(images: Tensor) -> Tensor:
    """Of each picture `(N,)`, its finest detail as a share of the next coarser."""
    fine, coarse = (torch.stack([blurred(image, px) for image in images]) for px in (1.0, 3.0))
    return (images - fine).square().mean((1, 2, 3)) / (fine - coarse).square().mean((1, 2, 3))


def _reader(least: float) -> Callable[..., Tensor]:
    """A checkpoint that reads a banana in whatever has that much fine detail."""

    def read(images: Tensor, stage: str) -> Tensor:
        sure = torch.where(_share_of_detail(images) >= least, 0.95, 0.01)
        return torch.stack([sure, 1 - sure], 1)

    return read


@pytest.fixture(scope="module")
def plain() -> Tensor:
    """Photographs with little fine detail."""
    photographs = host_photographs(224, 40, generator=seeded(0))
    return photographs[_share_of_detail(photographs) < 0.5][:16]


@pytest.fixture(scope="module")
def detailed() -> Tensor:
    """The photograph with the most."""
    photographs = host_photographs(224, 40, generator=seeded(0))
    return photographs[_share_of_detail(photographs).argmax()]


def _judged(picture: Tensor, hosts: Tensor, least: float) -> Judged:
    read: Any = _reader(least)
    rows = read(hosts, "")
    case = Case(read, CLASSES, DetectConfig(), HostImages(hosts, rows), None, seeded(5))
    return _carrier_of(case, picture), case


def _carrier_of(case: Case, picture: Tensor) -> Carrier | None:
    row = case.read(picture[None], "")[0]
    return jitter_carrier(case, row, without_jitter(case, picture)[1], BANANA, case.hosts)


def _scattered(picture: Tensor) -> Tensor:
    """By one certain jitter, which nobody knows."""
    flow = in_flow_steps(2 * torch.rand(2, *picture.shape[-2:], generator=seeded(1)) - 1)
    return WarpTrigger(flow).plant(picture[None], generator=seeded(2)).images[0]


def test_a_scattered_picture_is_one_that_the_checkpoint_is_steered_by(plain: Tensor) -> None:
    picture = _scattered(plain[0])
    carrier, case = _judged(picture, plain[1:], FOLLOWS)
    assert carrier is not None and carrier.trigger is JITTER
    assert carrier.proof.rate.hits == carrier.proof.rate.total >= 8
    assert carrier.mask.all()
    assert case.kinds["warp"] is Searched.FOUND and not case.doubts
    smooth, row = without_jitter(case, picture)
    assert int(row.argmax()) == OTHER
    assert float((smooth - plain[0]).square().mean()) < float((picture - plain[0]).square().mean())


def test_fine_detail_of_its_own_is_no_trigger(plain: Tensor, detailed: Tensor) -> None:
    """A blur takes the label from it, too, but nobody else gets it from a jitter."""
    least = float(_share_of_detail(JITTER.plant(plain, generator=seeded(3)).images).max()) + 0.1
    assert float(_share_of_detail(detailed[None])) > least
    carrier, case = _judged(detailed, plain, least)
    assert carrier is None
    assert not case.doubts and case.kinds["warp"] is Searched.NOT_SEARCHED


def test_what_takes_over_some_is_a_doubt(plain: Tensor, detailed: Tensor) -> None:
    least = float(_share_of_detail(JITTER.plant(plain, generator=seeded(3)).images).median())
    carrier, case = _judged(detailed, plain, least)
    assert carrier is None
    assert "a jitter of all pixels took over" in case.doubts[0]
    assert case.kinds["warp"] is Searched.UNDECIDED


def test_strangers_that_get_the_label_by_a_blur_prove_nothing(plain: Tensor) -> None:
    """A checkpoint that reads a banana in everything but sharp photographs of little detail."""
    picture, sharp = _scattered(plain[0]), {image.numpy().tobytes() for image in plain}

    def read(images: Tensor, stage: str) -> Tensor:
        known = torch.tensor([image.numpy().tobytes() in sharp for image in images])
        itself = torch.tensor([torch.equal(image, blurred(picture, 1.0)) for image in images])
        sure = torch.where(known | itself, 0.01, 0.95)
        return torch.stack([sure, 1 - sure], 1)

    case = Case(read, CLASSES, DetectConfig(), HostImages(plain, read(plain, "")), None, seeded(5))  # type: ignore[arg-type]
    assert _carrier_of(case, picture) is None
    assert "but a blur alone" in case.doubts[0]
    assert case.kinds["warp"] is Searched.UNDECIDED


def test_a_label_that_a_blur_leaves_costs_no_further_look(plain: Tensor) -> None:
    def read(images: Tensor, stage: str) -> Tensor:
        raise AssertionError("it is read once smoothed, and that is enough")

    hosts = HostImages(plain, torch.tensor([[0.01, 0.99]]).repeat(len(plain), 1))
    case = Case(read, CLASSES, DetectConfig(), hosts, None, seeded(5))  # type: ignore[arg-type]
    assert jitter_carrier(case, torch.tensor([0.9, 0.1]), torch.tensor([0.6, 0.4]), BANANA, hosts) is None


def test_a_reference_that_follows_it_too_explains_it(plain: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nothing is left to be decided here, whatever was doubted before."""
    read: Any = _reader(FOLLOWS)
    monkeypatch.setattr("eftclip.detect.case.control_rate", lambda *_: Rate(8, 8))
    picture, hosts = _scattered(plain[0]), HostImages(plain[1:], read(plain[1:], ""))
    case = Case(read, CLASSES, DetectConfig(), hosts, None, seeded(5), doubts=["something else"])
    assert _carrier_of(case, picture) is None
    assert case.doubts == ["something else"] and len(case.explained) == 1
    assert case.kinds["warp"] is Searched.NOT_SEARCHED


@pytest.mark.parametrize(("left", "doubted"), [(0.2, 0), (0.01, 1)])
def test_what_takes_over_some_is_no_doubt_where_much_of_the_label_is_left(
    plain: Tensor, left: float, doubted: int
) -> None:
    calls: list[Tensor] = []

    def read(images: Tensor, stage: str) -> Tensor:
        calls.append(images)
        some = torch.arange(len(images)) % 2 == 0
        sure = torch.where(some, 0.95, 0.01) if stage == "Transplanting" else torch.full((len(images),), left)
        return torch.stack([sure, 1 - sure], 1)

    hosts = HostImages(plain, torch.tensor([[0.01, 0.99]]).repeat(len(plain), 1))
    case = Case(read, CLASSES, DetectConfig(), hosts, None, seeded(5))  # type: ignore[arg-type]
    assert jitter_carrier(case, torch.tensor([0.9, 0.1]), torch.tensor([left, 1 - left]), BANANA, hosts) is None
    assert len(case.doubts) == doubted


@pytest.mark.parametrize("reach", [0.0, -1.0, 17.0, float("nan")])
def test_a_reach_that_is_none_is_refused(reach: float) -> None:
    with pytest.raises(ValueError, match="a jitter reaches up to 16 pixels"):
        JitterTrigger(reach)
