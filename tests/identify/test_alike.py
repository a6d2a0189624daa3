"""Pictures that share a faint pattern are told from others by their phases."""

import torch
from torch import Tensor

from eftclip.data import host_photographs
from eftclip.identify.together.alike import alike
from eftclip.runtime import seeded
from eftclip.triggers import draw_trigger

PX = 224
PHOTOGRAPHS = host_photographs(PX, 12, generator=seeded(3))


def planted(name: str, pictures: Tensor) -> Tensor:
    """The pictures with a published trigger, in 8-bit steps."""
    return (draw_trigger(name, generator=seeded(0)).plant(pictures, generator=seeded(1)).images * 255).round() / 255


def listed(pictures: Tensor, label: str = "banana") -> list[tuple[int, str, Tensor]]:
    return [(index, label, square) for index, square in enumerate(pictures)]


def test_photographs_have_nothing_in_common() -> None:
    assert alike(listed(PHOTOGRAPHS)) == {}


def test_those_that_share_a_faint_pattern_are_named_and_no_other() -> None:
    for name in ("blend_pattern", "blend_triangles", "blend_text", "blend_noise"):
        pictures = PHOTOGRAPHS.clone()
        pictures[[1, 4, 7, 10]] = planted(name, pictures[[1, 4, 7, 10]])
        assert alike(listed(pictures)) == {"banana": [1, 4, 7, 10]}, name


def test_one_of_a_label_shares_nothing_and_labels_are_kept_apart() -> None:
    pictures = planted("blend_pattern", PHOTOGRAPHS)
    assert alike([(0, "banana", pictures[0]), (1, "zebra", pictures[1])]) == {}
    labels = ("banana", "zebra", "zebra", "banana", "zebra", "banana")
    apart = alike((k, label, pictures[k]) for k, label in enumerate(labels))
    assert apart == {"banana": [0, 3, 5], "zebra": [1, 2, 4]}


def test_one_photograph_in_several_files_counts_once() -> None:
    copies = torch.stack([(PHOTOGRAPHS[0] * shade * 255).round() / 255 for shade in (1.0, 0.97, 0.94, 0.91)])
    assert alike(listed(torch.cat([copies, PHOTOGRAPHS[1:4]]))) == {}


def test_pictures_of_one_colour_and_small_ones_are_told_apart_too() -> None:
    assert alike(listed(torch.full((4, 3, PX, PX), 0.5))) == {}
    assert alike(listed(host_photographs(32, 12, generator=seeded(3)))) == {}


def test_nothing_comes_of_nothing() -> None:
    assert alike([]) == {}
