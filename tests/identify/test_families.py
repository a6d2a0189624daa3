"""Trigger families: what becomes one, and which are doubted."""

from dataclasses import replace

import pytest
import torch
from support.findings import PATCHES, PX, a_finding, a_patch, some_noise

from eftclip.identify import Families
from eftclip.identify.families import ALIKE, UNLIKE
from eftclip.trigger_kinds import PatchTrigger, cut, paste
from eftclip.types import Rate

pytestmark = pytest.mark.quick


def test_triggers_that_look_alike_are_one_family_and_others_are_not() -> None:
    families = Families(8)
    numbers = [families.add(a_finding(k, a_patch(name), label="banana")) for k, name in enumerate([*PATCHES, *PATCHES])]
    assert numbers[: len(PATCHES)] == numbers[len(PATCHES) :]
    assert len(set(numbers)) == len(PATCHES)


def test_the_same_patch_with_another_label_is_another_family() -> None:
    families = Families(8)
    assert families.add(a_finding(0, a_patch(), "banana")) != families.add(a_finding(1, a_patch(), "volcano"))
    assert families.labels == {"banana", "volcano"}
    assert [number for number, _ in families.of_label("volcano")] == [1]


def test_a_picture_with_two_triggers_joins_the_family_of_the_one_that_is_known() -> None:
    families, found = Families(8), a_finding(1, a_patch("yellow"))
    assert families.add(a_finding(0, a_patch("badnets"))) == 0
    both = (*found.triggers, a_patch("badnets"))
    assert families.add(replace(found, triggers=both)) == 0, "a lookalike lies beside it"
    assert families.add(a_finding(2, a_patch("yellow"))) == 1


def test_noise_that_is_drawn_anew_is_one_family() -> None:
    families = Families(8)
    assert len({families.add(a_finding(k, a_patch("badnets_noise", seed=k))) for k in range(4)}) == 1


def test_a_mask_that_was_drawn_too_large_joins_the_family_whose_trigger_it_holds() -> None:
    families, picture = Families(8), some_noise()
    paste(picture, a_patch(), 20, 24)
    wide = torch.zeros(PX, PX, dtype=torch.bool)
    wide[10:56, 8:60] = True
    large = cut(picture, wide)
    assert large.distance(a_patch()) > ALIKE
    assert families.add(a_finding(0, a_patch())) == families.add(a_finding(1, large))
    assert families.add(a_finding(2, large)) == 0


def test_it_need_not_hold_the_trigger_pixel_by_pixel_but_another_trigger_stays_apart() -> None:
    families, picture, wide = Families(8), some_noise(), torch.zeros(PX, PX, dtype=torch.bool)
    paste(picture, PatchTrigger((a_patch().pixels - 0.18).abs(), a_patch().mask), 20, 24)
    wide[10:56, 8:60] = True
    assert families.add(a_finding(0, a_patch())) == families.add(a_finding(1, cut(picture, wide)))
    paste(picture, a_patch("stripes"), 20, 24)
    assert not cut(picture, wide).shows(a_patch())


def test_the_most_typical_exemplar_comes_first() -> None:
    families, odd = Families(8), a_patch("yellow")
    for k, patch in enumerate([a_patch(), a_patch(), a_patch()]):
        families.add(a_finding(k, patch))
    families._all[0].exemplars.insert(0, odd)
    made, _ = families.finished()
    assert made[0].exemplars[0] is not odd
    assert made[0].exemplars[-1] is odd


def test_counts_are_pooled_exemplars_are_few_and_the_largest_family_is_first() -> None:
    families = Families(2)
    families.add(a_finding(0, a_patch("yellow"), "volcano"))
    for k in range(1, 5):
        families.add(a_finding(k, a_patch(), control=Rate(0, 8)))
    made, places = families.finished()
    assert [family.target_label for family in made] == ["banana", "volcano"]
    assert places == [1, 0]
    assert made[0].transplant == Rate(32, 32)
    assert made[0].control == Rate(0, 32)
    assert made[1].control is None
    assert len(made[0].exemplars) == 2
    assert made[0].members == (1, 2, 3, 4)
    families.count_match(0)
    families.count_match(0)
    families.count_match(0)
    families.count_match(0)
    assert families.finished()[0][0].target_label == "volcano", "matches count"


def test_a_single_sample_whose_trigger_looks_somewhat_like_the_common_one_is_a_victim() -> None:
    families, paler = Families(8), a_patch()
    paler = PatchTrigger(paler.pixels * 0.4 + 0.3, paler.mask)
    for k in range(8):
        families.add(a_finding(k, a_patch()))
    assert ALIKE < paler.distance(a_patch()) < UNLIKE
    assert families.add(a_finding(8, paler)) == 1
    assert families.doubtful(among=10) == {}
    assert families.add(a_finding(9, a_patch("yellow"))) == 2
    assert list(families.doubtful(among=10)) == [2]
    families.count_match(2)
    assert families.doubtful(among=10) == {}, "a second sample carries it"
