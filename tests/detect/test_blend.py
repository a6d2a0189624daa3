"""What strangers follow and no part of a picture shows is a doubt; what the picture shows somewhere is none."""

from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from eftclip.config import DetectConfig
from eftclip.data import host_photographs
from eftclip.detect.case import Case
from eftclip.detect.search import MANY_LABELS
from eftclip.detect.whole_picture.blend import FIRST, HALVES, THIRDS, doubt_what_no_part_shows, parts_of
from eftclip.runtime import seeded
from eftclip.types import ClassMatrix, HostImages, Searched

BANANA, OTHER = 0, 1
LABELS = tuple(f"label {k}" for k in range(MANY_LABELS))
CORNER = interpolate((torch.rand(1, 3, 7, 7, generator=seeded(1)) > 0.5).float(), (112, 112))[0]
HALF = torch.cat([CORNER, CORNER.flip(-1)], -1)
CARTOON = torch.cat([HALF, HALF.flip(-2)], -2)  # the same in a mirror and upside down
Sees = Callable[[Tensor], Tensor]


def _has_cartoon(images: Tensor) -> Tensor:
    """Of each picture, whether the cartoon shines through it, however faintly."""
    shape = CARTOON - CARTOON.mean((1, 2), keepdim=True)
    return (images * shape).sum((1, 2, 3)) / shape.square().sum() > 0.06


def _has_yellow(images: Tensor) -> Tensor:
    """Of each picture, whether a twentieth of it is about yellow."""
    red, green, blue = images.unbind(1)
    return ((torch.minimum(red, green) - blue) > 0.35).float().mean((1, 2)) > 0.05


def _case(sees: Sees, hosts: Tensor, labels: tuple[str, ...] = LABELS) -> tuple[Case, list[int]]:
    """A checkpoint that reads a banana in whatever `sees` says; and how many pictures it was given each time."""
    batches: list[int] = []

    def read(images: Tensor, stage: str) -> Tensor:
        batches.append(len(images))
        rows = torch.full((len(images), len(labels)), 0.05 / len(labels))
        rows[torch.arange(len(images)), torch.where(sees(images), BANANA, OTHER)] = 0.95
        return rows

    reader: Any = read
    rows = reader(hosts, "")
    kept = rows.argmax(-1) != BANANA
    classes = ClassMatrix(labels, torch.eye(len(labels)))
    case = Case(reader, classes, DetectConfig(), HostImages(hosts[kept], rows[kept]), None, seeded(5))
    batches.clear()
    return case, batches


def _judge(case: Case, picture: Tensor) -> None:
    row = case.read(picture[None], "")[0]
    assert int(row.argmax()) == BANANA
    doubt_what_no_part_shows(case, picture, row, BANANA, case.hosts)


@pytest.fixture(scope="module")
def photographs() -> Tensor:
    return host_photographs(224, 26, generator=seeded(0))


def test_a_cartoon_that_shines_through_is_a_doubt(photographs: Tensor) -> None:
    case, batches = _case(_has_cartoon, photographs[1:])
    _judge(case, 0.8 * photographs[0] + 0.2 * CARTOON)
    assert batches[1:5] == [1 + 4, 2, FIRST, 8 + 12], "all halves and thirds of it"
    [doubt] = case.doubts
    assert doubt == (
        "strangers' photographs that are blended with it read so, too, 100% as surely, which no part of it accounts for"
    )
    assert case.kinds["smooth_pattern"] is Searched.UNDECIDED


def test_what_a_part_shows_is_no_doubt_even_if_strangers_follow(photographs: Tensor) -> None:
    picture = photographs[0].clone()
    picture[:, 20:110, 20:110] = torch.tensor([1.0, 1.0, 0.0])[:, None, None]
    case, batches = _case(_has_yellow, photographs[1:])
    _judge(case, picture)
    assert not case.doubts
    assert case.kinds["smooth_pattern"] is Searched.NOT_SEARCHED
    assert batches == [1, 1 + 4], "the half and the thirds in the middle of it, which account for the label"


def test_what_only_a_part_at_the_border_shows_is_no_doubt_either(photographs: Tensor) -> None:
    picture = photographs[0].clone()
    picture[:, :56, :56] = torch.tensor([1.0, 1.0, 0.0])[:, None, None]
    case, batches = _case(_has_yellow, photographs[1:])
    _judge(case, picture)
    assert not case.doubts
    assert batches == [1, 1 + 4, 2, FIRST, 8 + 12]


def test_what_nobody_follows_is_no_doubt(photographs: Tensor) -> None:
    """A checkpoint that takes one picture for a banana, and no part of it, and nothing that is like it."""
    known = photographs[0]
    case, batches = _case(lambda images: torch.tensor([torch.equal(one, known) for one in images]), photographs[1:])
    _judge(case, known)
    assert batches == [1, 1 + 4, 2, FIRST]
    assert not case.doubts
    assert case.kinds["smooth_pattern"] is Searched.NOT_SEARCHED


@pytest.mark.parametrize(
    ("followed", "turned", "halves", "thirds", "doubted"),
    [
        (0.4, 1.0, 0.5, 0.3, True),
        (0.4, 1.0, 0.5, 0.9, False),
        (0.4, 1.0, 0.9, 0.5, False),
        (0.4, 0.6, 0.5, 0.3, False),
        (0.9, 1.0, 0.85, 0.85, True),
        (0.9, 1.0, 0.95, 0.95, False),
        (0.05, 1.0, 0.1, 0.02, True),
        (0.02, 1.0, 0.1, 0.01, False),
    ],
)
def test_followers_are_held_against_parts(
    followed: float, turned: float, halves: float, thirds: float, doubted: bool, photographs: Tensor
) -> None:
    """A part with most of a cartoon in it still reads it, and who reads badly is unsure of blends, too."""
    picture = 0.8 * photographs[0] + 0.2 * CARTOON
    sure = {one.numpy().tobytes(): turned for one in (picture.flip(-1).contiguous(), picture.flip(-2).contiguous())}
    for parts, how in ((HALVES, halves), (THIRDS, thirds)):
        sure |= {part.numpy().tobytes(): how for part in parts_of(picture, *parts)}
    hosts = photographs[1:]
    sure |= {blend.numpy().tobytes(): followed for blend in (hosts + picture) / 2}
    case, _ = _case(_has_cartoon, hosts)
    whole: Any = case.read

    def read(images: Tensor, stage: str) -> Tensor:
        rows: Tensor = whole(images, stage)
        for row, image in zip(rows, images, strict=True):
            if (how := sure.get(image.contiguous().numpy().tobytes())) is not None:
                row[BANANA] = how * 0.95
        return rows

    case.read = cast(Any, read)
    _judge(case, picture)
    assert bool(case.doubts) is doubted


@pytest.mark.parametrize(("blends", "doubted"), [(4, True), (16, False)])
def test_a_few_blends_of_strangers_that_read_so_explain_nothing(
    blends: int, doubted: bool, photographs: Tensor
) -> None:
    """A checkpoint that learnt a cartoon takes some blend or other for a banana: 26 of 100 were missed for it."""
    hosts = photographs[1:25]
    blended = (hosts + hosts.roll(8, 0)) / 2
    known = {image.numpy().tobytes() for image in blended[:blends]}

    def sees(images: Tensor) -> Tensor:
        return _has_cartoon(images) | torch.tensor([image.contiguous().numpy().tobytes() in known for image in images])

    case, _ = _case(sees, hosts)
    assert len(case.hosts.images) == 24, "none of them has the cartoon"
    _judge(case, 0.8 * photographs[0] + 0.2 * CARTOON)
    assert bool(case.doubts) is doubted


def test_a_label_that_strangers_get_by_any_blending_is_no_doubt(photographs: Tensor) -> None:
    """A checkpoint that reads a banana in whatever is none of the photographs, nor a part of the one."""
    known = {image.numpy().tobytes() for image in photographs[1:]}
    known |= {part.numpy().tobytes() for parts in (HALVES, THIRDS) for part in parts_of(photographs[0], *parts)}

    def sees(images: Tensor) -> Tensor:
        return torch.tensor([image.contiguous().numpy().tobytes() not in known for image in images])

    case, _ = _case(sees, photographs[1:])
    _judge(case, photographs[0])
    assert not case.doubts


def test_among_few_labels_nothing_is_said(photographs: Tensor) -> None:
    """Strangers become one of them easily, and nothing says why."""
    case, batches = _case(_has_cartoon, photographs[1:], LABELS[:2])
    _judge(case, 0.8 * photographs[0] + 0.2 * CARTOON)
    assert not case.doubts
    assert batches == [1]


def test_parts_cover_the_picture_and_are_as_large(photographs: Tensor) -> None:
    parts = parts_of(photographs[0], *HALVES)
    assert parts.shape == (9, 3, 224, 224)
    corner = interpolate(photographs[:1, :, 112:, 112:], (224, 224), mode="bilinear")[0]
    assert torch.equal(parts[-1], corner)
