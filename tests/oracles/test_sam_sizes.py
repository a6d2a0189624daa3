"""One loader for every size of SAM: the official layouts, and sizes that only their own shapes tell of."""

from pathlib import Path

import pytest
import torch
from segment_anything import sam_model_registry
from segment_anything.modeling import Sam
from torch import Tensor

from eftclip.errors import OracleError
from eftclip.oracles import SAM_MODELS, SamOracle, load_oracle
from eftclip.oracles.sam_shapes import build_from_shapes
from eftclip.oracles.sam_weights import read_sam
from examples.build.sam.network import Size, build

pytestmark = pytest.mark.quick

CPU = torch.device("cpu")
SMALL = Size(side_px=64, width=48, depth=3, heads=3, window=2, global_blocks=(1,), channels=32, decoder_mlp=40)


def _layout(sam: Sam) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in sam.state_dict().items()}


def _official(model: str) -> Sam:
    """As segment_anything's own registry builds it, without memory."""
    with torch.device("meta"):
        sam: Sam = sam_model_registry[model]()
    return sam


def _small_weights() -> dict[str, Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return dict(build(SMALL).state_dict())


@pytest.mark.parametrize("model", ["vit_b", "vit_l", "vit_h"])
def test_a_file_with_an_official_layout_is_loaded_as_that_size(model: str, tmp_path: Path) -> None:
    """Every tensor has its name and shape, and takes 4 bytes: one number, repeated."""
    layout, path = _layout(_official(model)), tmp_path / f"sam_{model}.pth"
    torch.save({name: torch.full((1,), 0.5).expand(shape) for name, shape in layout.items()}, path)
    assert path.stat().st_size < 2**20
    name, sam = read_sam(path, device=CPU)
    assert name == model in SAM_MODELS and not sam.training
    assert _layout(sam) == layout, "the names and shapes of segment_anything's registry"
    assert all(bool((value.flatten()[:1] == 0.5).all()) for value in sam.state_dict().values())
    assert sam.pixel_mean.flatten().tolist() == pytest.approx([123.675, 116.28, 103.53])
    assert load_oracle("sam", device=CPU, weights=path).name == f"sam:{model}"


@pytest.mark.parametrize("model", ["vit_b", "vit_l", "vit_h"])
def test_shapes_alone_tell_an_official_size(model: str) -> None:
    official = _official(model)
    with torch.device("meta"):
        told = build_from_shapes(official.state_dict())
    assert _layout(told) == _layout(official)
    encoder, expected = told.image_encoder, official.image_encoder
    assert encoder.img_size == expected.img_size
    for one, other in zip(encoder.blocks, expected.blocks, strict=True):
        assert (one.window_size, one.attn.num_heads) == (other.window_size, other.attn.num_heads)
    heads = [layer.self_attn.num_heads for layer in told.mask_decoder.transformer.layers]
    assert heads == [layer.self_attn.num_heads for layer in official.mask_decoder.transformer.layers]


@pytest.mark.parametrize("precision", [torch.float32, torch.float16])
def test_any_other_size_is_told_by_its_shapes(precision: torch.dtype, tmp_path: Path) -> None:
    weights, path = _small_weights(), tmp_path / "own.pth"
    torch.save({name: value.to(precision) for name, value in weights.items()}, path)
    assert load_oracle("auto", device=CPU, weights=path).name == "sam:48x3"
    _, sam = read_sam(path, device=CPU)
    original = build(SMALL).eval()
    original.load_state_dict({name: value.to(precision).float() for name, value in weights.items()})
    asked = [
        {"image": torch.rand(3, 64, 64) * 255, "original_size": (64, 64), "boxes": torch.tensor([[4.0, 4, 40, 40]])}
    ]
    for key, value in original(asked, multimask_output=True)[0].items():
        assert torch.equal(value, sam(asked, multimask_output=True)[0][key]), key
    assert SamOracle(sam, min_iou=-10, min_stability=0).regions(torch.rand(3, 40, 40))


WRONG: dict[str, tuple[dict[str, Tensor], str]] = {
    "too much for any machine": (
        {"image_encoder.pos_embed": torch.zeros(1).expand(1, 10**5, 10**5, 48)},
        "larger than",
    ),
    "too large a picture": ({"image_encoder.pos_embed": torch.zeros(1, 65, 65, 48)}, "1040 × 1040"),
    "no square": ({"image_encoder.pos_embed": torch.zeros(1, 4, 5, 48)}, "64 × 80"),
    "heads that do not divide": ({"image_encoder.blocks.0.attn.rel_pos_h": torch.zeros(3, 7)}, "6 heads"),
    "two windows": ({"image_encoder.blocks.0.attn.rel_pos_h": torch.zeros(1, 16)}, r"look at \[1, 2\]"),
    "no block 1": ({"image_encoder.blocks.x.attn.rel_pos_h": torch.zeros(3, 16)}, "blocks.3"),
    "a scalar": ({"image_encoder.neck.0.weight": torch.tensor(1.0)}, "make no other"),
    "empty": ({"image_encoder.neck.0.weight": torch.zeros(0, 48, 1, 1)}, "own.pth"),
}


@pytest.mark.parametrize("what", WRONG)
def test_shapes_that_are_no_sam_get_one_sentence(what: str, tmp_path: Path) -> None:
    changed, says = WRONG[what]
    path = tmp_path / "own.pth"
    torch.save(_small_weights() | changed, path)
    with pytest.raises(OracleError, match=says) as caught:
        load_oracle("sam", device=CPU, weights=path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
