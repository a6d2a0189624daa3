"""A checkpoint ready to read, its vocabulary, and what an oracle sees."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from eftclip.batch_norm import for_reading
from eftclip.preprocess import Preprocess

Box = tuple[int, int, int, int]  # XYXY in pixels; x1 and y1 are exclusive


@dataclass(frozen=True)
class CheckpointRef:
    """Where the weights under test came from, exactly.

    Attributes:
        source: what the user typed.
        repo_id: `org/name` on the Hub; None for a local folder.
        revision: the pinned commit, 40 hex digits; None for a local folder.
        file: the weight file inside the folder.
        sha256: of that very file, 64 hex digits.
        format: `safetensors` or `pickle`.
        layout: the checkpoint format by name, e.g. `open_clip` or `transformers`.
        architecture: what the user said of weights that came alone; None where the checkpoint states it.
        remark: where in the file the weights lay, and what was left out; empty where that is plain.
        location: where the files are, if not at `source`: of an upload nobody else need know it; never in a report.
    """

    source: str
    repo_id: str | None
    revision: str | None
    file: str
    sha256: str
    format: str
    layout: str = "open_clip"
    architecture: str | None = None
    remark: str = ""
    location: str = field(default="", repr=False)


@dataclass(frozen=True, eq=False)
class ClipModel:
    """A CLIP with the preprocessing and the tokenizer that belong to it.

    Attributes:
        model: an open_clip model, or one with its methods, in eval mode.
        preprocess: how a picture becomes what the model sees.
        tokenizer: list of texts to `(N, context)` int64.
        ref: provenance of the weights.
    """

    model: torch.nn.Module
    preprocess: Preprocess
    tokenizer: Callable[[Sequence[str]], Tensor]
    ref: CheckpointRef

    @property
    def device(self) -> torch.device:
        """Where the weights are; inputs follow them."""
        return next(self.model.parameters()).device

    @property
    def image_px(self) -> int:
        """Side of the square picture that the model sees."""
        return self.preprocess.image_px

    @property
    def embed_dim(self) -> int:
        """Length D of an embedding."""
        with torch.inference_mode():
            return int(self.encode_text([""]).shape[1])

    def encode_images(self, images: Tensor) -> Tensor:
        """`(N, 3, H, W)` float32 RGB in [0, 1] to `(N, D)` float32 of unit length; gradients flow where enabled."""
        ready = self.preprocess.normalise(images.to(self.device))
        ready = ready.contiguous(memory_format=torch.channels_last)
        features = for_reading(self.model, ready).encode_image(ready, normalize=True)  # type: ignore[operator]
        return features.float()

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Texts to `(N, D)` float32 of unit length."""
        tokens = self.tokenizer(list(texts)).to(self.device)
        return self.model.encode_text(tokens, normalize=True).float()  # type: ignore[operator]

    @property
    def logit_scale(self) -> float:
        """The factor from cosine to logit."""
        return float(self.model.logit_scale.detach().exp())  # type: ignore[operator]


@dataclass(frozen=True, eq=False)
class ClassMatrix:
    """A label vocabulary as CLIP reads it.

    Attributes:
        labels: C names.
        matrix: `(D, C)` float32, unit columns.
    """

    labels: tuple[str, ...]
    matrix: Tensor

    def __post_init__(self) -> None:
        """Refuse a matrix that does not fit the labels."""
        if self.matrix.ndim != 2 or self.matrix.shape[1] != len(self.labels):
            raise ValueError(f"expected a (D, {len(self.labels)}) matrix, got {tuple(self.matrix.shape)}")


@dataclass(frozen=True, eq=False)
class Region:
    """Something an oracle sees.

    Attributes:
        mask: `(H, W)` bool on the CPU.
        box: XYXY pixels around the mask.
        score: how sure the oracle is, in [0, 1].
    """

    mask: Tensor
    box: Box
    score: float

    @property
    def area_px(self) -> int:
        """Number of pixels."""
        return int(self.mask.sum())


@dataclass(frozen=True, eq=False)
class HostImages:
    """Photographs that have nothing to do with the picture under test; a suspected patch is pasted into them.

    Attributes:
        images: `(M, 3, H, W)` float32 RGB in [0, 1].
        probabilities: `(M, C)` float32, as the checkpoint under test reads them untouched.
    """

    images: Tensor
    probabilities: Tensor

    @property
    def certainty(self) -> float:
        """The mean of the best label's probability, in [0, 1]: low for a checkpoint that reads badly."""
        return float(self.probabilities.amax(-1).mean())


class Oracle(Protocol):
    """Finds the regions of a picture, small ones included, the same ones every time.

    Attributes:
        name: which oracle this is, for reports, e.g. `superpixel` or `sam:vit_b`.
    """

    @property
    def name(self) -> str:
        """Which oracle this is."""
        ...

    def regions(self, image: Tensor) -> tuple[Region, ...]:
        """What is in the picture.

        Args:
            image: `(3, H, W)` float32 RGB in [0, 1] on the CPU.

        Returns:
            regions with `(H, W)` masks, none empty, no two alike, largest first; they may overlap, and together they
            cover every pixel, so that examining all of them means having looked everywhere.

        Raises:
            OracleError: the image is none.
        """
        ...
