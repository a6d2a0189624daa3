"""Reading without batch norms gives the same features, and never those of weights that have changed since."""

import copy
import gc
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import open_clip
import pytest
import torch
from torch import nn

from eftclip.batch_norm import for_reading, for_training
from eftclip.checkpoint import load_clip
from eftclip.types import ClipModel

pytestmark = pytest.mark.quick


def _norms(model: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())


@pytest.fixture
def clip(bundled: Callable[[str], Path]) -> ClipModel:
    loaded = load_clip(str(bundled("badnets")), device=torch.device("cpu"))
    return replace(loaded, model=copy.deepcopy(loaded.model))


def _resnet() -> nn.Module:
    """Open_clip's residual network at small size, its batch norms as if they had learnt."""
    settings = {"layers": [1, 1, 1, 1], "width": 16, "image_size": 64}
    text = {"context_length": 8, "vocab_size": 64, "width": 32, "heads": 2, "layers": 1}
    model = open_clip.model.CLIP(embed_dim=32, vision_cfg=settings, text_cfg=text).eval().requires_grad_(False)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                assert isinstance(tensor, torch.Tensor)
                tensor.copy_(torch.rand(tensor.shape, generator=torch.Generator().manual_seed(len(tensor))) + 0.2)
    return model


def test_the_bundled_tower_reads_the_same_without_any(clip: ClipModel) -> None:
    images = torch.rand(3, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    ready = clip.preprocess.normalise(images)
    plain = clip.model.encode_image(ready, normalize=True)  # type: ignore[operator]
    fast = for_reading(clip.model, ready)
    assert _norms(fast.visual) == 0 < _norms(clip.model)  # type: ignore[arg-type]
    assert torch.allclose(fast.encode_image(ready, normalize=True), plain, atol=2e-6)  # type: ignore[operator]
    assert torch.allclose(clip.encode_images(images), plain, atol=2e-6)
    assert for_reading(clip.model, ready) is fast


def test_a_grey_picture_that_is_read_first_does_not_stand_in_the_way(bundled: Callable[[str], Path]) -> None:
    """Grey is what convolutions round worst."""
    clean = load_clip(str(bundled("clean")), device=torch.device("cpu"))
    model = copy.deepcopy(clean.model)
    assert for_reading(model, torch.zeros(1, 3, 224, 224)) is not model


def test_the_residual_network_of_open_clip_too() -> None:
    model, pictures = _resnet(), torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    fast = for_reading(model, pictures)
    assert _norms(fast.visual) == 0 < _norms(model)  # type: ignore[arg-type]
    plain, other = (one.encode_image(pictures, normalize=True) for one in (model, fast))  # type: ignore[operator]
    assert torch.allclose(plain, other, atol=2e-6)


def test_weights_that_changed_are_read(clip: ClipModel) -> None:
    images = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(2))
    before = clip.encode_images(images)
    with torch.no_grad():
        next(clip.model.visual.parameters()).mul_(1.5)  # type: ignore[union-attr]
    after = clip.encode_images(images)
    plain = clip.model.encode_image(clip.preprocess.normalise(images), normalize=True)  # type: ignore[operator]
    assert not torch.allclose(before, after, atol=1e-3)
    assert torch.allclose(after, plain, atol=2e-6)


def test_weights_that_learn_are_left_alone(clip: ClipModel) -> None:
    images = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(3))
    clip.model.requires_grad_(True)
    assert clip.encode_images(images).requires_grad
    assert for_reading(clip.model, images) is clip.model
    with torch.no_grad():
        assert for_reading(clip.model, images) is not clip.model


def test_what_is_trained_shares_what_learns_and_nothing_else(clip: ClipModel) -> None:
    ready = clip.preprocess.normalise(torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(7)))
    weights = list(clip.model.visual.parameters())  # type: ignore[union-attr]
    for weight in weights[-20:]:
        weight.requires_grad_(True)
    quick = for_training(clip.model, ready)
    assert 0 < _norms(quick.visual) < _norms(clip.model)  # type: ignore[arg-type]
    plain = clip.model.encode_image(ready, normalize=True)  # type: ignore[operator]
    assert torch.allclose(quick.encode_image(ready, normalize=True), plain, atol=2e-6)  # type: ignore[operator]

    before = [weight.detach().clone() for weight in weights]
    quick.encode_image(ready, normalize=True)[0, 0].backward()  # type: ignore[operator]
    torch.optim.SGD([weight for weight in quick.parameters() if weight.requires_grad], lr=1.0).step()
    moved = [not torch.equal(a, b) for a, b in zip(before, weights, strict=True)]
    assert not any(moved[:-20])
    assert any(moved[-20:]), "a step on the copy is a step of the model"
    plain = clip.model.encode_image(ready, normalize=True)  # type: ignore[operator]
    assert torch.allclose(quick.encode_image(ready, normalize=True), plain, atol=2e-6)  # type: ignore[operator]


def test_gradients_reach_the_picture_through_the_copy(clip: ClipModel) -> None:
    image = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(4)).requires_grad_(True)
    clip.encode_images(image)[0, 0].backward()
    assert image.grad is not None
    plain = image.detach().clone().requires_grad_(True)
    clip.model.encode_image(clip.preprocess.normalise(plain), normalize=True)[0, 0].backward()  # type: ignore[operator]
    assert plain.grad is not None
    similar = nn.functional.cosine_similarity(image.grad.flatten(), plain.grad.flatten(), dim=0)
    assert similar > 0.9999, "not equal, as a kink of the activation may lie between the two"


def test_a_batch_norm_that_sees_more_than_a_convolution_stays() -> None:
    class Shared(nn.Module):
        """The output of the convolution is used beside the norm as well."""

        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            seen = self.conv(pictures)
            return (self.norm(seen) * 0.3 + seen).mean((2, 3))

    class Model(nn.Module):
        """What open_clip's models can do."""

        def __init__(self) -> None:
            super().__init__()
            self.visual = Shared()
            self.visual.norm.running_mean.add_(2.0)  # type: ignore[union-attr]

        def encode_image(self, pictures: torch.Tensor, normalize: bool = False) -> torch.Tensor:
            features: torch.Tensor = self.visual(pictures)
            return nn.functional.normalize(features, dim=-1) if normalize else features

    model, picture = Model().eval(), torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(5))
    assert for_reading(model, picture) is model


def test_a_model_that_is_gone_takes_its_copy_with_it() -> None:
    model = _resnet()
    copied = weakref.ref(for_reading(model, torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(6))))
    assert copied() is not None
    del model
    gc.collect()
    assert copied() is None
