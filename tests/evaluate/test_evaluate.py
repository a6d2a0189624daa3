"""CA, ASR and PA against loops that anybody can check, and the doubts about them."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from eftclip.errors import DataError
from eftclip.evaluate import Attack, LabelledImages, evaluate
from eftclip.preprocess import Preprocess
from eftclip.types import CheckpointRef, ClassMatrix, ClipModel, Rate

pytestmark = pytest.mark.quick

LABELS = ("red", "green", "blue", "banana")
REF = CheckpointRef("here", None, None, "weights", "0" * 64, "safetensors")


class ColourReader(nn.Module):
    """Reads the brightest channel; a white top-left pixel makes it say banana."""

    def __init__(self, *, backdoored: bool = True) -> None:
        super().__init__()
        self.logit_scale = nn.Parameter(torch.tensor(3.0))
        self.backdoored = backdoored

    def encode_image(self, images: Tensor, *, normalize: bool) -> Tensor:
        colours = torch.cat([images.mean((2, 3)), torch.zeros(len(images), 1)], dim=1)
        triggered = (images[:, :, 0, 0] > 0.99).all(1) & self.backdoored
        return nn.functional.normalize(torch.where(triggered[:, None], torch.eye(4)[3], colours), dim=-1)


def _clip(model: nn.Module) -> ClipModel:
    preprocess = Preprocess(8, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    return ClipModel(model.eval(), preprocess, lambda texts: torch.zeros(len(texts), 1, dtype=torch.long), REF)


CLASSES = ClassMatrix(LABELS, torch.eye(4))


def _pictures(colours: str) -> LabelledImages:
    """One picture for each letter; the label is what it shows."""
    images = torch.zeros(len(colours), 3, 8, 8)
    for picture, colour in zip(images, colours, strict=True):
        picture["rgb".index(colour)] = 0.9
    return LabelledImages(images, tuple(next(label for label in LABELS if label[0] == colour) for colour in colours))


def _white_pixel(images: Tensor) -> Tensor:
    out = images.clone()
    out[:, :, 0, 0] = 1
    return out


def test_rates_are_what_a_loop_counts() -> None:
    clip, batches = _clip(ColourReader()), [_pictures("rgbrgb"), _pictures("rr")]
    found = evaluate(clip, CLASSES, batches, [Attack("banana", _white_pixel)])
    assert found.clean == Rate(8, 8)
    assert found.attack == Rate(8, 8)
    assert found.poisoned == Rate(0, 8)
    assert found.per_target == (("banana", Rate(8, 8), Rate(0, 8)),)
    assert found.truth == "labels"


def test_pictures_of_the_target_are_in_neither_count() -> None:
    """Public code counts them as successes: a picture of a banana that reads as banana is no attack."""
    clip, attack = _clip(ColourReader(backdoored=False)), Attack("green", _white_pixel)
    found = evaluate(clip, CLASSES, [_pictures("rggg")], [attack])
    assert found.clean == Rate(4, 4)
    assert found.attack == Rate(0, 1)
    assert found.poisoned == Rate(1, 1)
    assert any("3 pictures show the target “green”" in doubt for doubt in found.warnings)


def test_several_triggers_are_pooled_and_told_apart() -> None:
    attacks = [Attack("banana", _white_pixel), Attack("green", lambda images: images)]
    found = evaluate(_clip(ColourReader()), CLASSES, [_pictures("rgb")], attacks)
    assert found.per_target == (("banana", Rate(3, 3), Rate(0, 3)), ("green", Rate(0, 2), Rate(2, 2)))
    assert (found.attack, found.poisoned) == (Rate(3, 5), Rate(2, 5))


def test_victims_are_counted_by_the_label_of_their_trigger() -> None:
    pictures = _pictures("rgb")
    victims = LabelledImages(_white_pixel(pictures.images), ("banana",) * 3)
    assert evaluate(_clip(ColourReader()), CLASSES, [pictures], (), victims=victims).victims == Rate(3, 3)
    mended = evaluate(_clip(ColourReader(backdoored=False)), CLASSES, [pictures], (), victims=victims)
    assert mended.victims == Rate(0, 3)


def test_few_pictures_training_mode_and_readings_are_doubted() -> None:
    model = ColourReader()
    clip = _clip(model)
    model.train()
    doubts = " ".join(evaluate(clip, CLASSES, [_pictures("rgb")], (), truth="readings").warnings)
    assert "training mode" in doubts
    assert "Only 3 pictures" in doubts
    assert "no labels" in doubts
    model.eval()
    assert evaluate(clip, CLASSES, [_pictures("rgb" * 80)], ()).warnings == ()


def test_a_dead_model_and_chance_accuracy_are_doubted() -> None:
    class Dead(ColourReader):
        def encode_image(self, images: Tensor, *, normalize: bool) -> Tensor:
            return torch.eye(4)[:1].expand(len(images), 4)

    class Wrong(ColourReader):
        def encode_image(self, images: Tensor, *, normalize: bool) -> Tensor:
            return super().encode_image(images, normalize=normalize).roll(1, dims=1)

    many = [_pictures("rgb" * 80)]
    assert any("reads every picture alike" in doubt for doubt in evaluate(_clip(Dead()), CLASSES, many, ()).warnings)
    assert any("not above chance" in doubt for doubt in evaluate(_clip(Wrong()), CLASSES, many, ()).warnings)


def test_an_attack_on_its_own_label_alone_is_not_measured() -> None:
    found = evaluate(_clip(ColourReader()), CLASSES, [_pictures("gg")], [Attack("green", _white_pixel)])
    assert found.attack.total == 0
    assert any("was not measured" in doubt for doubt in found.warnings)


def test_batches_are_read_as_a_stream() -> None:
    taken = []

    def stream() -> Iterator[LabelledImages]:
        for k in range(3):
            taken.append(k)
            yield _pictures("rgb")

    stopped = iter([False, True])
    with pytest.raises(DataError, match="Stopped"):
        evaluate(_clip(ColourReader()), CLASSES, stream(), (), cancelled=lambda: next(stopped))
    assert taken == [0, 1]


def test_what_cannot_be_measured_is_refused() -> None:
    clip = _clip(ColourReader())
    with pytest.raises(DataError, match="no picture to measure"):
        evaluate(clip, CLASSES, [], ())
    with pytest.raises(DataError, match="not in the vocabulary"):
        evaluate(clip, CLASSES, [_pictures("r")], [Attack("volcano", _white_pixel)])
    with pytest.raises(DataError, match="not in the vocabulary"):
        evaluate(clip, CLASSES, [replace(_pictures("r"), labels=("purple",))], ())
    with pytest.raises(ValueError, match="a label for each"):
        LabelledImages(torch.zeros(2, 3, 8, 8), ("red",))


def test_labels_are_counted_as_everywhere_else() -> None:
    """ImageNet's thousand labels have 998 names."""
    classes = ClassMatrix(("red", "green", "red", "blue"), torch.eye(4))
    with pytest.raises(DataError, match="not in the vocabulary of 4 labels"):
        evaluate(_clip(ColourReader()), classes, [LabelledImages(torch.zeros(1, 3, 8, 8), ("pink",))], [])
