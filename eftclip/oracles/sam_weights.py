"""SAM's weights: the official ones from the Hub, pinned and verified, or a file of the user's; never any code."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx2
import torch
from huggingface_hub import hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError
from segment_anything import build_sam_vit_b, build_sam_vit_h, build_sam_vit_l
from segment_anything.modeling import Sam
from torch import Tensor

from eftclip.errors import OracleError
from eftclip.oracles.sam_shapes import build_from_shapes

# A copy of the official weights. The commit is the one that public projects pin; it could not be asked of the Hub
# when this was written. The digests are those of the official files, so the commit only has to hold these files.
REPOSITORY = "ybelkada/segment-anything"
REVISION = "7790786db131bcdc639f24a915d9f2c331d843ee"
# As in checkpoint/source.py: httpx2's connection errors are neither OSError nor HfHubHTTPError.
HUB_ERRORS = (HfHubHTTPError, httpx2.HTTPError, OSError, ValueError, RuntimeError)
WIDTH_KEY = "image_encoder.pos_embed"  # (1, h, w, width)


@dataclass(frozen=True)
class SamModel:
    """One size of SAM.

    Attributes:
        file: path in the Hub repository.
        sha256: of that file.
        width: channels of the image encoder, by which a local file is recognised.
        build: makes the network with random weights.
    """

    file: str
    sha256: str
    width: int
    build: Callable[[], Sam]


SAM_MODELS: dict[str, SamModel] = {
    "vit_b": SamModel(
        "checkpoints/sam_vit_b_01ec64.pth",
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        768,
        build_sam_vit_b,
    ),
    "vit_l": SamModel(
        "checkpoints/sam_vit_l_0b3195.pth",
        "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
        1024,
        build_sam_vit_l,
    ),
    "vit_h": SamModel(
        "checkpoints/sam_vit_h_4b8939.pth",
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        1280,
        build_sam_vit_h,
    ),
}


def cached_weights(model: str) -> Path | None:
    """The official weights, if they are on this machine already and intact; asks nobody.

    Raises:
        OracleError: unknown size.
    """
    wanted = _known(model)
    path = try_to_load_from_cache(REPOSITORY, wanted.file, revision=REVISION)
    return Path(path) if isinstance(path, str) and _sha256(Path(path)) == wanted.sha256 else None


def official_weights(model: str, *, token: str | None = None) -> Path:
    """The official weights, downloaded if need be (0.4 to 2.6 GB), so call this only when the user asks for SAM.

    Raises:
        OracleError: unknown size, the Hub does not give them, or they are not the expected ones.
    """
    wanted = _known(model)
    if cached := cached_weights(model):
        return cached
    try:
        path = Path(hf_hub_download(REPOSITORY, wanted.file, revision=REVISION, token=token))
    except HUB_ERRORS as error:
        why = str(error).split("\n", 1)[0] or type(error).__name__
        raise OracleError(
            f"SAM's weights {wanted.file} could not be downloaded from {REPOSITORY} ({why}); "
            "give a file that you have, or use the superpixel oracle."
        ) from error
    if (found := _sha256(path)) != wanted.sha256:
        raise OracleError(
            f"{path} should have sha256 {wanted.sha256[:12]}…, found {found[:12]}…; delete it and try again."
        )
    return path


def read_sam(path: Path, *, device: torch.device) -> tuple[str, Sam]:
    """Load a weight file in SAM's own format; its shapes tell which size it is.

    Returns:
        a key of `SAM_MODELS`, or for any other size its width and depth, e.g. `192x8`; and the network, in eval mode
        on the device, in single precision whatever the file is in.

    Raises:
        OracleError: the file is missing, is no SAM, or does not fit the size that it claims.
    """
    weights = _read(path)
    with torch.device("meta"):  # takes no memory: the weights of the file become those of the network
        model, sam = _build(path, weights)
    try:
        sam.load_state_dict(weights, assign=True)
    except RuntimeError as error:
        first = " ".join(str(error).split())[:200]
        raise OracleError(f"{path} does not fit SAM's {model} ({first}…); give a complete, official file.") from error
    return model, sam.float().to(device).eval()


def _build(path: Path, weights: dict[str, Tensor]) -> tuple[str, Sam]:
    """The published size of the same width, or a size of its own, with its name."""
    width = weights[WIDTH_KEY].shape[-1]
    for name, known in SAM_MODELS.items():
        if known.width == width:
            return name, known.build()
    try:
        sam = build_from_shapes(weights)
    except (LookupError, TypeError, ValueError, ArithmeticError, RuntimeError, AssertionError) as error:
        known_ones = ", ".join(f"{name} {spec.width}" for name, spec in SAM_MODELS.items())
        why = str(error).split("\n", 1)[0][:200]
        raise OracleError(
            f"{path} holds a SAM of width {width}, but the known ones are {known_ones}, and its shapes make no other "
            f"({why}); give one of those."
        ) from error
    return f"{width}x{len(sam.image_encoder.blocks)}", sam


def _read(path: Path) -> dict[str, Tensor]:
    """The tensors of a weight file; anything else in it is refused, code above all."""
    if not path.is_file():
        raise OracleError(f"SAM's weights {path} do not exist or are no file; give a .pth file.")
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zip and torch each raise their own errors on a damaged or hostile file
        why = str(error).split("\n", 1)[0][:200] or type(error).__name__
        raise OracleError(f"{path} cannot be loaded as weights ({why}); give an official SAM .pth file.") from error
    tensors = isinstance(weights, dict) and all(isinstance(value, Tensor) for value in weights.values())
    if not tensors or WIDTH_KEY not in weights or weights[WIDTH_KEY].ndim != 4:
        raise OracleError(f"{path} holds no SAM weights ({WIDTH_KEY} not found); give an official SAM .pth file.")
    return dict(weights)


def _known(model: str) -> SamModel:
    if model not in SAM_MODELS:
        raise OracleError(f"Unknown SAM size {model!r}; known are {', '.join(SAM_MODELS)}.")
    return SAM_MODELS[model]


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
