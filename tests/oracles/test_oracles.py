"""One contract for every oracle; what superpixel must see; SAM on real, small `Sam` networks."""

import hashlib
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from PIL import Image
from segment_anything import SamPredictor
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from support.hub import Hub, lead_to
from torch import Tensor

from eftclip.data import bundled_photographs, read_picture
from eftclip.errors import OracleError
from eftclip.oracles import ORACLES, SAM_MODELS, SamOracle, SuperpixelOracle, load_oracle, sam_weights
from eftclip.oracles.base import remainder
from eftclip.oracles.sam_predictor import KeptMasksPredictor
from eftclip.oracles.sam_weights import SamModel, cached_weights, read_sam
from eftclip.preprocess import Preprocess
from eftclip.runtime import seeded
from eftclip.triggers import TRIGGERS, PatchSpec, draw_trigger
from eftclip.types import Oracle

pytestmark = pytest.mark.quick

CPU = torch.device("cpu")
PATCHES = sorted(name for name, spec in TRIGGERS.items() if isinstance(spec, PatchSpec))
SQUARE = Preprocess(224, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
WIDTH, CHANNELS, IMG_PX = 48, 32, 64


def build_small() -> Sam:
    """The real network, only small: two blocks of 48 channels on 64 × 64 pixels."""
    side = IMG_PX // 16
    return Sam(
        image_encoder=ImageEncoderViT(
            img_size=IMG_PX,
            embed_dim=WIDTH,
            depth=2,
            num_heads=2,
            out_chans=CHANNELS,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=4,
            global_attn_indexes=(1,),
        ),
        prompt_encoder=PromptEncoder(CHANNELS, (side, side), (IMG_PX, IMG_PX), mask_in_chans=16),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(depth=2, embedding_dim=CHANNELS, mlp_dim=64, num_heads=4),
            transformer_dim=CHANNELS,
            iou_head_depth=3,
            iou_head_hidden_dim=32,
        ),
    )


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the small SAM, in a file as Meta publishes them."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sam = build_small()
    path = tmp_path_factory.mktemp("sam") / "sam_small.pth"
    torch.save(sam.state_dict(), path)
    return path


@pytest.fixture(autouse=True)
def small_is_known(monkeypatch: pytest.MonkeyPatch, weights: Path) -> None:
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    monkeypatch.setitem(SAM_MODELS, "small", SamModel("checkpoints/sam_small.pth", digest, WIDTH, build_small))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weights: Path) -> Iterator[Hub]:
    """A Hub that has the small weights at the pinned commit, and an empty cache."""
    server = Hub()
    lead_to(server, monkeypatch, tmp_path)
    (tmp_path / "repository" / "checkpoints").mkdir(parents=True)
    (tmp_path / "repository" / "checkpoints" / "sam_small.pth").write_bytes(weights.read_bytes())
    monkeypatch.setattr(sam_weights, "REVISION", server.push(sam_weights.REPOSITORY, tmp_path / "repository"))
    yield server
    server.close()


def _photograph(name: str = "Cat") -> Image.Image:
    return next(read_picture(photo.path) for photo in bundled_photographs() if photo.name == name)


def _image(height: int, width: int) -> Tensor:
    """A photograph with a patch on it, cut to size."""
    image = SQUARE.square(_photograph())[0]
    image[:, 2:10, 3:11] = torch.rand(3, 8, 8, generator=seeded(1))
    return image[:, :height, :width].clone()


def _small_sam(weights: Path) -> Oracle:
    """Its weights are random, so what it predicts of its own quality is too: every mask is kept."""
    return SamOracle(read_sam(weights, device=CPU)[1], min_iou=-10, min_stability=0)


MAKERS: dict[str, Callable[[Path], Oracle]] = {
    "superpixel": lambda weights: load_oracle("superpixel", device=CPU),
    "auto": lambda weights: load_oracle("auto", device=CPU),
    "sam": _small_sam,
    "sam, strict": lambda weights: load_oracle("sam", device=CPU, weights=weights),
}
assert set(ORACLES) <= set(MAKERS), "every oracle of the registry is held to the contract"


@pytest.mark.parametrize("size", [(64, 64), (37, 53), (16, 41), (9, 8)])
@pytest.mark.parametrize("kind", MAKERS)
def test_contract(kind: str, size: tuple[int, int], weights: Path) -> None:
    oracle, image = MAKERS[kind](weights), _image(*size)
    before, found = image.clone(), oracle.regions(image)
    assert isinstance(oracle.name, str) and oracle.name
    assert torch.equal(image, before), "the picture must stay as it was"
    for region in found:
        assert region.mask.shape == size and region.mask.dtype == torch.bool and region.mask.any()
        ys, xs = region.mask.nonzero(as_tuple=True)
        assert region.box == (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)
        assert 0 <= region.score <= 1
    assert torch.stack([region.mask for region in found]).any(0).all(), "every pixel belongs to a region"
    assert len({region.mask.numpy().tobytes() for region in found}) == len(found), "no two are alike"
    areas = [region.area_px for region in found]
    assert areas == sorted(areas, reverse=True)
    again = oracle.regions(image)
    assert len(again) == len(found)
    for one, other in zip(found, again, strict=True):
        assert torch.equal(one.mask, other.mask) and (one.box, one.score) == (other.box, other.score)


@pytest.mark.parametrize("kind", ["superpixel", "sam"])
@pytest.mark.parametrize(
    "bad",
    [torch.zeros(1, 3, 9, 9), torch.zeros(1, 9, 9), torch.zeros(3, 0, 9), torch.zeros(3, 9, 9).byte()]
    + [torch.full((3, 9, 9), value) for value in (2.0, -0.1, float("nan"))],
)
def test_what_is_no_picture_is_refused(kind: str, bad: Tensor, weights: Path) -> None:
    with pytest.raises(OracleError, match="An oracle needs"):
        MAKERS[kind](weights).regions(bad)


@pytest.mark.parametrize("colour", [0.0, 0.5, 1.0])
def test_a_plain_picture_is_one_region(colour: float) -> None:
    (only,) = SuperpixelOracle().regions(torch.full((3, 64, 80), colour))
    assert only.mask.all() and only.box == (0, 0, 80, 64)


@pytest.mark.parametrize("patch_px", [8, 16])
@pytest.mark.parametrize("name", PATCHES)
def test_superpixel_sees_every_local_trigger_as_one_region(name: str, patch_px: int) -> None:
    generator = seeded(patch_px)
    trigger = draw_trigger(name, generator=generator, patch_px=patch_px)
    photographs = bundled_photographs()[patch_px // 16 :: 2]
    squares = torch.stack([SQUARE.square(read_picture(photo.path))[0] for photo in photographs])
    planted = trigger.plant(squares, generator=generator, position="random")
    best = [_best_iou(image, mask) for image, mask in zip(planted.images, planted.masks, strict=True)]
    assert sum(best) / len(best) >= 0.9 and min(best) >= 0.6, [f"{iou:.2f}" for iou in best]


def _best_iou(image: Tensor, mask: Tensor) -> float:
    regions = SuperpixelOracle().regions(image)
    shared = torch.stack([region.mask for region in regions])[:, mask].float().sum(1)
    areas = torch.tensor([region.area_px for region in regions])
    return float((shared / (areas + mask.sum() - shared)).max())


@pytest.mark.parametrize("position", ["top-left", "bottom-right"])
def test_superpixel_sees_patches_in_the_corners(position: str) -> None:
    for name in PATCHES:
        trigger = draw_trigger(name, generator=seeded(1), patch_px=8)
        planted = trigger.plant(SQUARE.square(_photograph())[0][None], generator=seeded(2), position=position)  # type: ignore[arg-type]
        assert _best_iou(planted.images[0], planted.masks[0]) >= 0.7, name


def test_what_no_mask_covers_becomes_parts_and_crumbs() -> None:
    seen = torch.ones(1, 20, 20, dtype=torch.bool)
    seen[0, 2:8, 2:8] = seen[0, 12:18, 12:18] = False  # two parts
    seen[0, 0, 19] = seen[0, 19, 0] = False  # two crumbs
    assert sorted(int(part.sum()) for part in remainder(seen)) == [2, 36, 36]
    assert remainder(torch.ones(1, 20, 20, dtype=torch.bool)).shape == (0, 20, 20)
    assert remainder(torch.zeros(0, 20, 20, dtype=torch.bool)).all(), "no mask at all leaves one large part"


def test_sam_asks_about_every_patch_of_eight_pixels(weights: Path) -> None:
    oracle = SamOracle(read_sam(weights, device=CPU)[1])
    for side in (64, 100, 224, 336):
        (points,) = oracle._generator(side).point_grids
        xs = sorted({float(x) * side for x, _ in points})
        gaps = [b - a for a, b in zip([0, *xs], [*xs, side], strict=True)]
        assert max(gaps) <= 8.001, "a point every eight pixels"


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9, 1.0])
def test_only_masks_that_are_kept_are_enlarged_and_they_are_the_same(share: float, weights: Path) -> None:
    _, sam = read_sam(weights, device=CPU)
    points, labels = torch.rand(6, 1, 2, generator=seeded(0)) * 40, torch.ones(6, 1)
    stock, pixels = SamPredictor(sam), (_image(40, 40) * 255).byte().permute(1, 2, 0).numpy()
    stock.set_image(pixels)
    expected, quality, small = stock.predict_torch(points, labels, return_logits=True)
    lowest = float(quality.flatten().quantile(share))
    shift = 1.0 - lowest  # random weights may predict a negative IoU, from which on all are kept
    sam.mask_decoder.iou_prediction_head.layers[-1].bias.data += shift
    ours = KeptMasksPredictor(sam, min_iou=lowest + shift)
    with pytest.raises(RuntimeError, match="No picture is set"):
        ours.predict_torch(points, labels)
    ours.set_image(pixels)
    found, quality, again = ours.predict_torch(points, labels, return_logits=True)
    kept = quality > lowest + shift
    assert torch.equal(found[kept], expected[kept]) and torch.equal(again, small)
    assert not (found[~kept] > 0).any() and 0 <= int(kept.sum()) < kept.numel()
    assert torch.equal(ours.predict_torch(points, labels)[0], found > 0)


@pytest.mark.parametrize("min_iou", [-10.0, 0.0, 0.01])
def test_regions_are_those_of_the_predictor_that_enlarges_everything(
    min_iou: float, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    oracle, image = SamOracle(read_sam(weights, device=CPU)[1], min_iou=min_iou, min_stability=0.1), _image(48, 64)
    ours = oracle.regions(image)
    monkeypatch.setattr("eftclip.oracles.sam.KeptMasksPredictor", lambda sam, min_iou: SamPredictor(sam))
    theirs = oracle.regions(image)
    assert len(ours) == len(theirs)
    assert all(torch.equal(a.mask, b.mask) and a.score == b.score for a, b in zip(ours, theirs, strict=True))


def test_sam_leaves_cv2_and_pycocotools_alone(weights: Path) -> None:
    _small_sam(weights).regions(_image(64, 64))
    assert not {"cv2", "pycocotools"} & set(sys.modules)


def test_local_weights_are_recognised_by_their_shapes(weights: Path) -> None:
    for name in ("sam", "auto"):
        assert load_oracle(name, device=CPU, weights=weights).name == "sam:small"
    model, sam = read_sam(weights, device=CPU)
    assert model == "small" and not sam.training
    saved = torch.load(weights, weights_only=True)
    assert all(torch.equal(value, saved[key]) for key, value in sam.state_dict().items())


@pytest.mark.parametrize("model", ["vit_b", "vit_l", "vit_h"])
def test_official_sizes_have_the_width_they_are_recognised_by(model: str) -> None:
    with torch.device("meta"):
        sam = SAM_MODELS[model].build()
    assert sam.image_encoder.pos_embed.shape[-1] == SAM_MODELS[model].width
    assert sam.image_encoder.img_size == 1024


class Bomb:
    """Runs code when it is unpickled without care."""

    def __reduce__(self) -> tuple[object, tuple[str]]:  # noqa: D105
        return exec, ("raise SystemExit('a weight file ran code')",)


def _state(weights: Path) -> dict[str, Tensor]:
    return dict(torch.load(weights, weights_only=True))


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "code": (lambda weights: Bomb(), "cannot be loaded as weights"),
    "other network": (lambda weights: torch.nn.Linear(2, 2).state_dict(), "holds no SAM weights"),
    "no tensors": (lambda weights: {"image_encoder.pos_embed": "hello"}, "holds no SAM weights"),
    "a list": (lambda weights: [torch.zeros(3)], "holds no SAM weights"),
    "unknown width": (
        lambda weights: {"image_encoder.pos_embed": torch.zeros(1, 4, 4, 99)},
        r"width 99, but the known ones are vit_b 768, vit_l 1024, vit_h 1280",
    ),
    "incomplete": (
        lambda weights: {key: value for key, value in _state(weights).items() if "mask_decoder" not in key},
        "does not fit SAM's small .*Missing key",
    ),
    "wrong shape": (
        lambda weights: _state(weights) | {"prompt_encoder.no_mask_embed.weight": torch.zeros(1, 7)},
        "does not fit SAM's small .*size mismatch",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_weight_files_get_one_sentence(what: str, tmp_path: Path, weights: Path) -> None:
    make, expected = WRONG[what]
    path = tmp_path / "wrong.pth"
    torch.save(make(weights), path)
    _refused(path, expected)


@pytest.mark.parametrize("keep", [0, 100, 20_000])
def test_a_truncated_weight_file_gets_one_sentence(keep: int, tmp_path: Path, weights: Path) -> None:
    path = tmp_path / "short.pth"
    path.write_bytes(weights.read_bytes()[:keep])
    _refused(path, "cannot be loaded as weights")


def test_a_missing_weight_file_gets_one_sentence(tmp_path: Path) -> None:
    _refused(tmp_path / "gone.pth", "do not exist")
    _refused(tmp_path, "are no file")


def _refused(path: Path, expected: str) -> None:
    for name in ("sam", "auto"):
        with pytest.raises(OracleError, match=expected) as caught:
            load_oracle(name, device=CPU, weights=path)
        assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_unknown_names_are_refused_with_the_choices() -> None:
    with pytest.raises(OracleError, match="Unknown oracle 'sams'; known are auto, superpixel, sam"):
        load_oracle("sams", device=CPU)
    for name in ("sam", "auto"):
        with pytest.raises(OracleError, match="Unknown SAM size 'vit_x'; known are vit_b, vit_l, vit_h"):
            load_oracle(name, device=CPU, model="vit_x")
    with pytest.raises(OracleError, match="superpixel oracle takes no weights"):
        load_oracle("superpixel", device=CPU, weights=Path("sam.pth"))


def test_auto_never_downloads_but_takes_what_is_there(hub: Hub) -> None:
    assert load_oracle("auto", device=CPU, model="small").name == "superpixel"
    assert not hub.requests, "nobody asked for a download"
    assert load_oracle("sam", device=CPU, model="small").name == "sam:small"
    asked = len(hub.requests)
    assert asked and all(sam_weights.REVISION in line for line in hub.requests), "the pinned commit and no other"
    assert load_oracle("auto", device=CPU, model="small").name == "sam:small"
    assert load_oracle("sam", device=CPU, model="small").name == "sam:small"
    assert len(hub.requests) == asked, "what is in the cache is not asked for again"


def test_weights_that_are_not_the_expected_ones_are_never_used(hub: Hub) -> None:
    hub.spoiled.add("checkpoints/sam_small.pth")
    with pytest.raises(OracleError, match=r"should have sha256 .*, found .*; delete it and try again"):
        load_oracle("sam", device=CPU, model="small")
    assert cached_weights("small") is None
    assert load_oracle("auto", device=CPU, model="small").name == "superpixel"


def test_a_hub_that_fails_gets_one_sentence_with_a_way_out(hub: Hub) -> None:
    hub.broken = 404
    with pytest.raises(OracleError, match=r"could not be downloaded from .*give a file that you have") as caught:
        load_oracle("sam", device=CPU, model="small")
    assert "\n" not in str(caught.value)


def test_offline_gets_one_sentence_with_a_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(OracleError, match=r"could not be downloaded .*superpixel oracle"):
        load_oracle("sam", device=CPU)
