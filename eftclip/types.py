"""The frozen values handed from stage to stage; each one checks itself where it is made."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import torch
from torch import Tensor

from eftclip.preprocess import Geometry, Preprocess

Box = tuple[int, int, int, int]  # XYXY in pixels; x1 and y1 are exclusive


class Status(StrEnum):
    """What a search ended with; only a complete search may end with `NOT_FOUND`."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


@dataclass(frozen=True)
class Rate:
    """A measured share; counts are kept, so nobody has to trust a bare percentage."""

    hits: int
    total: int

    def __post_init__(self) -> None:
        """Refuse counts that cannot be."""
        if not 0 <= self.hits <= self.total:
            raise ValueError(f"expected 0 <= hits <= total, got {self.hits} of {self.total}")

    @property
    def value(self) -> float:
        """hits / total in [0, 1]; nan when nothing was counted."""
        return self.hits / self.total if self.total else math.nan

    def interval(self, z: float = 1.96) -> tuple[float, float]:
        """Wilson's score interval (95 % by default); (0, 1) when nothing was counted."""
        if not self.total:
            return 0.0, 1.0
        n, p = self.total, self.value
        centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return max(0.0, centre - half), min(1.0, centre + half)

    def __add__(self, other: "Rate") -> "Rate":
        """Pool two counts."""
        return Rate(self.hits + other.hits, self.total + other.total)

    def __str__(self) -> str:
        """For people: `23 of 24`."""
        return f"{self.hits} of {self.total}"


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
    """

    source: str
    repo_id: str | None
    revision: str | None
    file: str
    sha256: str
    format: str


@dataclass(frozen=True, eq=False)
class ClipModel:
    """A CLIP with the preprocessing and the tokenizer that belong to it.

    Attributes:
        model: an open_clip model in eval mode.
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
        features = self.model.encode_image(ready, normalize=True)  # type: ignore[operator]
        return features.float()

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Texts to `(N, D)` float32 of unit length."""
        tokens = self.tokenizer(list(texts)).to(self.device)
        return self.model.encode_text(tokens, normalize=True).float()  # type: ignore[operator]

    @property
    def logit_scale(self) -> float:
        """The factor from cosine to logit."""
        return float(self.model.logit_scale.detach().exp())  # type: ignore[operator, union-attr]


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


@dataclass(frozen=True)
class Prediction:
    """A label that CLIP reads, with its probability among all labels asked for."""

    label: str
    probability: float


@dataclass(frozen=True)
class LabelEvidence:
    """One of the labels CLIP reads in the picture, and whether an object that the oracle sees explains it.

    Attributes:
        label: the label.
        probability: in the whole picture.
        support: the highest confidence with which any examined part of the picture, the carrier left out,
            shows that label when it is read without its surroundings.
        explained: support reaches the configured confidence θ.
    """

    label: str
    probability: float
    support: float
    explained: bool


@dataclass(frozen=True, eq=False)
class Stranger:
    """A stranger's photograph with the suspected patch pasted in: `(3, H, W)`, read before and after."""

    image: Tensor
    label_before: str
    label_after: str
    taken_over: bool


@dataclass(frozen=True, eq=False)
class FoundTrigger:
    """A patch that forces its label on strangers' pictures.

    Attributes:
        target_label: the label it forces.
        mask: `(H, W)` bool in the picture that the model sees.
        box: XYXY pixels around the mask.
        transplant: strangers' photographs that became the target label, of those tried.
        strangers: some of those photographs, for showing.
        control: the same pictures read by the trusted reference checkpoint; None when there was none.
    """

    target_label: str
    mask: Tensor
    box: Box
    transplant: Rate
    strangers: tuple[Stranger, ...] = ()
    control: Rate | None = None

    @property
    def area_fraction(self) -> float:
        """Share of the picture that the mask covers, in [0, 1]."""
        return float(self.mask.float().mean())


@dataclass(frozen=True, eq=False)
class Detection:
    """The verdict on one picture.

    Attributes:
        status: see `Status`.
        reason: one sentence that says why, for people.
        predictions: the τ best labels of the picture, best first; empty only for `ERROR`.
        difference: evidence for each of those labels.
        trigger: present exactly when the status is `FOUND`.
        purified: `(3, H, W)` the picture with the trigger removed; only with a trigger.
        purified_predictions: what the model reads then, best first.
        examined: regions that an examined group covered.
        regions: all regions that had to be examined.
        image_forwards: pictures that went through the CLIP under test.
    """

    status: Status
    reason: str
    predictions: tuple[Prediction, ...] = ()
    difference: tuple[LabelEvidence, ...] = ()
    trigger: FoundTrigger | None = None
    purified: Tensor | None = field(default=None, repr=False)
    purified_predictions: tuple[Prediction, ...] = ()
    examined: int = 0
    regions: int = 0
    image_forwards: int = 0

    def __post_init__(self) -> None:
        """Refuse a verdict that claims more than was done."""
        if (self.status is Status.FOUND) != (self.trigger is not None):
            raise ValueError("a trigger belongs to `found` and to nothing else")
        if self.status is Status.NOT_FOUND and (self.examined < self.regions or not self.predictions):
            raise ValueError(
                f"`not_found` needs a complete search, but {self.examined} of {self.regions} regions were examined"
            )
        if not self.reason:
            raise ValueError("a verdict needs a reason")


@dataclass(frozen=True)
class Sanity:
    """Whether a checkpoint behaves like a working CLIP at all (method.md section 0).

    Attributes:
        clean: reference photographs that were given their own name among the reference names.
        ok: the checkpoint may be judged.
        reason: what was found, one sentence.
        normalisation: the preprocessing that was used, for people.
    """

    clean: Rate
    ok: bool
    reason: str
    normalisation: str


@dataclass(frozen=True, eq=False)
class Checked:
    """One picture with its verdict: all that reports, figures and the page need.

    Attributes:
        name: the path or name the user knows it by.
        picture: `(3, H, W)` uint8 RGB, upright, in the pixels of the file; None when it could not be read.
        square: `(3, image_px, image_px)` float32, what the model sees; None when it could not be read.
        geometry: where the square lies in the picture; None when it could not be read.
        detection: the verdict.
    """

    name: str
    picture: Tensor | None
    square: Tensor | None
    geometry: Geometry | None
    detection: Detection


@dataclass(frozen=True, eq=False)
class CheckRecord:
    """The record of one `check`: the only thing that outputs see.

    Attributes:
        ref: which weights were judged.
        config: every setting of the detector, plain values.
        labels: number of labels read, and where they came from, e.g. `imagenet`.
        oracle: name of the oracle that was used.
        reference: sha256 of the trusted reference checkpoint's weights; None without one.
        sanity: whether the checkpoint behaves like a working CLIP.
        seed: of the generator.
        versions: of the packages that decide numbers.
        results: one for each picture.
    """

    ref: CheckpointRef
    config: dict[str, object]
    labels: tuple[int, str]
    oracle: str
    reference: str | None
    sanity: Sanity
    seed: int
    versions: dict[str, str]
    results: tuple[Checked, ...]
