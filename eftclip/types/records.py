"""What outputs see: pictures with their verdicts, and everything that decided them."""

from dataclasses import dataclass

from torch import Tensor

from eftclip.preprocess import Geometry
from eftclip.types.counts import Rate
from eftclip.types.models import CheckpointRef
from eftclip.types.verdicts import Detection


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
