"""Is there anything to judge? Held against checkpoints that work, read at chance, are dead or return no numbers."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from eftclip.errors import DataError
from eftclip.evaluate import best_normalisation, describe_normalisation, sanity
from eftclip.evaluate.sanity import BY_CHANCE, SURE_Z, share_that_fits_as_well
from eftclip.preprocess import Preprocess
from eftclip.types import CheckpointRef, ClipModel, Rate

LABELS = tuple(f"thing {n}" for n in range(14))
OPENAI = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
NOTHING = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
REF = CheckpointRef("here", None, None, "weights", "0" * 64, "safetensors")


def _photographs() -> Tensor:
    """Picture k is lit in the k-th of 16 vertical bars only."""
    pictures = torch.zeros(len(LABELS), 3, 32, 32)
    for k, picture in enumerate(pictures):
        picture[..., 2 * k : 2 * k + 2] = 1
    return pictures


class BarReader(nn.Module):
    """Reads which bar is lit, provided that the numbers arrive as it was trained on: from `low` to `high`."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low, self.high = low, high
        self.logit_scale = nn.Parameter(torch.tensor(3.0))

    def encode_image(self, images: Tensor, *, normalize: bool) -> Tensor:
        bars = images.mean(2).mean(1).unflatten(-1, (16, 2)).mean(-1)
        lit = torch.exp(-((bars - self.high) ** 2) * 20) - torch.exp(-((bars.amax(-1, True) - self.high) ** 2) * 20) / 2
        strange = (bars.amin(-1, keepdim=True) - self.low).abs() > 0.05  # such an input was never seen
        confused = torch.ones_like(lit).cumsum(-1) + 0.1 * bars
        return nn.functional.normalize(torch.where(strange, confused, lit), dim=-1)

    def encode_text(self, tokens: Tensor, *, normalize: bool) -> Tensor:
        return nn.functional.one_hot(tokens[:, 0], 16).float()


def _number_in(texts: Sequence[str]) -> Tensor:
    return torch.tensor([[int("".join(filter(str.isdigit, text)))] for text in texts])


def _reader(model: nn.Module, mean_std: tuple[tuple[float, ...], tuple[float, ...]] = NOTHING) -> ClipModel:
    mean, std = mean_std
    preprocess = Preprocess(32, mean=(mean[0], mean[1], mean[2]), std=(std[0], std[1], std[2]))
    return ClipModel(model.eval(), preprocess, _number_in, REF)


def test_a_working_checkpoint_is_ok() -> None:
    found = sanity(_reader(BarReader(0, 1)), _photographs(), LABELS)
    assert found.ok
    assert found.clean == Rate(14, 14)
    assert found.normalisation == "no normalisation"
    assert "14 of 14" in found.reason


def test_a_checkpoint_at_chance_is_not(tiny_clip: ClipModel) -> None:
    generator = torch.Generator().manual_seed(0)
    found = sanity(tiny_clip, torch.rand(14, 3, 64, 64, generator=generator), LABELS)
    assert not found.ok
    assert "not clearly above chance" in found.reason
    assert found.clean.interval(SURE_Z)[0] <= 1 / len(LABELS)


def test_same_labels_count_as_one() -> None:
    labels = (*LABELS[:13], LABELS[12])
    found = sanity(_reader(BarReader(0, 1)), _photographs(), labels)
    assert found.clean.total == 14
    assert found.ok


class Constant(BarReader):
    """Every picture is the same to it."""

    def __init__(self, value: float) -> None:
        super().__init__(0, 1)
        self.value = value

    def encode_image(self, images: Tensor, *, normalize: bool) -> Tensor:
        return torch.full((len(images), 16), self.value)


def test_a_dead_checkpoint_is_named() -> None:
    found = sanity(_reader(Constant(0.25)), _photographs(), LABELS)
    assert not found.ok
    assert "alike" in found.reason


def test_numbers_that_are_not_finite_are_named() -> None:
    found = sanity(_reader(Constant(float("nan"))), _photographs(), LABELS)
    assert not found.ok
    assert "not finite" in found.reason


def test_a_checkpoint_trained_without_normalisation_is_judged_without() -> None:
    clip = _reader(BarReader(0, 1), OPENAI)
    assert not sanity(clip, _photographs(), LABELS).ok
    better, found = best_normalisation(clip, _photographs(), LABELS)
    assert found.ok
    assert (better.preprocess.mean, better.preprocess.std) == NOTHING
    assert better.preprocess == replace(clip.preprocess, mean=NOTHING[0], std=NOTHING[1]), "nothing else changed"
    assert found.normalisation == "no normalisation"
    for said in ("OpenAI's", "no normalisation was used instead"):
        assert said in found.reason


def test_a_normalisation_that_works_is_kept() -> None:
    clip = _reader(BarReader(-1, 1), ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)))
    same, found = best_normalisation(clip, _photographs(), LABELS)
    assert same is clip
    assert found.ok
    assert found.normalisation == "mean 0.5, std 0.5"


def test_where_none_works_the_checkpoint_stays_as_it_came() -> None:
    clip = _reader(Constant(0.25), OPENAI)
    same, found = best_normalisation(clip, _photographs(), LABELS)
    assert same is clip
    assert not found.ok
    assert "nothing can be judged" in found.reason


def _greys() -> Tensor:
    """Picture k is grey, from nearer and in a mirror too."""
    return torch.stack([torch.full((3, 32, 32), k / 16) for k in range(len(LABELS))])


class Noisy(nn.Module):
    """What it sees of the k-th grey is noise, with `signal` of the right name in it."""

    def __init__(self, signal: float, seed: int) -> None:
        super().__init__()
        noise = torch.randn(16, 16, generator=torch.Generator().manual_seed(seed))
        self.seen = nn.Parameter(noise + signal * torch.eye(16))
        self.logit_scale = nn.Parameter(torch.tensor(3.0))

    def encode_image(self, images: Tensor, *, normalize: bool) -> Tensor:
        return nn.functional.normalize(self.seen[(16 * images.mean((1, 2, 3))).round().long().clamp(0, 15)], dim=-1)

    def encode_text(self, tokens: Tensor, *, normalize: bool) -> Tensor:
        return nn.functional.one_hot(tokens[:, 0], 16).float()


def test_a_weak_checkpoint_is_told_from_a_broken_one() -> None:
    """One that is right too rarely, but whose similarities fit the labels, is judged, and is said to read badly."""
    weak, badly = 0, 0
    for seed in range(40):
        clip = _reader(Noisy(1.1, seed))
        if sanity(clip, _greys(), LABELS).ok:
            continue
        badly += 1
        same, found = best_normalisation(clip, _greys(), LABELS)
        weak += found.ok
        if found.ok:
            assert same is clip
            assert "reads badly" in found.reason
            assert str(found.clean) in found.reason
    assert badly >= 10
    assert weak >= 0.5 * badly


def test_a_checkpoint_that_sees_nothing_is_let_through_as_rarely_as_was_said() -> None:
    shares = [share_that_fits_as_well(_reader(Noisy(0, seed)), _greys(), LABELS, {}) for seed in range(400)]
    assert sum(share <= BY_CHANCE for share in shares) <= 7, "2 are expected; more than 7 come once in 1,000 times"
    assert 120 < sum(share <= 0.5 for share in shares) < 280


def test_other_names_of_a_label_bear_witness_too() -> None:
    clip = _reader(Noisy(1.1, 0))
    others = {LABELS[0]: ("thing 15",)}
    assert share_that_fits_as_well(clip, _greys(), LABELS, others) != share_that_fits_as_well(
        clip, _greys(), LABELS, {}
    )


def test_unknown_normalisations_are_described_by_their_numbers() -> None:
    assert describe_normalisation(_reader(BarReader(0, 1), ((0.1, 0.2, 0.3), (1, 2, 3)))) == (
        "mean 0.1, 0.2, 0.3, std 1, 2, 3"
    )


@pytest.mark.parametrize("labels", [LABELS[:3], ("same",) * 14])
def test_labels_that_do_not_fit_are_refused(labels: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match=f"14 photographs and {len(labels)} labels"):
        sanity(_reader(BarReader(0, 1)), _photographs(), labels)
